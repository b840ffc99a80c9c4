// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Colour profiles (ICC.1): what they say of a device, and a profile that keeps the colours alone. Without its profile a
 * picture shows other colours; with it goes the name of a screen, its maker, the day it was measured.
 */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { type Found, Unreadable } from "./facts.ts";
import { fromLatin1, latin1, lenient, number, numeral, says } from "./slices.ts";

const HEADER = 128;
const MAX_TAGS = 100;
const MAX_PROFILE = 1 << 22; // those of presses have 2 MB
const NAME = "colours"; // what a profile is called that was cleaned here
/** What colours are computed from. */
const KEPT = new Set(
  ("wtpt bkpt chad cicp rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC gamt " +
    "A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 D2B0 D2B1 D2B2 B2D0 B2D1 B2D2").split(" "),
);
/** Red, green and blue of spaces that any device may have: sRGB, Display P3, Adobe RGB, ProPhoto, Rec. 2020 (XYZ, D50). */
const COMMON: readonly (readonly number[])[] = [
  [0.436, 0.2225, 0.0139, 0.3851, 0.7169, 0.0971, 0.1431, 0.0606, 0.7141],
  [0.5151, 0.2412, -0.0011, 0.292, 0.6922, 0.0419, 0.1571, 0.0666, 0.7841],
  [0.6097, 0.3111, 0.0195, 0.2053, 0.6257, 0.0609, 0.1492, 0.0632, 0.7446],
  [0.7977, 0.288, 0, 0.1352, 0.7119, 0, 0.0313, 0.0001, 0.8249],
  [0.6734, 0.279, -0.0019, 0.1656, 0.6753, 0.03, 0.1251, 0.0457, 0.7968],
];

function tags(raw: Bytes): Map<string, Bytes> {
  if (!says(raw, "acsp", 36)) throw new Unreadable("damaged");
  if (raw.length > MAX_PROFILE) throw new Unreadable("too-large");
  const count = number(raw, HEADER, 4);
  if (count > MAX_TAGS) throw new Unreadable("too-much");
  const out = new Map<string, Bytes>();
  for (let i = 0; i < count; i += 1) {
    const at = HEADER + 4 + 12 * i;
    const [from, size] = [number(raw, at + 4, 4), number(raw, at + 8, 4)];
    if (from + size > raw.length) throw new Unreadable("damaged");
    out.set(latin1(raw.subarray(at, at + 4)), raw.subarray(from, from + size));
  }
  return out;
}

/** Gather the profile's name, unless it was cleaned here and its colours are everybody's. */
export function readProfile(raw: Bytes, found: Found): void {
  const all = tags(raw);
  const primaries = ["rXYZ", "gXYZ", "bXYZ"].flatMap((name) => {
    const tag = all.get(name);
    return tag && tag.length >= 20 ? [8, 12, 16].map((at) => (number(tag, at, 4) | 0) / 65536) : [];
  });
  const near = (one: readonly number[]): boolean => one.every((x, i) => Math.abs(x - (primaries[i] ?? NaN)) < 0.003);
  const common = COMMON.some(near);
  const desc = all.get("desc");
  const name = desc ? described(desc) : "";
  if (!name) found.count("profile", "bytes", raw.length);
  else if (name !== NAME || !common) found.add("profile", name);
}

function described(tag: Bytes): string {
  if (!says(tag, "mluc")) return lenient(tag.subarray(12));
  const [size, at] = [number(tag, 20, 4), number(tag, 24, 4)];
  return new TextDecoder("utf-16be").decode(tag.subarray(at, at + size));
}

/** The same colours under no name, date or device; null for what no program can read as a profile either. */
export function cleanProfile(raw: Bytes): Bytes | null {
  let all: Map<string, Bytes>;
  try {
    all = tags(raw);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
  const head = raw.slice(0, HEADER);
  for (const [from, to] of [[4, 8], [24, 36], [40, 44], [48, 64], [80, HEADER]] as const) head.fill(0, from, to);
  head.set([7, 208, 0, 1, 0, 1], 24); // 1 January 2000: a date must be one
  const name = fromLatin1(NAME);
  const wide = Uint8Array.from({ length: 2 * name.length }, (_, i) => (i % 2 ? (name[i >> 1] as number) : 0));
  const desc =
    (raw[8] as number) >= 4
      ? concat(fromLatin1("mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS"), numeral(wide.length, 4), numeral(28, 4), wide)
      : concat(fromLatin1("desc\0\0\0\0"), numeral(name.length + 1, 4), name, new Uint8Array(1 + 8 + 3 + 67));
  const kept = [["desc", desc] as const, ...[...all].filter(([tag]) => KEPT.has(tag))];
  const table: Bytes[] = [];
  const bodies: Bytes[] = [];
  let at = HEADER + 4 + 12 * kept.length;
  for (const [tag, body] of kept) {
    const padded = concat(body, new Uint8Array(-body.length & 3));
    table.push(fromLatin1(tag), numeral(at, 4), numeral(body.length, 4));
    bodies.push(padded);
    at += padded.length;
  }
  head.set(numeral(at, 4), 0);
  return concat(head, numeral(kept.length, 4), ...table, ...bodies);
}
