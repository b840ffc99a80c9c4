// SPDX-License-Identifier: AGPL-3.0-or-later
/** PNG (W3C, third edition): chunks. Cleaning keeps those that make the picture and its colours, and drops all others. */

import { type Bytes, concat, equal } from "../protocol/bytes.ts";
import { orientation, readExif, turned } from "./exif.ts";
import { type Found, type Kind, Unreadable } from "./facts.ts";
import { cleanProfile, readProfile } from "./icc.ts";
import { readResources } from "./iptc.ts";
import { crc32, inflate, zlibbed } from "./packing.ts";
import { type Chunk, KEPT, sizeOf, used } from "./png_used.ts";
import { type Budget, fromLatin1, latin1, lenient, number, numeral, Pieces, says, type Slices } from "./slices.ts";
import { readXmp } from "./xmp.ts";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const MAX_CHUNKS = 100_000;
const MAX_READ = 1000; // of those that are no picture
const MAX_TEXT = 1 << 24; // of one chunk that is read, packed or not
const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries({
  Title: "title", Author: "person", Description: "comment", Copyright: "person", "Creation Time": "date", "date:create": "date",
  "date:modify": "date", "date:timestamp": "date", Software: "program", Source: "device", Comment: "comment", Disclaimer: "comment",
} as const));

/** All chunks to IEND; Unreadable when the file is cut or no PNG. */
async function* chunks(file: Slices): AsyncGenerator<Chunk> {
  if (!equal(await file.bytes(0, 8), SIGNATURE)) throw new Unreadable("damaged");
  let start = 8;
  for (let count = 0; count < MAX_CHUNKS; count += 1) {
    const head = await file.bytes(start, 8);
    const name = latin1(head.subarray(4));
    const end = start + 12 + number(head, 0, 4);
    if (!/^[A-Za-z]{4}$/.test(name) || end > file.size) throw new Unreadable("damaged");
    yield { name, start, end };
    if (name === "IEND") return;
    start = end;
  }
  throw new Unreadable("too-much");
}

async function body(file: Slices, { start, end }: Chunk): Promise<Bytes> {
  if (end - start > MAX_TEXT) throw new Unreadable("too-large");
  return (await file.bytes(start + 8, end - start - 12)).slice();
}

/** Gather what a PNG says. */
export async function readPng(file: Slices, found: Found): Promise<void> {
  let left = MAX_READ;
  const picture: Chunk[] = [];
  await found.trying(async () => {
    for await (const chunk of chunks(file)) {
      if (chunk.name === "IEND" && chunk.end < file.size) found.count("trailing", "bytes", file.size - chunk.end);
      if (KEPT.has(chunk.name)) {
        picture.push(chunk);
        continue;
      }
      left -= 1;
      if (left < 0) throw new Unreadable("too-much");
      await found.trying(async () => readChunk(chunk.name, await body(file, chunk), file.budget, found));
    }
    await readBehind(file, picture, found);
  });
}

/** What no program shows of the chunks that make the picture. */
async function readBehind(file: Slices, picture: readonly Chunk[], found: Found): Promise<void> {
  const of = await used(file, picture);
  const behind = new Map<string, number>();
  for (const chunk of picture) {
    const bytes = sizeOf(chunk) - (of.used.get(chunk) ?? 0);
    if (bytes) behind.set(chunk.name, (behind.get(chunk.name) ?? 0) + bytes);
  }
  for (const [name, bytes] of behind) found.count("other", "bytes", bytes, name);
  if (of.why) found.miss(of.why);
}

async function readChunk(name: string, raw: Bytes, budget: Budget, found: Found): Promise<void> {
  if (name === "eXIf") readExif(raw, found);
  else if (name === "iCCP") readProfile(profileOf(raw, budget), found);
  else if (name === "caBX") found.add("signature", "C2PA");
  else if (name === "tIME") found.add("date", moment(raw));
  else if (name === "tEXt" || name === "zTXt" || name === "iTXt") await readText(name, raw, budget, found);
  else found.add("other", name);
}

const moment = (raw: Bytes): string => {
  const [month, day, hour, minute, second] = [2, 3, 4, 5, 6].map((at) => String(number(raw, at, 1)).padStart(2, "0"));
  return `${number(raw, 0, 2)}-${month}-${day} ${hour}:${minute}:${second}`;
};

/** Up to the next zero, and where the byte after it is. */
function label(raw: Bytes, from: number): [string, number] {
  const end = raw.indexOf(0, from);
  if (end < 0) throw new Unreadable("damaged");
  return [latin1(raw.subarray(from, end)), end + 1];
}

const profileOf = (raw: Bytes, budget: Budget): Bytes => inflate(raw.subarray(label(raw, 0)[1] + 1), budget, MAX_TEXT, true);

async function readText(name: string, raw: Bytes, budget: Budget, found: Found): Promise<void> {
  const [keyword, after] = label(raw, 0);
  let at = after;
  let packed = name === "zTXt";
  if (name === "iTXt") {
    packed = raw[at] === 1;
    at = label(raw, label(raw, at + 2)[1])[1]; // after the language and the keyword in that language
  } else if (packed) at += 1;
  const text = packed ? inflate(raw.subarray(at), budget, MAX_TEXT, true) : raw.subarray(at);
  const kind = KINDS.get(keyword);
  if (kind) found.add(kind, lenient(text));
  else if (keyword === "XML:com.adobe.xmp") readXmp(text, found);
  else if (keyword.startsWith("Raw profile type ")) await readHexadecimal(keyword.slice(17), text, found);
  else found.add("other", `${keyword}: ${lenient(text)}`);
}

/** As ImageMagick carries other formats' metadata: a name, a length, hexadecimal digits. */
async function readHexadecimal(name: string, text: Bytes, found: Found): Promise<void> {
  const digits = latin1(text).replace(/^\s*\S+\s+\d+\s/, "").replace(/\s/g, "");
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw new Unreadable("damaged");
  const raw = Uint8Array.from({ length: digits.length >> 1 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  if (says(raw, "Exif\0\0")) readExif(raw.subarray(6), found);
  else if (name === "iptc" || name === "8bim") await readResources(raw, found);
  else if (name === "xmp") readXmp(raw, found);
  else if (name !== "icc" && name !== "icm") found.add("other", name);
  else readProfile(raw, found);
}

const made = (name: string, raw: Bytes): Bytes => {
  const named = concat(fromLatin1(name), raw);
  return concat(numeral(raw.length, 4), named, numeral(crc32(named), 4));
};

/** The same picture without what it says of anybody, as pieces of a Blob. */
export async function cleanPng(file: Slices): Promise<BlobPart[]> {
  const out = new Pieces(file);
  out.put(SIGNATURE);
  const all: Chunk[] = [];
  for await (const chunk of chunks(file)) all.push(chunk);
  const of = await used(file, all.filter(({ name }) => KEPT.has(name)));
  for (const chunk of all) {
    const size = of.used.get(chunk);
    if (size === sizeOf(chunk)) out.keep(chunk.start, chunk.end);
    else if (size !== undefined) out.put(made(chunk.name, (await file.bytes(chunk.start + 8, size)).slice()));
    else if (KEPT.has(chunk.name)) continue;
    else if (chunk.name === "iCCP") {
      const clean = cleanProfile(profileOf(await body(file, chunk), file.budget));
      if (clean) out.put(made("iCCP", concat(fromLatin1("colours\0\0"), zlibbed(clean))));
    } else if (chunk.name === "eXIf") {
      const turn = orientation(await body(file, chunk));
      if (turn !== 1) out.put(made("eXIf", turned(turn)));
    } else if (/^[A-Z]/.test(chunk.name)) throw new Unreadable("part"); // no picture without it, as in those of iOS's programs
  }
  return out.all();
}
