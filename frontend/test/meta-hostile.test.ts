// SPDX-License-Identifier: AGPL-3.0-or-later
/** Files made to hang, to fill the memory or to break whoever reads them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zlibSync } from "fflate";
import { LIMIT, read, remove } from "../src/meta/meta.ts";
import { fromLatin1, numeral } from "../src/meta/slices.ts";
import { type Bytes, concat, hex, toUtf8 } from "../src/protocol/bytes.ts";
import {
  blob, chunk, cleaned, docx, EXIF, exifSegment, jpeg, long, missed, PDF, pdf, png, riff, said, segment, short, text, tiff, webp, xmp,
} from "./files.ts";
import { stream } from "./tools.ts";

/** A file of any size that says how much of it was read; zeros but for its first and last bytes. */
function large(size: number, head: Bytes, tail: Bytes = new Uint8Array(0)): { blob: Blob; readBytes: () => number } {
  let count = 0;
  const slice = (start = 0, end = size): Blob => {
    assert.ok(end - start <= LIMIT, "one slice of everything");
    return {
      size: end - start,
      arrayBuffer: () => {
        count += end - start;
        const out = new Uint8Array(end - start);
        if (start < head.length) out.set(head.subarray(start, Math.min(end, head.length)));
        if (end > size - tail.length) out.set(tail.subarray(0, end - (size - tail.length)), size - tail.length - start);
        return Promise.resolve(out.buffer);
      },
    } as unknown as Blob;
  };
  return { blob: { size, slice } as unknown as Blob, readBytes: () => count };
}

test("of 5 GB little is read, and it is said that the rest was not", async () => {
  const start = jpeg(exifSegment());
  const cases: readonly (readonly [string, Bytes, Bytes?])[] = [
    ["jpeg", start.subarray(0, start.length - 4)], ["png", png().subarray(0, 33)], ["webp", riff("RIFF", fromLatin1("WEBP"))], ["pdf", PDF],
    ["docx", docx({}).subarray(0, 60), docx({}).subarray(-60)],
  ];
  for (const [kind, head, tail] of cases) {
    const file = large(5 * 10 ** 9, head, tail);
    const { facts, unread } = await read(file.blob);
    assert.ok(unread.length || facts.some(({ kind }) => kind === "trailing"), kind);
    if (kind === "jpeg") assert.ok(facts.some(({ value }) => value === "Anna Kovalenko"));
    const answer = await remove(file.blob);
    assert.ok("why" in answer, kind);
    assert.ok(file.readBytes() < 2 ** 22, `${kind}: ${file.readBytes()}`);
  }
});

test("a file that is gone, or changed since, is unreadable", async () => {
  const gone = { size: 100, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) }) } as unknown as Blob;
  assert.deepEqual(await read(gone), { format: "unknown", facts: [], unread: [{ why: "unreadable", inside: "" }] });
  assert.deepEqual(await remove(gone), { why: "unreadable" });
});

test("directories in a circle, far too many, or beyond the end", async () => {
  const circle = tiff([long(0x8769, 8), text(0x013b, "Anna")]);
  assert.deepEqual(await missed(jpeg(exifSegment(circle))), ["damaged"]);
  assert.deepEqual(await said(jpeg(exifSegment(circle)), "person"), ["Anna"]);
  const many = tiff(...Array.from({ length: 20 }, () => Array.from({ length: 60 }, (_, i) => short(0x9999 + i, 1))));
  assert.deepEqual(await missed(jpeg(exifSegment(many))), []); // the third and later directories are nobody's
  const huge = concat(fromLatin1("II*\0\x08\0\0\0"), numeral(0xffff, 2));
  assert.deepEqual(await missed(jpeg(exifSegment(huge))), ["too-much"]);
  assert.deepEqual(await missed(jpeg(exifSegment(tiff([[0x013b, 2, 0xffffffff, new Uint8Array(5)]])))), ["damaged"]);
});

test("bombs unpack to what is allowed and no more", async () => {
  const zeros = zlibSync(new Uint8Array(17 << 20), { level: 1 }); // a mebibyte more than a text may have
  const bomb = chunk("zTXt", concat(fromLatin1("Comment\0\0"), zeros));
  assert.deepEqual(await missed(png(bomb)), ["too-large"]);
  assert.deepEqual(await missed(png(...Array.from({ length: 9 }, () => bomb))), ["too-large"]);
  assert.deepEqual((await cleaned(png(bomb))).left, []);
  const inside = docx({ "word/media/image.png": png(bomb), "word/embeddings/a.xlsx": docx({ "word/styles.xml": " ".repeat((1 << 25) + 1) }) });
  assert.deepEqual(await missed(inside), [
    "word/media/image.png: too-large", "word/embeddings/a.xlsx: word/styles.xml: too-large",
  ]);
  const part = toUtf8(`<a>${" ".repeat(27 << 20)}</a>`);
  const many = docx(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`word/${i}.xml`, part])));
  assert.deepEqual(await missed(many), ["word/4.xml: too-large", "word/5.xml: too-large"]);
  assert.deepEqual(await remove(blob(many)), { why: "too-large" });
});

test("packed pixels in a great many small pieces are not looked through for ever", async () => {
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];
  const bits = (value: number, count: number): number[] => Array.from({ length: count }, (_, n) => (value >> n) & 1);
  const lengths = order.flatMap((symbol) => bits(symbol === 18 || symbol === 1 ? 1 : 0, 3));
  const block = [0, 0, 1, ...bits(0, 10), ...bits(14, 4), ...lengths, 1, ...bits(127, 7), 1, ...bits(107, 7), 0, 0, 0]; // says nothing
  const eight = Array.from({ length: 8 }, () => block).flat();
  const one = Uint8Array.from({ length: eight.length / 8 }, (_, n) => eight.slice(8 * n, 8 * n + 8).reduce((sum, bit, at) => sum + (bit << at), 0));
  const raw = new Uint8Array(one.length * 20_000);
  for (let n = 0; n < 20_000; n += 1) raw.set(one, n * one.length);
  const pixels = chunk("IDAT", concat(Uint8Array.of(0x78, 1), raw));
  assert.deepEqual(await missed(concat(png().subarray(0, 33), pixels, chunk("IEND", new Uint8Array(0)))), ["too-much"]);
});

test("XML that is hostile: entities, depth, tags without end, long names", async () => {
  const hostile: Record<string, string> = {
    '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>': "damaged", [`${"<a>".repeat(300)}${"</a>".repeat(300)}`]: "too-much",
    [`<a ${"b".repeat(1 << 20)}`]: "damaged", [`<a ${"b ".repeat(1 << 19)}>`]: "damaged", "<a></b>": "damaged", "<a>": "damaged",
    [`<a b="${"<".repeat(1 << 20)}/>`]: "damaged", "<a b='1' c>": "damaged", "<!-- ": "damaged",
  };
  for (const [xml, why] of Object.entries(hostile)) {
    const raw = docx({ "word/styles.xml": xml });
    assert.deepEqual(await missed(raw), [`word/styles.xml: ${why}`], xml.slice(0, 40));
    assert.deepEqual(await remove(blob(raw)), { why });
  }
});

test("PDFs that are hostile: nothing closes, everything nests, every length lies", async () => {
  const much = 1 << 14;
  for (const body of [
    "<<".repeat(much), "[".repeat(much), "(".repeat(much), "1 0 obj (".repeat(much), "1 0 obj <<>> stream\n".repeat(much), "1 0 obj <".repeat(much),
    "1 0 obj << /Length 4 >> stream\nendstream ".repeat(much), "1 0 obj [ 1 0 R ".repeat(much), "1 0 obj %".repeat(much), "/".repeat(much),
    `1 0 obj [${"0 ".repeat(1 << 19)}]`,
  ]) {
    assert.equal((await read(blob(fromLatin1(`%PDF-1.4\n${body}`)))).format, "pdf");
  }
});

const WHOLE: Readonly<Record<string, Bytes>> = {
  jpeg: jpeg(exifSegment(), segment(0xe1, fromLatin1("http://ns.adobe.com/xap/1.0/\0"), toUtf8(xmp('<rdf:Description dc:creator="Anna"/>')))),
  png: png(chunk("eXIf", EXIF), chunk("zTXt", concat(fromLatin1("Author\0\0"), zlibSync(toUtf8("Anna"))))),
  webp: webp(riff("EXIF", EXIF), riff("ANMF", concat(new Uint8Array(16), riff("VP8L", Uint8Array.of(1)))), riff("XMP ", toUtf8(xmp("<a>b</a>")))),
  pdf: PDF,
  docx: docx({
    "docProps/core.xml": "<a><dc:creator>Anna</dc:creator></a>", "word/media/a.jpg": jpeg(exifSegment()), "word/_rels/document.xml.rels": "<R/>",
    "word/comments.xml": '<w:comment w:author="Anna" w:date="2024-05-01T10:11:12Z">x</w:comment>', "word/embeddings/a.docx": docx({}),
  }),
};

test("bytes that are cut or changed anywhere: an answer, in the words of the contract", async () => {
  const random = stream("fuzz");
  const words = ["unknown", "damaged", "too-large", "too-much", "encrypted", "part", "unreadable"];
  const look = async (raw: Bytes): Promise<void> => {
    const { unread } = await read(blob(raw));
    for (const { why } of unread) assert.ok(words.includes(why));
    const answer = await remove(blob(raw));
    if ("why" in answer) assert.ok(words.includes(answer.why));
    else assert.equal(answer.left.format === "unknown", false);
  };
  for (const raw of Object.values(WHOLE)) {
    for (let size = 0; size < raw.length; size += 1 + Math.floor(raw.length / 60)) await look(raw.slice(0, size));
    for (let i = 0; i < 60; i += 1) {
      const other = raw.slice();
      for (let flips = 0; flips <= i % 4; flips += 1) {
        const [a = 0, b = 0, c = 0] = random(3);
        other[(a * 65536 + b * 256 + c) % other.length] = i % 2 ? c : 255;
      }
      await look(other);
    }
  }
});

test("what was cleaned once is not changed by cleaning it again", async () => {
  for (const [kind, raw] of Object.entries(WHOLE)) {
    const once = await cleaned(raw);
    assert.equal(Buffer.from(once.raw).includes("Anna"), false, kind);
    assert.equal(hex((await cleaned(once.raw)).raw), hex(once.raw), kind);
  }
});

test("names that JavaScript's own objects have are names like others", async () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const inPng = png(chunk("tEXt", fromLatin1(`${name}\0Anna`)));
    assert.deepEqual(await said(inPng, "other"), [`${name}: Anna`]);
    assert.deepEqual(await said(pdf([`<< /${name} (Anna) /Author (Boris) >>`], "<< /Info 1 0 R >>"), "other"), [`${name}: Anna`]);
    const changed = `<w:document xmlns:w="w"><w:ins ${name}="x" w:author="Anna"><${name} w:author="Boris"/></w:ins></w:document>`;
    const raw = docx({ "word/document.xml": changed });
    assert.deepEqual(await said(raw, "person"), ["Anna", "Boris"]);
    assert.deepEqual(new Set((await cleaned(raw)).left), new Set(["review"]));
  }
});
