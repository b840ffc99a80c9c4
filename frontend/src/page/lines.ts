// SPDX-License-Identifier: AGPL-3.0-or-later
/** Text of others on one line of the page. */

import { characters } from "../protocol/bytes.ts";

const LONGEST_NAME = 255; // characters: what a file system takes

/** The first `most` characters. */
export const cut = (text: string, most: number): string => (characters(text) > most ? [...text].slice(0, most).join("") : text);

/** With characters that control, or could reorder what is read, shown as <U+XXXX>. As client/text.py. */
export const printable = (text: string): string =>
  text.replace(/(?![\n\t\u200c-\u200f\u061c])[\p{C}\p{Zl}\p{Zp}]/gu, (sign) =>
    `<U+${(sign.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}>`);

/** The first `width` characters of that on one line. */
export function oneLine(text: string, width: number): string {
  const flat = printable(text).trim().replace(/\s+/g, " ");
  return characters(flat) > width ? `${cut(flat, width - 1)}…` : flat;
}

/** A file's name as it is spelled: what is sent as "a<U+202E>fdp.exe" would look like a PDF. */
export const shownName = (name: string): string => oneLine(name, LONGEST_NAME);
