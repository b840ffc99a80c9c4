// SPDX-License-Identifier: AGPL-3.0-or-later
/** A file read slice by slice, never held whole, and the numbers in it. */

import type { Bytes } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";

const WINDOW = 1 << 16;

/** How many bytes may still be unpacked from what is packed. */
export interface Budget {
  bytes: number;
}

/** The bytes of a Blob, by place. */
export class Slices {
  private window: Bytes = new Uint8Array(0);
  private from = 0;

  /** `budget`: for the file and all files inside of it. */
  constructor(
    readonly blob: Blob,
    readonly budget: Budget = { bytes: 1 << 27 },
  ) {}

  /** A file inside of another, unpacked. */
  static of(raw: Bytes, budget: Budget): Slices {
    const one = new Slices(new Blob([raw as BlobPart]), budget);
    if (raw.length <= WINDOW) one.window = raw;
    return one;
  }

  get size(): number {
    return this.blob.size;
  }

  /** `count` bytes from `start`; Unreadable `damaged` when the file ends before. */
  async bytes(start: number, count: number): Promise<Bytes> {
    if (count < 0 || start < 0 || start + count > this.size) throw new Unreadable("damaged");
    if (start >= this.from && start + count <= this.from + this.window.length) {
      return this.window.subarray(start - this.from, start - this.from + count);
    }
    const read = await this.load(start, Math.max(count, WINDOW));
    if (count <= WINDOW) {
      this.window = read;
      this.from = start;
    }
    if (read.length < count) throw new Unreadable("unreadable");
    return read.subarray(0, count);
  }

  /** At most `count` bytes from `start`, fewer at the end of the file. */
  upTo(start: number, count: number): Promise<Bytes> {
    return this.bytes(start, Math.max(0, Math.min(count, this.size - start)));
  }

  private async load(start: number, count: number): Promise<Bytes> {
    try {
      return new Uint8Array(await this.blob.slice(start, Math.min(start + count, this.size)).arrayBuffer());
    } catch {
      throw new Unreadable("unreadable"); // browsers refuse a file that has changed since it was chosen
    }
  }
}

/** A file put together from places of another, which stay where they are, and from bytes. */
export class Pieces {
  private readonly parts: BlobPart[] = [];
  private range: [number, number] | null = null;

  constructor(private readonly file: Slices) {}

  /** From `start` to `end` as they are; neighbours become one piece. */
  keep(start: number, end: number): void {
    if (this.range?.[1] === start) this.range[1] = end;
    else {
      this.flush();
      this.range = [start, end];
    }
  }

  put(raw: Bytes): void {
    this.flush();
    this.parts.push(raw as BlobPart);
  }

  /** Everything, in order. */
  all(): BlobPart[] {
    this.flush();
    return this.parts;
  }

  private flush(): void {
    if (this.range) this.parts.push(this.file.blob.slice(...this.range));
    this.range = null;
  }
}

/** A whole number of `size` bytes, 1 to 4, at `at`; Unreadable `damaged` beyond the end. */
export function number(raw: Bytes, at: number, size: number, little = false): number {
  if (at < 0 || at + size > raw.length) throw new Unreadable("damaged");
  let value = 0;
  for (let i = 0; i < size; i += 1) value = value * 256 + (raw[little ? at + size - 1 - i : at + i] as number);
  return value;
}

/** The bytes of a whole number, as `number` reads them. */
export function numeral(value: number, size: number, little = false): Bytes {
  const big = Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) % 256);
  return little ? big.reverse() : big;
}

/** Bytes as characters of the same numbers. */
export function latin1(raw: Bytes): string {
  let out = "";
  for (let at = 0; at < raw.length; at += 8192) out += String.fromCharCode(...raw.subarray(at, at + 8192));
  return out;
}

/** Characters below U+0100 as bytes. */
export const fromLatin1 = (text: string): Bytes => Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));

/** Does `raw` have the characters of `text` at `at`? */
export const says = (raw: Bytes, text: string, at = 0): boolean => latin1(raw.subarray(at, at + text.length)) === text;

/** A text that may be UTF-8, with or without a zero at its end, or else of one byte a character. */
export function lenient(raw: Bytes): string {
  const end = raw.indexOf(0);
  const text = end < 0 ? raw : raw.subarray(0, end);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(text, { stream: true }); // it may be cut within a character
  } catch {
    return latin1(text);
  }
}
