// SPDX-License-Identifier: AGPL-3.0-or-later
/** Dates of files, told in the reader's language. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Texts } from "../src/page/texts.ts";

const of = (language: string): Texts => new Texts({ language, page: "write", most: 0, asks: false, texts: {}, plurals: {} });

test("a date is told in the reader's way, by the clock that it was written by", () => {
  const date = (text: string): string => (of("ru").date(text) ?? "").replace(/\s/g, " ");
  assert.match(date("2024-05-01 10:11:12 +03:00"), /^1 мая 2024 г\., 10:11:12 UTC\+03:00$/);
  assert.match(date("2024-05-01T10:11:12.345Z"), /^1 мая 2024 г\., 10:11:12 UTC$/);
  assert.match(date("2024-05-01 23:11"), /^1 мая 2024 г\., 23:11$/);
  assert.match(date("2024-05-01"), /^1 мая 2024 г\.$/);
  assert.match(of("en").date("2024-05-01 UTC") ?? "", /^May 1, 2024$/);
});

test("what is no date, or is spelled otherwise, stays as it is", () => {
  for (const text of ["", "spring", "20240501", "2024-05", "2024-02-31", "2024-13-01 10:11:12", "2024-05-01 24:00:00", "2024-05-01 10:11:12 by Anna"]) {
    assert.equal(of("ru").date(text), null, text);
  }
});
