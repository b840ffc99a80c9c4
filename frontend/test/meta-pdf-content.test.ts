// SPDX-License-Identifier: AGPL-3.0-or-later
/** What stands in a PDF beside what its pages show and stays there: it is told, of the file and of the copy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zlibSync } from "fflate";
import { read, remove } from "../src/meta/meta.ts";
import { type Beside, beside } from "../src/meta/pdf_beside.ts";
import { fromLatin1, latin1 } from "../src/meta/slices.ts";
import { type Bytes, concat } from "../src/protocol/bytes.ts";
import { blob, exifSegment, jpeg, pdf, pdfStream } from "./files.ts";

/** A page with this content, and more objects from the fifth on. */
function one(content: string | Bytes, more = "", catalog = "", ...objects: readonly (string | Bytes)[]): Bytes {
  const page = `<< /Type /Page /MediaBox [0 0 9 9] ${more} /Contents 4 0 R >>`;
  return pdf([`<< /Type /Catalog /Pages 2 0 R ${catalog} >>`, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, content, ...objects], "<< /Root 1 0 R >>");
}
const drawing = (text: string): Bytes => pdfStream("", fromLatin1(text));

/** What is told of the file, and of its copy. */
async function told(raw: Bytes): Promise<readonly [string[], string[]]> {
  const done = await remove(blob(raw));
  assert.ok("blob" in done, JSON.stringify(done));
  const [before, left] = [await read(blob(raw)), done.left].map(({ facts, unread }) => [
    ...facts.map(({ kind, value, count, inside }) => [kind, value, count?.n, count?.unit, inside].filter(Boolean).join(" ")),
    ...unread.map(({ why, inside }) => `${why} ${inside}`),
  ]) as [string[], string[]];
  return [before, left];
}
const both = async (raw: Bytes, expected: readonly string[], what = ""): Promise<void> =>
  assert.deepEqual(await told(raw), [expected, expected], what);

test("what is beside the drawing is told of the copy too, wherever it stands", async () => {
  const [secret, form] = ["% by Anna\n0 g", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"];
  const packed = pdfStream("/Filter /FlateDecode", zlibSync(fromLatin1(secret)));
  const glyphs = "<< /Type /Font /Subtype /Type3 /Resources << >> /CharProcs 6 0 R >>";
  const tint = pdfStream("/FunctionType 4 /Domain [0 1] /Range [0 1]", fromLatin1("{ % by Anna\n}"));
  const font = (inner: string): string => `/Resources << /Font << /A ${inner} >> >>`;
  const usual = "%!PS-Adobe-3.0 Resource-CMap\n%%DocumentNeededResources: ProcSet (CIDInit)\n%%EndComments\n";
  for (const raw of [
    one(drawing(secret)), one(packed), one("[5 0 R 6 0 R]", "", "", drawing("0 g"), packed), one("5 0 R", "", "", "[6 0 R]", drawing(secret)),
    one(drawing("/A Do"), "/Resources << /XObject << /A 5 0 R >> >>", "", pdfStream(form, fromLatin1(secret))),
    one(drawing("/A 9 Tf"), font("5 0 R"), "", glyphs, "<< /a 7 0 R >>", drawing(secret)),
    one(drawing("/A 9 Tf"), font("<< /Type /Font /ToUnicode 5 0 R >>"), "", drawing(`${usual}% by Anna`)),
    one(drawing("/A cs"), "/Resources << /ColorSpace << /A [/Separation /B /DeviceGray 5 0 R] >> >>", "", tint),
  ]) {
    await both(raw, ["comment by Anna"]);
  }
  await both(one(drawing("0 g")), []);
});

test("remarks between the objects are told, and go", async () => {
  const raw = concat(fromLatin1("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n% \xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0, 1 May\n"), one(drawing("0 g")));
  assert.deepEqual(await told(raw), [["comment Анна, 1 May"], []]);
});

test("remarks and words without end are cut", async () => {
  const lines = (line: (i: number) => string): string => Array.from({ length: 400 }, (_, i) => line(i)).join("\n");
  const [, left] = await told(one(drawing(lines((i) => `% ${i}`))));
  assert.deepEqual([left.length, left[40]], [41, "too-much PDF: comments"]);
  const [, marks] = await told(one(drawing(lines((i) => `/A << /B${i} (x) >> DP`))));
  assert.deepEqual([marks.length, marks[40]], [41, "part PDF: marked content"]);
});

test("content that cannot be looked through is told", async () => {
  const content = ["part PDF: content"];
  const lzw = pdfStream("/Filter /LZWDecode", Uint8Array.of(0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01));
  await both(one(lzw), content);
  await both(one(pdfStream("/Filter /FlateDecode", zlibSync(new Uint8Array(40 << 20)))), content);
});

test("layers are told, and whether some are hidden", async () => {
  const layered = (choice: string, layer = ""): Bytes =>
    one(drawing("/OC /A BDC EMC"), "/Resources << /Properties << /A 5 0 R >> >>", `/OCProperties << /OCGs [5 0 R] /D << ${choice} >> >>`, `<< /Type /OCG /Name (x) ${layer} >>`, "[5 0 R]");
  const [seen, hidden] = [["other 1 layers"], ["unseen 1 layers"]];
  await both(layered("/OFF []"), seen);
  await both(layered(""), seen);
  for (const choice of ["/OFF [5 0 R]", "/OFF 6 0 R", "/BaseState /OFF"]) await both(layered(choice), hidden, choice);
  await both(layered("", "/Usage << /View << /ViewState /OFF >> >>"), hidden);
});

test("other words for a piece are quoted, unless they are the letters that are drawn", async () => {
  const named = (words: string): Bytes => one(drawing("/Span /A BDC EMC"), `/Resources << /Properties << /A << /ActualText ${words} >> >> >>`);
  await both(named("(Anna)"), ["words ActualText: Anna 1 pieces"]);
  for (const letters of ["(ffi)", "<feff00ad>", "(Th)", "<fefffb01>", "()"]) await both(named(letters), [], letters);
  const marks = "/Span << /ActualText (fi) >> BDC EMC /Span << /ActualText <feff0410043d043d0430> /Lang (uk-UA) >> BDC EMC /P << /Lang (uk-UA) >> BDC EMC";
  await both(one(drawing(marks)), ["words ActualText: Анна 1 pieces", "words Lang: uk-UA 2 pieces"]);
});

test("text that is drawn invisibly, as under a scan, is told", async () => {
  await both(one(drawing("BT 3 Tr (Anna) Tj ET BT 0 Tr 13 Tr (3 Tr) Tj ET 3\nTr")), ["unseen 2 pieces"]);
});

test("of a page of which a part is shown the rest is told to be there", async () => {
  await both(one(drawing("0 g"), "/CropBox [0 0 9 5]"), ["cropped 1 pages"]);
  await both(one(drawing("0 g"), "/CropBox [9 9 0 4]"), ["cropped 1 pages"]);
  for (const box of ["[0 0 9 9]", "[-2 -2 11 11]", "[0 0.5 9 9]"]) await both(one(drawing("0 g"), `/CropBox ${box}`), [], box);
});

test("a photograph in the content itself is read", async () => {
  const digits = (raw: Bytes): string => [...raw].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const inline = (head: string, data: string): string => `q BI /W 1 /H 1 /BPC 8 /CS /G ${head} ID ${data}\nEI Q`;
  const [, plain] = await told(one(drawing(inline("/F /DCT", latin1(jpeg(exifSegment()))))));
  assert.ok(plain.includes("person Anna Kovalenko inline JPEG 1"), plain.join());
  const [, packed] = await told(one(drawing(inline("/Filter [/AHx /DCT]", `${digits(jpeg(exifSegment()))}>`))));
  assert.deepEqual(packed, plain);
  await both(one(drawing(inline("/F /DCT", latin1(jpeg())))), []);
  await both(one(drawing(inline("/F [/RL /DCT]", "x"))), ["part inline JPEG 1"]);
});

test("of a stream that draws each sign is what it is", () => {
  const spelled = (thing: Beside): string =>
    thing.is === "words" ? `${thing.key}: ${thing.text}` : thing.is === "comment" ? `% ${thing.text}` : thing.is === "unread" ? thing.what : thing.is;
  const cases: Readonly<Record<string, readonly string[]>> = {
    "0 g /A Do (100 % \\) % (nested %) BI) Tj <25> Tj": [],
    "(a) Tj % (b": ["% (b"],
    "%": ["% "],
    "/P << /MCID 0 /BBox [0 1] >> BDC (shown) Tj EMC": [],
    "/Span << /ActualText (Anna) >> BDC": ["ActualText: Anna"],
    "/Span << /A << /B <416e6e61> >> /C [(x)] >> DP": ["B: Anna", "C: x"],
    "/Span << /A (50 %) % Anna\n >> DP": ["A: 50 %", "% Anna"],
    "/A [(Anna)] >> BDC": ["marked content"], // begun in the stream before
    "/A << /B (x >> BDC": ["marked content", "content"],
    "/A << (x) /B >> BDC /A << /B (y) >> BDC": ["marked content"],
    "BI /W 1 /H 1 /BPC 8 /CS /G ID % EI Q": [],
    "BI /W 1 /F /DCT ID \xff\xd8 EI \x80 % ( \xff\xd9\nEI\nQ": ["picture"],
    "q\nBI/W 1/F[/A85/DCT]ID x~>\nEI": ["picture"],
    "BI /F /#44CTDecode ID x EI (a) Tj % b": ["picture", "% b"],
    "BI /W 1 % Anna\n /H 1 ID x EI": ["% Anna"],
    "BI /Note (Anna) /H 1 ID x EI": ["Note: Anna"],
    "/BI Do /BI gs (BI ID) Tj": [],
    "(no end": ["content"],
    "<41": ["content"],
    "BI /W 1 ID no end": ["content"],
    "BI /F /DCT ID no end": ["inline JPEG", "content"],
    "BI /W 1": ["content"],
  };
  for (const [text, found] of Object.entries(cases)) assert.deepEqual([...beside(text)].map(spelled), found, text);
});

test("signs that begin something over and over are passed once", () => {
  const start = process.cpuUsage();
  for (const sign of ["(", "<", "<<", ">>", "%", "BI ", " BI  ID ", "(\\", " EI ", "( ", "%\n", "3 ", "<< /A (", "<</A(b)>>", "<< % "]) {
    for (const _ of beside(sign.repeat(2 ** 20))) void _;
  }
  const spent = process.cpuUsage(start).user / 1e6; // of the processor, s: what a busy machine does beside it does not count
  assert.ok(spent < 20, `${spent.toFixed(1)} s`); // passed over and over it would be hours
});
