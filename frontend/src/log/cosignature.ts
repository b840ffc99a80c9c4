// SPDX-License-Identifier: AGPL-3.0-or-later
/** Cosignatures of checkpoints (c2sp.org/tlog-cosignature), as log/cosignature.py: Ed25519 (0x04) and ML-DSA-44 (0x06). */

import { type Bytes, concat, equal, toUtf8 } from "../protocol/bytes.ts";
import { u64 } from "../protocol/encoding.ts";
import { ed25519Verify, mldsaVerify } from "../protocol/primitives.ts";
import type { Witness } from "../protocol/witness.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { LogError } from "./errors.ts";
import { keyId, type Note, parseNote, type SignatureLine } from "./note.ts";

const ED25519_COSIGNATURE = 0x04;
const MLDSA_COSIGNATURE = 0x06;

/** A cosigner's key; `kind` is the type's byte. */
export interface CosignerKey {
  readonly name: string;
  readonly kind: number;
  readonly key: Bytes;
}

/** What an Ed25519 cosignature signs: `text` is the note's. */
export const ed25519Message = (text: string, time: bigint): Bytes => toUtf8(`cosignature/v1\ntime ${time}\n${text}`);

/** What an ML-DSA-44 cosignature signs: the cosigner's name, time, and the log from its first leaf to its size. */
export function subtreeMessage(name: string, time: bigint, checkpoint: Checkpoint): Bytes {
  const who = toUtf8(name);
  const origin = toUtf8(checkpoint.origin);
  if (who.length < 1 || who.length > 255 || origin.length < 1 || origin.length > 255) {
    throw new LogError("a name that is too long to be cosigned");
  }
  return concat(
    toUtf8("subtree/v1\n\0"),
    Uint8Array.of(who.length),
    who,
    u64(time),
    Uint8Array.of(origin.length),
    origin,
    new Uint8Array(8),
    u64(checkpoint.size),
    checkpoint.root,
  );
}

/** The time that `key` put into its cosignature of the checkpoint `text`, Unix seconds; LogError when it does not hold. */
function cosignedAt(line: SignatureLine, { name, kind, key }: CosignerKey, text: string): number {
  if (line.signature.length < 8) throw new LogError("a cosignature that does not hold");
  const time = new DataView(line.signature.buffer, line.signature.byteOffset, 8).getBigUint64(0);
  if (time >= 1n << 63n) throw new LogError("a cosignature of a time beyond all times");
  const signature = line.signature.subarray(8);
  const holds =
    kind === ED25519_COSIGNATURE
      ? ed25519Verify(key, ed25519Message(text, time), signature)
      : mldsaVerify(key, subtreeMessage(name, time, parseCheckpoint(text)), signature);
  if (!holds) throw new LogError("a cosignature that does not hold");
  return Number(time);
}

/** When `key` cosigned, if it did. LogError when a line in its name does not hold, or there are two. */
export function cosignatureOf(note: Note, key: CosignerKey): number | null {
  const id = keyId(key.name, key.kind, key.key);
  const [line, second] = note.signatures.filter((s) => s.name === key.name && equal(s.id, id));
  if (line === undefined) return null;
  if (second !== undefined) throw new LogError("two cosignatures by one key");
  return cosignedAt(line, key, note.text);
}

/** A witness whose every key cosigned a checkpoint; `time` is the oldest of these cosignatures, Unix seconds. */
export interface Witnessed {
  readonly name: string;
  readonly time: number;
}

/** Which of `witnesses` cosigned the checkpoint `raw`, with every key that is named for them. LogError as above. */
export function witnessed(raw: Bytes, witnesses: readonly Witness[]): Witnessed[] {
  const note = parseNote(raw);
  const out: Witnessed[] = [];
  for (const { name, ed25519, mldsa } of witnesses) {
    const times: (number | null)[] = [];
    if (ed25519 !== null) times.push(cosignatureOf(note, { name, kind: ED25519_COSIGNATURE, key: ed25519 }));
    if (mldsa !== null) times.push(cosignatureOf(note, { name, kind: MLDSA_COSIGNATURE, key: mldsa }));
    const held = times.filter((time) => time !== null);
    if (held.length && held.length === times.length) out.push({ name, time: Math.min(...held) });
  }
  return out;
}
