// SPDX-License-Identifier: AGPL-3.0-or-later
/** What stands for node:assert in a browser refuses what Node refuses: else the vectors would hold there for nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import own from "./browser/node.ts";

const holds = (run: () => unknown): boolean => {
  try {
    run();
    return true;
  } catch {
    return false;
  }
};

class Other extends Error {}
const sparse: unknown[] = [];
sparse.length = 1;
const values: readonly unknown[] = [
  0, -0, 1, 1n, Number.NaN, "", "1", "a", true, false, null, undefined, [], [1], [[1]], ["1"], [undefined], sparse, {}, { a: 1 }, { b: 1 },
  { a: undefined }, { a: 1, b: 2 }, { 0: 1 }, { a: { b: [1] } }, { a: { b: [2] } }, new Uint8Array(0), Uint8Array.of(1), Uint8Array.of(2),
  Int8Array.of(1), new Set([1]), new Set(["1"]), new Set([[1]]), new Set([[2]]), new Map([["a", 1]]), new Map([["a", 2]]),
  new Map([["b", 1]]), new Map([["a", [1]]]), new Error("a"), new Error("b"), new Other("a"),
];
const copies = values.map((value) => (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype ? { ...value } : value));

test("values are alike or not as in Node", () => {
  let alike = 0;
  for (const a of [...values, Uint8Array.of(1), [[1]], new Set([[1]]), new Map([["a", [1]]])]) {
    for (const b of copies) {
      for (const how of ["equal", "notEqual", "deepEqual", "notDeepEqual"] as const) {
        assert.equal(holds(() => own[how](a, b)), holds(() => assert[how](a, b)), `${how} ${String(a)} ${String(b)}`);
      }
      alike += Number(holds(() => own.deepEqual(a, b)));
    }
    assert.equal(holds(() => own.ok(a)), holds(() => assert.ok(a)));
  }
  assert.ok(alike > values.length);
});

test("errors are the expected ones or not as in Node", async () => {
  const thrown = [new Error("a"), new TypeError("a"), new Other("b"), Object.assign(new Error("a"), { why: "cut", detail: 1 })];
  const expected = [undefined, Error, TypeError, Other, /a/, /^b/, { message: "a" }, { name: "TypeError" }, { why: "cut" }, { why: "cut", detail: 2 },
    { why: undefined }, () => true, () => false];
  for (const error of thrown) {
    for (const want of expected) {
      const said = (one: typeof own | typeof assert) => holds(() => (one as typeof own).throws(() => { throw error; }, want));
      assert.equal(said(own), said(assert), `${String(error)} ${String(want)}`);
      const late = (one: typeof own | typeof assert) => (one as typeof own).rejects(Promise.reject(error), want).then(() => true, () => false);
      assert.equal(await late(own), await late(assert));
    }
  }
  for (const one of [own, assert] as (typeof own)[]) {
    assert.equal(holds(() => one.throws(() => 1)), false);
    assert.equal(await one.rejects(Promise.resolve(1)).then(() => true, () => false), false);
    assert.equal(holds(() => one.match("abc", /b/)), true);
    assert.equal(holds(() => one.match("abc", /d/)), false);
  }
});
