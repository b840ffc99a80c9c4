// SPDX-License-Identifier: AGPL-3.0-or-later
/** What a source reads of a desk's key notes, as protocol/epoch.py: an epoch a day, and its members' signatures. */

import type { Bytes } from "./bytes.ts";
import { ED25519_SIGNATURE, HASH_SIZE } from "./constants.ts";
import { field, h, lp, parseLp, parseText, parseU64, sized } from "./encoding.ts";
import { parseSealKey, type SealKey } from "./hpke.ts";
import { checkX25519, ed25519Verify } from "./primitives.ts";

/** The public half of a desk's epoch: X-Wing key P_e and X25519 value D_e. LP("epoch", door, desk, gen, v, day, P_e, D_e). */
export interface EpochNote {
  readonly door: Bytes;
  readonly desk: string;
  readonly gen: number;
  readonly v: number;
  readonly day: number;
  readonly sealKey: SealKey;
  readonly dh: Bytes;
  readonly raw: Bytes;
  readonly hash: Bytes;
}

/** ProtocolError for other bytes or a key that is not valid. */
export function parseEpochNote(raw: Bytes): EpochNote {
  const f = parseLp("epoch", 7, raw);
  return {
    door: sized(field(f, 0), HASH_SIZE, "a door"),
    desk: parseText(field(f, 1)),
    gen: parseU64(field(f, 2)),
    v: parseU64(field(f, 3)),
    day: parseU64(field(f, 4)),
    sealKey: parseSealKey(field(f, 5)),
    dh: checkX25519(field(f, 6)),
    raw,
    hash: h(raw),
  };
}

/** A member's word that the epoch's secret opened and derives the note. */
export interface EpochSignature {
  readonly noteHash: Bytes;
  readonly member: string;
  readonly signature: Bytes;
}

/** ProtocolError for other bytes. Whether it holds: see `signatureHolds`. */
export function parseEpochSignature(raw: Bytes): EpochSignature {
  const f = parseLp("signature", 3, raw);
  return {
    signature: sized(field(f, 2), ED25519_SIGNATURE, "a signature"),
    noteHash: sized(field(f, 0), HASH_SIZE, "a hash"),
    member: parseText(field(f, 1)),
  };
}

/** Was it signed with the member's key? */
export const signatureHolds = (s: EpochSignature, signKey: Bytes): boolean =>
  ed25519Verify(signKey, lp("epoch-sign", s.noteHash, s.member), s.signature);
