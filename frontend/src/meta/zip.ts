// SPDX-License-Identifier: AGPL-3.0-or-later
/** Zip (PKWARE's APPNOTE): what Office files are put together from. Written anew without times, systems and other extras. */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";
import { crc32, deflate, inflate } from "./packing.ts";
import { fromLatin1, latin1, lenient, number, numeral, says, type Slices } from "./slices.ts";

const MAX_ENTRIES = 10_000;
const MAX_INFLATED = 1 << 25; // of one part
const [END_SIZE, MAX_COMMENT] = [22, 0xffff];
const EPOCH = 0x0021; // 1 January 1980, as zip spells a day: what a file has that tells none
const [STORED, DEFLATED] = [0, 8];
const [ENCRYPTED, UTF8] = [1, 0x800];

/** A part as the directory has it; `start`: of its own head in the file. */
export interface Entry {
  readonly name: string;
  readonly rawName: Bytes;
  readonly flags: number;
  readonly method: number;
  readonly time: number;
  readonly day: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly start: number;
}

/** An archive that is open for reading. */
export class Zip {
  private constructor(
    readonly file: Slices,
    readonly entries: readonly Entry[],
    /** Bytes of the archive's own comment. */
    readonly comment: number,
  ) {}

  /** Unreadable `damaged` for what is no zip, or one of more than 4 GB (zip64). */
  static async open(file: Slices): Promise<Zip> {
    const from = Math.max(0, file.size - END_SIZE - MAX_COMMENT);
    const tail = await file.bytes(from, file.size - from);
    const at = latin1(tail).lastIndexOf("PK\x05\x06");
    if (at < 0) throw new Unreadable("damaged");
    const [count, size, start] = [number(tail, at + 10, 2, true), number(tail, at + 12, 4, true), number(tail, at + 16, 4, true)];
    if (count > MAX_ENTRIES || size > MAX_ENTRIES * 1024) throw new Unreadable("too-much");
    const raw = await file.bytes(start, size);
    const entries: Entry[] = [];
    let whole = 0;
    for (let here = 0; entries.length < count; ) {
      if (!says(raw, "PK\x01\x02", here)) throw new Unreadable("damaged");
      const field = (offset: number, bytes: number): number => number(raw, here + offset, bytes, true);
      const end = here + 46 + field(28, 2);
      const rawName = raw.slice(here + 46, end);
      entries.push({
        name: lenient(rawName), rawName, flags: field(8, 2), method: field(10, 2), time: field(12, 2), day: field(14, 2),
        crc: field(16, 4), packed: field(20, 4), size: field(24, 4), start: field(42, 4),
      });
      whole += field(20, 4);
      here = end + field(30, 2) + field(32, 2);
    }
    const names = new Set(entries.map(({ name }) => name.toLowerCase()));
    if (names.size !== count || whole > file.size) throw new Unreadable("damaged"); // parts that lie upon each other
    return new Zip(file, entries, tail.length - at - END_SIZE);
  }

  /** Where a part's packed bytes begin and end in the file. */
  async range(entry: Entry): Promise<readonly [number, number]> {
    const head = await this.file.bytes(entry.start, 30);
    if (!says(head, "PK\x03\x04")) throw new Unreadable("damaged");
    const start = entry.start + 30 + number(head, 26, 2, true) + number(head, 28, 2, true);
    if (start + entry.packed > this.file.size) throw new Unreadable("damaged");
    return [start, start + entry.packed];
  }

  /** A part's packed bytes, where they are. */
  async packed(entry: Entry): Promise<Blob> {
    return this.file.blob.slice(...(await this.range(entry)));
  }

  /** A part unpacked. Unreadable `too-large`, `encrypted`, `damaged`, or `part` for a way of packing not known here. */
  async bytes(entry: Entry): Promise<Bytes> {
    if (entry.flags & ENCRYPTED) throw new Unreadable("encrypted");
    if (entry.method !== STORED && entry.method !== DEFLATED) throw new Unreadable("part");
    const [start, end] = await this.range(entry);
    const { budget } = this.file;
    if (end - start > Math.min(MAX_INFLATED, budget.bytes)) throw new Unreadable("too-large");
    const raw = await this.file.bytes(start, end - start);
    if (entry.method === STORED) budget.bytes -= raw.length;
    const out = entry.method === STORED ? raw.slice() : inflate(raw, budget, MAX_INFLATED);
    if (out.length !== entry.size || crc32(out) !== entry.crc) throw new Unreadable("damaged");
    return out;
  }
}

/** A part to write: as it was packed, or bytes to pack. */
export interface Part {
  readonly entry: Entry;
  readonly content: Blob | Bytes;
}

/** An archive of these parts, in this order, as pieces of a Blob. */
export async function zipped(parts: readonly Part[]): Promise<BlobPart[]> {
  const out: BlobPart[] = [];
  const directory: Bytes[] = [];
  let at = 0;
  for (const { entry, content } of parts) {
    let [body, method, packed, size, crc] = [content as Blob | Bytes, entry.method, entry.packed, entry.size, entry.crc];
    if (content instanceof Uint8Array) {
      const small = entry.method === DEFLATED ? await deflate(content) : content;
      method = small.length < content.length ? DEFLATED : STORED;
      body = method === DEFLATED ? small : content;
      [packed, size, crc] = [body.length, content.length, crc32(content)];
    }
    const common = concat(
      numeral(20, 2, true), numeral(entry.flags & UTF8, 2, true), numeral(method, 2, true), numeral(0, 2, true),
      numeral(EPOCH, 2, true), numeral(crc, 4, true), numeral(packed, 4, true), numeral(size, 4, true),
      numeral(entry.rawName.length, 2, true), numeral(0, 2),
    );
    const head = concat(fromLatin1("PK\x03\x04"), common, entry.rawName);
    const none = new Uint8Array(10); // a comment, a disk, attributes of two kinds
    directory.push(concat(fromLatin1("PK\x01\x02"), numeral(20, 2, true), common, none, numeral(at, 4, true), entry.rawName));
    out.push(head as BlobPart, body as BlobPart);
    at += head.length + packed;
  }
  const all = concat(...directory);
  const end = concat(
    fromLatin1("PK\x05\x06"), new Uint8Array(4), numeral(parts.length, 2, true), numeral(parts.length, 2, true),
    numeral(all.length, 4, true), numeral(at, 4, true), new Uint8Array(2),
  );
  return [...out, all as BlobPart, end as BlobPart];
}

/** Does the archive itself tell of a time? Its newest day as a date, or "". */
export function newest(entries: readonly Entry[]): string {
  const last = entries.reduce((best, { day, time }) => Math.max(best, day * 0x10000 + time), EPOCH * 0x10000);
  const [day, time] = [Math.floor(last / 0x10000), last % 0x10000];
  if (day <= EPOCH) return "";
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = `${1980 + (day >> 9)}-${two((day >> 5) & 15)}-${two(day & 31)}`;
  return `${date} ${two(time >> 11)}:${two((time >> 5) & 63)}:${two(2 * (time & 31))}`;
}
