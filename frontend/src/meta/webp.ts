// SPDX-License-Identifier: AGPL-3.0-or-later
/** WebP (RFC 9649): RIFF chunks. Cleaning keeps the picture, its animation and its colours, and drops all others. */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { orientation, readExif, turned } from "./exif.ts";
import { type Found, Unreadable } from "./facts.ts";
import { cleanProfile, readProfile } from "./icc.ts";
import { fromLatin1, latin1, number, numeral, says, type Slices } from "./slices.ts";
import { readXmp } from "./xmp.ts";

const MAX_CHUNKS = 20_000;
const MAX_TEXT = 1 << 24;
const PICTURE = new Set(["VP8 ", "VP8L", "ALPH"]);
const FRAME_HEAD = 16; // of ANMF, before the chunks of that frame
const [HAS_PROFILE, HAS_EXIF, HAS_XMP] = [0x20, 0x08, 0x04]; // in the first byte of VP8X

/** `start` of its head, `size` of its body. */
interface Chunk {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** The chunks between two places; one budget for the whole file. */
async function* chunks(file: Slices, from: number, end: number, budget: { left: number }): AsyncGenerator<Chunk> {
  for (let start = from; start + 8 <= end; ) {
    budget.left -= 1;
    if (budget.left < 0) throw new Unreadable("too-much");
    const head = await file.bytes(start, 8);
    const size = number(head, 4, 4, true);
    if (start + 8 + size > end) throw new Unreadable("damaged");
    yield { name: latin1(head.subarray(0, 4)), start, size };
    start += 8 + size + (size & 1);
  }
}

async function endOf(file: Slices): Promise<number> {
  const head = await file.bytes(0, 12);
  const end = 8 + number(head, 4, 4, true);
  if (!says(head, "RIFF") || !says(head, "WEBP", 8) || end > file.size) throw new Unreadable("damaged");
  return end;
}

async function body(file: Slices, { start, size }: Chunk): Promise<Bytes> {
  if (size > MAX_TEXT) throw new Unreadable("too-large");
  return (await file.bytes(start + 8, size)).slice();
}

/** Some programs put the label of JPEG's segment before. */
const tiffOf = (raw: Bytes): Bytes => (says(raw, "Exif\0\0") ? raw.subarray(6) : raw);

/** Gather what a WebP says. */
export async function readWebp(file: Slices, found: Found): Promise<void> {
  const budget = { left: MAX_CHUNKS };
  await found.trying(async () => {
    const end = await endOf(file);
    if (end < file.size) found.count("trailing", "bytes", file.size - end);
    for await (const chunk of chunks(file, 12, end, budget)) {
      const { name, start, size } = chunk;
      if (name === "ANMF") {
        for await (const inner of chunks(file, start + 8 + FRAME_HEAD, start + 8 + size, budget)) {
          if (!PICTURE.has(inner.name)) found.add("other", inner.name);
        }
      } else if (!PICTURE.has(name) && name !== "VP8X" && name !== "ANIM") {
        await found.trying(async () => {
          const raw = await body(file, chunk);
          if (name === "EXIF") readExif(tiffOf(raw), found);
          else if (name === "XMP ") readXmp(raw, found);
          else if (name === "ICCP") readProfile(raw, found);
          else if (name === "C2PA") found.add("signature", name);
          else found.add("other", name);
        });
      }
    }
  });
}

const made = (name: string, raw: Bytes): Bytes =>
  concat(fromLatin1(name), numeral(raw.length, 4, true), raw, new Uint8Array(raw.length & 1));

/** The same picture without what it says of anybody, as pieces of a Blob. */
export async function cleanWebp(file: Slices): Promise<BlobPart[]> {
  const budget = { left: MAX_CHUNKS };
  const copied = ({ start, size }: Chunk): Blob =>
    new Blob([file.blob.slice(start, start + 8 + size), new Uint8Array(size & 1)]);
  let flags: Bytes | null = null;
  let [colours, turn]: [Bytes | null, number] = [null, 1];
  const picture: Blob[] = [];
  for await (const chunk of chunks(file, 12, await endOf(file), budget)) {
    const { name, start, size } = chunk;
    if (name === "VP8X") flags = await body(file, chunk);
    else if (name === "ICCP") colours = cleanProfile(await body(file, chunk));
    else if (name === "EXIF") turn = orientation(tiffOf(await body(file, chunk)));
    else if (PICTURE.has(name) || name === "ANIM") picture.push(copied(chunk));
    else if (name === "ANMF") {
      const frame = [await file.bytes(start + 8, Math.min(size, FRAME_HEAD)).then((raw) => raw.slice() as BlobPart)];
      for await (const inner of chunks(file, start + 8 + FRAME_HEAD, start + 8 + size, budget)) {
        if (PICTURE.has(inner.name)) frame.push(copied(inner));
      }
      const whole = new Blob(frame);
      picture.push(new Blob([fromLatin1(name) as BlobPart, numeral(whole.size, 4, true) as BlobPart, whole]));
    }
  }
  if (!picture.length) throw new Unreadable("part");
  const out: BlobPart[] = [];
  if (flags) {
    if (flags.length < 10) throw new Unreadable("damaged");
    const first = (flags[0] as number) & ~(HAS_PROFILE | HAS_EXIF | HAS_XMP);
    flags[0] = first | (colours ? HAS_PROFILE : 0) | (turn !== 1 ? HAS_EXIF : 0);
    out.push(made("VP8X", flags.subarray(0, 10)) as BlobPart);
    if (colours) out.push(made("ICCP", colours) as BlobPart);
  }
  out.push(...picture);
  if (flags && turn !== 1) out.push(made("EXIF", turned(turn)) as BlobPart);
  const all = new Blob(out);
  return [concat(fromLatin1("RIFF"), numeral(all.size + 4, 4, true), fromLatin1("WEBP")) as BlobPart, all];
}
