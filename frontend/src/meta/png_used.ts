// SPDX-License-Identifier: AGPL-3.0-or-later
/** How much of a PNG's chunks makes the picture: what stands behind that is shown by no program, and can say anything. */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { endOfDeflate } from "./deflated.ts";
import { Unreadable, type Why } from "./facts.ts";
import type { Slices } from "./slices.ts";

/** `start` and `end` of the whole chunk in the file. */
export interface Chunk {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const MAX_STREAM = 1 << 26; // of packed pixels, held at one time
const CHECKSUM = 4;
const SIZES: ReadonlyMap<string, number> = new Map(Object.entries({
  IHDR: 13, IEND: 0, gAMA: 4, cHRM: 32, sRGB: 1, cICP: 4, mDCV: 24, cLLI: 8, pHYs: 9, acTL: 8, fcTL: 26,
}));
/** By the kind of colours, which IHDR says: 0 and 4 are grey, 2 and 6 are not, 3 has a palette. */
const BY_COLOURS: ReadonlyMap<string, readonly number[]> = new Map(Object.entries({
  PLTE: [0, 0, 768, 768, 0, 0, 768], tRNS: [2, 0, 6, 256], sBIT: [1, 0, 3, 3, 2, 0, 4], bKGD: [2, 0, 6, 1, 2, 0, 6],
}));

/** What makes the picture and its colours. */
export const KEPT: ReadonlySet<string> = new Set([...SIZES.keys(), ...BY_COLOURS.keys(), "IDAT", "fdAT"]);

export const sizeOf = ({ start, end }: Chunk): number => end - start - 12;

/**
 * Of each chunk that makes a picture, how many bytes of its body do; none where it does nothing. `why`: the pixels could not
 * be looked at, and are taken as they are.
 */
export async function used(file: Slices, chunks: readonly Chunk[]): Promise<{ used: Map<Chunk, number>; why: Why | null }> {
  const out = new Map<Chunk, number>();
  const streams: Chunk[][] = [[]]; // of pixels: the picture itself, and one for each picture of those that move
  const seen = new Set<string>();
  let colours = 0;
  for (const chunk of chunks) {
    const { name, start } = chunk;
    if (name === "IHDR" && !seen.has(name)) colours = (await file.bytes(start + 17, 1))[0] as number;
    const most = SIZES.get(name) ?? BY_COLOURS.get(name)?.[colours] ?? 0;
    if (name === "IDAT") streams[0]?.push(chunk);
    else if (name === "fdAT" && streams.length > 1) streams[streams.length - 1]?.push(chunk);
    else if (name === "fcTL" && seen.has("acTL")) {
      streams.push([]);
      out.set(chunk, Math.min(most, sizeOf(chunk)));
    } else if (!seen.has(name) && (most || name === "IEND")) out.set(chunk, Math.min(most, sizeOf(chunk)));
    seen.add(name);
  }
  let why: Why | null = null;
  for (const stream of streams) {
    const head = stream[0]?.name === "fdAT" ? 4 : 0; // a number before its pixels
    let left = Infinity;
    try {
      left = await length(file, stream, head);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      why = error.why;
    }
    for (const chunk of stream) {
      if (left > 0) out.set(chunk, Math.min(sizeOf(chunk), head + left));
      left -= sizeOf(chunk) - head;
    }
  }
  return { used: out, why };
}

/** Of the packed pixels in all these chunks, with their frame (RFC 1950). */
async function length(file: Slices, stream: readonly Chunk[], head: number): Promise<number> {
  if (!stream.length) return 0;
  const sizes = stream.map((chunk) => sizeOf(chunk) - head);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (all > MAX_STREAM) throw new Unreadable("too-large");
  const parts: Bytes[] = [];
  for (const [n, { start }] of stream.entries()) parts.push((await file.bytes(start + 8 + head, sizes[n] as number)).slice());
  const raw = concat(...parts);
  if (((raw[0] ?? 0) & 15) !== 8) throw new Unreadable("damaged");
  return endOfDeflate(raw, 2) + CHECKSUM;
}
