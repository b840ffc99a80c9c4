// SPDX-License-Identifier: AGPL-3.0-or-later
/** Merkle tree hashing (RFC 6962, section 2.1), as log/tree.py. */

import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat } from "../protocol/bytes.ts";
import { LEVEL1_SPAN, LEVEL2_SPAN } from "../protocol/constants.ts";
import { LogError, NotDerivable } from "./errors.ts";

export const EMPTY_ROOT = sha256(new Uint8Array(0));
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The hash of one log entry. */
export const leafHash = (entry: Bytes): Bytes => sha256(concat(LEAF, entry));

/** The hash of two subtrees side by side. */
export const nodeHash = (left: Bytes, right: Bytes): Bytes => sha256(concat(NODE, left, right));

/** The hashes of one log as `/visit` gives them: 65,536-leaf subtrees, then 256-leaf ones, then leaf hashes to the end. */
export interface Ranges {
  readonly level2: readonly Bytes[];
  readonly level1: readonly Bytes[];
  readonly leaves: readonly Bytes[];
}

/** The root over complete subtrees side by side: [level, hashes], widest first. LogError when they do not fit together. */
export function rootOfRuns(runs: readonly (readonly [number, readonly Bytes[]])[]): Bytes {
  const stack: [number, Bytes][] = [];
  let start = 0;
  let above = 64;
  for (const [level, hashes] of runs) {
    if (level > above || start % 2 ** level) throw new LogError("hashes of a log that do not fit together");
    above = level;
    start += hashes.length * 2 ** level;
    for (const digest of hashes) {
      let width = level;
      let right = digest;
      for (let top = stack[stack.length - 1]; top?.[0] === width; top = stack[stack.length - 1]) {
        stack.pop();
        right = nodeHash(top[1], right);
        width += 1;
      }
      stack.push([width, right]);
    }
  }
  return stack.reduceRight<Bytes | null>((root, [, left]) => (root === null ? left : nodeHash(left, root)), null) ?? EMPTY_ROOT;
}

/** The root of the whole. */
export const rootOf = ({ level2, level1, leaves }: Ranges): Bytes =>
  rootOfRuns([
    [16, level2],
    [8, level1],
    [0, leaves],
  ]);

/** The root that the same log had at `size` leaves; NotDerivable when that lies inside a hash, or beyond the log. */
export function rootAt(size: number, { level2, level1, leaves }: Ranges): Bytes {
  const starts1 = level2.length * LEVEL2_SPAN;
  const starts0 = starts1 + level1.length * LEVEL1_SPAN;
  if (size < 0 || size > starts0 + leaves.length) throw new NotDerivable("a size outside the log");
  if (size >= starts0) return rootOf({ level2, level1, leaves: leaves.slice(0, size - starts0) });
  const span = size >= starts1 ? LEVEL1_SPAN : LEVEL2_SPAN;
  if (size % span) throw new NotDerivable("a size inside a part of the log that is given as one hash");
  if (size >= starts1) return rootOf({ level2, level1: level1.slice(0, (size - starts1) / LEVEL1_SPAN), leaves: [] });
  return rootOf({ level2: level2.slice(0, size / LEVEL2_SPAN), level1: [], leaves: [] });
}
