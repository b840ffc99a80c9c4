// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What of its resources a page or a form names in what it draws. Programs that cut one page out of a report leave the pictures
 * of all others in its list; a picture that somebody took off a page often stands there still.
 */

import { Unreadable } from "./facts.ts";
import type { Document } from "./pdf_document.ts";
import { type Dictionary, Name, Reference, spelledOut, type Value } from "./pdf_objects.ts";
import { type Budget, latin1 } from "./slices.ts";

const MAX_CONTENT = 1 << 26; // unpacked, of a whole file: beyond that, lists stay as they are
const MAX_NAMES = 10_000;
const NAME_COST = 16; // of the budget, for each that is looked up for one page
const NAMES = /\/([^\0\t\n\f\r ()<>[\]{}/%]+)/g; // those in texts and pictures too: too many are no harm
const UNNAMED = ["DefaultGray", "DefaultRGB", "DefaultCMYK"]; // in force without being named

export class Used {
  private readonly budget: Budget = { bytes: MAX_CONTENT };
  private readonly lists = new Map<number, Dictionary>();
  private readonly borrowing = new Map<number, boolean>();
  private readonly states = new Map<number, boolean>();
  private readonly narrowed = new Map<string, Dictionary>(); // the same for all pages that draw with the same
  private readonly known = new Map<string, Dictionary>(); // and for all that draw the same
  private readonly named = new Map<number, readonly string[] | null>(); // in each stream; null: it cannot be looked through

  constructor(private readonly document: Document) {}

  /** `resources` without what is not named in `contents`; all of them where that cannot be looked through. */
  of(resources: Value | undefined, contents: readonly Value[]): Dictionary | null {
    const all = this.list(resources);
    if (!all) return null;
    const numbers = [resources, ...contents].map((one) => (one instanceof Reference ? one.number : ""));
    const drawn = numbers.includes("") ? "" : numbers.join(" ");
    const before = this.known.get(drawn);
    if (before) return before;
    const found = this.narrow(all, resources, contents);
    if (drawn) this.known.set(drawn, found);
    return found;
  }

  private narrow(all: Dictionary, resources: Value | undefined, contents: readonly Value[]): Dictionary {
    const lists = new Map([...all].map(([kind, list]) => [kind, this.list(list)] as const));
    try {
      const names = this.names(lists, contents);
      const key = `${resources instanceof Reference ? resources.number : ""} ${names.join(" ")}`;
      const known = resources instanceof Reference ? this.narrowed.get(key) : undefined;
      const some = known ?? new Map([...lists].flatMap(([kind, list]) => (list ? [[kind, only(list, names)] as const] : [])));
      this.narrowed.set(key, some);
      return some;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return all;
    }
  }

  /** A dictionary; one with a number is read once. */
  private list(value: Value | undefined): Dictionary | null {
    if (!(value instanceof Reference)) return value instanceof Map ? (value as Dictionary) : null;
    const known = this.lists.get(value.number) ?? this.document.dictionary(value);
    if (known) this.lists.set(value.number, known);
    return known;
  }

  /** All that are named, by forms too that have no list of their own. */
  private names(lists: ReadonlyMap<string, Dictionary | null>, contents: readonly Value[]): readonly string[] {
    const found = new Set<string>(UNNAMED);
    const waiting = [...contents];
    for (const one of waiting) { // it grows
      const names = this.within(one);
      this.charge(NAME_COST * names.length);
      for (const plain of names) {
        if (found.has(plain)) continue;
        if (found.size > MAX_NAMES) throw new Unreadable("too-much");
        found.add(plain);
        for (const kind of ["XObject", "Pattern", "Font"]) {
          const drawn = lists.get(kind)?.get(plain);
          if (drawn && this.borrows(drawn)) waiting.push(drawn);
        }
        const state = lists.get("ExtGState")?.get(plain);
        if (state !== undefined && this.lends(state)) throw new Unreadable("part"); // when it draws is not looked at
      }
    }
    return [...found].sort();
  }

  private charge(bytes: number): void {
    this.budget.bytes -= bytes;
    if (this.budget.bytes <= 0) throw new Unreadable("too-large");
  }

  /** The names in one stream, which is looked through once, however many pages draw it. */
  private within(content: Value): readonly string[] {
    const number = content instanceof Reference ? content.number : null;
    const known = number === null ? undefined : this.named.get(number);
    if (known === null) throw new Unreadable("part");
    if (known) return known;
    if (number !== null) this.named.set(number, null);
    const { value, stream } = this.document.get(content);
    if (!(value instanceof Map) || !stream) throw new Unreadable("damaged");
    this.charge(stream[1] - stream[0]); // which may be under no filter at all
    const text = latin1(this.document.unpacked(value as Dictionary, stream, this.budget));
    const names = new Set<string>();
    for (const [, name] of text.matchAll(NAMES)) {
      if (names.size > MAX_NAMES) throw new Unreadable("too-much");
      names.add(spelledOut(name as string));
    }
    const all = [...names];
    if (number !== null) this.named.set(number, all);
    return all;
  }

  /** Does it draw with what whoever draws it has? */
  private borrows(value: Value): boolean {
    if (!(value instanceof Reference)) return this.without(value);
    const known = this.borrowing.get(value.number) ?? this.without(value);
    this.borrowing.set(value.number, known);
    return known;
  }

  /** Has a state a mask or a font that draws with the list of whoever sets it? */
  private lends(value: Value): boolean {
    const known = value instanceof Reference ? this.states.get(value.number) : undefined;
    if (known !== undefined) return known;
    const state = this.document.dictionary(value);
    const mask = this.document.dictionary(state?.get("SMask"))?.get("G");
    const font = this.document.plain(state?.get("Font"));
    const lent = (mask !== undefined && this.borrows(mask)) || (Array.isArray(font) && this.borrows(font[0] as Value));
    if (value instanceof Reference) this.states.set(value.number, lent);
    return lent;
  }

  private without(value: Value): boolean {
    const { value: drawn, stream } = this.document.get(value);
    if (!(drawn instanceof Map) || drawn.has("Resources")) return false;
    const is = (key: string): Value => this.document.plain((drawn as Dictionary).get(key));
    const subtype = is("Subtype");
    if (subtype instanceof Name && subtype.text === "Type3") throw new Unreadable("part"); // its glyphs would have to be looked through
    return stream !== null && ((subtype instanceof Name && subtype.text === "Form") || is("PatternType") === 1);
  }
}

const only = (list: Dictionary, names: readonly string[]): Dictionary =>
  new Map(names.flatMap((name) => (list.has(name) ? [[name, list.get(name) as Value] as const] : [])));
