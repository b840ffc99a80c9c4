// SPDX-License-Identifier: AGPL-3.0-or-later
/** Log entries, as protocol/entry.py: 32 bytes each, H(LP("entry", kind, bytes)). */

import type { Bytes } from "./bytes.ts";
import { h, lp } from "./encoding.ts";

export type Kind =
  | "letter" | "directory" | "root" | "transport" | "epoch" | "signature" | "wrap" | "sheet" | "manifest";

/** The 32-byte log entry of `body`. */
export const entry = (kind: Kind, body: Bytes): Bytes => h(lp("entry", kind, body));
