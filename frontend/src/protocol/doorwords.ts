// SPDX-License-Identifier: AGPL-3.0-or-later
/** A door's twelve words, as protocol/doorwords.py: the first 132 bits of its hash, 11 bits each. */

import type { Bytes } from "./bytes.ts";
import { DOOR_WORDS, WORD_BITS } from "./constants.ts";
import { sized } from "./encoding.ts";
import type { WordList } from "./wordlist.ts";

/** The twelve words of a 32-byte door. */
export function doorWords(door: Bytes, words: WordList): string[] {
  sized(door, 32, "a door");
  const bit = (at: number): number => ((door[at >> 3] as number) >> (7 - (at & 7))) & 1;
  return Array.from({ length: DOOR_WORDS }, (_, place) => {
    let number = 0;
    for (let i = 0; i < WORD_BITS; i += 1) number = (number << 1) | bit(place * WORD_BITS + i);
    return words.word(number);
  });
}
