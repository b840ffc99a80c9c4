// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What stays in a PDF beside what its pages show: in the streams that draw (they are never rewritten), in layers, and outside
 * of the part of a page that is shown. It is told in the file's own words where it has any.
 */

import type { Bytes } from "../protocol/bytes.ts";
import { type Found, Unreadable } from "./facts.ts";
import { type Beside, beside, MAX_MARKS, remarks, wordsIn } from "./pdf_beside.ts";
import { type Filters, filtersOf, unfiltered } from "./pdf_filters.ts";
import { type Dictionary, Name, type PdfObject, Reference, type Value } from "./pdf_objects.ts";
import { pictureOf } from "./pictures.ts";
import { type Budget, latin1, Slices } from "./slices.ts";

const MAX_CONTENT = 1 << 26; // unpacked, of a whole file
const MAX_HOPS = 8; // of lists in lists
const MAX_TOLD = 40; // comments; words of one kind
const MAX_PICTURES = 1000;
const BINARY = /^PDF-|[\0-\x08\x0e-\x1f\x7f-\x9f]|^[^ -~]{4}$/; // a file's head, or no comment at all
const POINT = 1; // by which a page may be cut without being told

/** What the letters drawn say themselves: two or three drawn as one, a hyphen, a blank. */
const LETTERS = /^(f?f[bfhijklt]?|t[ft]i?|ti|Th|[cs]t|[\s\u00ad\u2010-]*)$/;
/** What every font's table of letters (5014.CIDFont_Spec) has, of no program or person. */
const USUAL = /^(!PS-Adobe-[\d.]+ Resource-CMap|%(EndComments|EOF|EndResource|EndProlog|Version: [\d.]+|BeginResource: CMap \(.*|\w+: ProcSet \(CIDInit\)))$/;

/** Gathers what draws, in all versions of a file; who leads to it may stand behind it. */
export class Contents {
  private readonly streams: PdfObject[] = [];
  private readonly leads = new Map<number, Value[]>(); // objects that are a list, a reference, a dictionary of references
  private readonly draws: Value[] = [];
  private readonly code: Value[] = []; // programs beside: in them remarks alone are told
  private layers = 0;
  private hidden = 0; // of the layers
  private cropped = 0;
  private unseen = 0;
  private readonly comments = new Set<string>();
  private readonly words = new Map<string, { readonly texts: Set<string>; n: number }>();
  private readonly pictures: { readonly head: Dictionary; readonly raw: Bytes }[] = [];
  private readonly unread = new Set<string>();
  private readonly left = { marks: MAX_MARKS };

  take(object: PdfObject): void {
    const { number, value, stream } = object;
    if (stream && value instanceof Map) {
      if (nameOf((value as Dictionary).get("Subtype")) !== "Image") this.streams.push(object);
    } else if (Array.isArray(value) || value instanceof Reference || (value instanceof Map && [...value.values()].every(isReference))) {
      this.leads.set(number, [...(this.leads.get(number) ?? []).slice(-9), value]);
    }
    if (value instanceof Map && cut(value as Dictionary)) this.cropped += 1;
  }

  /** One entry of any dictionary. */
  entry(key: string, value: Value, dictionary: Dictionary): void {
    if (key === "Contents" || key === "CharProcs") this.draws.push(value);
    else if (key === "ToUnicode") this.code.push(value);
    else if (key === "Type" && nameOf(value) === "OCG") this.layers += 1;
    else if (key === "OFF") this.hidden += Array.isArray(value) ? value.length : 1;
    else if (/^(BaseState|ViewState)$/.test(key) && nameOf(value) === "OFF") this.hidden += 1;
    else if (key === "ActualText" && !dictionary.has("S")) { // a tag has an S
      if (typeof value === "string") for (const one of wordsIn(value, key)) this.note(one);
      else this.unread.add("marked content");
    }
  }

  /** What a program wrote between the objects. */
  between(text: string): void {
    for (const one of remarks(text)) if (!BINARY.test(one.text)) this.note(one);
  }

  async tell(raw: Bytes, found: Found): Promise<void> {
    const [draws, code] = [this.numbers(this.draws), this.numbers(this.code)];
    const budget: Budget = { bytes: MAX_CONTENT };
    for (const { number, value, stream } of this.streams) {
      const dictionary = value as Dictionary;
      const drawn = draws.has(number) || nameOf(dictionary.get("Subtype")) === "Form" || dictionary.get("PatternType") === 1;
      if (!drawn && !code.has(number) && dictionary.get("FunctionType") !== 4) continue;
      try {
        const packed = raw.subarray(...(stream as readonly [number, number]));
        const content = unfiltered(packed, filtersOf(dictionary, (one) => one ?? null), budget);
        for (const one of drawn ? beside(latin1(content), this.left) : remarks(latin1(content))) this.note(one, content);
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        this.unread.add("content");
      }
    }
    await this.photographs(found, budget);
    this.say(found);
  }

  private note(one: Beside, content?: Bytes): void {
    if (one.is === "unseen") this.unseen += 1;
    else if (one.is === "unread") this.unread.add(one.what);
    else if (one.is === "comment") {
      if (one.text && !USUAL.test(one.text) && this.comments.size <= MAX_TOLD) this.comments.add(one.text);
    } else if (one.is === "picture") {
      if (this.pictures.length < MAX_PICTURES && content) this.pictures.push({ head: one.head, raw: content.slice(...one.data) });
      else this.unread.add("inline JPEG");
    } else if (!(one.key === "ActualText" && LETTERS.test(one.text.normalize("NFKC")))) {
      const known = this.words.get(one.key) ?? { texts: new Set(), n: 0 };
      known.n += 1;
      if (known.texts.size < MAX_TOLD) known.texts.add(one.text);
      if (this.words.size < MAX_TOLD) this.words.set(one.key, known);
      else this.unread.add("marked content");
    }
  }

  /** Those that stand in a stream that draws. */
  private async photographs(found: Found, budget: Budget): Promise<void> {
    for (const [i, { head, raw }] of this.pictures.entries()) {
      const part = found.within(`inline JPEG ${i + 1}`);
      await part.trying(async () => {
        const long = new Map<string, Value>([["Filter", head.get("F") ?? head.get("Filter") ?? null], ["DecodeParms", head.get("DP") ?? head.get("DecodeParms") ?? null]]);
        const filters: Filters = filtersOf(long, (one) => one ?? null);
        const whole = unfiltered(raw, filters.slice(0, -1), budget);
        const picture = pictureOf(whole);
        if (!picture) throw new Unreadable("part");
        await picture.read(Slices.of(whole, budget), part);
      });
    }
  }

  private say(found: Found): void {
    const comments = [...this.comments];
    comments.slice(0, MAX_TOLD).forEach((one) => found.add("comment", one));
    if (comments.length > MAX_TOLD) found.miss("too-much", "PDF: comments");
    for (const [key, { texts, n }] of this.words) found.count("words", "pieces", n, `${key}: ${[...texts].join(" ")}`);
    if (this.unseen) found.count("unseen", "pieces", this.unseen);
    if (this.hidden) found.count("unseen", "layers", Math.min(this.hidden, Math.max(this.layers, 1)));
    else if (this.layers) found.count("other", "layers", this.layers);
    if (this.cropped) found.count("cropped", "pages", this.cropped);
    for (const one of [...this.unread].sort()) found.miss("part", `PDF: ${one}`);
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

/** Does a page show less than it has? What it takes over from its branch is not looked at; the copy's pages have all. */
function cut(page: Dictionary): boolean {
  const box = (key: string): readonly number[] | null => {
    const list = page.get(key);
    if (!Array.isArray(list) || list.length !== 4 || !list.every((one) => typeof one === "number")) return null;
    const [a, b, c, d] = list as [number, number, number, number];
    return [Math.min(a, c), Math.min(b, d), -Math.max(a, c), -Math.max(b, d)];
  };
  const [whole, shown] = [box("MediaBox"), box("CropBox")];
  return whole !== null && shown !== null && shown.some((side, i) => side > (whole[i] as number) + POINT);
}
