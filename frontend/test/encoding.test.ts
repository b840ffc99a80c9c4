// SPDX-License-Identifier: AGPL-3.0-or-later
/** LP and CBOR: what must be accepted is, byte for byte, and what must be refused is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, hex, toUtf8 } from "../src/protocol/bytes.ts";
import { decodeCbor, encodeCbor, Fields, lp, parseLp, parseU64, ProtocolError, readLp, u64 } from "../src/protocol/encoding.ts";
import { bytes, vectors } from "./tools.ts";

const V = vectors("encoding");
const refused = { name: "ProtocolError" };

test("LP is what the vectors say, and reads back", () => {
  for (const { label, fields, bytes: raw } of V.lp) {
    const given = fields.map((f: { hex: string } | number) => {
      if (typeof f === "object") return bytes(f.hex);
      return f > Number.MAX_SAFE_INTEGER ? (1n << 63n) - 1n : f; // JSON's numbers end at 2^53: the one beyond is the largest
    });
    assert.equal(hex(lp(label, ...given)), raw);
    assert.equal(parseLp(label, fields.length, bytes(raw)).length, fields.length);
  }
});

test("LP that is cut, longer, or of another label", () => {
  const raw = lp("thing", 7, "text");
  assert.throws(() => parseLp("things", 2, raw), refused);
  assert.throws(() => parseLp("thing", 3, raw), refused);
  assert.throws(() => parseLp("thing", 1, raw), refused);
  for (let size = 0; size < raw.length; size += 1) assert.throws(() => parseLp("thing", 2, raw.subarray(0, size)), refused);
  assert.equal(readLp("thing", 2, concat(raw, bytes("00")))[1], raw.length);
});

test("counts: below 2^63 in bytes, below 2^53 as numbers", () => {
  assert.equal(parseU64(u64(Number.MAX_SAFE_INTEGER)), Number.MAX_SAFE_INTEGER);
  assert.equal(hex(u64((1n << 63n) - 1n)), "7fffffffffffffff");
  for (const bad of [-1, 0.5, 2 ** 53, NaN, 1n << 63n, -1n]) assert.throws(() => u64(bad), refused);
  for (const bad of ["", "00", "8000000000000000", "0020000000000000", "000000000000000000"]) {
    assert.throws(() => parseU64(bytes(bad)), refused);
  }
});

for (const raw of V.cbor) test(`CBOR ${raw.slice(0, 40)} is accepted`, () => assert.equal(hex(encodeCbor(decodeCbor(bytes(raw)))), raw));
for (const { why, bytes: raw } of V.cbor_refused) {
  test(`CBOR is refused: ${why}`, () => assert.throws(() => decodeCbor(bytes(raw)), refused));
}

test("other CBOR that must be refused", () => {
  const bad = {
    nothing: "",
    "a tag": "c000",
    "a shared value": "d81c80",
    "half a float": "f90000",
    undefined: "f7",
    "a simple value": "f818",
    "an indefinite list": "9fff",
    "an indefinite text": "7f6161ff",
    "a reserved head": "1c",
    "a key that is a number": "a10000",
    "keys out of order": "a2616200616100",
    "a key twice": "a2616100616100",
    "a longer key first": "a262616100616200",
    "a length of two bytes": "590001aa",
    "a huge list": "9b7fffffffffffffff",
    "a huge text": "7b7fffffffffffffff61",
    "a surrogate": "63eda080",
    "a negative number below -2^63": "3b8000000000000000",
    "17 lists and a number": `${"81".repeat(17)}00`,
    "18 lists": `${"81".repeat(17)}80`,
    "two values": "0000",
  };
  for (const [why, raw] of Object.entries(bad)) assert.throws(() => decodeCbor(bytes(raw)), refused, why);
  assert.throws(() => decodeCbor(concat(bytes("9a00100000"), new Uint8Array(1 << 20))), refused, "2^20 items and their list");
  assert.ok(decodeCbor(bytes(`${"81".repeat(16)}80`)), "17 lists, the last empty");
  assert.ok(decodeCbor(bytes(`${"81".repeat(16)}00`)), "16 lists and a number");
});

test("numbers to 64 bits", () => {
  assert.equal(decodeCbor(bytes("1bffffffffffffffff")), (1n << 64n) - 1n);
  assert.equal(decodeCbor(bytes("3b7fffffffffffffff")), -(1n << 63n));
  assert.equal(decodeCbor(bytes("1b001fffffffffffff")), Number.MAX_SAFE_INTEGER);
  assert.throws(() => encodeCbor(1n << 64n), refused);
  assert.throws(() => encodeCbor(0.5), refused);
  assert.throws(() => encodeCbor("\ud800"), refused);
});

test("a map is read key by key, with types", () => {
  const fields = (): Fields =>
    new Fields(decodeCbor(encodeCbor({ n: 1, t: "é", r: Uint8Array.of(1), f: false, l: [1], x: { a: "b" } })), "thing");
  const f = fields();
  assert.deepEqual(
    [f.count("n"), f.text("t", 1), f.raw("r", 1), f.flag("f"), f.items("l", 1), [...f.texts("x")]],
    [1, "é", Uint8Array.of(1), false, [1], [["a", "b"]]],
  );
  f.done();
  for (const wrong of [
    (g: Fields) => g.count("t"), (g: Fields) => g.count("f"), (g: Fields) => g.count("n", 2), (g: Fields) => g.text("n"),
    (g: Fields) => g.text("t", 0), (g: Fields) => g.raw("r", 2), (g: Fields) => g.raw("t"), (g: Fields) => g.flag("n"),
    (g: Fields) => g.items("l", 0), (g: Fields) => g.texts("l"), (g: Fields) => g.take("y"), (g: Fields) => g.done(),
  ]) {
    assert.throws(() => wrong(fields()), refused);
  }
  assert.throws(() => new Fields([], "thing"), ProtocolError);
});

test("a text may begin with a byte order mark, as in Python", () => {
  assert.equal(decodeCbor(concat(bytes("63"), toUtf8("\ufeff"))), "\ufeff");
});
