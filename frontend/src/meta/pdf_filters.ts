// SPDX-License-Identifier: AGPL-3.0-or-later
/** PDF's filters (ISO 32000-1, 7.4) under which structure, profiles and pictures lie: Deflate with predictors, and digits. */

import type { Bytes } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";
import { inflate } from "./packing.ts";
import { type Dictionary, Name, type Value } from "./pdf_objects.ts";
import { type Budget, latin1, numeral } from "./slices.ts";

const MAX_INFLATED = 1 << 25; // of one stream

/** A stream's filters from the outermost in, each with what it is told. */
export type Filters = readonly { readonly name: string; readonly parms: Dictionary | null }[];

/** `get` resolves references. Unreadable `damaged` where they are no names. */
export function filtersOf(dictionary: Dictionary, get: (value: Value | undefined) => Value): Filters {
  const listed = (key: string): readonly Value[] => {
    const value = get(dictionary.get(key));
    return Array.isArray(value) ? value : value === null ? [] : [value];
  };
  const parms = listed("DecodeParms");
  return listed("Filter").map((one, i) => {
    const [name, told] = [get(one), get(parms[i])];
    if (!(name instanceof Name)) throw new Unreadable("damaged");
    return { name: name.text, parms: told instanceof Map ? (told as Dictionary) : null };
  });
}

/** Through all of `filters`; Unreadable `part` where one is not known here. */
export function unfiltered(raw: Bytes, filters: Filters, budget: Budget): Bytes {
  if (filters.length > 4) throw new Unreadable("part");
  return filters.reduce((packed, { name, parms }) => {
    if (name === "FlateDecode" || name === "Fl") return unpredicted(inflate(packed, budget, MAX_INFLATED, true), parms);
    if (name === "ASCIIHexDecode" || name === "AHx") return fromHexadecimal(packed, budget);
    if (name === "ASCII85Decode" || name === "A85") return fromBase85(packed, budget);
    throw new Unreadable("part");
  }, raw);
}

/** Rows as PNG's predictors left them, made whole; Unreadable `part` for TIFF's. */
function unpredicted(raw: Bytes, parms: Dictionary | null): Bytes {
  const told = (key: string, otherwise: number): number => {
    const value = parms?.get(key);
    return typeof value === "number" && value > 0 ? Math.floor(value) : otherwise;
  };
  const predictor = told("Predictor", 1);
  if (predictor === 1) return raw;
  if (predictor < 10) throw new Unreadable("part");
  const bits = told("Colors", 1) * told("BitsPerComponent", 8);
  const [pixel, row] = [(bits + 7) >> 3, Math.ceil((bits * told("Columns", 1)) / 8)];
  if (!Number.isSafeInteger(row) || row > MAX_INFLATED) throw new Unreadable("damaged");
  const rows = Math.floor(raw.length / (row + 1));
  const out = new Uint8Array(rows * row);
  for (let y = 0; y < rows; y += 1) {
    const [from, to] = [y * (row + 1), y * row];
    const kind = raw[from] as number;
    for (let x = 0; x < row; x += 1) {
      const left = x >= pixel ? (out[to + x - pixel] as number) : 0;
      const up = y ? (out[to + x - row] as number) : 0;
      const corner = y && x >= pixel ? (out[to + x - row - pixel] as number) : 0;
      const guess = [0, left, up, (left + up) >> 1, kind === 4 ? paeth(left, up, corner) : 0][kind] ?? 0;
      out[to + x] = (raw[from + 1 + x] as number) + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Digits without blanks, up to the sign that ends them. */
function digits(raw: Bytes, end: string, budget: Budget): string {
  budget.bytes -= raw.length;
  if (raw.length > MAX_INFLATED || budget.bytes < 0) throw new Unreadable("too-large");
  const text = latin1(raw);
  const stop = text.indexOf(end);
  return (stop < 0 ? text : text.slice(0, stop)).replace(/[\0\s]/g, "");
}

function fromHexadecimal(raw: Bytes, budget: Budget): Bytes {
  const text = digits(raw, ">", budget);
  if (/[^0-9a-fA-F]/.test(text)) throw new Unreadable("damaged");
  return Uint8Array.from({ length: (text.length + 1) >> 1 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2).padEnd(2, "0"), 16));
}

/** Five digits from "!" on are four bytes, "z" is four zeros; fewer at the end. */
function fromBase85(raw: Bytes, budget: Budget): Bytes {
  const text = digits(raw, "~", budget).replace(/z/g, "!!!!!");
  if (/[^!-u]/.test(text)) throw new Unreadable("damaged");
  const out = new Uint8Array(Math.floor((text.length * 4) / 5));
  for (let from = 0, to = 0; from < text.length; from += 5, to += 4) {
    let value = 0;
    for (let i = 0; i < 5; i += 1) value = value * 85 + (from + i < text.length ? text.charCodeAt(from + i) - 33 : 84);
    out.set(numeral(value, 4).subarray(0, Math.min(4, out.length - to)), to);
  }
  return out;
}
