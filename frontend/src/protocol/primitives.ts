// SPDX-License-Identifier: AGPL-3.0-or-later
/** The small primitives, as protocol/primitives.py: HKDF-Expand and HMAC with SHA-256, X25519 with its two refusals, the
 * two signatures. RFC 5869, 2104, 7748, 8032; FIPS 204. Argon2id, which takes long, is in argon2.ts. */

import { ed25519, x25519 as curve } from "@noble/curves/ed25519.js";
import { bytesToNumberLE } from "@noble/curves/utils.js";
import { expand as hkdfExpand } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { type Bytes, concat, equal, isZero, unhex } from "./bytes.ts";
import { ED25519_SIGNATURE, MLDSA_PUBLIC, MLDSA_SIGNATURE } from "./constants.ts";
import { ProtocolError, sized } from "./encoding.ts";

const P = unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"); // 2^255 - 19, little-endian

/** The canonical values of small order on Curve25519 and its twist: with them the shared value is all zeros. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
].map(unhex);

/** HKDF-Expand-SHA256(secret, info, size), RFC 5869 section 2.3. */
export const expand = (secret: Bytes, info: Bytes, size = 32): Bytes => hkdfExpand(sha256, secret, info, size);

/** HMAC-SHA256, 32 bytes. */
export const mac = (key: Bytes, message: Bytes): Bytes => hmac(sha256, key, message);

/** Bytes from the browser's generator, which pages without TLS have too. */
export const secureRandom = (size: number): Bytes => crypto.getRandomValues(new Uint8Array(size));

/** The 32-byte public value of a 32-byte private one. */
export const x25519Public = (secret: Bytes): Bytes => curve.getPublicKey(secret);

/** `value` itself; ProtocolError unless it is 32 bytes below 2^255 - 19 and of no small order (RFC 7748). */
export function checkX25519(value: Bytes): Bytes {
  sized(value, 32, "a key-agreement value");
  for (let i = 31; ; i -= 1) {
    const difference = i < 0 ? 0 : (value[i] as number) - (P[i] as number);
    if (difference > 0 || i < 0) throw new ProtocolError("a key-agreement value that is not canonical");
    if (difference < 0) break;
  }
  if (SMALL_ORDER.some((bad) => equal(bad, value))) throw new ProtocolError("a key-agreement value of small order");
  return value;
}

/** The shared 32 bytes; ProtocolError for a public value that is not canonical or gives all zeros. */
export function x25519(secret: Bytes, value: Bytes): Bytes {
  checkX25519(value);
  let shared: Bytes;
  try {
    shared = curve.getSharedSecret(secret, value);
  } catch {
    throw new ProtocolError("a key-agreement value of small order");
  }
  if (isZero(shared)) throw new ProtocolError("a key-agreement value of small order");
  return shared;
}

/** `key` itself; ProtocolError unless it is the one encoding of a point that is of no small order: under others anybody can sign. */
export function checkEd25519(key: Bytes): Bytes {
  sized(key, 32, "a signing key");
  let small: boolean;
  try {
    small = ed25519.Point.fromBytes(key).isSmallOrder();
  } catch {
    throw new ProtocolError("a signing key that is not the one encoding of a point");
  }
  if (small) throw new ProtocolError("a signing key of small order");
  return key;
}

/** Does the signature hold? By R = SB - kA, R compared as bytes, S below the order: as OpenSSL has it, and so the programs.
 * The library's own check multiplies both sides by 8; then who holds a key could sign for pages what programs refuse. */
export function ed25519Verify(key: Bytes, message: Bytes, signature: Bytes): boolean {
  if (signature.length !== ED25519_SIGNATURE || key.length !== 32) return false;
  const { Point } = ed25519;
  const r = signature.subarray(0, 32);
  try {
    const k = Point.Fn.create(bytesToNumberLE(sha512(concat(r, key, message))));
    const s = Point.BASE.multiplyUnsafe(bytesToNumberLE(signature.subarray(32)));
    return equal(s.subtract(Point.fromBytes(key).multiplyUnsafe(k)).toBytes(), r);
  } catch {
    return false;
  }
}

/** Does the ML-DSA-44 signature hold? */
export function mldsaVerify(key: Bytes, message: Bytes, signature: Bytes): boolean {
  if (signature.length !== MLDSA_SIGNATURE || key.length !== MLDSA_PUBLIC) return false;
  try {
    return ml_dsa44.verify(signature, message, key);
  } catch {
    return false;
  }
}
