// SPDX-License-Identifier: AGPL-3.0-or-later
/** Knocks, the source's side, as protocol/knock.py: what lets a letter of a known thread in when the door is flooded. */

import { type Bytes, concat, hex } from "./bytes.ts";
import { HASH_SIZE, KNOCK_SIZE, KNOCKS_A_THREAD } from "./constants.ts";
import { lp } from "./encoding.ts";
import { type Pair, pairKey } from "./pair.ts";
import { mac } from "./primitives.ts";

/** The request header that carries a knock. Whoever has none sends `NO_KNOCK`: all letters have one size on the line. */
export const HEADER = "latchstring-knock";
export const NO_KNOCK = "0".repeat(2 * (HASH_SIZE + KNOCK_SIZE));

/** A knock and whose list it is in: `note` is H(epoch note), `value` 32 bytes that only its holders know. */
export interface Knock {
  readonly note: Bytes;
  readonly value: Bytes;
}

/** 128 hexadecimal digits, lower case. */
export const knockHeader = (knock: Knock): string => hex(concat(knock.note, knock.value));

/** The four of a thread under one epoch: HMAC(K_knock, LP("knock", day, c)). */
export function knocksOf(pair: Pair): Knock[] {
  const key = pairKey(pair, "knock");
  const { hash, day } = pair.note;
  return Array.from({ length: KNOCKS_A_THREAD }, (_, n) => ({ note: hash, value: mac(key, lp("knock", day, n)) }));
}
