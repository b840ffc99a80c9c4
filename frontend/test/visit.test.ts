// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the door publishes, by the project's vectors: a whole /visit and why a changed one is refused, a root rotation,
 *  cosignatures. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkVisit, type VerifiedVisit, VisitRefused } from "../src/client/visit.ts";
import { cosignatureOf, ed25519Message, subtreeMessage, witnessed } from "../src/log/cosignature.ts";
import { parseCheckpoint } from "../src/log/checkpoint.ts";
import { b64decode, parseNote } from "../src/log/note.ts";
import { type Bytes, hex, toUtf8 } from "../src/protocol/bytes.ts";
import { h } from "../src/protocol/encoding.ts";
import { decodeDirectory } from "../src/protocol/directory.ts";
import { checkEd25519, ed25519Verify } from "../src/protocol/primitives.ts";
import { parseRootNote, RootChain, rootPublic } from "../src/protocol/root_note.ts";
import { bytes, vectors } from "./tools.ts";

const V = vectors("visit");
const check = (raw: Bytes): VerifiedVisit => checkVisit(raw, (door) => hex(door) === V.door, V.now, null);

test("a visit", () => {
  const visit = check(bytes(V.bytes));
  assert.equal(visit.sheets.length, V.sheets);
  assert.equal(hex(visit.directory.door), V.door);
});

test("a visit with one bit turned is refused, and why", () => {
  assert.ok(V.refused.length > 90);
  for (const { at, xor, reason } of V.refused) {
    const raw = bytes(V.bytes);
    raw[at] = (raw[at] as number) ^ xor;
    assert.throws(() => check(raw), (error) => error instanceof VisitRefused && error.reason === reason, `${at}: ${reason}`);
  }
});

test("a root rotation, and those that must be refused", () => {
  const v = vectors("roots");
  const note = parseRootNote(bytes(v.note));
  assert.deepEqual([hex(note.old.ed25519), hex(note.old.mldsa)], [v.founding.ed25519, v.founding.mldsa]);
  assert.equal(hex(h(note.body)), v.hash);
  assert.equal(new RootChain(bytes(v.door)).then(bytes(v.note)).number, 1);
  assert.ok(v.refused.length > 5);
  for (const { why, note: raw } of v.refused) {
    assert.throws(() => new RootChain(bytes(v.door)).then(bytes(raw)), { name: "ProtocolError" }, why);
  }
});

test("signing keys that are refused wherever a directory or a root note names one, and strange ones that are taken", () => {
  const v = vectors("signing_keys");
  const places = Object.values(v.places) as number[];
  const putIn = (at: number, key: string): Bytes => {
    const body = bytes(v.directory_body);
    body.set(bytes(key), at);
    return body;
  };
  assert.equal(places.length, 5);
  assert.ok(v.refused.length > 15);
  for (const { why, key } of v.refused) {
    assert.throws(() => checkEd25519(bytes(key)), { name: "ProtocolError" }, why);
    assert.throws(() => rootPublic(bytes(key), new Uint8Array(1312)), { name: "ProtocolError" }, why);
    for (const at of places) assert.throws(() => decodeDirectory(putIn(at, key)), { name: "ProtocolError" }, `${why}, at ${at}`);
  }
  for (const { why, key } of v.taken) {
    assert.equal(hex(rootPublic(checkEd25519(bytes(key)), new Uint8Array(1312)).ed25519), key, why);
    for (const at of places) assert.equal(decodeDirectory(putIn(at, key)).witnesses.length, 1, why);
  }
});

test("signatures that only who holds the key can make hold here where they hold in the programs", () => {
  const { signatures } = vectors("signing_keys");
  assert.deepEqual(new Set(signatures.map(({ holds }: { holds: boolean }) => holds)), new Set([true, false]));
  for (const { why, holds, key, message, signature } of signatures) {
    assert.equal(ed25519Verify(checkEd25519(bytes(key)), bytes(message), bytes(signature)), holds, why);
  }
});

test("cosignatures, by Ed25519 and ML-DSA-44", () => {
  const v = vectors("cosignature");
  const raw = toUtf8(vectors("cosigned").note);
  const note = parseNote(raw);
  assert.equal(note.text, v.checkpoint);
  assert.equal(hex(ed25519Message(note.text, BigInt(v.time))), v.ed25519_message);
  assert.equal(hex(subtreeMessage(v.name, BigInt(v.time), parseCheckpoint(note.text))), v.mldsa_message);
  const [ed25519, mldsa] = [v.ed25519_key, v.mldsa_key].map((text: string) => b64decode(text.split("+").slice(2).join("+")).slice(1)) as [Bytes, Bytes];
  assert.equal(cosignatureOf(note, { name: v.name, kind: 4, key: ed25519 }), v.time);
  assert.equal(cosignatureOf(note, { name: v.name, kind: 6, key: mldsa }), v.time);
  assert.deepEqual(witnessed(raw, [{ name: v.name, address: "", ed25519, mldsa }]), [{ name: v.name, time: v.time }]);
  const later = toUtf8(vectors("cosigned").note.replace("door.example/log\n3\n", "door.example/log\n4\n"));
  assert.throws(() => witnessed(later, [{ name: v.name, address: "", ed25519, mldsa: null }]), { name: "LogError" });
  assert.throws(() => witnessed(later, [{ name: v.name, address: "", ed25519: null, mldsa }]), { name: "LogError" });
});
