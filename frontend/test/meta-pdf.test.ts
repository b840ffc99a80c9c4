// SPDX-License-Identifier: AGPL-3.0-or-later
/** PDFs that are odd or hostile: an answer, soon, and never more than the pages show. What usual ones become is in tests/browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zlibSync } from "fflate";
import { remove } from "../src/meta/meta.ts";
import { unfiltered } from "../src/meta/pdf_filters.ts";
import type { Value } from "../src/meta/pdf_objects.ts";
import { fromLatin1, latin1 } from "../src/meta/slices.ts";
import { type Bytes, concat } from "../src/protocol/bytes.ts";
import { blob, pdf, pdfStream } from "./files.ts";

const ROOT = "<< /Root 1 0 R >>";
const CATALOG = "<< /Type /Catalog /Pages 2 0 R >>";
const PAGES = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
const DRAWN = pdfStream("", fromLatin1("/A gs"));
const page = (more = ""): string => `<< /Type /Page /MediaBox [0 0 9 9] ${more} >>`;
const small = (more: string, ...objects: readonly (string | Bytes)[]): Bytes => pdf([CATALOG, PAGES, page(more), ...objects], ROOT);

/** What became of it: the new file's text, or why not. In bounded time of the processor, whatever else the machine does. */
async function answer(raw: Bytes, seconds = 20): Promise<string> {
  const start = process.cpuUsage();
  const done = await remove(blob(raw));
  const spent = process.cpuUsage(start).user / 1e6;
  assert.ok(spent < seconds, `${spent.toFixed(1)} s`);
  return "blob" in done ? latin1(new Uint8Array(await done.blob.arrayBuffer())) : done.why;
}

test("a tree of pages that is none", async () => {
  const trees: Readonly<Record<string, readonly string[]>> = {
    "itself": [CATALOG, "<< /Kids [2 0 R] >>"],
    "a circle": [CATALOG, "<< /Kids [3 0 R] >>", "<< /Kids [2 0 R] >>"],
    "one branch at two places, and so on": [CATALOG, ...Array.from({ length: 40 }, (_, i) => `<< /Kids [${i + 3} 0 R ${i + 3} 0 R] >>`), page()],
    "no reference": [CATALOG, `<< /Kids [${page()}] >>`],
    "no page": [CATALOG, "<< /Kids [] >>"],
    "nothing": [CATALOG, "<< /Kids [9 0 R] >>"],
    "a number": [CATALOG, "<< /Kids [3 0 R] >>", "7"],
    "no root": ["<< >>"],
    "a root that leads to itself": ["1 0 R"],
  };
  for (const [name, objects] of Object.entries(trees)) assert.equal(await answer(pdf(objects, ROOT)), "damaged", name);
  assert.equal(await answer(pdf([CATALOG, PAGES, page()], "<< >>")), "damaged");
  assert.equal(await answer(pdf([CATALOG, PAGES, page()], "<< /Root 1 0 R /Encrypt 4 0 R >>")), "encrypted");
});

test("a deep tree is walked, a page that is there a thousand times is a thousand pages", async () => {
  const depth = 50_000;
  const deep = [CATALOG, ...Array.from({ length: depth }, (_, i) => `<< /Kids [${i + 3} 0 R] >>`), page()];
  assert.match(await answer(pdf(deep, ROOT)), /\/Count 1 /);
  const many = pdf([CATALOG, `<< /Kids [${"3 0 R ".repeat(1000)}] >>`, page()], ROOT);
  assert.match(await answer(many), /\/Count 1000 /);
  assert.equal(await answer(pdf([CATALOG, `<< /Kids [${"3 0 R ".repeat(100_001)}] >>`, page()], ROOT)), "too-much");
  const heavy = page(`/Annots [${"0 ".repeat(100_000)}]`);
  assert.equal(await answer(pdf([CATALOG, `<< /Kids [${"3 0 R ".repeat(50_000)}] >>`, heavy], ROOT)), "too-much");
});

test("objects that lead to themselves, in every role", async () => {
  const again = "<< /Type /Font /Subtype /Form /Font << /A 4 0 R >> /Resources 4 0 R /DescendantFonts 4 0 R /ExtGState 4 0 R /SMask 4 0 R /Function 4 0 R >>";
  assert.match(await answer(small("/Resources 4 0 R /Group 4 0 R /Contents 5 0 R", again, DRAWN)), /%%EOF/);
  const space = "[/Indexed 4 0 R 1 4 0 R]";
  assert.match(await answer(small("/Resources << /ColorSpace << /A 4 0 R >> >> /Contents 5 0 R", space, DRAWN)), /\/Indexed \d+ 0 R 1 \d+ 0 R\]/);
  assert.match(await answer(small("/Resources << /ColorSpace << /A [/Pattern [/Pattern [/Pattern 5]]] >> >> /Contents 4 0 R", DRAWN)), /%%EOF/);
  assert.equal(await answer(small("/Contents 4 0 R", "4 0 R")), "damaged");
  assert.equal(await answer(small("/Contents 4 0 R", "5 0 R", "4 0 R")), "damaged");
  const widget = "<< /Subtype /Widget /Parent 5 0 R /Rect 5 0 R /AP 5 0 R /N 5 0 R >>";
  assert.doesNotMatch(await answer(small("/Annots 4 0 R", "[4 0 R 5 0 R]", widget)), /Widget/);
});

test("tables that lie, or have no end", async () => {
  const body = latin1(small("/Contents 4 0 R", pdfStream("", fromLatin1("0 g"))));
  const start = body.indexOf("trailer");
  const objects = body.slice(0, start);
  const at = [...objects.matchAll(/\d+ 0 obj/g)].map(({ index }) => index);
  const lines = at.map((place) => `${String(place).padStart(10, "0")} 00000 n \n`).join("");
  const file = (table: string, trailer = ROOT, where = start): Bytes => fromLatin1(`${objects}${table}trailer\n${trailer}\nstartxref\n${where}\n%%EOF\n`);
  const good = await answer(file(`xref\n0 5\n0000000000 65535 f \n${lines}`));
  assert.match(good, /0 g/);
  for (const odd of [
    file(`xref\n0 5\n0000000000 65535 f \n${lines}`, `<< /Root 1 0 R /Prev ${start} >>`), file("xref\n0 9999999999\n"), file("xref\n0 0\n".repeat(10_000)),
    file(`xref\n1 4\n${lines.replace(/^0/, "9")}`), file("xref\n", ROOT, 9_999_999_999), file("xref\n0 1\nzzzz"), file("", "<< /Root 1 0 R /Prev 0 >>"),
    file(`xref\n0 5\n0000000000 65535 f \n${lines}`, "<< /Root 1 0 R /XRefStm 15 /Prev -1 >>"),
  ]) {
    assert.equal(await answer(odd), good, latin1(odd).slice(start, start + 60));
  }
  const freed = file(`xref\n0 4\n0000000000 65535 f \n${lines.split("\n").slice(0, 3).join("\n")}\n4 1\n0000000000 00001 f \n`);
  assert.equal(await answer(freed), "damaged", "the page's words are no more");
});

test("packed objects and tables that lie", async () => {
  const stream = (dictionary: string, raw: Bytes): Bytes => pdfStream(`${dictionary} /Filter /FlateDecode`, zlibSync(raw));
  const inner = `3 0 ${page("/Rotate 90")}`;
  const packed = stream("/Type /ObjStm /N 1 /First 4", fromLatin1(inner));
  assert.match(await answer(pdf([CATALOG, PAGES, packed], ROOT)), /^%PDF/, "a stream that says to hold itself");
  const list = `[${"0 ".repeat(30_000)}]`;
  const heads = Array.from({ length: 40_000 }, (_, i) => `${i + 10} 0`).join(" ");
  const same = stream(`/Type /ObjStm /N 40000 /First ${heads.length + 1}`, fromLatin1(`${heads} ${list}`));
  const uses = `/Annots [${Array.from({ length: 40_000 }, (_, i) => `${i + 10} 0 R`).join(" ")}]`;
  assert.equal(await answer(small(uses, same)), "too-much");
  for (const odd of [
    stream("/Type /ObjStm /N 1e9 /First -5", new Uint8Array(9)), stream("/Type /ObjStm /N 99999999 /First 99999999", new Uint8Array(9)),
    stream("/Type /ObjStm /N 1 /First 4 /DecodeParms << /Predictor 15 /Columns 99999999999 >>", fromLatin1(inner)),
    stream("/Type /ObjStm /N 1 /First 4 /DecodeParms << /Predictor 2 >>", fromLatin1(inner)), pdfStream("/Type /ObjStm /N 1 /First 4 /Filter /LZWDecode", fromLatin1(inner)),
    pdfStream("/Type /ObjStm /N 1 /First 4 /Filter [/FlateDecode /FlateDecode /FlateDecode /FlateDecode /FlateDecode]", new Uint8Array(9)),
  ]) {
    assert.match(await answer(small("", odd)), /^(damaged|part|too-large|too-much|%PDF)/);
  }
  assert.equal(await answer(small("", stream("/Type /ObjStm /N 1 /First 4", new Uint8Array(40 << 20)))), "too-large");
});

test("values that are odd", async () => {
  const text = await answer(small(`/UserUnit ${"9".repeat(39)} /Rotate -.5 /CropBox [+1 1. -0 .00000001 true null /a#20#28b]`));
  assert.match(text, /\/CropBox \[1 1 0 0\.00000001 true null \/a#20#28b\] \/Rotate -0\.5 \/UserUnit 1000000000000000/);
  assert.equal(await answer(small("/Rotate 1.2.3")), "damaged");
  assert.equal(await answer(small(`/CropBox ${"[".repeat(40)}${"]".repeat(40)}`)), "damaged");
  assert.doesNotMatch(await answer(small("/MediaBox [(Anna) << /A (Anna) >> 1] /Rotate (Anna)")), /Anna|416e6e61/);
});

test("names that JavaScript's own objects have", async () => {
  for (const name of ["constructor", "__proto__", "toString"]) {
    const entries = `/Type /${name} /Subtype /${name} /${name} /${name} /Filter /${name}`;
    const text = await answer(small(`/${name} 4 0 R /Resources << /XObject << /A 4 0 R >> /ColorSpace << /A [/${name} 4 0 R] >> /Properties << /A 4 0 R >> >> /Contents 5 0 R`, pdfStream(entries, new Uint8Array(3)), DRAWN));
    assert.match(text, new RegExp(`/ColorSpace << /A \\[/${name} \\d+ 0 R\\] >>`));
  }
});

test("a stream's length may stand elsewhere, and its bytes may have its closing word", async () => {
  const content = "0 g % endstream endobj 4 0 obj (of somebody else) endobj";
  const raw = small("/Contents 4 0 R", fromLatin1(`<< /Length 5 0 R >>\nstream\n${content}\nendstream`), String(content.length));
  assert.ok((await answer(raw)).includes(`stream\n${content}\nendstream`));
  for (const length of ["4 0 R", "-5", "99999999999", "9 0 R", "(5)"]) {
    const wrong = small("/Contents 4 0 R", fromLatin1(`<< /Length ${length} >>\nstream\n0 g\nendstream`));
    assert.ok((await answer(wrong)).includes("stream\n0 g\nendstream"), length);
  }
});

test("a page that names without end, and one that leads back to its own drawing", async () => {
  const names = pdfStream("", fromLatin1(Array.from({ length: 20_000 }, (_, i) => `/N${i} gs`).join("\n")));
  assert.match(await answer(small("/Resources << /ExtGState << /A << /ca 0.5 >> >> >> /Contents 4 0 R", names)), /\/A << \/ca 0\.5/);
  const circle = pdfStream("/Subtype /Form", fromLatin1("/A Do /B Do"));
  const text = await answer(small("/Resources << /XObject << /A 4 0 R /B 5 0 R /C 5 0 R >> >> /Contents 6 0 R", circle, circle, pdfStream("", fromLatin1("/A Do"))));
  assert.match(text, /\/XObject << \/A \d+ 0 R \/B \d+ 0 R >>/);
});

test("remarks on remarks say who accepted them: they go", async () => {
  const state = "<< /Subtype /Text /Rect [0 0 1 1] /Contents (Accepted by Anna) /StateModel (Review) /T (Anna) >>";
  assert.doesNotMatch(await answer(small("/Annots [4 0 R]", state)), /Annots/);
});

test("rows with PNG's predictors are made whole", () => {
  const parms: ReadonlyMap<string, Value> = new Map<string, Value>([["Predictor", 15], ["Columns", 3]]);
  const rows = Uint8Array.of(0, 1, 2, 3, 1, 1, 1, 1, 2, 1, 1, 1, 3, 2, 2, 2, 4, 1, 1, 1);
  const raw = unfiltered(zlibSync(rows), [{ name: "FlateDecode", parms }], { bytes: 1000 });
  assert.deepEqual([...raw], [1, 2, 3, 1, 2, 3, 2, 3, 4, 3, 5, 6, 4, 6, 7]);
});

test("digits of both kinds are read to their end", () => {
  const read = (name: string, text: string): string => latin1(unfiltered(fromLatin1(text), [{ name, parms: null }], { bytes: 1000 }));
  assert.equal(read("ASCIIHexDecode", "41 4e\n4E 4>00"), "ANN@");
  assert.equal(read("ASCII85Decode", "87cUR\nD]i,\"Ebo80~>zz"), "Hello World!");
  assert.equal(read("ASCII85Decode", "z5l~>"), "\0\0\0\0A");
  for (const [name, text] of [["ASCIIHexDecode", "4x"], ["ASCII85Decode", "vvvvv"]] as const) assert.throws(() => read(name, text), { why: "damaged" });
});

test("what is on many pages is looked through once, and its end is searched once", async (t) => {
  const body = fromLatin1(`${"/A gs 0 g ".repeat(2 ** 20)}endstream`); // 10 MB, under no filter
  const kids = `<< /Kids [${"3 0 R ".repeat(20_000)}] >>`;
  for (const [name, content] of Object.entries({
    "a length": pdfStream("", body.subarray(0, -9)),
    "a wrong length": concat(fromLatin1("<< /Length 1 >>\nstream\n"), body),
  })) {
    const { indexOf, matchAll } = String.prototype;
    let [searched, looked] = [0, 0];
    const count = t.mock.method(String.prototype, "indexOf", function (this: string, what: string, from?: number) {
      if (what === "endstream") searched += 1;
      return indexOf.call(this, what, from);
    });
    const look = t.mock.method(String.prototype, "matchAll", function (this: string, what: RegExp) {
      if (this.length > 10 ** 6) looked += 1;
      return matchAll.call(this, what);
    });
    const raw = pdf([CATALOG, kids, page("/Resources 5 0 R /Contents 4 0 R"), content, "<< /ExtGState << /A << /ca 0.5 >> /B << /ca 1 >> >> >>"], ROOT);
    const text = await answer(raw);
    count.mock.restore();
    look.mock.restore();
    assert.match(text, /\/Count 20000 /, name);
    assert.match(text, /\/ExtGState << \/A << \/ca 0\.5 >> >>/);
    assert.ok(searched < 10 && looked < 10, `${name}: ${searched}, ${looked}`);
  }
});

test("pages that each draw something else with many names are not looked up without end", async () => {
  const names = pdfStream("", fromLatin1(Array.from({ length: 9000 }, (_, i) => `/N${i} gs`).join("\n")));
  const pages = Array.from({ length: 20_000 }, () => page("/Resources << /ExtGState << >> >> /Contents 3 0 R"));
  const kids = `<< /Kids [${pages.map((_, i) => `${i + 4} 0 R`).join(" ")}] >>`;
  assert.match(await answer(pdf([CATALOG, kids, names, ...pages], ROOT)), /\/Count 20000 /);
});
