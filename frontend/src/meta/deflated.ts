// SPDX-License-Identifier: AGPL-3.0-or-later
/** Deflate (RFC 1951), walked through bit by bit up to its end: nothing is unpacked, and it takes as long as it is. */

import type { Bytes } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";
import { number } from "./slices.ts";

/** How many codes there are of each length, and what they stand for, in their order. */
interface Codes {
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

const MIN_BLOCK = 500; // bytes of a block with codes of its own, on average: who packs pixels has far longer ones
const MAX_LENGTH = 15; // of a code, in bits
const LENGTHS_OF = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]; // in the order in which they come

function codesOf(lengths: readonly number[]): Codes {
  const counts = new Array<number>(MAX_LENGTH + 1).fill(0);
  for (const length of lengths) if (length) counts[length] = (counts[length] as number) + 1;
  let left = 1;
  const starts = [0, 0];
  for (let length = 1; length <= MAX_LENGTH; length += 1) {
    left = 2 * left - (counts[length] as number);
    if (left < 0) throw new Unreadable("damaged"); // more codes than there can be
    starts.push((starts[length] as number) + (counts[length] as number));
  }
  const symbols: number[] = [];
  lengths.forEach((length, symbol) => {
    if (!length) return;
    symbols[starts[length] as number] = symbol;
    starts[length] = (starts[length] as number) + 1;
  });
  return { counts, symbols };
}

const FIXED: readonly [Codes, Codes] = [
  codesOf(Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8))),
  codesOf(new Array<number>(30).fill(5)),
];

/** The place after the last block, which begins at `from`. Unreadable `damaged` where it is no Deflate, or has no end. */
export function endOfDeflate(raw: Bytes, from: number): number {
  let at = from;
  let held = 0;
  let have = 0;
  const bits = (count: number): number => {
    for (; have < count; have += 8) {
      if (at >= raw.length) throw new Unreadable("damaged");
      held |= (raw[at] as number) << have;
      at += 1;
    }
    const value = held & ((1 << count) - 1);
    held >>>= count;
    have -= count;
    return value;
  };
  const next = ({ counts, symbols }: Codes): number => {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_LENGTH; length += 1) {
      code |= bits(1);
      const count = counts[length] as number;
      if (code - first < count) return symbols[index + code - first] as number;
      index += count;
      first = 2 * (first + count);
      code *= 2;
    }
    throw new Unreadable("damaged");
  };
  let blocks = 0;
  const own = (): [Codes, Codes] => {
    blocks += 1;
    if (blocks > 1000 + raw.length / MIN_BLOCK) throw new Unreadable("too-much");
    const [literals, distances, count] = [bits(5) + 257, bits(5) + 1, bits(4) + 4];
    const lengths = new Array<number>(LENGTHS_OF.length).fill(0);
    for (let n = 0; n < count; n += 1) lengths[LENGTHS_OF[n] as number] = bits(3);
    const codes = codesOf(lengths);
    const all: number[] = [];
    while (all.length < literals + distances) {
      const symbol = next(codes);
      if (symbol < 16) all.push(symbol);
      else {
        const again = symbol === 16 ? (all[all.length - 1] ?? 0) : 0;
        for (let left = symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7); left; left -= 1) all.push(again);
      }
    }
    return [codesOf(all.slice(0, literals)), codesOf(all.slice(literals, literals + distances))];
  };
  for (let last = 0; !last; ) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 3) throw new Unreadable("damaged");
    if (!kind) {
      held = have = 0; // up to the next whole byte
      at += 4 + number(raw, at, 2, true);
      if (at > raw.length) throw new Unreadable("damaged");
      continue;
    }
    const [literals, distances] = kind === 1 ? FIXED : own();
    for (let symbol = next(literals); symbol !== 256; symbol = next(literals)) {
      if (symbol < 256) continue;
      const long = symbol - 257;
      if (long >= 8 && long < 28) bits((long >> 2) - 1);
      const far = next(distances);
      if (far >= 2) bits((far >> 1) - 1);
    }
  }
  return at;
}
