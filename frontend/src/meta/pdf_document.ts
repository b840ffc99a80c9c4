// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * A PDF as a viewer reads it (ISO 32000-1, 7.5): which object is the one of its number, from the tables of where they are,
 * newest first; where these do not lead to objects, from the file itself, the last of a number in force, as viewers do then.
 */

import type { Bytes } from "../protocol/bytes.ts";
import { LIMIT, Unreadable } from "./facts.ts";
import { filtersOf, unfiltered } from "./pdf_filters.ts";
import { type Dictionary, Lexer, Name, Objects, type PdfObject, Reference, type Value } from "./pdf_objects.ts";
import { type Budget, latin1, type Slices } from "./slices.ts";

export const MAX_PDF = LIMIT >> 2; // held whole
const MAX_OBJECTS = 1_000_000;
const MAX_HOPS = 32; // of references to references
const WORK = 1 << 25; // characters that are parsed or written for one file,
const TIMES = 4; // and this often its own, and those that are packed in it

/** Where an object is: at a place of the file, packed into another object, or nowhere any more. */
type Entry = { readonly at: number } | { readonly within: number } | null;

export type Body = Pick<PdfObject, "value" | "stream">;
const NOTHING: Body = { value: null, stream: null };

interface Pack {
  readonly text: string;
  readonly places: ReadonlyMap<number, number>;
}

export class Document {
  readonly trailer: Dictionary;
  /** Without tables: what is missing then is damage, and not an object that was taken out. */
  readonly gathered: boolean;
  private readonly objects: Objects;
  private readonly at = new Map<number, number>(); // the number of the object at a place
  private readonly entries: Map<number, Entry>;
  private readonly packs = new Map<number, Pack>();
  private work: number;

  private constructor(
    readonly raw: Bytes,
    readonly budget: Budget,
  ) {
    const text = latin1(raw);
    this.work = WORK + TIMES * text.length;
    this.objects = new Objects(text, () => undefined);
    const found: { number: number; at: number; pack: boolean }[] = [];
    const trailers: Dictionary[] = [];
    for (const { number, at, value, stream } of this.objects.all()) {
      if (found.length === MAX_OBJECTS) throw new Unreadable("too-much");
      const type = value instanceof Map ? value.get("Type") : null;
      const is = (name: string): boolean => stream !== null && type instanceof Name && type.text === name;
      if (value instanceof Map && (text.startsWith("trailer", at) || is("XRef"))) trailers.push(value as Dictionary);
      if (text.startsWith("trailer", at)) continue;
      this.at.set(at, number);
      found.push({ number, at, pack: is("ObjStm") });
    }
    const table = this.table(text);
    this.gathered = table === null;
    this.entries = table?.entries ?? new Map(found.map(({ number, at }) => [number, { at }]));
    this.trailer = table?.trailer ?? [...trailers].reverse().find((one) => one.get("Root") instanceof Reference) ?? new Map();
    if ([...trailers, this.trailer].some((one) => one.get("Encrypt"))) throw new Unreadable("encrypted");
    if (!table) this.unpackInOrder(found);
  }

  static async open(file: Slices): Promise<Document> {
    if (file.size > MAX_PDF) throw new Unreadable("too-large");
    return new Document(await file.bytes(0, file.size), file.budget);
  }

  private unpackInOrder(found: readonly { number: number; at: number; pack: boolean }[]): void {
    this.entries.clear();
    for (const { number, at, pack } of found) {
      this.entries.set(number, { at });
      this.packs.delete(number);
      if (pack) for (const inner of this.pack(number).places.keys()) if (inner !== number) this.entries.set(inner, { within: number });
    }
  }

  /** Count characters that were parsed or written; Unreadable `too-much` where that would go on for ever. */
  spend(count: number): void {
    this.work -= count + 16;
    if (this.work < 0) throw new Unreadable("too-much");
  }

  /** An object by its number; null for none. */
  private body(number: number): Body | null {
    const entry = this.entries.get(number);
    if (!entry) return null;
    if ("at" in entry) {
      const one = this.objects.one(entry.at);
      this.spend(one.end - entry.at);
      return one;
    }
    const { text, places } = this.pack(entry.within);
    const place = places.get(number);
    if (place === undefined) return null;
    const lexer = new Lexer(text, place);
    try {
      return { value: lexer.whole(), stream: null };
    } finally {
      this.spend(lexer.at - place);
    }
  }

  /** What a value stands for. A reference to nothing is null; Unreadable `damaged` where it must be more. */
  get(value: Value | undefined, must = false): Body {
    let body: Body = { value: value ?? null, stream: null };
    for (let hops = 0; body.value instanceof Reference; hops += 1) {
      if (hops === MAX_HOPS) throw new Unreadable("damaged");
      body = this.body(body.value.number) ?? this.missing();
    }
    if (must && body.value === null) throw new Unreadable("damaged");
    return body;
  }

  /** As `get`, of what has no stream. */
  readonly plain = (value: Value | undefined): Value => this.get(value).value;

  dictionary(value: Value | undefined, must = false): Dictionary | null {
    const found = this.get(value, must).value;
    if (must && !(found instanceof Map)) throw new Unreadable("damaged");
    return found instanceof Map ? (found as Dictionary) : null;
  }

  /** Is there such an object? */
  has(number: number): boolean {
    if (this.entries.get(number)) return true;
    this.missing();
    return false;
  }

  private missing(): Body {
    if (this.gathered) throw new Unreadable("damaged");
    return NOTHING;
  }

  /** A stream's bytes through its filters. */
  unpacked(dictionary: Dictionary, [start, end]: readonly [number, number], budget = this.budget): Bytes {
    return unfiltered(this.raw.subarray(start, end), filtersOf(dictionary, this.plain), budget);
  }

  private pack(number: number): Pack {
    const known = this.packs.get(number);
    if (known) return known;
    const entry = this.entries.get(number);
    const { value, stream } = entry && "at" in entry ? this.objects.one(entry.at) : NOTHING;
    if (!(value instanceof Map) || !stream) throw new Unreadable("damaged");
    const [count, first] = [(value as Dictionary).get("N"), (value as Dictionary).get("First")];
    if (typeof count !== "number" || typeof first !== "number") throw new Unreadable("damaged");
    const text = latin1(this.unpacked(value as Dictionary, stream));
    this.work += TIMES * text.length;
    const heads = text.slice(0, first).trim().split(/\s+/, 2 * Math.min(count, MAX_OBJECTS)).map(Number);
    const places = new Map<number, number>();
    for (let i = 0; i + 1 < heads.length; i += 2) places.set(heads[i] as number, first + (heads[i + 1] as number));
    const pack = { text, places };
    this.packs.set(number, pack);
    return pack;
  }

  /** What the tables say; null where they cannot be read or do not lead to objects. */
  private table(text: string): { entries: Map<number, Entry>; trailer: Dictionary } | null {
    const last = /startxref\s+(\d{1,10})/.exec(text.slice(Math.max(0, text.lastIndexOf("startxref"))));
    if (!last) return null;
    const entries = new Map<number, Entry>();
    const note = (number: number, entry: Entry): void => {
      if (entries.size > MAX_OBJECTS) throw new Unreadable("too-much");
      if (!entries.has(number)) entries.set(number, entry);
    };
    const trailers: Dictionary[] = [];
    try {
      const seen = new Set<number>();
      for (let at: Value | undefined = Number(last[1]); typeof at === "number" && !seen.has(at); at = trailers[trailers.length - 1]?.get("Prev")) {
        seen.add(at);
        trailers.push(this.section(text, at, note));
      }
    } catch (error) {
      if (!(error instanceof Unreadable) || error.why === "too-large") throw error;
      return null;
    }
    const trailer = trailers.find((one) => one.get("Root") instanceof Reference);
    for (const [number, entry] of entries) {
      if (entry && "at" in entry) {
        const place = entry.at + (/^\s{0,16}/.exec(text.slice(entry.at, entry.at + 16))?.[0].length ?? 0);
        if (this.at.get(place) !== number) return null;
        entries.set(number, { at: place });
      } else if (entry && !entries.get(entry.within)) return null;
    }
    return trailer ? { entries, trailer } : null;
  }

  /** One table at its place, as lines or as a stream; gives what a trailer says. */
  private section(text: string, place: number, note: (number: number, entry: Entry) => void): Dictionary {
    const at = place + (/^\s{0,16}/.exec(text.slice(place, place + 16))?.[0].length ?? 0);
    if (!text.startsWith("xref", at)) return this.streamed(at, note);
    const head = /\s*(\d{1,10})\s+(\d{1,10})(?=\s)/y;
    const line = /\s*(\d{1,10})\s+\d{1,5}\s+([nf])/y;
    const free: number[] = [];
    let next = at + 4;
    for (head.lastIndex = next; ; head.lastIndex = next) {
      const match = head.exec(text);
      if (!match) break;
      next = head.lastIndex;
      for (let i = 0; i < Number(match[2]); i += 1) {
        line.lastIndex = next;
        const found = line.exec(text);
        if (!found) throw new Unreadable("damaged");
        next = line.lastIndex;
        const number = Number(match[1]) + i;
        if (found[2] === "n" && Number(found[1])) note(number, { at: Number(found[1]) });
        else free.push(number);
      }
    }
    const lexer = new Lexer(text, next);
    lexer.skip();
    if (!text.startsWith("trailer", lexer.at)) throw new Unreadable("damaged");
    lexer.at += 7;
    const trailer = lexer.value();
    if (!(trailer instanceof Map)) throw new Unreadable("damaged");
    const beside = trailer.get("XRefStm"); // for programs that know packed objects, free for others
    if (typeof beside === "number") this.streamed(beside, note);
    free.forEach((number) => note(number, null));
    return trailer as Dictionary;
  }

  private streamed(at: number, note: (number: number, entry: Entry) => void): Dictionary {
    const { value, stream } = this.at.has(at) ? this.objects.one(at) : NOTHING;
    if (!(value instanceof Map) || !stream) throw new Unreadable("damaged");
    const dictionary = value as Dictionary;
    const numbers = (key: string): readonly number[] | null => {
      const list = dictionary.get(key);
      return Array.isArray(list) && list.every((one) => Number.isSafeInteger(one) && (one as number) >= 0) ? (list as number[]) : null;
    };
    const widths = numbers("W");
    const size = dictionary.get("Size");
    const index = numbers("Index") ?? (typeof size === "number" ? [0, size] : []);
    const width = widths?.reduce((sum, one) => sum + one, 0) ?? 0;
    if (widths?.length !== 3 || width < 1 || widths.some((one) => one > 8)) throw new Unreadable("damaged");
    const raw = unfiltered(this.raw.subarray(...stream), filtersOf(dictionary, (one) => one ?? null), this.budget);
    let place = 0;
    for (let i = 0; i + 1 < index.length; i += 2) {
      for (let n = 0; n < (index[i + 1] as number) && place + width <= raw.length; n += 1) {
        const [kind, field] = widths.slice(0, 2).map((size, which) => {
          const from = place + (which ? (widths[0] as number) : 0);
          return raw.subarray(from, from + size).reduce((sum, byte) => sum * 256 + byte, 0);
        }) as [number, number];
        place += width;
        const type = widths[0] ? kind : 1;
        note((index[i] as number) + n, type === 2 ? { within: field } : type === 1 && field ? { at: field } : null);
      }
    }
    return dictionary;
  }
}
