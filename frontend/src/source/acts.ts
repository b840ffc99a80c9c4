// SPDX-License-Identifier: AGPL-3.0-or-later
/** What a source does, as source/acts.py: compose and seal a letter, change the passphrase. Nothing is kept on the device. */

import { noteOf, type VerifiedVisit } from "../client/visit.ts";
import type { Attachment } from "../protocol/attachment.ts";
import { type Bytes, isWhole, type Random } from "../protocol/bytes.ts";
import { VISIT_FRESH_TICKS } from "../protocol/constants.ts";
import { batchAt } from "../protocol/directory.ts";
import type { EpochNote } from "../protocol/epoch.ts";
import { type LetterBody, MAX_ATTACHED, roomLeft, sealChange, sealLetter } from "../protocol/letter.ts";
import { sameThread, type SourceKeys } from "../protocol/source_keys.ts";
import { CannotWrite } from "./errors.ts";
import type { Reply } from "./thread.ts";

export const WAY = "page";

/** What the person wrote. `attachments` as `attached` gives them; `read`: the replies on the screen. */
export interface Draft {
  readonly text: string;
  readonly language: string;
  readonly read: readonly Reply[];
  readonly attachments: readonly Attachment[];
  readonly listed: Attachment | null;
}

const bodyOf = (draft: Draft, read: number): LetterBody => ({
  language: draft.language,
  way: WAY,
  text: draft.text,
  read: read ? draft.read.slice(-read).map((reply) => reply.id) : [],
  attachments: draft.attachments,
  listed: draft.listed,
});

/** How many bytes of UTF-8 text still fit; negative when it is too long already. Naming what was read gives way to the text. */
export const room = (draft: Draft): number => roomLeft(bodyOf(draft, 0));

/** Do so many attachments fit the letter itself? If not, they go into a list: see `encodeList`. */
export const fitsInLetter = (draft: Draft): boolean => draft.attachments.length <= MAX_ATTACHED && room(draft) >= 0;

/** A letter's body; CannotWrite when it is empty or does not fit. */
export function compose(draft: Draft): LetterBody {
  if (!draft.text.trim()) throw new CannotWrite("empty");
  if (!isWhole(draft.text)) throw new CannotWrite("not-text");
  for (let read = Math.min(draft.read.length, 16); read > 0; read -= 1) {
    const body = bodyOf(draft, read);
    if (roomLeft(body) >= 0) return body;
  }
  const over = -room(draft);
  if (over > 0) throw new CannotWrite("too-long", over);
  return bodyOf(draft, 0);
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
