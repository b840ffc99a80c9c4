// SPDX-License-Identifier: AGPL-3.0-or-later
/** What files say, by kind, and what is left of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zlibSync } from "fflate";
import { read, remove, type Why } from "../src/meta/meta.ts";
import { fromLatin1, numeral } from "../src/meta/slices.ts";
import { type Bytes, concat, toUtf8 } from "../src/protocol/bytes.ts";
import {
  archive, blob, chunk, cleaned, docx, EXIF, exifSegment, type Entry, jpeg, long, missed, PDF, pdf, pdfStream, png, riff, said, SCAN,
  segment, short, text, tiff, told, webp, xmp,
} from "./files.ts";

test("what is written in which spelling of Exif", async () => {
  const unicode = concat(fromLatin1("UNICODE\0"), fromLatin1("h\0i\0"));
  const inner: Entry[] = [[0x9286, 7, unicode.length, unicode], text(0xa430, "Boris"), text(0xa431, "0042"), [0x927c, 7, 100, new Uint8Array(100)]];
  const outer: Entry[] = [[0x9c9d, 1, 10, fromLatin1("A\0n\0n\0a\0\0\0")], long(0x8769, 26)];
  const raw = concat(tiff(outer), new Uint8Array(0));
  const at = raw.length;
  const moved = tiff(inner).subarray(8); // its values count from where it begins in a file of its own
  const whole = concat(raw, moved);
  whole.set(numeral(at, 4, true), 8 + 2 + 12 + 8);
  inner.forEach(([, , , value], i) => {
    const place = at + 2 + 12 * i + 8;
    if (value.length > 4) whole.set(numeral(new DataView(whole.buffer).getUint32(place, true) + at - 8, 4, true), place);
  });
  const { facts } = await read(blob(jpeg(exifSegment(whole))));
  assert.deepEqual(facts.map((one) => [one.kind, told(one)]), [
    ["person", "Anna"], ["comment", "hi"], ["person", "Boris"], ["serial", "0042"], ["other", "MakerNote, 100 bytes"],
  ]);
});

test("Photoshop's blocks and IPTC's records in a JPEG", async () => {
  const record = (dataset: number, value: string): Bytes => concat(Uint8Array.of(0x1c, 2, dataset), numeral(value.length, 2), toUtf8(value));
  const records = concat(record(80, "Anna"), record(90, "Kyiv"), record(0, "\0\x02"));
  const block = (id: number, raw: Bytes): Bytes => concat(fromLatin1("8BIM"), numeral(id, 2), new Uint8Array(2), numeral(raw.length, 4), raw, new Uint8Array(raw.length & 1));
  const raw = jpeg(segment(0xed, fromLatin1("Photoshop 3.0\0"), block(0x0404, records), block(0x040c, new Uint8Array(30)), block(0x0422, EXIF)));
  assert.deepEqual(await said(raw, "person"), ["Anna", "Anna Kovalenko"]);
  assert.deepEqual(await said(raw, "place-name"), ["Kyiv"]);
  assert.deepEqual(await said(raw, "thumbnail"), ["30 bytes", "4 bytes"]);
  assert.deepEqual((await cleaned(raw)).left, []);
});

test("segments that are not known are said, and go", async () => {
  const raw = jpeg(segment(0xe4, fromLatin1("SAMSUNG \x01")), segment(0xeb, fromLatin1("JP\0\x01jumb")), segment(0xfe, fromLatin1("by Anna")));
  assert.deepEqual(await said(raw, "other"), ["APP4 SAMSUNG", "APP11 JP"]);
  assert.deepEqual(await said(raw, "comment"), ["by Anna"]);
  const clean = await cleaned(raw);
  assert.deepEqual([clean.left, clean.raw], [[], jpeg()]);
});

test("a JPEG keeps how its colours are coded, and which side is up", async () => {
  const adobe = fromLatin1("Adobe\0\x64\0\0\0\0\x02");
  const clean = await cleaned(jpeg(exifSegment(), segment(0xee, adobe, fromLatin1("of Anna"))));
  const said = String.fromCharCode(...clean.raw);
  assert.ok(said.includes("Adobe\0\x64\0\0\0\0\x02") && !said.includes("Anna"));
  assert.ok(said.includes(String.fromCharCode(...tiff([short(0x0112, 6)]))));
});

test("a PNG's hidden places: private chunks, packed texts, other formats' metadata in digits", async () => {
  const hexadecimal = [...EXIF].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const raw = png(
    chunk("prVt", fromLatin1("Anna")),
    chunk("zTXt", concat(fromLatin1("Raw profile type exif\0\0"), zlibSync(fromLatin1(`\nexif\n  ${EXIF.length + 6}\n457869660000${hexadecimal}\n`)))),
    chunk("tEXt", fromLatin1("parameters\0a castle")),
    chunk("iTXt", concat(fromLatin1("Author\0\x01\0uk\0\0"), zlibSync(toUtf8("Ганна")))),
    chunk("tIME", Uint8Array.of(7, 232, 5, 1, 10, 11, 12)),
  );
  const { facts, unread } = await read(blob(raw));
  assert.deepEqual(unread, []);
  assert.deepEqual(facts.map((one) => `${one.kind} ${told(one)}`), [
    "other prVt", "person Anna Kovalenko", "device Canon EOS R5", "thumbnail 4 bytes", "other parameters: a castle", "person Ганна", "date 2024-05-01 10:11:12",
  ]);
  const clean = await cleaned(raw);
  assert.deepEqual([clean.left, clean.raw], [[], png()]);
});

test("a picture of which a part is needed that is not known is not cleaned", async () => {
  const lossless = concat(jpeg().subarray(0, 20), segment(0xf7, new Uint8Array(9)), SCAN, Uint8Array.of(1, 0xff, 0xd9));
  for (const raw of [lossless, png(chunk("CgBI", new Uint8Array(4))), riff("RIFF", concat(fromLatin1("WEBP"), riff("VP9 ", EXIF)))]) {
    assert.deepEqual(await said(raw, "other"), [{ 0xff: "0xf7", 0x89: "CgBI", 0x52: "VP9" }[raw[0] as number]]);
    assert.deepEqual(await remove(blob(raw)), { why: "part" });
  }
});

test("a browser that cannot pack gives back an archive that is not packed", async () => {
  const pack = globalThis.CompressionStream;
  try {
    Reflect.deleteProperty(globalThis, "CompressionStream");
    const { raw, left } = await cleaned(docx({ "docProps/core.xml": "<a><dc:creator>Anna</dc:creator></a>" }));
    assert.deepEqual(left, []);
    assert.ok(Buffer.from(raw).includes("<w:p>text</w:p>"));
  } finally {
    globalThis.CompressionStream = pack;
  }
});

test("XMP says where, and names what is not known here", async () => {
  const raw = webp(riff("XMP ", toUtf8(xmp('<rdf:Description exif:GPSLatitude="50,27.006N" exif:GPSLongitude="30,31,24W" crs:Warmth="4"/>'))));
  assert.deepEqual(await said(raw, "place"), ["50.45010, -30.52333"]);
  assert.deepEqual(await said(raw, "other"), ["XMP GPSLatitude GPSLongitude Warmth"]);
});

test("a PDF: properties, spelled in each way, notes, pictures, packed objects, files inside", async () => {
  assert.deepEqual(await said(PDF, "person"), ["1: Anna Kovalenko", "Anna (K.)", "Boris", "Clara", "Dora"]);
  assert.deepEqual(await said(PDF, "title"), ["Ки"]);
  assert.deepEqual(await said(PDF, "program"), ["Darkroom 3", "Writer A"]);
  assert.deepEqual(await said(PDF, "date"), ["2024-05-01 10:11:12 +03:00", "2024-01-01"]);
  assert.deepEqual(await said(PDF, "embedded"), ["C:\\Users\\anna\\plan.xls", "plan.xls"]);
  assert.deepEqual(await said(PDF, "id"), ["0102"]);
  assert.deepEqual(await said(PDF, "device"), ["1: Canon EOS R5"]);
  assert.deepEqual(await said(PDF, "other"), ["Desk: Third"]);
  assert.deepEqual(await said(PDF, "review"), ["1 comments"]);
  assert.deepEqual(await missed(PDF), []);
  const { raw, left } = await cleaned(PDF);
  assert.deepEqual(left, ["review"]);
  assert.equal(/Anna|Boris|Clara|Dora|Darkroom|Writer|2024|Canon/.test(Buffer.from(raw).toString("latin1")), false);
});

test("a PDF that was changed still says what it said before, and that it was", async () => {
  const changed = concat(pdf(["<< /Author (Anna) >>"], "<< /Info 1 0 R >>"), pdf(["<< /Author (nobody) >>"], "<< /Info 1 0 R >>"));
  assert.deepEqual(await said(changed, "person"), ["Anna", "nobody"]);
  assert.deepEqual(await said(changed, "history"), ["1 versions"]);
});

test("of a PDF under a password nothing is guessed", async () => {
  const raw = pdf(["<< /Author (\\223\\001) >>"], "<< /Encrypt 2 0 R /Info 1 0 R >>");
  assert.deepEqual(await read(blob(raw)), { format: "pdf", facts: [], unread: [{ why: "encrypted", inside: "" }] });
});

test("parts of a PDF that are not looked into are named", async () => {
  const raw = pdf(
    [
      pdfStream("/Type /EmbeddedFile", fromLatin1("Anna")), pdfStream("/Subtype /Image /Filter /JPXDecode", fromLatin1("Anna")),
      pdfStream("/Type /ObjStm /N 1 /First 4 /Filter /LZWDecode", fromLatin1("1 0 ")), "<< /Author (Anna",
    ],
    "<< >>",
  );
  assert.deepEqual(await missed(raw), ["EmbeddedFile: part", "part", "damaged", "JPEG 2000: 1: part"]);
});

test("kinds are told by bytes; what is none of them is unknown", async () => {
  const odt = archive({ mimetype: "application/vnd.oasis.opendocument.text", "content.xml": "<a/>" }, ["mimetype"]);
  for (const [format, raw] of Object.entries({ jpeg: jpeg(), png: png(), webp: webp(), pdf: PDF, docx: docx({}), odf: odt })) {
    assert.equal((await read(blob(raw))).format, format);
  }
  for (const raw of [new Uint8Array(0), fromLatin1("Anna"), fromLatin1("BMW"), archive({ "a.txt": "Anna" })]) await refused(raw, "unknown");
});

async function refused(raw: Bytes, why: Why): Promise<void> {
  assert.deepEqual(await read(blob(raw)), { format: "unknown", facts: [], unread: [{ why, inside: "" }] });
  assert.deepEqual(await remove(blob(raw)), { why });
}

test("of a kind that is not read it is said what such files usually say", async () => {
  const boxed = (brand: string): string => `\0\0\0\x20ftyp${brand}\0\0\0\0mif1`;
  const kinds: Readonly<Record<string, readonly string[]>> = {
    photo: [...["heic", "mif1", "hevc", "avif", "crx "].map(boxed), "GIF89a", "II*\0\x08\0\0\0", "MM\0*\0\0\0\x08", "8BPS", "\0\0\0\x0cJXL \r\n", "BM\x9a\0\0\0\0\0\0\0"],
    film: [...["qt  ", "mp42", "3gp4", "isom"].map(boxed), "\x1a\x45\xdf\xa3", "RIFF\0\0\0\0AVI ", "\0\0\0\x08wide\0\0"],
    sound: [boxed("M4A "), "ID3\x04", "fLaC", "OggS", "RIFF\0\0\0\0WAVE", "\xff\xfb\x90\0", "#!AMR\n"],
    "old-office": ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
  };
  for (const [why, heads] of Object.entries(kinds)) for (const head of heads) await refused(fromLatin1(head.padEnd(64, "\0")), why as Why);
});
