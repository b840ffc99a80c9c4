// SPDX-License-Identifier: AGPL-3.0-or-later
/** Exif (CIPA DC-008, in TIFF 6.0's directories): what it says, and the one piece that a picture needs to stand upright. */

import type { Bytes } from "../protocol/bytes.ts";
import { type Found, type Kind, Unreadable } from "./facts.ts";
import { latin1, lenient, number, says } from "./slices.ts";

const MAX_ENTRIES = 1000; // in all directories
const MAX_TEXT = 1024; // bytes: a fact shows fewer
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]; // of a value, by type

const [EXIF, GPS, INTEROP, ORIENTATION, THUMBNAIL, MAKER] = [0x8769, 0x8825, 0xa005, 0x0112, 0x0202, 0x927c];

/** Texts, by tag, outside the directory of the place. */
const TEXTS: Readonly<Record<number, Kind>> = {
  0x010d: "title", 0x010e: "comment", 0x0131: "program", 0x013b: "person", 0x013c: "device", 0x8298: "person",
  0x9c9b: "title", 0x9c9c: "comment", 0x9c9d: "person", 0x9c9e: "comment", 0x9c9f: "title", 0x9286: "comment",
  0xa420: "id", 0xa430: "person", 0xa431: "serial", 0xa435: "serial", 0xc62f: "serial", 0xc614: "device", 0x000b: "program",
  0xa436: "title", 0xa437: "person", 0xa438: "person", 0xa439: "program", 0xa43a: "program", 0xa43b: "program",
  0xa43c: "program",
};
/** Dates, and the tags with their time zones. */
const DATES: Readonly<Record<number, number>> = { 0x0132: 0x9010, 0x9003: 0x9011, 0x9004: 0x9012 };
/** A maker's tag beside a model's: one device. */
const DEVICES: readonly (readonly [number, number])[] = [[0x010f, 0x0110], [0xa433, 0xa434]];
/** Of the light, the lens and the pixels: they say nothing of a person by themselves. */
const PLAIN = new Set([0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0115, 0x0116, 0x0117, 0x011a, 0x011b, 0x011c, 0x0128,
  0x0201, 0x0211, 0x0212, 0x0213, 0x0214, 0x1001, 0x1002, 0x829a, 0x829d, 0xa432, 0xc4a5, 0xea1c, EXIF, GPS, INTEROP,
  ORIENTATION, THUMBNAIL, MAKER, ...DEVICES.flat()]);
const SHOTS = [[0x8822, 0x8835], [0x9000, 0x9292], [0xa000, 0xa40c], [0xa460, 0xa462], [0xa500, 0xa500]] as const;

interface Entry {
  readonly type: number;
  readonly count: number;
  readonly at: number; // of its value, in the whole
}

interface Directory {
  readonly entries: ReadonlyMap<number, Entry>;
  readonly next: number;
}

/** TIFF: `raw` begins with its byte order. Unreadable `damaged` where it does not hold together. */
class Tiff {
  private readonly little: boolean;
  private budget = MAX_ENTRIES;
  private readonly seen = new Set<number>();

  constructor(private readonly raw: Bytes) {
    this.little = says(raw, "II");
    if (!(this.little || says(raw, "MM")) || this.whole(2, 2) !== 42) throw new Unreadable("damaged");
  }

  private whole(at: number, size: number): number {
    return number(this.raw, at, size, this.little);
  }

  get first(): number {
    return this.whole(4, 4);
  }

  /** The directory at a place; each is read once, so that none leads in a circle. */
  directory(at: number): Directory {
    if (this.seen.has(at)) throw new Unreadable("damaged");
    this.seen.add(at);
    const count = this.whole(at, 2);
    this.budget -= count;
    if (this.budget < 0) throw new Unreadable("too-much");
    const entries = new Map<number, Entry>();
    for (let i = 0; i < count; i += 1) {
      const here = at + 2 + 12 * i;
      const [type, values] = [this.whole(here + 2, 2), this.whole(here + 4, 4)];
      const inline = (SIZES[type] ?? 0) * values <= 4;
      entries.set(this.whole(here, 2), { type, count: values, at: inline ? here + 8 : this.whole(here + 8, 4) });
    }
    const end = at + 2 + 12 * count;
    return { entries, next: end + 4 <= this.raw.length ? this.whole(end, 4) : 0 };
  }

  bytes({ type, count, at }: Entry): Bytes {
    const size = (SIZES[type] ?? 0) * count;
    if (at + size > this.raw.length) throw new Unreadable("damaged");
    return this.raw.subarray(at, at + size);
  }

  text(entry: Entry, tag = 0): string {
    const raw = this.bytes(entry).subarray(0, MAX_TEXT);
    if (tag >= 0x9c9b && tag <= 0x9c9f) return new TextDecoder("utf-16le").decode(raw).replace(/\0.*$/s, "");
    if (tag === 0x9286 || tag === 0x1b || tag === 0x1c) {
      const text = raw.subarray(8); // after the name of its code
      if (!says(raw, "UNICODE\0")) return lenient(text);
      return new TextDecoder(this.little ? "utf-16le" : "utf-16be").decode(text);
    }
    return entry.type === 3 || entry.type === 4 ? String(this.numbers(entry)[0] ?? "") : lenient(raw);
  }

  /** Numbers and fractions; none for other types. */
  numbers({ type, count, at }: Entry): readonly number[] {
    const size = SIZES[type] ?? 0;
    const values: number[] = [];
    for (let i = 0; i < Math.min(count, 8); i += 1) {
      const here = at + size * i;
      if (type === 5 || type === 10) values.push(this.whole(here, 4) / this.whole(here + 4, 4));
      else if (type === 1 || type === 3 || type === 4) values.push(this.whole(here, size));
    }
    return values;
  }
}

/** Gather what Exif says. What it says before a damage is gathered too. */
export function readExif(raw: Bytes, found: Found): void {
  const tiff = new Tiff(raw);
  const lead = (entry: Entry | undefined, read: (directory: Directory) => void): void => {
    if (entry) read(tiff.directory(tiff.numbers(entry)[0] ?? 0));
  };
  const main = tiff.directory(tiff.first);
  readTexts(tiff, main, found);
  lead(main.entries.get(GPS), (directory) => readPlace(tiff, directory, found));
  lead(main.entries.get(EXIF), (directory) => {
    readTexts(tiff, directory, found);
    const maker = directory.entries.get(MAKER);
    if (maker) found.count("other", "bytes", maker.count, "MakerNote");
  });
  if (main.next) {
    const small = tiff.directory(main.next);
    readTexts(tiff, small, found);
    const size = small.entries.get(THUMBNAIL);
    found.count("thumbnail", "bytes", size ? (tiff.numbers(size)[0] ?? 0) : 0);
  }
}

function readTexts(tiff: Tiff, { entries }: Directory, found: Found): void {
  const others: string[] = [];
  for (const [tag, entry] of entries) {
    const kind = TEXTS[tag];
    const zone = DATES[tag];
    if (kind) found.add(kind, tiff.text(entry, tag));
    else if (zone) {
      const offset = entries.get(zone);
      found.add("date", exifDate(tiff.text(entry), offset ? tiff.text(offset) : ""));
    } else if (!PLAIN.has(tag) && !SHOTS.some(([from, to]) => tag >= from && tag <= to) && others.length < 20) {
      others.push(`0x${tag.toString(16)}`);
    }
  }
  for (const pair of DEVICES) {
    found.add("device", pair.map((tag) => entries.get(tag)).map((entry) => (entry ? tiff.text(entry).trim() : "")).join(" "));
  }
  if (others.length) found.add("other", `Exif ${others.join(" ")}`);
}

/** "2026:11:26 10:11:12" in the form that facts have. */
const exifDate = (text: string, zone: string): string =>
  /[1-9]/.test(text) ? `${text.trim().replace(/^(\d+):(\d+):/, "$1-$2-")} ${zone.trim()}` : "";

function readPlace(tiff: Tiff, { entries }: Directory, found: Found): void {
  const degrees = (tag: number): number | null => {
    const entry = entries.get(tag);
    if (!entry) return null;
    const [d = NaN, m = 0, s = 0] = tiff.numbers(entry);
    const side = entries.get(tag - 1);
    return (d + m / 60 + s / 3600) * (side && /[SW]/i.test(latin1(tiff.bytes(side))) ? -1 : 1);
  };
  const [latitude, longitude] = [degrees(2), degrees(4)];
  if (latitude !== null && longitude !== null && Number.isFinite(latitude + longitude)) {
    found.add("place", place(latitude, longitude));
  } else if (entries.size > 1) found.add("other", "GPS");
  for (const tag of [0x1b, 0x1c]) {
    const entry = entries.get(tag);
    if (entry) found.add("place-name", tiff.text(entry, tag));
  }
  const day = entries.get(0x1d);
  if (day) {
    const time = entries.get(7);
    const clock = time ? tiff.numbers(time).map((part) => String(Math.floor(part)).padStart(2, "0")).join(":") : "";
    found.add("date", exifDate(`${tiff.text(day)} ${clock}`, "UTC"));
  }
}

/** Five places after the point: a metre. */
export const place = (latitude: number, longitude: number): string => `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;

/** How the picture is to be turned, 2 to 8; 1 where it stands as it is, or where that cannot be read. */
export function orientation(raw: Bytes): number {
  try {
    const tiff = new Tiff(raw);
    const entry = tiff.directory(tiff.first).entries.get(ORIENTATION);
    const value = entry ? (tiff.numbers(entry)[0] ?? 1) : 1;
    return Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return 1;
  }
}

/** Exif that says nothing but how the picture is to be turned. */
export const turned = (orientation: number): Bytes =>
  Uint8Array.of(0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0);
