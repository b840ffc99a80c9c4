// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a stream that draws (ISO 32000-1, 7.8) holds beside what is drawn: remarks of the program that wrote it, words in marks
 * around a piece, photographs with all that a camera wrote, text that is drawn invisibly. Every sign is passed once.
 */

import { Unreadable } from "./facts.ts";
import { type Dictionary, Lexer, spelledOut, type Value, written } from "./pdf_objects.ts";
import { fromLatin1, lenient } from "./slices.ts";

// a text mode of 3 draws nothing: so lies what was recognised over a scan
const BEGINS = /[%(<>]|BI(?=[\0\t\n\f\r /%])|3[\0\t\n\f\r ]+Tr(?![^\0\t\n\f\r ()<>[\]{}/%])/g;
const BEFORE = /[\0\t\n\f\r )\]>]/;
const DATA = /[\0\t\n\f\r >)\]]ID[\0\t\n\f\r ]/g;
// what follows must be readable: pictures may have these letters too
const ENDS = /[\0\t\n\f\r ]EI(?=[\0\t\n\f\r ](?:[\0\t\n\f\r -~]{8}|[\0\t\n\f\r -~]{0,7}$)|$)/g;
const JPEG = /\/DCT(Decode)?(?![^\0\t\n\f\r ()<>[\]{}/%])/;
const WORDLESS = /<<[^()<>%]*>>/y; // most marks are: they need not be taken apart
export const MAX_MARKS = 200_000; // with words

/** One thing that stands in it. */
export type Beside =
  | { readonly is: "comment"; readonly text: string }
  | { readonly is: "words"; readonly key: string; readonly text: string }
  | { readonly is: "unseen" } // the start of text that is not drawn
  | { readonly is: "picture"; readonly head: Dictionary; readonly data: readonly [number, number] } // a JPEG in the stream itself
  | { readonly is: "unread"; readonly what: "marked content" | "inline JPEG" | "content" }; // "content": no further

/** All that is in one stream, in its order. `left`: of marks that may be taken apart, one for all streams of a file. */
export function* beside(text: string, left = { marks: MAX_MARKS }): Generator<Beside> {
  const begins = new RegExp(BEGINS);
  let marks = true; // as long as they can be taken apart
  for (let match = begins.exec(text); match; match = begins.exec(text)) {
    const { index } = match;
    const first = match[0][0];
    let end: number;
    if (first === "%") {
      end = after(/[\r\n]|$/g, text, index);
      yield remark(text.slice(index, end));
    } else if (first === "B") {
      end = index + 2;
      if (BEFORE.test(text[index - 1] ?? " ")) end = yield* picture(text, index);
    } else if (first === "3") {
      end = index + match[0].length;
      if (BEFORE.test(text[index - 1] ?? " ")) yield { is: "unseen" };
    } else if (first === ">" || text.startsWith("<<", index)) {
      const mark = first === "<" && marks ? taken(text, index, left) : null;
      if (mark) yield* mark.words;
      else if (marks) {
        marks = false;
        yield { is: "unread", what: "marked content" }; // damaged, begun in another stream, or too many
      }
      end = mark?.end ?? index + (text[index + 1] === first ? 2 : 1);
    } else end = first === "(" ? closed(text, index) : after(/>/g, text, index);
    if (!end) return yield { is: "unread", what: "content" }; // what comes is within it, or cannot be told apart from it
    begins.lastIndex = end;
  }
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

/** The dictionary that begins at `at`; null where it cannot be read. */
function taken(text: string, at: number, left: { marks: number }): { readonly words: Iterable<Beside>; readonly end: number } | null {
  WORDLESS.lastIndex = at;
  if (WORDLESS.test(text)) return { words: [], end: WORDLESS.lastIndex };
  left.marks -= 1;
  if (left.marks < 0) return null;
  const lexer = new Lexer(text, at);
  try {
    const value = lexer.value();
    const signs = text.slice(at, lexer.at);
    const said = signs.includes("%") ? remarks(signs.replace(/\((?:\\[^]|[^\\()])*\)/g, "")) : [];
    return { words: [...wordsIn(value, ""), ...said], end: lexer.at };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

type Remark = Extract<Beside, { is: "comment" }>;

/** What a program's text says to whoever reads it. */
export function* remarks(text: string): Generator<Remark> {
  for (const [one] of text.matchAll(/%[^\r\n]*/g)) yield remark(one);
}

const remark = (text: string): Remark => {
  const said = text.slice(1).trim();
  return { is: "comment", text: /[^\t -~]/.test(said) ? lenient(fromLatin1(said)) : said };
};

/** Every text in a value, by the key that it stands under. */
export function* wordsIn(value: Value | undefined, key: string): Generator<Beside> {
  if (typeof value === "string") yield { is: "words", key, text: written(value) };
  else if (Array.isArray(value)) for (const one of value) yield* wordsIn(one as Value, key);
  else if (value instanceof Map) for (const [inner, one] of value as Dictionary) yield* wordsIn(one, inner);
}

/** The picture that stands in the stream itself; gives where it ends, 0 where it has no end. */
function* picture(text: string, at: number): Generator<Beside, number> {
  const data = after(new RegExp(DATA), text, at);
  const end = data && after(new RegExp(ENDS), text, data - 1);
  const lines = text.slice(at + 2, data ? data - 3 : text.length);
  const jpeg = JPEG.test(spelledOut(lines));
  if (!jpeg && !/[%(]/.test(lines)) return end;
  const mark = taken(`<<${lines}\n>>`, 0, { marks: 1 });
  yield* mark?.words ?? [{ is: "unread", what: "marked content" }];
  if (!jpeg) return end;
  const head = mark && end ? new Lexer(`<<${lines}\n>>`).value() : null;
  if (head instanceof Map) yield { is: "picture", head: head as Dictionary, data: [data, end - 3] };
  else yield { is: "unread", what: "inline JPEG" };
  return end;
}
