// SPDX-License-Identifier: AGPL-3.0-or-later
/** What a source does, as source/acts.py: seal a letter, change the passphrase. Nothing is kept on the device. */

import { noteOf, type VerifiedVisit } from "../client/visit.ts";
import { type Bytes, isWhole, type Random, strip } from "../protocol/bytes.ts";
import { VISIT_FRESH_TICKS } from "../protocol/constants.ts";
import { batchAt } from "../protocol/directory.ts";
import type { EpochNote } from "../protocol/epoch.ts";
import { type LetterBody, roomLeft, sealChange, sealLetter } from "../protocol/letter.ts";
import { sameThread, type SourceKeys } from "../protocol/source_keys.ts";
import { CannotWrite } from "./errors.ts";
import type { Reply } from "./thread.ts";

export const WAY = "page";

export const NAMED = 16; // replies of those that were read

/** The letter with the replies that were read; naming them gives way to what is said. CannotWrite `empty`, `not-text`, `too-long`. */
export function naming(body: LetterBody, read: readonly Reply[]): LetterBody {
  saysSomething(body);
  const ids = read.slice(-NAMED).map((reply) => reply.id);
  let named = { ...body, read: ids };
  while (named.read.length && roomLeft(named) < 0) named = { ...body, read: named.read.slice(1) };
  const over = -roomLeft(named);
  if (over > 0) throw new CannotWrite("too-long", over);
  return named;
}

/** CannotWrite when it is empty, or no text. */
export function saysSomething({ text, answers, answersIn }: LetterBody): void {
  if (!strip(text) && answers === null && answersIn === null) throw new CannotWrite("empty");
  if (!isWhole(text)) throw new CannotWrite("not-text");
}

/** Is the copy of /visit a day old, so that keys may have changed since? `now`: Unix seconds. */
export const tooOldToSeal = (visit: VerifiedVisit, now: number): boolean =>
  batchAt(visit.directory.policy, now) - visit.manifest.n >= VISIT_FRESH_TICKS;

/** The desk's epoch; CannotWrite when the door's directory is too old or the desk takes no letters now. */
export function noteToSealTo(visit: VerifiedVisit, desk: string): EpochNote {
  if (visit.directory.closed !== null) throw new CannotWrite("closed");
  if (visit.expired) throw new CannotWrite("expired");
  const note = noteOf(visit, desk);
  if (note === null) throw new CannotWrite("desk-closed");
  return note;
}

/** The letter's 4096 bytes; CannotWrite as `noteToSealTo`. */
export const seal = (visit: VerifiedVisit, keys: SourceKeys, body: LetterBody, msgId: Bytes, random: Random): Bytes =>
  sealLetter(keys, noteToSealTo(visit, keys.desk), msgId, body, random);

/** The 4096 bytes by which a desk learns that the thread goes on under new words; CannotWrite as for a letter. */
export function change(visit: VerifiedVisit, before: SourceKeys, after: SourceKeys, msgId: Bytes, random: Random): Bytes {
  if (sameThread(before.threadKeys, after.threadKeys)) throw new CannotWrite("same-words");
  return sealChange(before, after, noteToSealTo(visit, before.desk), msgId, random);
}
