// SPDX-License-Identifier: AGPL-3.0-or-later
/** A source's keys, as protocol/source_keys.py: from the passphrase's 100 bits and the door, nothing else. */

import type { Argon2 } from "./argon2.ts";
import { type Bytes, equal } from "./bytes.ts";
import { h, lp } from "./encoding.ts";
import { OpenKey, parseSealKey, type SealKey } from "./hpke.ts";
import { checkX25519, expand, x25519Public } from "./primitives.ts";

/** What a desk learns of a thread from its first letter: pk_S (1216 bytes), A (32), psk (32). */
export interface ThreadKeys {
  readonly sealKey: SealKey;
  readonly dh: Bytes;
  readonly psk: Bytes;
}

/** ProtocolError when a key is not valid. */
export const parseThreadKeys = (sealKey: Bytes, dh: Bytes, psk: Bytes): ThreadKeys => ({
  sealKey: parseSealKey(sealKey),
  dh: checkX25519(dh),
  psk,
});

/** Are they the same keys? */
export const sameThread = (a: ThreadKeys, b: ThreadKeys): boolean =>
  equal(a.sealKey.raw, b.sealKey.raw) && equal(a.dh, b.dh) && equal(a.psk, b.psk);

/** The thread's id: H(LP("thread-id", door, desk, pk_S, A, psk)). */
export const threadId = (keys: ThreadKeys, door: Bytes, desk: string): Bytes =>
  h(lp("thread-id", door, desk, keys.sealKey.raw, keys.dh, keys.psk));

/** A source's private keys for one desk. */
export interface SourceKeys {
  readonly door: Bytes;
  readonly desk: string;
  readonly openKey: OpenKey;
  readonly dh: Bytes;
  readonly c0: Bytes;
  readonly threadKeys: ThreadKeys;
}

/** psk = H(LP("psk", c0)): what the desk learns of c0 until the passphrase is changed. */
export const pskOf = (c0: Bytes): Bytes => h(lp("psk", c0));

/** Argon2id over the passphrase's 13 bytes with the door as salt: 32 bytes. */
export const seedOf = (bits: Bytes, door: Bytes, argon2: Argon2): Promise<Bytes> => argon2(bits, h(lp("source", door)));

/** The keys for one desk: s = HKDF-Expand(seed, LP("thread", desk)), and from s by label the pairs and psk. */
export function sourceKeys(seed: Bytes, door: Bytes, desk: string): SourceKeys {
  const s = expand(seed, lp("thread", desk));
  const openKey = new OpenKey(expand(s, lp("source-xwing")));
  const dh = expand(s, lp("source-x25519"));
  const c0 = expand(s, lp("change"));
  return { door, desk, openKey, dh, c0, threadKeys: { sealKey: openKey.sealKey, dh: x25519Public(dh), psk: pskOf(c0) } };
}
