// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What the streams that draw a PDF's pages (ISO 32000-1, 7.8) hold beside what is drawn: remarks of the program that wrote
 * them, words in marks around a piece, photographs with all that a camera wrote. They are never rewritten, so this is told.
 */

import type { Bytes } from "../protocol/bytes.ts";
import { type Found, Unreadable } from "./facts.ts";
import { filtersOf, unfiltered } from "./pdf_filters.ts";
import { type Dictionary, Name, type PdfObject, Reference, spelledOut, type Value } from "./pdf_objects.ts";
import { type Budget, latin1 } from "./slices.ts";

const MAX_CONTENT = 1 << 26; // unpacked, of a whole file
const MAX_HOPS = 8; // of lists in lists

const BEGINS = /[%(<>]|BI(?=[\0\t\n\f\r /%])/g;
const BEFORE = /[\0\t\n\f\r )\]>]/;
const DATA = /[\0\t\n\f\r >)\]]ID[\0\t\n\f\r ]/g;
// what follows must be readable: pictures may have these letters too
const ENDS = /[\0\t\n\f\r ]EI(?=[\0\t\n\f\r ](?:[\0\t\n\f\r -~]{8}|[\0\t\n\f\r -~]{0,7}$)|$)/g;
const JPEG = /\/DCT(Decode)?(?![^\0\t\n\f\r ()<>[\]{}/%])/;

/** What may stand in it; `content`: it could not be looked through to its end. */
export type Beside = "comments" | "marked content" | "inline JPEG" | "content";

/** All that is in one stream. Every sign is passed once. */
export function beside(text: string): ReadonlySet<Beside> {
  const found = new Set<Beside>();
  const begins = new RegExp(BEGINS);
  let depth = 0; // of dictionaries: marks alone have them
  for (let match = begins.exec(text); match; match = begins.exec(text)) {
    const { index } = match;
    let end: number;
    if (match[0] === "%") {
      found.add("comments");
      end = after(/[\r\n]|$/g, text, index);
    } else if (match[0] === "BI") {
      end = BEFORE.test(text[index - 1] ?? " ") ? picture(text, index, found) : index + 2;
    } else if (match[0] === ">" || text.startsWith("<<", index)) {
      if (match[0] === "<") depth += 1;
      else if (text[index + 1] === ">" && depth) depth -= 1;
      else found.add("marked content"); // its beginning is in another stream
      end = index + 2;
    } else {
      if (depth) found.add("marked content");
      end = match[0] === "(" ? closed(text, index) : after(/>/g, text, index);
    }
    if (!end) return found.add("content"); // what comes is within it, or cannot be told apart from it
    begins.lastIndex = end;
  }
  return found;
}

/** Behind the first `sign` from `at` on; 0 for none. */
function after(sign: RegExp, text: string, at: number): number {
  sign.lastIndex = at;
  return sign.exec(text) ? sign.lastIndex : 0;
}

/** Behind the text that begins at `at`; 0 where it has no end. */
function closed(text: string, at: number): number {
  const signs = /\\[^]|[()]/g;
  signs.lastIndex = at;
  let open = 0;
  for (let match = signs.exec(text); match; match = signs.exec(text)) {
    open += match[0] === "(" ? 1 : match[0] === ")" ? -1 : 0;
    if (!open) return signs.lastIndex;
  }
  return 0;
}

/** Behind the picture that stands in the stream itself; 0 where it has no end. */
function picture(text: string, at: number, found: Set<Beside>): number {
  const data = after(new RegExp(DATA), text, at);
  const head = text.slice(at, data);
  if (JPEG.test(spelledOut(head))) found.add("inline JPEG");
  if (head.includes("%")) found.add("comments");
  if (head.includes("(")) found.add("marked content");
  return data && after(new RegExp(ENDS), text, data - 1);
}

/** Gathers what draws, in all versions of a file; who leads to it may stand behind it. */
export class Contents {
  private readonly streams: PdfObject[] = [];
  private readonly leads = new Map<number, Value[]>(); // objects that are a list, a reference, a dictionary of references
  private readonly draws: Value[] = [];
  private readonly code: Value[] = []; // programs beside: in them remarks alone are told
  private layers = "";
  private words = false;

  take(object: PdfObject): void {
    const { number, value, stream } = object;
    if (stream && value instanceof Map) {
      if (nameOf((value as Dictionary).get("Subtype")) !== "Image") this.streams.push(object);
    } else if (Array.isArray(value) || value instanceof Reference || (value instanceof Map && [...value.values()].every(isReference))) {
      this.leads.set(number, [...(this.leads.get(number) ?? []).slice(-9), value]);
    }
  }

  /** One entry of any dictionary. */
  entry(key: string, value: Value, dictionary: Dictionary): void {
    if (key === "Contents" || key === "CharProcs") this.draws.push(value);
    else if (key === "ToUnicode") this.code.push(value);
    else if (key === "Type" && nameOf(value) === "OCG") this.layers ||= "layers";
    else if (key === "OFF" ? !Array.isArray(value) || value.length : /^(BaseState|ViewState)$/.test(key) && nameOf(value) === "OFF") {
      this.layers = "hidden layers";
    } else if (key === "ActualText" && !dictionary.has("S")) this.words = true; // a tag has an S
  }

  tell(raw: Bytes, found: Found): void {
    const [draws, code] = [this.numbers(this.draws), this.numbers(this.code)];
    const budget: Budget = { bytes: MAX_CONTENT };
    const told = new Set<string>(this.words ? ["marked content"] : []);
    if (this.layers) told.add(this.layers);
    for (const { number, value, stream } of this.streams) {
      const dictionary = value as Dictionary;
      const drawn = draws.has(number) || nameOf(dictionary.get("Subtype")) === "Form" || dictionary.get("PatternType") === 1;
      if (!drawn && !code.has(number) && dictionary.get("FunctionType") !== 4) continue;
      try {
        const packed = raw.subarray(...(stream as readonly [number, number]));
        const text = latin1(unfiltered(packed, filtersOf(dictionary, (one) => one ?? null), budget));
        if (drawn) beside(text).forEach((one) => told.add(one));
        else if (text.includes("%")) told.add("comments");
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        told.add("content");
      }
    }
    for (const one of [...told].sort()) found.miss("part", `PDF: ${one}`);
  }

  /** The objects that these lead to. */
  private numbers(from: readonly Value[]): ReadonlySet<number> {
    const found = new Set<number>();
    let next = from;
    for (let hops = 0; next.length && hops < MAX_HOPS; hops += 1) {
      const inner: Value[] = [];
      for (const value of next) {
        if (value instanceof Reference) {
          if (!found.has(value.number)) for (const one of this.leads.get(value.number) ?? []) inner.push(one);
          found.add(value.number);
        } else if (Array.isArray(value)) for (const one of value) inner.push(one as Value);
        else if (value instanceof Map) for (const one of (value as Dictionary).values()) inner.push(one);
      }
      next = inner;
    }
    return found;
  }
}

const isReference = (value: Value): boolean => value instanceof Reference;
const nameOf = (value: Value | undefined): string => (value instanceof Name ? value.text : "");
