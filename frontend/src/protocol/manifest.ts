// SPDX-License-Identifier: AGPL-3.0-or-later
/** The manifest, as protocol/manifest.py: the last leaf of every batch, which names what is in force. */

import { type Bytes, compare, toUtf8 } from "./bytes.ts";
import { HASH_SIZE } from "./constants.ts";
import { decodeCbor, field, parseLp, parseU64, ProtocolError, sized } from "./encoding.ts";

/** One batch's manifest; hashes are 32 bytes. `notes`: H(epoch note) by desk. */
export interface Manifest {
  readonly n: number;
  readonly open: number;
  readonly first: number;
  readonly previous: Bytes;
  readonly directory: Bytes;
  readonly notes: ReadonlyMap<string, Bytes>;
  readonly pack: Bytes;
  readonly sheets: Bytes;
}

/** ProtocolError for other bytes. */
export function parseManifest(raw: Bytes): Manifest {
  const f = parseLp("manifest", 8, raw);
  const digest = (at: number): Bytes => sized(field(f, at), HASH_SIZE, "a hash");
  const items = decodeCbor(field(f, 5));
  if (!Array.isArray(items)) throw new ProtocolError("a manifest whose notes are not a list");
  const notes = new Map<string, Bytes>();
  let before: Bytes | null = null;
  for (const item of items) {
    const [desk, note] = Array.isArray(item) && item.length === 2 ? item : [];
    if (typeof desk !== "string" || !(note instanceof Uint8Array) || note.length !== HASH_SIZE) {
      throw new ProtocolError("a manifest whose notes are not as they must be");
    }
    const name = toUtf8(desk);
    if (before !== null && compare(before, name) >= 0) throw new ProtocolError("a manifest whose desks are not in order");
    before = name;
    notes.set(desk, note);
  }
  return {
    n: parseU64(field(f, 0)),
    open: parseU64(field(f, 1)),
    first: parseU64(field(f, 2)),
    previous: digest(3),
    directory: digest(4),
    notes,
    pack: digest(6),
    sheets: digest(7),
  };
}
