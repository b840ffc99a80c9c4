// SPDX-License-Identifier: AGPL-3.0-or-later
/** What Python has built in: joining, comparing and spelling bytes and texts. */

export type Bytes = Uint8Array;

/** Gives the next `size` random bytes. */
export type Random = (size: number) => Bytes;

const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // a byte order mark is a character like others

/** UTF-8 of a text; half a surrogate pair becomes U+FFFD: see `isWhole`. */
export const toUtf8 = (text: string): Bytes => utf8.encode(text);

/** The text of UTF-8; TypeError for anything else. */
export const fromUtf8 = (raw: Bytes): string => strict.decode(raw);

/** Has the text no half of a surrogate pair, which UTF-8 cannot spell? */
export const isWhole = (text: string): boolean => !/\p{Cs}/u.test(text);

/** How many characters (code points) a text has. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Without space at its end. As Python's str.rstrip. */
export const stripEnd = (text: string): string =>
  text.replace(/[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/, "");

/** Without space around it. As Python's str.strip. */
export const strip = (text: string): string =>
  stripEnd(text).replace(/^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/, "");

/** All parts, one after the other. */
export function concat(...parts: readonly Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** `raw`, filled up with zeros to `size`. */
export function filledTo(raw: Bytes, size: number): Bytes {
  const out = new Uint8Array(size);
  out.set(raw);
  return out;
}

/** Equality of public bytes. */
export const equal = (a: Bytes, b: Bytes): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Equality that takes the same time wherever the two differ. */
export function same(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let differing = 0;
  for (let i = 0; i < a.length; i += 1) differing |= (a[i] as number) ^ (b[i] as number);
  return differing === 0;
}

/** Order of bytes, and so of texts by their UTF-8 (code points): negative, 0 or positive. */
export function compare(a: Bytes, b: Bytes): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i += 1) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Are all bytes zero? */
export const isZero = (raw: Bytes): boolean => raw.every((byte) => byte === 0);

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal digits; also what maps use as a key for bytes. */
export function hex(raw: Bytes): string {
  let out = "";
  for (const byte of raw) out += DIGITS[byte] as string;
  return out;
}

/** The bytes of hexadecimal digits; TypeError for anything else. */
export function unhex(text: string): Bytes {
  if (text.length % 2 || !/^[0-9a-fA-F]*$/.test(text)) throw new TypeError("not hexadecimal digits");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Can every character be shown? As Python's str.isprintable: no control, format, private or unassigned ones, no space but " ". */
export const isPrintable = (text: string): boolean => !/[\p{C}\p{Z}]/u.test(text.replace(/ /g, ""));
