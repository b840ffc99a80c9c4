// SPDX-License-Identifier: AGPL-3.0-or-later
/** Small files of each kind, put together by hand, full of what may be said; and what is read in them, in short. */

import assert from "node:assert/strict";
import { type Zippable, zipSync, zlibSync } from "fflate";
import { type Bytes, concat, toUtf8 } from "../src/protocol/bytes.ts";
import { crc32 } from "../src/meta/packing.ts";
import { type Fact, read, remove } from "../src/meta/meta.ts";
import { fromLatin1, numeral } from "../src/meta/slices.ts";

/** A TIFF directory's entry: tag, type, count, and the value's four bytes or, if more, where they are put. */
export type Entry = readonly [tag: number, type: number, count: number, value: Bytes];

/** TIFF, little endian: directories one after the other, each leading to the next; `at` gives where one begins. */
export function tiff(...directories: readonly (readonly Entry[])[]): Bytes {
  const sizes = directories.map((entries) => 6 + 12 * entries.length + entries.reduce((sum, [, , , { length }]) => sum + (length > 4 ? length : 0), 0));
  const starts = sizes.map((_, i) => 8 + sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const out: Bytes[] = [fromLatin1("II*\0\x08\0\0\0")];
  directories.forEach((entries, i) => {
    let data = (starts[i] as number) + 6 + 12 * entries.length;
    const [heads, bodies]: [Bytes[], Bytes[]] = [[], []];
    for (const [tag, type, count, value] of entries) {
      const far = value.length > 4;
      heads.push(concat(numeral(tag, 2, true), numeral(type, 2, true), numeral(count, 4, true)));
      heads.push(far ? numeral(data, 4, true) : concat(value, new Uint8Array(4 - value.length)));
      if (far) bodies.push(value);
      if (far) data += value.length;
    }
    out.push(numeral(entries.length, 2, true), ...heads, numeral(starts[i + 1] ?? 0, 4, true), ...bodies);
  });
  return concat(...out);
}

export const text = (tag: number, value: string): Entry => [tag, 2, value.length + 1, toUtf8(`${value}\0`)];
export const short = (tag: number, value: number): Entry => [tag, 3, 1, numeral(value, 2, true)];
export const long = (tag: number, value: number): Entry => [tag, 4, 1, numeral(value, 4, true)];

export const EXIF = tiff(
  [text(0x010f, "Canon"), text(0x0110, "EOS R5"), short(0x0112, 6), text(0x013b, "Anna Kovalenko")],
  [long(0x0201, 8), long(0x0202, 4)],
);

export const segment = (marker: number, ...parts: readonly Bytes[]): Bytes => {
  const raw = concat(...parts);
  return concat(Uint8Array.of(0xff, marker), numeral(raw.length + 2, 2), raw);
};

const FRAME = segment(0xc0, Uint8Array.of(8, 0, 1, 0, 1, 1, 1, 0x11, 0));
export const SCAN = segment(0xda, Uint8Array.of(1, 1, 0, 0, 63, 0));

/** A head, whatever segments, two scans with a stuffed byte and a restart in them, the end. */
export const jpeg = (...segments: readonly Bytes[]): Bytes =>
  concat(
    Uint8Array.of(0xff, 0xd8), segment(0xe0, fromLatin1("JFIF\0\x01\x01\0\0\x01\0\x01\0\0")), ...segments,
    segment(0xdb, new Uint8Array(65)), FRAME, SCAN,
    Uint8Array.of(1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 5), SCAN, Uint8Array.of(6, 7), Uint8Array.of(0xff, 0xd9),
  );

export const exifSegment = (raw: Bytes = EXIF): Bytes => segment(0xe1, fromLatin1("Exif\0\0"), raw);

export const chunk = (name: string, raw: Bytes): Bytes => {
  const named = concat(fromLatin1(name), raw);
  return concat(numeral(raw.length, 4), named, numeral(crc32(named), 4));
};

export const png = (...chunks: readonly Bytes[]): Bytes =>
  concat(
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk("IHDR", new Uint8Array(13)), ...chunks,
    chunk("IDAT", Uint8Array.of(0x78, 1, 1, 0, 0, 255, 255, 0, 0, 0, 1)), chunk("IEND", new Uint8Array(0)),
  );

export const riff = (name: string, raw: Bytes): Bytes => concat(fromLatin1(name), numeral(raw.length, 4, true), raw, new Uint8Array(raw.length & 1));

export const webp = (...chunks: readonly Bytes[]): Bytes => {
  const flags = Uint8Array.of(0x0c, 0, 0, 0, 9, 0, 0, 9, 0, 0);
  return riff("RIFF", concat(fromLatin1("WEBP"), riff("VP8X", flags), riff("VP8 ", Uint8Array.of(1, 2, 3)), ...chunks));
};

export const xmp = (inner: string): string =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>${inner}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;

/** An archive of texts and bytes, in this order. */
export const archive = (parts: Readonly<Record<string, string | Bytes>>, stored: readonly string[] = []): Bytes => {
  const all: Zippable = {};
  for (const [name, part] of Object.entries(parts)) {
    all[name] = [typeof part === "string" ? toUtf8(part) : part, { level: stored.includes(name) ? 0 : 6, mtime: "2024-05-01T10:11:12" }];
  }
  return zipSync(all);
};

export const CONTENT_TYPES = '<Types xmlns="t"><Override PartName="/word/document.xml"/><Override PartName="/docProps/core.xml"/></Types>';

export const docx = (parts: Readonly<Record<string, string | Bytes>>): Bytes =>
  archive({ "[Content_Types].xml": CONTENT_TYPES, "word/document.xml": "<w:document><w:p>text</w:p></w:document>", ...parts });

/** Objects, one after the other, with a trailer; no table of where they are, which nothing here asks for. */
export const pdf = (objects: readonly (string | Bytes)[], trailer: string, end = "%%EOF\n"): Bytes =>
  concat(
    fromLatin1("%PDF-1.7\n"),
    ...objects.map((one, i) => concat(fromLatin1(`${i + 1} 0 obj\n`), typeof one === "string" ? fromLatin1(one) : one, fromLatin1("\nendobj\n"))),
    fromLatin1(`trailer\n${trailer}\nstartxref\n0\n${end}`),
  );

export const pdfStream = (dictionary: string, raw: Bytes): Bytes =>
  concat(fromLatin1(`<< ${dictionary} /Length ${raw.length} >>\nstream\n`), raw, fromLatin1("\nendstream"));

/** Property lists as Acrobat writes them. */
export const PDF = pdf(
  [
    "<< /Author (Anna \\(K.\\)) /Title <FEFF041A0438> /Creator 2 0 R /CreationDate (D:20240501101112+03'00') /Desk (Third) >>",
    "(Writer \\101)",
    pdfStream("/Type /Metadata /Subtype /XML", toUtf8(xmp('<rdf:Description xmp:CreatorTool="Darkroom 3"/>'))),
    "<< /Type /Annot /Subtype /Text /Rect [0 0 1 1] /T (Boris) /M (D:2024) /Contents (no) >>",
    pdfStream("/Type /XObject /Subtype /Image /Filter /DCTDecode", jpeg(exifSegment())),
    pdfStream("/Type /ObjStm /N 2 /First 10 /Filter [/FlateDecode]", zlibSync(fromLatin1("18 0 19 17<</Author (Clara)>><< /Author (Dora) >>"))),
    "<< /Type /Filespec /F (C:\\\\Users\\\\anna\\\\plan.xls) /UF (plan.xls) /EF << /F 18 0 R >> >>",
    "<< /Type /Catalog /Pages 9 0 R >>",
    "<< /Type /Pages /Kids [10 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 9 0 R /MediaBox [0 0 9 9] /Resources << /XObject << /A 5 0 R >> >> /Contents 11 0 R /Annots [4 0 R] >>",
    pdfStream("", fromLatin1("/A Do")),
  ],
  "<< /Root 8 0 R /Info 1 0 R /ID [<0102> <0102>] >>",
);

export const blob = (raw: Bytes): Blob => new Blob([raw as BlobPart]);
const bytes = async (one: Blob): Promise<Bytes> => new Uint8Array(await one.arrayBuffer());

/** A fact's value, and what is counted: "MakerNote, 100 bytes". */
export const told = ({ value, count }: Fact): string => [value, ...(count ? [`${count.n} ${count.unit}`] : [])].filter(Boolean).join(", ");

/** The values of one kind of facts, what is counted after them, with where they are if that is inside. */
export async function said(raw: Bytes, kind: string): Promise<string[]> {
  return (await read(blob(raw))).facts.filter((one) => one.kind === kind).map((one) => (one.inside ? `${one.inside}: ${told(one)}` : told(one)));
}

export async function missed(raw: Bytes): Promise<string[]> {
  return (await read(blob(raw))).unread.map(({ why, inside }) => (inside ? `${inside}: ${why}` : why));
}

export async function cleaned(raw: Bytes): Promise<{ raw: Bytes; left: string[] }> {
  const result = await remove(blob(raw));
  assert.ok("blob" in result, JSON.stringify(result));
  return { raw: await bytes(result.blob), left: [...result.left.facts.map(({ kind }) => kind), ...result.left.unread.map(({ why }) => why)] };
}
