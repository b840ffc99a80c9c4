// SPDX-License-Identifier: AGPL-3.0-or-later
/** What stands in a PDF beside what its pages show and stays there: it is told, of the file and of the copy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zlibSync } from "fflate";
import { read, remove } from "../src/meta/meta.ts";
import { beside } from "../src/meta/pdf_content.ts";
import { fromLatin1 } from "../src/meta/slices.ts";
import type { Bytes } from "../src/protocol/bytes.ts";
import { blob, pdf, pdfStream } from "./files.ts";

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
  const [before, left] = [await read(blob(raw)), done.left].map(({ facts, unread }) => {
    assert.deepEqual(facts, []);
    return unread.map(({ why, inside }) => `${why} ${inside}`);
  }) as [string[], string[]];
  return [before, left];
}

test("what is beside the drawing is told of the copy too, wherever it stands", async () => {
  const [secret, form] = ["% by Anna\n0 g", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"];
  const packed = pdfStream("/Filter /FlateDecode", zlibSync(fromLatin1(secret)));
  const glyphs = "<< /Type /Font /Subtype /Type3 /Resources << >> /CharProcs 6 0 R >>";
  const tint = pdfStream("/FunctionType 4 /Domain [0 1] /Range [0 1]", fromLatin1("{ % Anna\n}"));
  const font = (inner: string): string => `/Resources << /Font << /A ${inner} >> >>`;
  const comments = ["part PDF: comments"];
  for (const raw of [
    one(drawing(secret)), one(packed), one("[5 0 R 6 0 R]", "", "", drawing("0 g"), packed), one("5 0 R", "", "", "[6 0 R]", drawing(secret)),
    one(drawing("/A Do"), "/Resources << /XObject << /A 5 0 R >> >>", "", pdfStream(form, fromLatin1(secret))),
    one(drawing("/A 9 Tf"), font("5 0 R"), "", glyphs, "<< /a 7 0 R >>", drawing(secret)),
    one(drawing("/A 9 Tf"), font("<< /Type /Font /ToUnicode 5 0 R >>"), "", drawing("%%Creator: Anna")),
    one(drawing("/A cs"), "/Resources << /ColorSpace << /A [/Separation /B /DeviceGray 5 0 R] >> >>", "", tint),
  ]) {
    assert.deepEqual(await told(raw), [comments, comments]);
  }
  assert.deepEqual(await told(one(drawing("0 g"))), [[], []]);
});

test("content that cannot be looked through is told", async () => {
  const content = ["part PDF: content"];
  const lzw = pdfStream("/Filter /LZWDecode", Uint8Array.of(0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01));
  assert.deepEqual(await told(one(lzw)), [content, content]);
  assert.deepEqual(await told(one(pdfStream("/Filter /FlateDecode", zlibSync(new Uint8Array(40 << 20))))), [content, content]);
});

test("layers are told, and whether some are hidden", async () => {
  const layered = (choice: string, layer = ""): Bytes =>
    one(drawing("/OC /A BDC EMC"), "/Resources << /Properties << /A 5 0 R >> >>", `/OCProperties << /OCGs [5 0 R] /D << ${choice} >> >>`, `<< /Type /OCG /Name (x) ${layer} >>`, "[5 0 R]");
  const [seen, hidden] = [["part PDF: layers"], ["part PDF: hidden layers"]];
  assert.deepEqual(await told(layered("/OFF []")), [seen, seen]);
  assert.deepEqual(await told(layered("")), [seen, seen]);
  for (const choice of ["/OFF [5 0 R]", "/OFF 6 0 R", "/BaseState /OFF"]) assert.deepEqual(await told(layered(choice)), [hidden, hidden], choice);
  assert.deepEqual(await told(layered("", "/Usage << /View << /ViewState /OFF >> >>")), [hidden, hidden]);
});

test("other words for a piece that have a name in the page's list", async () => {
  const raw = one(drawing("/Span /A BDC EMC"), "/Resources << /Properties << /A << /ActualText (Anna) >> >> >>");
  assert.deepEqual(await told(raw), [["part PDF: marked content"], ["part PDF: marked content"]]);
});

test("of a stream that draws each sign is what it is", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "0 g /A Do (100 % \\) % (nested %) BI) Tj <25> Tj": [],
    "(a) Tj % (b": ["comments"],
    "%": ["comments"],
    "/P << /MCID 0 /BBox [0 1] >> BDC (shown) Tj EMC": [],
    "/Span << /ActualText (Anna) >> BDC": ["marked content"],
    "/Span << /A << /B <416e6e61> >> >> DP": ["marked content"],
    "/A [(Anna)] >> BDC": ["marked content"], // begun in the stream before
    "BI /W 1 /H 1 /BPC 8 /CS /G ID % EI Q": [],
    "BI /W 1 /F /DCT ID \xff\xd8 EI \x80 % ( \xff\xd9\nEI\nQ": ["inline JPEG"],
    "q\nBI/W 1/F[/A85/DCT]ID x~>\nEI": ["inline JPEG"],
    "BI /F /#44CTDecode ID x EI (a) Tj % b": ["inline JPEG", "comments"],
    "BI /W 1 % Anna\n /H 1 ID x EI": ["comments"],
    "BI /Note (Anna) /H 1 ID x EI": ["marked content"],
    "/BI Do /BI gs (BI ID) Tj": [],
    "(no end": ["content"],
    "<41": ["content"],
    "BI /W 1 ID no end": ["content"],
    "BI /W 1": ["content"],
  };
  for (const [text, found] of Object.entries(cases)) assert.deepEqual([...beside(text)], found, text);
});

test("signs that begin something over and over are passed once", () => {
  const start = performance.now();
  for (const sign of ["(", "<", "<<", ">>", "%", "BI ", " BI  ID ", "(\\", " EI ", "( ", "%\n"]) beside(sign.repeat(2 ** 21));
  assert.ok(performance.now() - start < 20_000, `${Math.round(performance.now() - start)} ms`);
});
