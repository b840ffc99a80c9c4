// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * The two encodings of the protocol, as protocol/encoding.py: LP for what is hashed, signed or bound, strict CBOR for the
 * rest.
 *
 * LP(label, a, b, ...) is, for the label and then each field, a u32be length and the bytes; the label is prefixed
 * `latchstring/v1/`, integers are u64be. CBOR (RFC 8949) is the core deterministic encoding (section 4.2.1) and nothing
 * else. Here the reader refuses whatever is not canonical while it reads, which comes to the same as encoding again.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, characters, compare, concat, fromUtf8, isWhole, toUtf8 } from "./bytes.ts";
import { LP_PREFIX } from "./constants.ts";

export const MAX_DEPTH = 16;
export const MAX_ITEMS = 1 << 20;

/** Bytes that are not what the protocol says. The text names what was expected, never the content. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

/** SHA-256, 32 bytes. */
export const h = (data: Bytes): Bytes => sha256(data);

/** 8 bytes, big-endian; ProtocolError outside 0 .. 2^63-1. */
export function u64(value: number | bigint): Bytes {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new ProtocolError("a count that is no whole number");
  const big = BigInt(value);
  if (big < 0n || big >= 1n << 63n) throw new ProtocolError("a count outside 0 to 2^63-1");
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, big);
  return out;
}

export function u32(value: number): Bytes {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

/** LP(label, fields...): numbers become u64be, text UTF-8. */
export function lp(label: string, ...fields: readonly (Bytes | number | bigint | string)[]): Bytes {
  const parts: Bytes[] = [];
  for (const field of [LP_PREFIX + label, ...fields]) {
    const raw = typeof field === "string" ? textBytes(field) : field instanceof Uint8Array ? field : u64(field);
    parts.push(u32(raw.length), raw);
  }
  return concat(...parts);
}

function textBytes(text: string): Bytes {
  if (!isWhole(text)) throw new ProtocolError("a text with half a character");
  return toUtf8(text);
}

/** The `count` fields of an LP that starts `data`, and how many bytes it took. ProtocolError for anything else. */
export function readLp(label: string, count: number, data: Bytes): [Bytes[], number] {
  const name = lp(label);
  if (data.length < name.length || compare(data.subarray(0, name.length), name) !== 0) {
    throw new ProtocolError(`not a ${label}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const fields: Bytes[] = [];
  let offset = name.length;
  for (let n = 0; n < count; n += 1) {
    if (offset + 4 > data.length) throw new ProtocolError(`a ${label} that is cut short`);
    const size = view.getUint32(offset);
    offset += 4;
    if (offset + size > data.length) throw new ProtocolError(`a ${label} that is cut short`);
    fields.push(data.subarray(offset, offset + size));
    offset += size;
  }
  return [fields, offset];
}

/** The `count` fields of `data`, which must be exactly one LP with that label. */
export function parseLp(label: string, count: number, data: Bytes): Bytes[] {
  const [fields, used] = readLp(label, count, data);
  if (used !== data.length) throw new ProtocolError(`a ${label} with bytes left over`);
  return fields;
}

/** The field at `at`, which the parser counted. */
export function field(fields: readonly Bytes[], at: number): Bytes {
  const found = fields[at];
  if (found === undefined) throw new ProtocolError("a field that is missing");
  return found;
}

/**
 * An integer field of an LP: exactly 8 bytes, below 2^63. What a number here cannot count exactly (2^53 and more: in ticks
 * of a second, 285 million years) is refused.
 */
export function parseU64(raw: Bytes): number {
  if (raw.length !== 8 || (raw[0] as number) >= 0x80) throw new ProtocolError("a count that is not eight bytes below 2^63");
  return exact(new DataView(raw.buffer, raw.byteOffset, 8).getBigUint64(0));
}

function exact(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError("a count that is too large for this program");
  return Number(value);
}

/** A text field of an LP: valid UTF-8. */
export function parseText(raw: Bytes): string {
  try {
    return fromUtf8(raw);
  } catch {
    throw new ProtocolError("a text that is not UTF-8");
  }
}

/** `raw` itself, when it has exactly `size` bytes. */
export function sized(raw: Bytes, size: number, what: string): Bytes {
  if (raw.length !== size) throw new ProtocolError(`${what} of the wrong length`);
  return raw;
}

// --- CBOR ----------------------------------------------------------------------------------------

/** What the protocol's CBOR holds. Whole numbers beyond 2^53 are `bigint`, smaller ones always `number`. */
export type Cbor = null | boolean | number | bigint | string | Bytes | readonly Cbor[] | { readonly [key: string]: Cbor } | Map<string, Cbor>;

/** Deterministic CBOR; ProtocolError for what the protocol does not use. Objects are maps with their own keys. */
export function encodeCbor(value: Cbor): Bytes {
  const out: Bytes[] = [];
  write(value, 0, out);
  return concat(...out);
}

function head(major: number, value: number | bigint): Bytes {
  const big = BigInt(value);
  if (big < 24n) return Uint8Array.of((major << 5) | Number(big));
  const width = big < 0x100n ? 1 : big < 0x10000n ? 2 : big < 0x100000000n ? 4 : 8;
  const out = new Uint8Array(1 + width);
  out[0] = (major << 5) | (24 + Math.log2(width));
  let left = big;
  for (let at = width; at > 0; at -= 1) {
    out[at] = Number(left & 0xffn);
    left >>= 8n;
  }
  return out;
}

function write(value: Cbor, depth: number, out: Bytes[]): void {
  if (depth > MAX_DEPTH) throw new ProtocolError("CBOR nested too deeply");
  if (value === null) out.push(Uint8Array.of(0xf6));
  else if (typeof value === "boolean") out.push(Uint8Array.of(value ? 0xf5 : 0xf4));
  else if (typeof value === "number" || typeof value === "bigint") {
    if (typeof value === "number" && !Number.isSafeInteger(value)) throw new ProtocolError("a number that is not whole");
    const big = BigInt(value);
    if (big < -(1n << 63n) || big >= 1n << 64n) throw new ProtocolError("a number outside 64 bits");
    out.push(big < 0n ? head(1, -1n - big) : head(0, big));
  } else if (typeof value === "string") {
    const raw = textBytes(value);
    out.push(head(3, raw.length), raw);
  } else if (value instanceof Uint8Array) out.push(head(2, value.length), value);
  else if (Array.isArray(value)) {
    out.push(head(4, value.length));
    for (const item of value as readonly Cbor[]) write(item, depth + 1, out);
  } else if (typeof value === "object") {
    const pairs = value instanceof Map ? [...value] : Object.entries(value as { [key: string]: Cbor });
    const keyed = pairs.map(([key, item]) => [concat(head(3, textBytes(key).length), textBytes(key)), item] as const);
    keyed.sort(([a], [b]) => compare(a, b));
    out.push(head(5, keyed.length));
    for (const [key, item] of keyed) {
      out.push(key);
      write(item, depth + 1, out);
    }
  } else throw new ProtocolError("a CBOR type that the protocol does not use");
}

/** The value that `data` encodes, maps as `Map`, bytes as views of `data`; ProtocolError for anything but deterministic CBOR. */
export function decodeCbor(data: Bytes): Cbor {
  const reader = new Reader(data);
  const value = reader.value(0);
  if (reader.offset !== data.length) throw new ProtocolError("CBOR with bytes left over or cut short");
  return value;
}

class Reader {
  offset = 0;
  private items = 0;

  constructor(private readonly data: Bytes) {}

  private take(count: number): Bytes {
    if (count > this.data.length - this.offset) throw new ProtocolError("CBOR that is cut short");
    this.offset += count;
    return this.data.subarray(this.offset - count, this.offset);
  }

  /** Major type, and the value in its shortest form. */
  private head(): [number, bigint] {
    this.items += 1;
    if (this.items > MAX_ITEMS) throw new ProtocolError("CBOR of too many items");
    const first = this.take(1)[0] as number;
    const major = first >> 5;
    const low = first & 31;
    if (low < 24) return [major, BigInt(low)];
    if (low > 27 || major === 7) throw new ProtocolError("a CBOR type that the protocol does not use");
    const width = 1 << (low - 24);
    let value = 0n;
    for (const byte of this.take(width)) value = (value << 8n) | BigInt(byte);
    if (value < (width === 1 ? 24n : 1n << BigInt(4 * width))) {
      throw new ProtocolError("CBOR that is not in its one canonical form");
    }
    return [major, value];
  }

  private size(value: bigint): number {
    if (value > BigInt(this.data.length - this.offset)) throw new ProtocolError("CBOR that is cut short"); // a byte an item at least
    return Number(value);
  }

  value(depth: number): Cbor {
    if (depth > MAX_DEPTH) throw new ProtocolError("CBOR nested too deeply");
    const [major, value] = this.head();
    switch (major) {
      case 0:
        return number(value);
      case 1:
        if (value >= 1n << 63n) throw new ProtocolError("a number outside 64 bits");
        return number(-1n - value);
      case 2:
        return this.take(this.size(value));
      case 3:
        return parseText(this.take(this.size(value)));
      case 4:
        return Array.from({ length: this.size(value) }, () => this.value(depth + 1));
      case 5:
        return this.map(this.size(value), depth);
      case 7:
        if (value === 20n) return false;
        if (value === 21n) return true;
        if (value === 22n) return null;
    }
    throw new ProtocolError("a CBOR type that the protocol does not use");
  }

  private map(count: number, depth: number): Map<string, Cbor> {
    const out = new Map<string, Cbor>();
    let before: Bytes | null = null;
    for (let n = 0; n < count; n += 1) {
      const start = this.offset;
      if (start < this.data.length && (this.data[start] as number) >> 5 !== 3) {
        throw new ProtocolError("a CBOR key that is not text");
      }
      const key = this.value(depth) as string;
      const raw = this.data.subarray(start, this.offset);
      if (before !== null && compare(before, raw) >= 0) throw new ProtocolError("CBOR that is not in its one canonical form");
      before = raw;
      out.set(key, this.value(depth + 1));
    }
    return out;
  }
}

function number(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** Reads a decoded CBOR map key by key, each with its type; `done` refuses keys that nobody asked for. */
export class Fields {
  private readonly left: Map<string, Cbor>;

  constructor(
    value: Cbor | undefined,
    private readonly what: string,
  ) {
    if (!(value instanceof Map)) throw new ProtocolError(`${what}: not a map`);
    this.left = new Map(value);
  }

  private fail(text: string): never {
    throw new ProtocolError(`${this.what}: ${text}`);
  }

  /** The value under `key`, whatever it is; ProtocolError when it is missing. */
  take(key: string): Cbor {
    const value = this.left.get(key);
    if (value === undefined) this.fail(`'${key}' is missing`);
    this.left.delete(key);
    return value;
  }

  /** Is the key there and not yet taken? */
  has(key: string): boolean {
    return this.left.has(key);
  }

  /** A whole number from `low` to `high`; what a number here cannot count exactly is refused, see `parseU64`. */
  count(key: string, low = 0, high = Number.MAX_SAFE_INTEGER): number {
    const value = this.take(key);
    if (typeof value !== "number" || value < low || value > high) this.fail(`'${key}' is not a whole number from ${low} to ${high}`);
    return value;
  }

  /** Bytes, of exactly `size` when given. */
  raw(key: string, size?: number): Bytes {
    const value = this.take(key);
    if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) {
      this.fail(`'${key}' is not ${size === undefined ? "" : `${size} `}bytes`);
    }
    return value;
  }

  /** Text of at most `longest` characters. */
  text(key: string, longest = 10_000): string {
    const value = this.take(key);
    if (typeof value !== "string" || characters(value) > longest) {
      this.fail(`'${key}' is not a text of at most ${longest} characters`);
    }
    return value;
  }

  /** True or false. */
  flag(key: string): boolean {
    const value = this.take(key);
    if (typeof value !== "boolean") this.fail(`'${key}' is not true or false`);
    return value;
  }

  /** A list of at most `most` items. */
  items(key: string, most = 100_000): readonly Cbor[] {
    const value = this.take(key);
    if (!Array.isArray(value) || value.length > most) this.fail(`'${key}' is not a list of at most ${most} items`);
    return value as readonly Cbor[];
  }

  /** A map from text to text. */
  texts(key: string, most = 1000, longest = 10_000): ReadonlyMap<string, string> {
    const value = this.take(key);
    if (!(value instanceof Map) || value.size > most) this.fail(`'${key}' is not a map of at most ${most} texts`);
    const out = new Map<string, string>();
    for (const [name, text] of value) {
      if (typeof text !== "string" || characters(text) > longest) this.fail(`'${key}' holds something else than texts`);
      out.set(name, text);
    }
    return out;
  }

  /** ProtocolError if any key was never asked for. */
  done(): void {
    if (this.left.size) this.fail("a key that this version does not know");
  }
}
