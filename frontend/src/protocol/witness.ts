// SPDX-License-Identifier: AGPL-3.0-or-later
/** Witnesses as the directory names them, as protocol/witness.py. */

import { type Bytes, hex } from "./bytes.ts";
import { MAX_WITNESSES, MLDSA_PUBLIC } from "./constants.ts";
import { type Cbor, Fields, ProtocolError } from "./encoding.ts";
import { checkEd25519 } from "./primitives.ts";

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,98}[A-Za-z0-9])?$/;
const ADDRESS = /^https?:\/\/[!-~]{0,190}[!-.0-~]$/; // does not end with a slash

/** `name` is that of its keys: Ed25519 (32 bytes), ML-DSA-44 (1312 bytes) or both. */
export interface Witness {
  readonly name: string;
  readonly address: string;
  readonly ed25519: Bytes | null;
  readonly mldsa: Bytes | null;
}

/** ProtocolError for anything else than a witness's map. */
export function decodeWitness(value: Cbor): Witness {
  const f = new Fields(value, "witness");
  const ed25519 = f.raw("ed25519");
  const mldsa = f.raw("mldsa");
  const witness = {
    name: f.text("name"),
    address: f.text("address"),
    ed25519: ed25519.length ? ed25519 : null,
    mldsa: mldsa.length ? mldsa : null,
  };
  f.done();
  return witness;
}

/** ProtocolError when a rule is broken. */
export function checkWitnesses(witnesses: readonly Witness[], quorum: number, origin: string): void {
  const need = (holds: boolean, sentence: string): void => {
    if (!holds) throw new ProtocolError(`directory: ${sentence}`);
  };
  need(witnesses.length <= MAX_WITNESSES, "too many witnesses");
  for (const w of witnesses) {
    need(NAME.test(w.name), "a witness's name is not one");
    need(ADDRESS.test(w.address), "a witness's address is not one");
    need(w.ed25519 !== null || w.mldsa !== null, "a witness has no key");
    if (w.ed25519 !== null) checkEd25519(w.ed25519);
    need(w.mldsa === null || w.mldsa.length === MLDSA_PUBLIC, "a witness's ML-DSA-44 key has the wrong length");
    need(w.name !== origin, "a witness has the name of the log");
  }
  need(new Set(witnesses.map((w) => w.name)).size === witnesses.length, "two witnesses have the same name");
  const keys = witnesses.flatMap((w) => [w.ed25519, w.mldsa]).filter((key) => key !== null);
  need(new Set(keys.map(hex)).size === keys.length, "two witnesses have the same key");
  need(quorum <= witnesses.length, "the quorum is more than there are witnesses");
  need(quorum === 0 || witnesses.length > 0, "a quorum without witnesses");
  need(witnesses.length === 0 || 2 * quorum > witnesses.length, "the quorum is not more than half of the witnesses");
}
