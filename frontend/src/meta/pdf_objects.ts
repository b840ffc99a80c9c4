// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * PDF's objects (ISO 32000-1, 7.3) as they stand in a file, one after the other: all of them, those of earlier versions
 * too, whether a table leads to them or not. Every byte is passed once, however the file is made.
 */

import { Unreadable } from "./facts.ts";
import { fromLatin1 } from "./slices.ts";

const MAX_DEPTH = 32;
const MAX_VALUES = 1 << 18; // in one list or dictionary
const MAX_STRING = 1 << 16;

export class Name {
  constructor(readonly text: string) {}
}

/** "12 0 R": the number alone. */
export class Reference {
  constructor(readonly number: number) {}
}

/** A word that PDF does not know. */
export const ODD: unique symbol = Symbol("odd");

export type Dictionary = ReadonlyMap<string, Value>;
/** A text is bytes as characters below U+0100. */
export type Value = string | number | boolean | Name | Reference | Dictionary | readonly Value[] | typeof ODD | null;

const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([["true", true], ["false", false], ["null", null]]);

const SPACE = /[\0\t\n\f\r ]/;
const DELIMITER = /[\0\t\n\f\r ()<>[\]{}/%]/;

/** A name whose signs may be in digits. */
export const spelledOut = (name: string): string =>
  name.replace(/#([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));

/** A text string (7.9.2.2): UTF-16 or UTF-8 by its mark, else one byte a character. */
export function written(text: string): string {
  if (text.startsWith("\xfe\xff")) return new TextDecoder("utf-16be").decode(fromLatin1(text.slice(2)));
  if (text.startsWith("\xff\xfe")) return new TextDecoder("utf-16le").decode(fromLatin1(text.slice(2)));
  if (text.startsWith("\xef\xbb\xbf")) return new TextDecoder().decode(fromLatin1(text.slice(3)));
  return text;
}

/** Reads values from `at` on. Unreadable `damaged` where none is; `at` is then beyond what was passed. */
export class Lexer {
  constructor(
    readonly text: string,
    public at = 0,
  ) {}

  /** Past blanks and comments. */
  skip(): void {
    for (; this.at < this.text.length; this.at += 1) {
      const sign = this.text[this.at] as string;
      if (sign === "%") while (this.at < this.text.length && !/[\r\n]/.test(this.text[this.at] as string)) this.at += 1;
      else if (!SPACE.test(sign)) return;
    }
  }

  private word(): string {
    const start = this.at;
    while (this.at < this.text.length && !DELIMITER.test(this.text[this.at] as string)) this.at += 1;
    return this.text.slice(start, this.at);
  }

  value(depth = 0): Value {
    if (depth > MAX_DEPTH) throw new Unreadable("damaged");
    this.skip();
    const sign = this.text[this.at];
    if (sign === undefined) throw new Unreadable("damaged");
    if (sign === "/") {
      this.at += 1;
      return new Name(spelledOut(this.word()));
    }
    if (sign === "(") return this.string();
    if (this.text.startsWith("<<", this.at)) return this.dictionary(depth);
    if (sign === "<") return this.digits();
    if (sign === "[") return this.list(depth);
    const word = this.word();
    if (!word) {
      this.at += 1;
      throw new Unreadable("damaged");
    }
    if (/^[+-]?\d*\.?\d+$|^[+-]?\d+\.$/.test(word) && word.length <= 40) return Number(word);
    return WORDS.has(word) ? (WORDS.get(word) as Value) : ODD;
  }

  /** An object's value, which may be a reference alone. */
  whole(): Value {
    const value = this.value();
    const rest = /\s{1,8}\d{1,5}\s{1,8}R(?![^\0\t\n\f\r ()<>[\]{}/%])/y;
    rest.lastIndex = this.at;
    if (typeof value !== "number" || !rest.test(this.text)) return value;
    this.at = rest.lastIndex;
    return new Reference(value);
  }

  private string(): string {
    let out = "";
    let open = 0;
    for (const limit = this.at + MAX_STRING; this.at < Math.min(limit, this.text.length); this.at += 1) {
      const sign = this.text[this.at] as string;
      if (sign === "\\") {
        this.at += 1;
        const octal = /^[0-7]{1,3}/.exec(this.text.slice(this.at, this.at + 3))?.[0];
        const next = this.text[this.at] ?? "";
        if (octal) out += String.fromCharCode(parseInt(octal, 8) & 255);
        else out += { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", "\n": "", "\r": "" }[next] ?? next;
        this.at += octal ? octal.length - 1 : 0;
      } else if (sign === "(") {
        if (open) out += sign;
        open += 1;
      } else if (sign === ")") {
        open -= 1;
        if (!open) {
          this.at += 1;
          return out;
        }
        out += sign;
      } else out += sign;
    }
    throw new Unreadable("damaged");
  }

  private digits(): string {
    const start = this.at + 1;
    const end = this.text.indexOf(">", start);
    this.at = end < 0 || end - start > 4 * MAX_STRING ? Math.min(start + 4 * MAX_STRING, this.text.length) : end + 1;
    const inside = this.text.slice(start, this.at - 1).replace(/[\0\t\n\f\r ]/g, "");
    if (this.at !== end + 1 || !/^[0-9a-fA-F]*$/.test(inside)) throw new Unreadable("damaged");
    return (inside.match(/..?/g) ?? []).map((pair) => String.fromCharCode(parseInt(pair.padEnd(2, "0"), 16))).join("");
  }

  /** Values up to `end`; two numbers and an R are one reference. */
  private values(end: string, depth: number): Value[] {
    const out: Value[] = [];
    for (;;) {
      if (out.length > MAX_VALUES) throw new Unreadable("damaged");
      this.skip();
      if (this.text.startsWith(end, this.at)) {
        this.at += end.length;
        return out;
      }
      if (this.text[this.at] === "R" && DELIMITER.test(this.text[this.at + 1] ?? " ") && out.length >= 2) {
        this.at += 1;
        out.pop();
        const number = out.pop();
        if (typeof number !== "number") throw new Unreadable("damaged");
        out.push(new Reference(number));
      } else out.push(this.value(depth + 1));
    }
  }

  private list(depth: number): Value[] {
    this.at += 1;
    return this.values("]", depth);
  }

  private dictionary(depth: number): Dictionary {
    this.at += 2;
    const all = this.values(">>", depth);
    const out = new Map<string, Value>();
    for (let i = 0; i + 1 < all.length; i += 2) {
      const key = all[i];
      if (!(key instanceof Name)) throw new Unreadable("damaged");
      out.set(key.text, all[i + 1] as Value);
    }
    return out;
  }
}

/** An object with a number (0 for a trailer), where it begins and ends, and where its stream is, if it has one. */
export interface PdfObject {
  readonly number: number;
  readonly at: number;
  readonly value: Value;
  readonly stream: readonly [number, number] | null;
  readonly end: number;
}

/** The objects of a file's text. */
export class Objects {
  private lengths: Map<number, number> | null = null; // objects that are a number alone
  private readonly ends = new Map<number, number>(); // of streams that begin there, where it had to be searched

  /** `damage` is called for each place that could not be read. */
  constructor(
    readonly text: string,
    private readonly damage: () => void,
  ) {}

  /** All of them. */
  *all(): Generator<PdfObject> {
    const next = /(?:(\d{1,10})[\0\t\n\f\r ]{1,8}\d{1,5}[\0\t\n\f\r ]{1,8}obj|trailer)(?=[\0\t\n\f\r <([/%])/g;
    for (let match = next.exec(this.text); match; match = next.exec(this.text)) {
      const lexer = new Lexer(this.text, match.index + match[0].length);
      try {
        const { value, stream } = this.read(lexer);
        if (stream) lexer.at = stream[1];
        yield { number: Number(match[1] ?? 0), at: match.index, value, stream, end: lexer.at };
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        this.damage();
      }
      next.lastIndex = lexer.at;
    }
  }

  /** The one that `all` found at this place; Unreadable `damaged` where none is. `end`: of its value alone. */
  one(at: number): PdfObject {
    const head = /(\d+)\s+\d+\s+obj/y;
    head.lastIndex = at;
    const match = head.exec(this.text);
    if (!match) throw new Unreadable("damaged");
    const lexer = new Lexer(this.text, head.lastIndex);
    return { number: Number(match[1]), at, ...this.read(lexer), end: lexer.at };
  }

  private read(lexer: Lexer): Pick<PdfObject, "value" | "stream"> {
    const value = lexer.whole();
    lexer.skip();
    const streams = value instanceof Map && this.text.startsWith("stream", lexer.at);
    return { value, stream: streams ? this.streamAt(lexer.at + 6, value as Dictionary) : null };
  }

  /** Where a stream begins and ends: by its length, if that holds, else by its closing word. */
  private streamAt(after: number, dictionary: Dictionary): [number, number] {
    const { text } = this;
    const start = after + (text[after] === "\r" && text[after + 1] === "\n" ? 2 : 1);
    const length = this.lengthOf(dictionary.get("Length"));
    if (length !== undefined && /^\s{0,4}endstream/.test(text.slice(start + length, start + length + 16))) {
      return [start, start + length];
    }
    const end = this.ends.get(start) ?? text.indexOf("endstream", start);
    this.ends.set(start, end);
    if (end < 0) {
      this.damage();
      return [start, text.length]; // else each stream after it would look for its end again
    }
    return [start, text.slice(end - 2, end) === "\r\n" ? end - 2 : /[\r\n]/.test(text[end - 1] as string) ? end - 1 : end];
  }

  private lengthOf(value: Value | undefined): number | undefined {
    if (!(value instanceof Reference)) return typeof value === "number" && value >= 0 ? value : undefined;
    this.lengths ??= new Map(
      [...this.text.matchAll(/(\d{1,10})\s{1,8}\d{1,5}\s{1,8}obj\s{1,8}(\d{1,10})\s{1,8}endobj/g)].map((one) => [Number(one[1]), Number(one[2])]),
    );
    return this.lengths.get(value.number);
  }
}

/** The objects packed into one stream (7.5.7), unpacked before. */
export function* packedObjects(text: string, dictionary: Dictionary, damage: () => void): Generator<PdfObject> {
  const [count, first] = [dictionary.get("N"), dictionary.get("First")];
  if (typeof count !== "number" || typeof first !== "number") return damage();
  const heads = text.slice(0, first).trim().split(/\s+/).map(Number);
  const lexer = new Lexer(text, first);
  for (let i = 0; i < Math.min(count, heads.length >> 1); i += 1) {
    lexer.at = Math.max(lexer.at, first + (heads[2 * i + 1] as number)); // they stand in their order: none is read twice
    try {
      yield { number: heads[2 * i] as number, at: lexer.at, value: lexer.whole(), stream: null, end: lexer.at };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      damage();
    }
  }
}
