// SPDX-License-Identifier: AGPL-3.0-or-later
/** Signed notes (c2sp.org/signed-note), as log/note.py: text, a blank line, then "— <name> base64(key id ‖ signature)". */

import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, equal, fromUtf8, isPrintable, toUtf8 } from "../protocol/bytes.ts";
import { ed25519Verify } from "../protocol/primitives.ts";
import { LogError } from "./errors.ts";

const ED25519 = 0x01;
const MAX_NOTE = 100_000;
const MAX_SIGNATURES = 100;

/** Standard base64 in its one canonical spelling; LogError otherwise. */
export function b64decode(text: string): Bytes {
  let raw: string;
  try {
    raw = atob(text);
  } catch {
    throw new LogError("not base64");
  }
  if (btoa(raw) !== text) throw new LogError("base64 that is not in its one canonical form");
  return Uint8Array.from(raw, (ch) => ch.charCodeAt(0));
}

/** `name` itself; LogError unless it can be that of a key. */
export function checkName(name: string): string {
  if (!name || /[+\s]/.test(name) || !isPrintable(name)) throw new LogError("not a key's name");
  return name;
}

/** SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]. */
export const keyId = (name: string, kind: number, key: Bytes): Bytes =>
  sha256(concat(toUtf8(`${name}\n`), Uint8Array.of(kind), key)).subarray(0, 4);

/** An Ed25519 verifier key with its name. */
export interface VerifierKey {
  readonly name: string;
  readonly key: Bytes;
}

/** One line under a note: key name, 4-byte key id, signature. */
export interface SignatureLine {
  readonly name: string;
  readonly id: Bytes;
  readonly signature: Bytes;
}

/** A parsed note. `text` ends with a newline. Nothing is verified yet. */
export interface Note {
  readonly text: string;
  readonly signatures: readonly SignatureLine[];
}

/** LogError for anything else than a well-formed note. */
export function parseNote(raw: Bytes): Note {
  if (raw.length > MAX_NOTE) throw new LogError("a signed note that is too long");
  let whole: string;
  try {
    whole = fromUtf8(raw);
  } catch {
    throw new LogError("a signed note that is not UTF-8");
  }
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(whole)) throw new LogError("a signed note with control characters");
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) throw new LogError("not a signed note");
  const lines = whole.slice(split + 2).split("\n").slice(0, -1);
  if (!lines.length || lines.length > MAX_SIGNATURES) throw new LogError("a signed note without signatures, or with too many");
  const signatures = lines.map((line): SignatureLine => {
    const [dash, name, spelled, more] = line.split(" ");
    if (dash !== "\u2014" || name === undefined || spelled === undefined || more !== undefined) {
      throw new LogError("a signature line that is not one");
    }
    const payload = b64decode(spelled);
    if (payload.length < 5) throw new LogError("a signature line that is cut short");
    return { name: checkName(name), id: payload.subarray(0, 4), signature: payload.subarray(4) };
  });
  return { text: whole.slice(0, split + 1), signatures };
}

/** The text of a note that `key` signed; LogError when it did not, or a signature in its name does not hold. */
export function verifiedText(raw: Bytes, { name, key }: VerifierKey): string {
  const note = parseNote(raw);
  const id = keyId(name, ED25519, key);
  const ours = note.signatures.filter((line) => line.name === name && equal(line.id, id));
  if (!ours.length) throw new LogError("not signed by this log's key");
  const text = toUtf8(note.text);
  if (!ours.every((line) => ed25519Verify(key, text, line.signature))) throw new LogError("a signature that does not hold");
  if (ours.length > 1) throw new LogError("two signatures by one key");
  return note.text;
}
