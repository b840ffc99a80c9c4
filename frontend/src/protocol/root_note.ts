// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Root keys and their rotation, as protocol/root.py and root_note.py: Ed25519 beside ML-DSA-44. The hash of the founding
 * keys is the door; notes under four signatures lead from there to the keys in force.
 */

import { type Bytes, equal } from "./bytes.ts";
import * as c from "./constants.ts";
import { field, h, lp, parseLp, parseU64, ProtocolError, sized } from "./encoding.ts";
import { checkEd25519, ed25519Verify, mldsaVerify } from "./primitives.ts";

/** Both public halves, 32 and 1312 bytes; or both signatures, 64 and 2420. */
export interface Both {
  readonly ed25519: Bytes;
  readonly mldsa: Bytes;
}

/** ProtocolError when a half has the wrong length, or anybody can sign for it. */
export const rootPublic = (ed25519: Bytes, mldsa: Bytes): Both => ({
  ed25519: checkEd25519(ed25519),
  mldsa: sized(mldsa, c.MLDSA_PUBLIC, "a root key"),
});

/** ProtocolError when a half has the wrong length. */
export const rootSignature = (ed25519: Bytes, mldsa: Bytes): Both => ({
  ed25519: sized(ed25519, c.ED25519_SIGNATURE, "a root signature"),
  mldsa: sized(mldsa, c.MLDSA_SIGNATURE, "a root signature"),
});

/** H(LP("door", Ed25519 key, ML-DSA-44 key)), 32 bytes. */
export const doorOf = (keys: Both): Bytes => h(lp("door", keys.ed25519, keys.mldsa));

/** Do both signatures hold? One alone is not enough. */
export const rootVerify = (keys: Both, message: Bytes, signature: Both): boolean =>
  ed25519Verify(keys.ed25519, message, signature.ed25519) && mldsaVerify(keys.mldsa, message, signature.mldsa);

const sameKeys = (a: Both, b: Both): boolean => equal(a.ed25519, b.ed25519) && equal(a.mldsa, b.mldsa);

/** One rotation as its bytes say it; whether it counts, `RootChain.then` says. */
export interface RootNote {
  readonly door: Bytes;
  readonly number: number;
  readonly previous: Bytes;
  readonly old: Both;
  readonly new: Both;
  readonly body: Bytes;
  readonly byOld: Both;
  readonly byNew: Both;
}

/** ProtocolError for anything else than one note with its four signatures, none of which is checked. */
export function parseRootNote(raw: Bytes): RootNote {
  const s = parseLp("root-signed", 5, raw);
  const body = field(s, 0);
  const f = parseLp("root", 7, body);
  return {
    door: sized(field(f, 0), c.HASH_SIZE, "a door"),
    number: parseU64(field(f, 1)),
    previous: sized(field(f, 2), c.HASH_SIZE, "a root note's hash"),
    old: rootPublic(field(f, 3), field(f, 4)),
    new: rootPublic(field(f, 5), field(f, 6)),
    body,
    byOld: rootSignature(field(s, 1), field(s, 2)),
    byNew: rootSignature(field(s, 3), field(s, 4)),
  };
}

/** The root keys of a door from its founding on. The notes were checked: make it by `new RootChain(door)` and `then`. */
export class RootChain {
  constructor(
    readonly door: Bytes,
    readonly notes: readonly RootNote[] = [],
  ) {}

  /** How many rotations there were. */
  get number(): number {
    return this.notes.length;
  }

  /** What the next note must name after `number` rotations: H(the newest note), or the door. */
  head(number = this.number): Bytes {
    const newest = number > 0 ? this.notes[Math.min(number, this.number) - 1] : undefined;
    return newest === undefined ? this.door : h(newest.body);
  }

  /** After how many rotations these keys were in force; null when they never were. */
  numberOf(keys: Both): number | null {
    if (equal(doorOf(keys), this.door)) return 0;
    return this.notes.find((note) => sameKeys(note.new, keys))?.number ?? null;
  }

  /** The chain with one more rotation; ProtocolError unless it is the next, by the keys in force, to new ones. */
  then(raw: Bytes): RootChain {
    const note = parseRootNote(raw);
    if (!equal(note.door, this.door)) throw new ProtocolError("a root rotation of another door");
    if (this.number >= c.MAX_ROTATIONS) throw new ProtocolError("more root rotations than a door can have");
    if (
      note.number !== this.number + 1 ||
      !equal(note.previous, this.head()) ||
      this.numberOf(note.old) !== this.number
    ) {
      throw new ProtocolError("a root rotation that does not follow the one before it");
    }
    const before = [note.old, ...this.notes.map((earlier) => earlier.old)];
    if (before.some((keys) => equal(note.new.ed25519, keys.ed25519) || equal(note.new.mldsa, keys.mldsa))) {
      throw new ProtocolError("a root rotation to keys that were there before");
    }
    if (!rootVerify(note.old, note.body, note.byOld) || !rootVerify(note.new, note.body, note.byNew)) {
      throw new ProtocolError("a root rotation whose signatures do not hold");
    }
    return new RootChain(this.door, [...this.notes, note]);
  }

  /** The chain with these rotations, oldest first; ProtocolError as `then`. */
  follow(raws: readonly Bytes[]): RootChain {
    return raws.reduce<RootChain>((chain, raw) => chain.then(raw), this);
  }
}
