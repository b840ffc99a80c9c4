// SPDX-License-Identifier: AGPL-3.0-or-later
/** The keys that a source and a desk share under one epoch, the source's side, as protocol/pair.py. */

import type { Bytes } from "./bytes.ts";
import { h, lp } from "./encoding.ts";
import type { EpochNote } from "./epoch.ts";
import { expand, mac, x25519 } from "./primitives.ts";
import type { SourceKeys, ThreadKeys } from "./source_keys.ts";

/** From which K_letter, K_reply, K_tag and K_knock of one thread under one epoch are made. */
export interface Pair {
  readonly note: EpochNote;
  readonly threadKeys: ThreadKeys;
  readonly prk: Bytes;
  readonly context: Bytes;
}

/** K_x = HKDF-Expand(prk, LP("pair", x, context)). */
export const pairKey = (pair: Pair, use: "letter" | "reply" | "tag" | "knock"): Bytes =>
  expand(pair.prk, lp("pair", use, pair.context));

/** ss = X25519(a, D_e), prk = HMAC(psk, ss); ProtocolError when the note's X25519 value is refused. */
export function pairOfSource(keys: SourceKeys, note: EpochNote): Pair {
  const { threadKeys } = keys;
  const context = h(lp("pair-ctx", note.door, note.desk, note.hash, threadKeys.dh, threadKeys.sealKey.raw));
  return { note, threadKeys, prk: mac(threadKeys.psk, x25519(keys.dh, note.dh)), context };
}
