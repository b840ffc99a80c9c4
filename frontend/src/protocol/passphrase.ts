// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * A source's passphrase, as protocol/passphrase.py: ten words, 100 random bits and 10 check bits. Generated, never
 * chosen. A slip is seen on the source's own device and nowhere else: no server ever refuses a passphrase.
 */

import type { Bytes, Random } from "./bytes.ts";
import { PASSPHRASE_CHECK_BITS, PASSPHRASE_RANDOM_BITS, PASSPHRASE_WORDS, WORD_BITS } from "./constants.ts";
import { h, lp } from "./encoding.ts";
import type { WordList } from "./wordlist.ts";

const BYTES = Math.ceil(PASSPHRASE_RANDOM_BITS / 8); // 13
const NEAR = 12;
const SHOWN = 3;
const EXPLAINED = 2 * PASSPHRASE_WORDS; // of a text with more words than this only their count is told

/** The 100 random bits as 13 bytes, big-endian (the top 4 bits are zero). */
export class Passphrase {
  /** RangeError for anything but 13 bytes that begin with four zero bits. */
  constructor(readonly bits: Bytes) {
    if (bits.length !== BYTES || (bits[0] as number) >> 4) throw new RangeError("a passphrase is 100 bits in 13 bytes");
  }

  /** The ten words in one list. */
  words(words: WordList): string[] {
    let value = (integer(this.bits) << BigInt(PASSPHRASE_CHECK_BITS)) | BigInt(check(this.bits));
    const out: string[] = [];
    for (let place = 0; place < PASSPHRASE_WORDS; place += 1) {
      out.unshift(words.word(Number(value & BigInt((1 << WORD_BITS) - 1))));
      value >>= BigInt(WORD_BITS);
    }
    return out;
  }
}

/**
 * A word that is likely wrong: its place (from 1), what was typed, what may have been meant, best first.
 *
 * `why`: `unknown`, it is not in the list; `check`, it is, but the ten do not belong together and would with one of
 * `meant`; `swapped`, they would if it and the word after it changed places.
 */
export interface Slip {
  readonly place: number;
  readonly why: "unknown" | "check" | "swapped";
  readonly typed: string;
  readonly meant: readonly string[];
}

/**
 * What was typed is not a passphrase. The text names no word; `slips` is for the source's own screen only, and `count` is
 * how many words were typed. Slips for which `why` is `check` or `swapped` are alternatives to each other.
 */
export class MistypedPassphrase extends Error {
  override name = "MistypedPassphrase";

  constructor(
    readonly count: number,
    readonly slips: readonly Slip[],
  ) {
    super("The words typed are not a passphrase.");
  }
}

function integer(raw: Bytes): bigint {
  let value = 0n;
  for (const byte of raw) value = (value << 8n) | BigInt(byte);
  return value;
}

function check(bits: Bytes): number {
  const [a, b] = h(lp("passphrase", bits)) as unknown as [number, number];
  return ((a << 8) | b) >> (16 - PASSPHRASE_CHECK_BITS);
}

/** A new one, from 13 random bytes of which the top 4 bits are dropped. */
export function generate(random: Random): Passphrase {
  const raw = random(BYTES).slice();
  raw[0] = (raw[0] as number) & 0x0f;
  return new Passphrase(raw);
}

function ofNumbers(numbers: readonly number[]): Passphrase | null {
  let value = 0n;
  for (const number of numbers) value = (value << BigInt(WORD_BITS)) | BigInt(number);
  const bits = new Uint8Array(BYTES);
  let left = value >> BigInt(PASSPHRASE_CHECK_BITS);
  for (let i = BYTES - 1; i >= 0; i -= 1) {
    bits[i] = Number(left & 0xffn);
    left >>= 8n;
  }
  return BigInt(check(bits)) === (value & BigInt((1 << PASSPHRASE_CHECK_BITS) - 1)) ? new Passphrase(bits) : null;
}

/**
 * The words in what was typed, whatever stands between them: spaces, commas, hyphens, line breaks, numbering. Marks that
 * are not seen (soft hyphens, joiners, a byte order mark) are dropped; the zero-width space parts words.
 */
export const tokens = (text: string): string[] =>
  text
    .normalize("NFC")
    .replace(/\p{Cf}/gu, (ch) => (ch === "\u200b" ? " " : ""))
    .replace(/[\p{P}\p{S}\p{Z}\p{C}]/gu, " ")
    .split(" ")
    .filter((token) => /\P{N}/u.test(token));

/** The passphrase that was typed; MistypedPassphrase says which word is likely wrong. */
export function parsePassphrase(text: string, words: WordList): Passphrase {
  const typed = tokens(text);
  if (typed.length > EXPLAINED) throw new MistypedPassphrase(typed.length, []);
  const numbers = typed.map((token) => words.find(token));
  if (typed.length !== PASSPHRASE_WORDS || numbers.includes(null)) {
    throw new MistypedPassphrase(typed.length, unknown(typed, numbers, words));
  }
  const known = numbers as number[];
  const passphrase = ofNumbers(known);
  if (passphrase === null) throw new MistypedPassphrase(typed.length, misread(typed, known, words));
  return passphrase;
}

/**
 * The passphrase that was typed in the language of one of these lists; MistypedPassphrase of the list that knows most of the
 * words, the first of several.
 */
export function parseInAny(text: string, lists: readonly [WordList, ...WordList[]]): Passphrase {
  const typed = tokens(text);
  let [best] = lists;
  let most = -1;
  for (const words of lists) {
    const numbers = typed.flatMap((token) => words.find(token) ?? []);
    const read = numbers.length === typed.length && typed.length === PASSPHRASE_WORDS ? ofNumbers(numbers) : null;
    if (read) return read;
    if (numbers.length > most) [best, most] = [words, numbers.length];
  }
  return parsePassphrase(text, best);
}

/** The words that are not in the list. When there are one or two, the check bits sort out which near ones fit. */
function unknown(typed: readonly string[], numbers: readonly (number | null)[], words: WordList): Slip[] {
  const places = numbers.flatMap((number, i) => (number === null ? [i] : []));
  let near = places.map((i) => words.near(typed[i] as string, NEAR));
  if (numbers.length === PASSPHRASE_WORDS && places.length <= 2) {
    const fitting = product(near).filter((meant) => fits(numbers, places, meant, words));
    if (fitting.length) near = places.map((_, column) => [...new Set(fitting.map((meant) => meant[column] as string))]);
  }
  return places.map((i, n) => ({
    place: i + 1,
    why: "unknown",
    typed: typed[i] as string,
    meant: (near[n] as string[]).slice(0, SHOWN),
  }));
}

const product = (columns: readonly (readonly string[])[]): string[][] =>
  columns.reduce<string[][]>((rows, column) => rows.flatMap((row) => column.map((item) => [...row, item])), [[]]);

/** Would the ten belong together with the words `meant` at `places`? */
function fits(
  numbers: readonly (number | null)[],
  places: readonly number[],
  meant: readonly string[],
  words: WordList,
): boolean {
  const tried = [...numbers];
  places.forEach((place, n) => (tried[place] = words.find(meant[n] as string)));
  return !tried.includes(null) && ofNumbers(tried as number[]) !== null;
}

/** All words exist and the check fails: try neighbours swapped, and the near words at each place. */
function misread(typed: readonly string[], numbers: readonly number[], words: WordList): Slip[] {
  const slips: Slip[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 1) {
    const [a, b] = [numbers[i] as number, numbers[i + 1] as number];
    const swapped = [...numbers.slice(0, i), b, a, ...numbers.slice(i + 2)];
    if (a !== b && ofNumbers(swapped) !== null) {
      slips.push({ place: i + 1, why: "swapped", typed: typed[i] as string, meant: [words.word(b)] });
    }
  }
  typed.forEach((token, i) => {
    const meant = words.near(token, NEAR).filter((word) => fits(numbers, [i], [word], words));
    if (meant.length) slips.push({ place: i + 1, why: "check", typed: token, meant: meant.slice(0, SHOWN) });
  });
  return slips;
}
