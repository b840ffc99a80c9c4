// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * A source's visit to a door, all that the page's script needs: words in, bytes out. It does no I/O of its own: the
 * transport, the clock, randomness, waiting and Argon2id are arguments, and nothing is stored.
 *
 *     const visit = await fetchVisit(transport, look);            // may come while the person writes
 *     const argon2 = argon2InWorker(() => new Worker("/static/argon2-worker.js"));
 *     const source = await openSource(words, true, visit.directory.door, argon2);
 *     const replies = source.thread(visit, "news");               // none for words that were never used
 *     const file = await uploadOver(new Upload(new FromBlob(chosen), nameOf(chosen.name), random), line, pause, progress);
 *     const letter = source.prepare(visit, "news", compose(draft), random); // after `sendBeside`, where it names more
 *     const sent = await post(transport, visit, letter, pause);
 */

import type { Transport } from "../client/transport.ts";
import type { VerifiedVisit } from "../client/visit.ts";
import type { Argon2 } from "../protocol/argon2.ts";
import type { Attachment } from "../protocol/attachment.ts";
import type { Bytes, Random } from "../protocol/bytes.ts";
import { MSG_ID } from "../protocol/constants.ts";
import type { LetterBody } from "../protocol/letter.ts";
import type { Knock } from "../protocol/knock.ts";
import type { Passphrase } from "../protocol/passphrase.ts";
import { seedOf, sourceKeys, type SourceKeys } from "../protocol/source_keys.ts";
import { change, noteToSealTo, seal } from "./acts.ts";
import { knocksFor, mayKnock, type Pause, send, type Sent } from "./sending.ts";
import { findReplies, type Reply } from "./thread.ts";
import { Cut, type Stored, type Upload } from "./upload.ts";

export { fetchVisit, type Look } from "../client/door.ts";
export { FetchTransport, NetworkFailed, Stopped, type Transport } from "../client/transport.ts";
export { ClockOff, type DoorCheck, type VerifiedVisit, VisitRefused } from "../client/visit.ts";
export { type Argon2, hasWasm } from "../protocol/argon2.ts";
export { secureRandom } from "../protocol/primitives.ts";
export { generate, MistypedPassphrase, parseInAny, parsePassphrase, Passphrase, type Slip } from "../protocol/passphrase.ts";
export { WordList } from "../protocol/wordlist.ts";
export { tooOldToSeal } from "./acts.ts";
export { compose, type Draft, room, sendBeside } from "./composing.ts";
export { CannotWrite, type Why } from "./errors.ts";
export { EnoughTries, type Pause, pauseBefore, type Sent } from "./sending.ts";
export type { Reply } from "./thread.ts";
export { argon2InWorker, NoSeed } from "./worker.ts";
export { WordLists } from "./words.ts";
export { checkSize, Cut, FromBlob, InMemory, nameOf, numbered, placeholder, Upload } from "./upload.ts";

/** A letter that is sealed: the same bytes are posted until they are taken. */
export interface Prepared {
  readonly desk: string;
  readonly msgId: Bytes;
  readonly bytes: Bytes;
  readonly knocks: readonly Knock[];
}

/** Somebody with a passphrase at one door. `cameBack`: the words were typed, not just made. */
export class Source {
  private readonly byDesk = new Map<string, SourceKeys>();

  constructor(
    private readonly seed: Bytes,
    private readonly door: Bytes,
    private readonly cameBack: boolean,
  ) {}

  /** The keys for one desk: each desk sees another source. */
  keys(desk: string): SourceKeys {
    const keys = this.byDesk.get(desk) ?? sourceKeys(this.seed, this.door, desk);
    this.byDesk.set(desk, keys);
    return keys;
  }

  /** The replies of one desk, oldest first; own letters are not there, since nothing was kept. */
  thread(visit: VerifiedVisit, desk: string): Reply[] {
    return findReplies(visit, this.keys(desk));
  }

  /** The knocks that this thread may have, for attachments and letters when the door is full. */
  knocks(visit: VerifiedVisit, desk: string, random: Random): Knock[] {
    if (!mayKnock(this.thread(visit, desk), this.cameBack)) return [];
    return knocksFor(this.keys(desk), noteToSealTo(visit, desk), random);
  }

  /**
   * Seal a letter; CannotWrite says why not. Refetch `/visit` before when `tooOldToSeal`. `before`: the same letter as it
   * was sealed to another epoch; it keeps its `msgId`, so that the desk takes it once when both came.
   */
  prepare(visit: VerifiedVisit, desk: string, body: LetterBody, random: Random, before: Prepared | null = null): Prepared {
    const msgId = before?.msgId ?? random(MSG_ID);
    const bytes = seal(visit, this.keys(desk), body, msgId, random);
    return { desk, msgId, bytes, knocks: this.knocks(visit, desk, random) };
  }

  /** Seal the letter by which `desk` learns the passphrase of `after`; sent again, it is followed once. */
  prepareChange(visit: VerifiedVisit, desk: string, after: Source, random: Random): Prepared {
    const msgId = random(MSG_ID);
    const bytes = change(visit, this.keys(desk), after.keys(desk), msgId, random);
    return { desk, msgId, bytes, knocks: this.knocks(visit, desk, random) };
  }
}

/** The source that these words open; takes a moment (Argon2id), which the page says. */
export const openSource = async (words: Passphrase, cameBack: boolean, door: Bytes, argon2: Argon2): Promise<Source> =>
  new Source(await seedOf(words.bits, door, argon2), door, cameBack);

/** Post a sealed letter until there is a receipt; CannotWrite otherwise. */
export const post = (
  transport: Transport,
  visit: VerifiedVisit,
  prepared: Prepared,
  pause: Pause,
  tries?: number | null,
): Promise<Sent> => send(transport, visit, prepared.bytes, prepared.msgId, pause, prepared.knocks, tries);

/** Run an upload to its end over lines that break: after each Cut `line` gives a new way, or null to give up (the Cut is thrown). */
export async function uploadOver(
  upload: Upload,
  line: (cuts: number) => Promise<Transport | null>,
  pause: Pause,
  progress: Stored,
): Promise<Attachment> {
  for (let cuts = 0; ; cuts += 1) {
    const transport = await line(cuts);
    if (transport === null) throw new Cut();
    try {
      return await upload.run(transport, pause, progress);
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
    }
  }
}
