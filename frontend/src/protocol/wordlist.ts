// SPDX-License-Identifier: AGPL-3.0-or-later
/** Word lists, as protocol/wordlist.py: 2048 words of one language, each worth 11 bits. */

import { WORD_BITS } from "./constants.ts";

const COUNT = 1 << WORD_BITS;

/** The lists that ship: a language's code (ISO 639-1), and the list's name. */
export const CODES: ReadonlyMap<string, string> = new Map([
  ["en", "english"],
  ["ru", "russian"],
  ["uk", "ukrainian"],
  ["fr", "french"],
  ["es", "spanish"],
  ["ar", "arabic"],
]);

/** A list that must not be used. */
export class BadWordList extends Error {
  override name = "BadWordList";
}

/** What people write for one another and NFKD keeps apart (for ς case folding). */
const ALIKE: { readonly [letter: string]: string } = {
  ς: "σ", œ: "oe", æ: "ae", ґ: "г", ة: "ه", ى: "ي", ٱ: "ا", ی: "ي", ک: "ك", ـ: "",
};

/** How words are compared: NFKD, without combining marks, case folded, with letters that are taken for each other. */
export const fold = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replace(/[ςœæґةىٱیکـ]/g, (letter) => ALIKE[letter] as string);

/** 2048 words; word i stands for the 11-bit number i. */
export class WordList {
  private readonly index: ReadonlyMap<string, number>;
  private readonly plain: readonly string[];

  /** BadWordList when the words are not 2048 that can be told apart by their first four letters. */
  constructor(
    readonly language: string,
    readonly words: readonly string[],
  ) {
    this.plain = words.map(fold);
    this.index = new Map(this.plain.map((word, number) => [word, number]));
    if (words.length !== COUNT || new Set(this.plain.map((word) => [...word].slice(0, 4).join(""))).size !== COUNT) {
      throw new BadWordList(`the ${language} list is not 2048 words that differ in their first four letters`);
    }
  }

  /** A list from its file: a word and a line feed each. */
  static parse(language: string, text: string): WordList {
    return new WordList(language, text.split("\n").slice(0, -1));
  }

  /** The word of a number from 0 to 2047. */
  word(number: number): string {
    return this.words[number] as string;
  }

  /** The number of a word typed in full, in any case or normal form; null when it is not in the list. */
  find(token: string): number | null {
    return this.index.get(fold(token.trim())) ?? null;
  }

  /** The words that were most likely meant, best first: the same first four letters, then the fewest slips. */
  near(token: string, most = 3): string[] {
    const typed = [...fold(token.trim())];
    if (!typed.length) return [];
    const dearest = Math.max(4, typed.length);
    const letters = new Set(typed);
    const start = typed.slice(0, 4).join("");
    const ranked: [number, string][] = [];
    this.words.forEach((word, number) => {
      const plain = [...(this.plain[number] as string)];
      const begun = typed.length >= 4 && plain.slice(0, 4).join("") === start;
      const lacking = letters.size - new Set(plain.filter((ch) => letters.has(ch))).size;
      // each letter that the word lacks is a slip at least
      if (!begun && Math.max(Math.abs(plain.length - typed.length), lacking) > Math.floor(dearest / 2)) return;
      let price = 2 * slips(typed, plain);
      // the end may have been left out on purpose; either way one word alone begins so
      if (begun) price = Math.min(price, 2 * slips(typed, plain.slice(0, typed.length)) + 2) - 3;
      if (price <= dearest) ranked.push([price, word]);
    });
    ranked.sort(([a, x], [b, y]) => a - b || (x < y ? -1 : 1));
    return ranked.slice(0, most).map(([, word]) => word);
  }
}

/** Damerau's distance between neighbours: letters changed, left out, added, or swapped with the next. */
function slips(a: readonly string[], b: readonly string[]): number {
  let earlier: number[] = [];
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    [earlier, before, row] = [before, row, [i]];
    for (let j = 1; j <= b.length; j += 1) {
      let price = Math.min(at(before, j) + 1, at(row, j - 1) + 1, at(before, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) price = Math.min(price, at(earlier, j - 2) + 1);
      row.push(price);
    }
  }
  return at(row, b.length);
}

const at = (row: readonly number[], place: number): number => row[place] as number;
