// SPDX-License-Identifier: AGPL-3.0-or-later
/** A letter's receipt, as protocol/receipt.py: LP("receipt-signed", LP("receipt", origin, leaf, publish-by), signature). */

import type { Bytes } from "./bytes.ts";
import { ED25519_SIGNATURE, HASH_SIZE } from "./constants.ts";
import { field, parseLp, parseText, parseU64, ProtocolError, sized } from "./encoding.ts";
import { ed25519Verify } from "./primitives.ts";

/** `leaf` is the letter's 32-byte log entry. */
export interface Receipt {
  readonly origin: string;
  readonly leaf: Bytes;
  readonly publishBy: number;
}

/** A letter's receipt, signature checked; ProtocolError otherwise. */
export function openReceipt(raw: Bytes, receiptKey: Bytes): Receipt {
  const signed = parseLp("receipt-signed", 2, raw);
  const body = field(signed, 0);
  if (!ed25519Verify(receiptKey, body, sized(field(signed, 1), ED25519_SIGNATURE, "a signature"))) {
    throw new ProtocolError("a receipt whose signature does not hold");
  }
  const f = parseLp("receipt", 3, body);
  return { origin: parseText(field(f, 0)), leaf: sized(field(f, 1), HASH_SIZE, "a leaf"), publishBy: parseU64(field(f, 2)) };
}
