// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * HPKE base mode with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305 (RFC 9180, draft-ietf-hpke-pq, KEM 0x647a), as
 * protocol/hpke.py. No AAD: what a seal belongs to goes into `info`. A sealed message is enc (1120) ‖ ciphertext.
 */

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_kem768_x25519 as xwing } from "@noble/post-quantum/hybrid.js";
import { type Bytes, concat, type Random, toUtf8, unhex } from "./bytes.ts";
import { AEAD_TAG, MLKEM_PUBLIC, SYM_KEY, XWING_ENC, XWING_PUBLIC } from "./constants.ts";
import { ProtocolError, sized } from "./encoding.ts";
import { checkX25519, expand } from "./primitives.ts";

const SUITE = concat(toUtf8("HPKE"), unhex("647a" + "0001" + "0003"));
const VERSION = toUtf8("HPKE-v1");
const NONE = new Uint8Array(0);
const Q = 3329;

/** The message does not open with this key and info: sealed to another, or changed on the way. */
export class NotOurs extends Error {
  override name = "NotOurs";
}

/** An X-Wing public key, 1216 bytes, that `parseSealKey` checked. */
export interface SealKey {
  readonly raw: Bytes;
}

/** ProtocolError when the length is wrong, the ML-KEM part is not reduced (FIPS 203, 7.2), or the X25519 part is refused. */
export function parseSealKey(raw: Bytes): SealKey {
  sized(raw, XWING_PUBLIC, "a sealing key");
  checkX25519(raw.subarray(MLKEM_PUBLIC));
  for (let at = 0; at < MLKEM_PUBLIC - 32; at += 3) {
    const [a, b, c] = raw.subarray(at, at + 3) as unknown as [number, number, number];
    if ((a | ((b & 15) << 8)) >= Q || ((b >> 4) | (c << 4)) >= Q) throw new ProtocolError("a sealing key that is not valid");
  }
  return { raw };
}

const labeledExtract = (salt: Bytes, label: string, key: Bytes): Bytes =>
  extract(sha256, concat(VERSION, SUITE, toUtf8(label), key), salt);

const labeledExpand = (secret: Bytes, label: string, info: Bytes, size: number): Bytes =>
  expand(secret, concat(Uint8Array.of(size >> 8, size & 255), VERSION, SUITE, toUtf8(label), info), size);

/** The key schedule of base mode (RFC 9180, section 5.1): a cipher for one message. */
function schedule(shared: Bytes, info: Bytes): ReturnType<typeof chacha20poly1305> {
  const context = concat(Uint8Array.of(0), labeledExtract(NONE, "psk_id_hash", NONE), labeledExtract(NONE, "info_hash", info));
  const secret = labeledExtract(shared, "secret", NONE);
  return chacha20poly1305(labeledExpand(secret, "key", context, 32), labeledExpand(secret, "base_nonce", context, 12));
}

/** enc ‖ ciphertext: 1136 bytes longer than the plaintext. */
export function seal(key: SealKey, plaintext: Bytes, info: Bytes, random: Random): Bytes {
  const { cipherText, sharedSecret } = xwing.encapsulate(key.raw, random(64)); // 32 for ML-KEM, 32 for X25519
  return concat(cipherText, schedule(sharedSecret, info).encrypt(plaintext));
}

/** An X-Wing private key: the 32-byte secret, and its public half. */
export class OpenKey {
  readonly sealKey: SealKey;
  readonly #secret: Bytes;

  /** From 32 bytes, by SHAKE-256, as in the X-Wing draft. */
  constructor(secret: Bytes) {
    const pair = xwing.keygen(sized(secret, SYM_KEY, "a key's secret"));
    this.#secret = pair.secretKey;
    this.sealKey = parseSealKey(pair.publicKey);
  }

  /** The plaintext; NotOurs when it does not open. */
  open(sealed: Bytes, info: Bytes): Bytes {
    if (sealed.length < XWING_ENC + AEAD_TAG) throw new NotOurs();
    try {
      const shared = xwing.decapsulate(sealed.subarray(0, XWING_ENC), this.#secret);
      return schedule(shared, info).decrypt(sealed.subarray(XWING_ENC));
    } catch {
      throw new NotOurs();
    }
  }
}
