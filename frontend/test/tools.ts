// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the tests share: the project's vectors, and randomness that is the same in every run. */

import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shake256 } from "@noble/hashes/sha3.js";
import { type Bytes, concat, toUtf8, unhex } from "../src/protocol/bytes.ts";
import { u64 } from "../src/protocol/encoding.ts";
import { WordList } from "../src/protocol/wordlist.ts";

declare const VECTORS: string;

globalThis.crypto ??= webcrypto as Crypto; // Node 18, as Debian 12 has it, keeps it in a module

/** A file of tests/vectors. */
export const vectors = (name: string): any => JSON.parse(readFileSync(join(VECTORS, `${name}.json`), "utf-8"));

/** A list's file, by the list's name. */
export const listFile = (language: string): string =>
  readFileSync(join(VECTORS, "../../src/latchstring/protocol/words", `${language}.txt`), "utf-8");

export const ENGLISH = WordList.parse("english", listFile("english"));

/** Bytes from a seed, as tests/builders.Stream. */
export function stream(seed: string): (size: number) => Bytes {
  let count = 0;
  return (size) => {
    count += 1;
    return shake256(concat(toUtf8(seed), u64(count)), { dkLen: size });
  };
}

/** Of a vector. */
export const bytes = (hexadecimal: string): Bytes => unhex(hexadecimal);
