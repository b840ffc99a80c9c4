// SPDX-License-Identifier: AGPL-3.0-or-later
/** Deflate, unpacked by fflate within what is allowed and packed by the browser, and PNG's and zip's CRC-32 (RFC 1952). */

import { Inflate } from "fflate";
import { type Bytes, concat } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";
import { type Budget, numeral } from "./slices.ts";

const STEP = 1 << 14; // of packed bytes, which unpack to 16 MiB at most

/**
 * `zlib`: with the frame of RFC 1950. Unreadable `too-large` beyond `limit` bytes or the budget, `damaged` when it is not
 * Deflate. What was unpacked in vain is of the budget too: else many parts that fail would take for ever.
 */
export function inflate(raw: Bytes, budget: Budget, limit = Infinity, zlib = false): Bytes {
  const out: Bytes[] = [];
  let size = 0;
  const stream = new Inflate((part: Bytes) => {
    size += part.length;
    budget.bytes -= part.length;
    if (size > limit || budget.bytes < 0) throw new Unreadable("too-large");
    out.push(part);
  });
  try {
    const packed = zlib ? raw.subarray(2, -4) : raw; // between a head and a checksum, which decoders may ignore
    for (let at = 0; at === 0 || at < packed.length; at += STEP) {
      stream.push(packed.subarray(at, at + STEP), at + STEP >= packed.length);
    }
  } catch (error) {
    throw error instanceof Unreadable ? error : new Unreadable("damaged"); // fflate's errors are of several classes
  }
  return concat(...out);
}

/** Packed; as it is where the browser is too old for that. */
export async function deflate(raw: Bytes): Promise<Bytes> {
  let stream: CompressionStream;
  try {
    stream = new CompressionStream("deflate-raw");
  } catch {
    return raw;
  }
  const packed = new Blob([raw as BlobPart]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

const MAX_BLOCK = 0xffff;

/** The frame of RFC 1950 around bytes that are not packed: what little PNG asks for is small. */
export function zlibbed(raw: Bytes): Bytes {
  const out: Bytes[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at === 0 || at < raw.length; at += MAX_BLOCK) {
    const block = raw.slice(at, at + MAX_BLOCK);
    const last = at + MAX_BLOCK >= raw.length ? 1 : 0;
    out.push(Uint8Array.of(last), numeral(block.length, 2, true), numeral(block.length ^ MAX_BLOCK, 2, true), block);
  }
  let [a, b] = [1, 0]; // Adler's checksum
  for (const byte of raw) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return concat(...out, numeral(b, 2), numeral(a, 2));
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(...parts: readonly Bytes[]): number {
  let value = 0xffffffff;
  for (const part of parts) for (const byte of part) value = (TABLE[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return ~value >>> 0;
}
