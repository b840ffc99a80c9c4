// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * JPEG (ITU-T T.81): segments up to the end of the picture. Cleaning keeps the segments from which the picture is decoded,
 * byte for byte, and writes anew what colours and orientation need; all else goes, and whatever comes after the end.
 */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { orientation, readExif, turned } from "./exif.ts";
import { type Found, LIMIT, Unreadable } from "./facts.ts";
import { cleanProfile, readProfile } from "./icc.ts";
import { readResources } from "./iptc.ts";
import { fromLatin1, latin1, lenient, number, numeral, Pieces, says, type Slices } from "./slices.ts";
import { readXmp } from "./xmp.ts";

const MAX_SEGMENTS = 20_000;
const MAX_READ = 1000; // of those that are no picture
const STEP = 1 << 18; // of the picture's own bytes, looked through for its end
const [DHT, DAC, SOI, EOI, SOS, DQT, DNL, DRI, DHP, EXP, APP0, COM] = [
  0xc4, 0xcc, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xfe,
];
const SCAN = 0; // not a marker: the bytes of a scan, after its head
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const ICC = "ICC_PROFILE\0";
const PHOTOSHOP = "Photoshop 3.0\0";

/** From the marker's 0xff to the last byte, in the file. */
interface Segment {
  readonly marker: number;
  readonly start: number;
  readonly end: number;
}

/** Frames, tables, scans: what a decoder reads (T.81, table B.1). */
const decodes = (marker: number): boolean =>
  marker === SCAN || (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc8) || (marker >= EOI && marker <= 0xdf);

/** All segments after SOI to EOI; Unreadable when the file is cut or no JPEG. */
async function* segments(file: Slices): AsyncGenerator<Segment> {
  if (number(await file.bytes(0, 2), 0, 2) !== 0xff00 + SOI) throw new Unreadable("damaged");
  let at = 2;
  for (let count = 0; ; count += 1) {
    if (count === MAX_SEGMENTS) throw new Unreadable("too-much");
    const start = at;
    const head = await file.bytes(at, 2);
    if (head[0] !== 0xff) throw new Unreadable("damaged");
    let marker = head[1] as number;
    at += 2;
    while (marker === 0xff) { // a marker may be filled up before
      if (at - start > 64) throw new Unreadable("damaged");
      marker = (await file.bytes(at, 1))[0] as number;
      at += 1;
    }
    if (marker === EOI) {
      yield { marker, start, end: at };
      return;
    }
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= SOI)) throw new Unreadable("damaged");
    const size = number(await file.bytes(at, 2), 0, 2);
    if (size < 2) throw new Unreadable("damaged");
    await file.bytes(at + size - 1, 1);
    yield { marker, start, end: at + size };
    at += size;
    if (marker === SOS) {
      const end = await scanEnd(file, at);
      yield { marker: SCAN, start: at, end };
      at = end;
    }
  }
}

/** Where the next marker begins that is not of the scan itself. */
async function scanEnd(file: Slices, start: number): Promise<number> {
  if (file.size > LIMIT) throw new Unreadable("too-large");
  for (let at = start; at + 1 < file.size; ) {
    const raw = await file.upTo(at, STEP);
    let i = raw.indexOf(0xff);
    for (; i >= 0 && i + 1 < raw.length; i = raw.indexOf(0xff, i + 1)) {
      const next = raw[i + 1] as number;
      if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at + i;
    }
    at += i < 0 ? raw.length : i; // an 0xff at the very end is looked at with what follows it
  }
  throw new Unreadable("damaged");
}

/** What is in a segment, after marker and length; `file` may have filled the marker up. */
async function body(file: Slices, { start, end }: Segment): Promise<Bytes> {
  const raw = await file.bytes(start, end - start);
  let at = 1;
  while (raw[at] === 0xff) at += 1;
  return raw.subarray(at + 3);
}

const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== DHT && marker !== DAC;

/** Of such a segment's body, how many bytes decoders read. What stands behind them can say anything. */
function used(marker: number, raw: Bytes): number {
  const at = (place: number): number => raw[place] ?? 0;
  const tables = (sizeOf: (start: number) => number): number => {
    for (let start = 0; ; start += sizeOf(start)) if (start >= raw.length || start + sizeOf(start) > raw.length) return start;
  };
  const most = marker === DNL || marker === DRI ? 2
    : marker === EXP ? 1
    : marker === SOS ? 4 + 2 * at(0)
    : marker === DQT ? tables((start) => 1 + (at(start) >> 4 ? 128 : 64))
    : marker === DHT ? tables((start) => 17 + raw.subarray(start + 1, start + 17).reduce((sum, count) => sum + count, 0))
    : marker === DAC ? raw.length - (raw.length % 2)
    : isFrame(marker) || marker === DHP ? 6 + 3 * at(5)
    : raw.length;
  return Math.min(most, raw.length);
}

/** Gathers the parts of a colour profile. */
class Profile {
  private readonly parts = new Map<number, Bytes>();

  take(segment: Bytes): void {
    this.parts.set(segment[ICC.length] ?? 0, segment.slice(ICC.length + 2));
  }

  whole(): Bytes | null {
    const order = [...this.parts.keys()].sort((a, b) => a - b);
    return order.length ? concat(...order.map((number) => this.parts.get(number) as Bytes)) : null;
  }
}

/** Gather what a JPEG says. */
export async function readJpeg(file: Slices, found: Found): Promise<void> {
  const profile = new Profile();
  let left = MAX_READ;
  await found.trying(async () => {
    for await (const segment of segments(file)) {
      const { marker, end } = segment;
      if (marker === EOI && end < file.size) found.count("trailing", "bytes", file.size - end);
      if (marker === SCAN || marker === EOI) continue;
      if (decodes(marker)) {
        const raw = await body(file, segment);
        const behind = raw.length - used(marker, raw);
        if (behind) found.count("other", "bytes", behind, `0x${marker.toString(16)}`);
        continue;
      }
      left -= 1;
      if (left < 0) throw new Unreadable("too-much");
      const raw = await body(file, segment);
      await found.trying(() => readSegment(marker, raw, profile, found));
    }
  });
  const whole = profile.whole();
  if (whole) await found.trying(() => readProfile(whole, found));
}

async function readSegment(marker: number, raw: Bytes, profile: Profile, found: Found): Promise<void> {
  const is = (app: number, label: string): boolean => marker === APP0 + app && says(raw, label);
  if (is(0, "JFIF\0")) {
    if (raw.length > 14) found.count("thumbnail", "bytes", raw.length - 14);
  } else if (is(14, "Adobe")) {
    if (raw.length > 12) found.count("other", "bytes", raw.length - 12, "APP14");
  } else if (is(0, "JFXX\0")) found.count("thumbnail", "bytes", raw.length);
  else if (is(1, "Exif\0")) readExif(raw.subarray(EXIF.length), found);
  else if (is(1, XMP)) readXmp(raw.subarray(XMP.length), found);
  else if (is(2, ICC)) profile.take(raw);
  else if (is(13, PHOTOSHOP)) await readResources(raw.subarray(PHOTOSHOP.length), found);
  else if (is(11, "JP") && latin1(raw.subarray(0, 200)).includes("c2pa")) found.add("signature", "C2PA"); // who made it, with what
  else if (marker === COM) found.add("comment", lenient(raw));
  else {
    const label = /^[\w .:/-]*/.exec(lenient(raw.subarray(0, 40)))?.[0] ?? "";
    found.add("other", `${marker >= APP0 && marker < 0xf0 ? `APP${marker - APP0}` : `0x${marker.toString(16)}`} ${label}`);
  }
}

const segment = (marker: number, ...parts: readonly Bytes[]): Bytes => {
  const raw = concat(...parts);
  return concat(Uint8Array.of(0xff, marker), numeral(raw.length + 2, 2), raw);
};

/** The same picture without what it says of anybody, as pieces of a Blob. */
export async function cleanJpeg(file: Slices): Promise<BlobPart[]> {
  const profile = new Profile();
  const kept = new Pieces(file);
  let jfif: Bytes | null = null;
  let adobe: Bytes | null = null;
  let turn = 1;
  let frames = 0;
  for await (const one of segments(file)) {
    if (decodes(one.marker)) {
      const raw = one.marker === SCAN || one.marker === EOI ? null : await body(file, one);
      const size = raw ? used(one.marker, raw) : 0;
      if (!raw || size === raw.length) kept.keep(one.start, one.end);
      else if (size) kept.put(segment(one.marker, raw.slice(0, size)));
      if (isFrame(one.marker)) frames += 1;
      continue;
    }
    const raw = await body(file, one);
    const is = (app: number, label: string): boolean => one.marker === APP0 + app && says(raw, label);
    if (is(0, "JFIF\0") && raw.length >= 14) jfif = concat(raw.subarray(0, 12), new Uint8Array(2)); // without a thumbnail
    else if (is(14, "Adobe") && raw.length >= 12) adobe = raw.slice(0, 12); // how colours are coded
    else if (is(1, "Exif\0")) turn = orientation(raw.subarray(EXIF.length));
    else if (is(2, ICC)) profile.take(raw);
  }
  if (!frames) throw new Unreadable("part"); // JPEG-LS and others begin their picture by a marker that is not kept
  const colours = profile.whole();
  const head: Bytes[] = [Uint8Array.of(0xff, SOI)];
  if (jfif) head.push(segment(APP0, jfif));
  if (turn !== 1) head.push(segment(APP0 + 1, fromLatin1(EXIF), turned(turn)));
  if (colours) head.push(...profileSegments(colours));
  if (adobe) head.push(segment(APP0 + 14, adobe));
  return [concat(...head) as BlobPart, ...kept.all()];
}

function profileSegments(raw: Bytes): Bytes[] {
  const clean = cleanProfile(raw) ?? new Uint8Array(0);
  const step = 65_000;
  const count = Math.ceil(clean.length / step);
  return Array.from({ length: count > 255 ? 0 : count }, (_, i) =>
    segment(APP0 + 2, fromLatin1(ICC), Uint8Array.of(i + 1, count), clean.subarray(i * step, (i + 1) * step)),
  );
}
