// SPDX-License-Identifier: AGPL-3.0-or-later
/** `/visit` taken apart, as protocol/visit.py; what the parts prove is for client/visit.ts. */

import type { Bytes } from "./bytes.ts";
import * as c from "./constants.ts";
import { type Cbor, decodeCbor, Fields, ProtocolError } from "./encoding.ts";

export const MAX_VISIT = 64 * 1024 * 1024;

/** The file's parts, not yet verified. */
export interface Visit {
  readonly checkpoint: Bytes;
  readonly roots: readonly Bytes[];
  readonly directories: readonly Bytes[];
  /** Each epoch note with its signatures. */
  readonly epochs: readonly (readonly [Bytes, readonly Bytes[]])[];
  readonly sheets: readonly Bytes[];
  readonly manifest: Bytes;
  readonly level2: readonly Bytes[];
  readonly level1: readonly Bytes[];
  readonly entries: readonly Bytes[];
}

/** The index of the first leaf among `entries`. */
export const entriesStart = (v: Visit): number => v.level2.length * c.LEVEL2_SPAN + v.level1.length * c.LEVEL1_SPAN;

/** How many leaves the log has by these parts. */
export const sizeOf = (v: Visit): number => entriesStart(v) + v.entries.length;

/** Where level-1 hashes must start, in leaves, when entries start at the leaf `entries`, a multiple of 256. */
export const level1Start = (entries: number): number =>
  Math.max(0, Math.floor(entries / c.LEVEL2_SPAN) - c.VISIT_LEVEL1_BLOCKS) * c.LEVEL2_SPAN;

/** ProtocolError for other bytes. The parts are views of `raw`. */
export function parseVisit(raw: Bytes): Visit {
  if (raw.length > MAX_VISIT) throw new ProtocolError("a /visit that is too long");
  const f = new Fields(decodeCbor(raw), "visit");
  if (f.count("v") !== 1) throw new ProtocolError("a /visit of a version that this program does not know");
  const visit: Visit = {
    checkpoint: f.raw("checkpoint"),
    directories: allBytes(f.items("directories", 4096)),
    epochs: f.items("epochs", 65_536).map(epoch),
    sheets: allBytes(f.items("sheets", c.SHEETS_KEPT)),
    manifest: f.raw("manifest"),
    level2: hashes(f.raw("level2")),
    level1: hashes(f.raw("level1")),
    entries: hashes(f.raw("entries")),
    roots: allBytes(f.items("roots", c.MAX_ROTATIONS)),
  };
  f.done();
  return visit;
}

const allBytes = (items: readonly Cbor[]): Bytes[] =>
  items.map((item) => {
    if (!(item instanceof Uint8Array)) throw new ProtocolError("visit: something else than bytes in a list");
    return item;
  });

function epoch(item: Cbor): [Bytes, Bytes[]] {
  const [note, signatures] = Array.isArray(item) && item.length === 2 ? item : [];
  if (!(note instanceof Uint8Array) || !Array.isArray(signatures) || signatures.length > 64) {
    throw new ProtocolError("visit: an epoch that is not a note and its signatures");
  }
  return [note, allBytes(signatures)];
}

function hashes(raw: Bytes): Bytes[] {
  if (raw.length % c.HASH_SIZE) throw new ProtocolError("visit: hashes of the wrong length");
  return Array.from({ length: raw.length / c.HASH_SIZE }, (_, i) => raw.subarray(i * c.HASH_SIZE, (i + 1) * c.HASH_SIZE));
}
