// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Argon2id (RFC 9106), 64 MiB, three passes, one lane: through WebAssembly, or in plain JavaScript where a browser has it
 * switched off, which takes several times as long. For a Worker: both keep their thread busy until they are done.
 */

import { argon2id as plain } from "@noble/hashes/argon2.js";
import noSimd from "argon2id/dist/no-simd.wasm";
import simd from "argon2id/dist/simd.wasm";
import setup from "argon2id/lib/setup.js";
import type { Bytes } from "./bytes.ts";
import { ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES } from "./constants.ts";

/** What the Worker does for the page: 32 bytes from a secret of few bits and a salt. */
export type Argon2 = (secret: Bytes, salt: Bytes) => Promise<Bytes>;

/** Is there WebAssembly to run it fast? Otherwise the person is told that it takes longer. */
export const hasWasm = (): boolean => typeof WebAssembly === "object" && typeof WebAssembly.instantiate === "function";

const load =
  (code: Bytes) =>
  (imports: WebAssembly.Imports): Promise<WebAssembly.WebAssemblyInstantiatedSource> =>
    WebAssembly.instantiate(code as Uint8Array<ArrayBuffer>, imports);

/** Through WebAssembly; rejects where it is missing or not allowed. */
export async function argon2Wasm(secret: Bytes, salt: Bytes): Promise<Bytes> {
  const compute = await setup(load(simd), load(noSimd));
  return compute({
    password: secret,
    salt,
    parallelism: ARGON2_LANES,
    passes: ARGON2_PASSES,
    memorySize: ARGON2_MEMORY_KIB,
    tagLength: 32,
  }).slice();
}

/** In plain JavaScript. */
export const argon2Plain = (secret: Bytes, salt: Bytes): Bytes =>
  plain(secret, salt, { t: ARGON2_PASSES, m: ARGON2_MEMORY_KIB, p: ARGON2_LANES, dkLen: 32 });

/** The one that this browser allows. */
export const argon2: Argon2 = async (secret, salt) => {
  if (hasWasm()) {
    try {
      return await argon2Wasm(secret, salt);
    } catch {
      // switched off, or not enough memory for it: the slow way gives the same bytes
    }
  }
  return argon2Plain(secret, salt);
};
