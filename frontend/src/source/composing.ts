// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * A letter and what travels beside it, as source/composing.py: laid out first with placeholders, so that nothing is sent
 * that does not fit. What has no room in the envelope leaves it in this order: the answers, the names of the files (in a
 * list), the text. A long text is an attachment named `letter.txt`, the first of all; the letter has its beginning.
 */

import { type Answers, encodeAnswers } from "../protocol/answers.ts";
import { type Attachment, encodeList } from "../protocol/attachment.ts";
import { type Bytes, fromUtf8, stripEnd, toUtf8 } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import { type LetterBody, MAX_ATTACHED, roomLeft } from "../protocol/letter.ts";
import { NAMED, naming, saysSomething, WAY } from "./acts.ts";
import { CannotWrite } from "./errors.ts";
import type { Reply } from "./thread.ts";
import { placeholder } from "./upload.ts";

export const WHOLE = "letter.txt";
const GOES_ON = ` …\n\n→ ${WHOLE}`;
const BEGINNING = 400; // bytes of it at least, where something else can leave the envelope
const READ = 18; // bytes of the id of a reply that was read

/**
 * What the person wrote. `read`: the replies on the screen; `files`: placeholders for them will do; `most`: bytes of an
 * attachment, 0 where the door takes none.
 */
export interface Draft {
  readonly text: string;
  readonly language: string;
  readonly read: readonly Reply[];
  readonly files: readonly Attachment[];
  readonly answers: Answers | null;
  readonly most: number;
}

/** Seals and stores a content under a name. */
export type SendBeside = (content: Bytes, name: string) => Promise<Attachment>;

const plainOf = ({ language, text }: Draft): LetterBody => ({
  language, way: WAY, text, read: [], attachments: [], listed: null, answers: null, answersIn: null,
});

/** How many bytes of UTF-8 text still fit the letter itself; negative when it is too long for that already. */
export const room = (draft: Draft): number => Math.max(...[...ways(plainOf(draft), draft.files, draft)].map(roomLeft));

/** The letter as long as it will be; placeholders stand for what travels beside it, until `sendBeside`. CannotWrite. */
export function compose(draft: Draft): LetterBody {
  const plain = plainOf(draft);
  saysSomething({ ...plain, answers: draft.answers });
  let last = plain;
  for (const way of ways(plain, draft.files, draft)) {
    if (roomLeft(way) >= 0) return naming(way, draft.read);
    last = way;
  }
  const size = toUtf8(draft.text).length;
  return naming(size && size <= draft.most ? withBeginning(draft, size) : last, draft.read);
}

/** The ways to lay a letter out, the simplest first; the names of files go into a list last. */
function* ways(plain: LetterBody, files: readonly Attachment[], { answers, most }: Draft): Generator<LetterBody> {
  const size = answers ? encodeAnswers(answers).length : Infinity;
  const answered = (way: LetterBody): LetterBody[] => [
    { ...way, answers },
    ...(size <= most ? [{ ...way, answersIn: placeholder(size, "answers") }] : []),
  ];
  if (files.length <= MAX_ATTACHED) yield* answered({ ...plain, attachments: files });
  if (files.length) yield* answered({ ...plain, listed: placeholder(listSize(files), "list") });
}

/** As much of the text as fits beside the ids of what was read, up to the end of a word. */
function withBeginning(draft: Draft, size: number): LetterBody {
  const ids = READ * Math.min(draft.read.length, NAMED);
  const all = [...ways({ ...plainOf(draft), text: GOES_ON }, [placeholder(size, WHOLE), ...draft.files], draft)];
  const way = all.find((one) => roomLeft(one) >= BEGINNING + ids) ?? (all[all.length - 1] as LetterBody);
  const start = beginning(draft.text, roomLeft(way) - ids - 2); // the length of a longer text takes more itself
  const space = start.lastIndexOf(" ");
  const words = space >= 0 && [...start.slice(space + 1)].length < 80 ? start.slice(0, space) : start;
  return { ...way, text: stripEnd(words) + GOES_ON };
}

/** So many bytes of it at most, in whole characters. */
function beginning(text: string, most: number): string {
  const raw = toUtf8(text);
  let end = Math.min(raw.length, Math.max(0, most));
  while (end > 0 && ((raw[end] ?? 0) & 0xc0) === 0x80) end -= 1; // within a character
  return fromUtf8(raw.subarray(0, end));
}

/** Of placeholders, which all have one id. */
function listSize(files: readonly Attachment[]): number {
  try {
    return encodeList(files.map((one, n) => ({ ...one, id: Uint8Array.from(one.id, (_, i) => (n >> (8 * i)) & 255) }))).length;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new CannotWrite("no-room");
  }
}

/** What `compose` made of `text`, with what has no room in the letter sent. `files`: as they were stored. */
export async function sendBeside(
  body: LetterBody, text: string, files: readonly Attachment[], answers: Answers | null, send: SendBeside,
): Promise<LetterBody> {
  const all = body.text === text ? files : [await send(toUtf8(text), WHOLE), ...files];
  const answersIn = body.answersIn && answers ? await send(encodeAnswers(answers), "answers") : null;
  return body.listed === null
    ? { ...body, answersIn, attachments: all }
    : { ...body, answersIn, listed: await send(encodeList(all), "list") };
}
