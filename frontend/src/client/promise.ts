// SPDX-License-Identifier: AGPL-3.0-or-later
/** What a server's answer to a letter is worth, as client/promise.py: its signed receipt, checked before anyone relies on it. */

import { type Bytes, equal } from "../protocol/bytes.ts";
import { VISIT_FRESH_TICKS } from "../protocol/constants.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import { openReceipt, type Receipt } from "../protocol/receipt.ts";
import type { VerifiedVisit } from "./visit.ts";

/** The server's promise to log `leaf` soon. ProtocolError for another letter, another time or a bad signature. */
export function checkReceipt({ directory, manifest }: VerifiedVisit, leaf: Bytes, raw: Bytes): Receipt {
  const receipt = openReceipt(raw, directory.receiptKey);
  if (receipt.origin !== directory.origin || !equal(receipt.leaf, leaf)) {
    throw new ProtocolError("a receipt for something else");
  }
  const { queue, letters } = directory.policy;
  const latest = manifest.n + VISIT_FRESH_TICKS + Math.floor(queue / letters) + 4;
  if (receipt.publishBy <= manifest.n || receipt.publishBy > latest) throw new ProtocolError("a receipt for another time");
  return receipt;
}
