// SPDX-License-Identifier: AGPL-3.0-or-later
/** Getting a letter in, as source/sending.py: until there is a receipt, with the same bytes each time, by the lottery or by a knock. */

import { checkReceipt } from "../client/promise.ts";
import { type Answer, NetworkFailed, Stopped, type Transport } from "../client/transport.ts";
import type { VerifiedVisit } from "../client/visit.ts";
import type { Bytes, Random } from "../protocol/bytes.ts";
import { ACK_SIZE } from "../protocol/constants.ts";
import { closesAt } from "../protocol/directory.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import { entry } from "../protocol/entry.ts";
import type { EpochNote } from "../protocol/epoch.ts";
import { HEADER, type Knock, knockHeader, knocksOf, NO_KNOCK } from "../protocol/knock.ts";
import { pairOfSource } from "../protocol/pair.ts";
import type { SourceKeys } from "../protocol/source_keys.ts";
import { CannotWrite } from "./errors.ts";
import type { Reply } from "./thread.ts";

export const TRIES = 4;
/** Of the server, or of what stands before it: to be tried again. */
export const AGAIN: readonly number[] = [408, 500, 502, 503, 504];
const FULL = 503;
const WRONG_KNOCK = 409;
const FIRST_PAUSE = 10; // seconds, in the mean
const LONGEST_PAUSE = 120;

/** Waits before try number n. May reject with EnoughTries, or with Stopped when the person stopped it. */
export type Pause = (attempt: number) => Promise<void>;

/** There has been waiting enough. */
export class EnoughTries extends Error {
  override name = "EnoughTries";
}

/** A letter that the server took. `mark`: 8 bytes by which an acknowledgement names it. `publishAt`: Unix seconds. */
export interface Sent {
  readonly mark: Bytes;
  readonly leaf: Bytes;
  readonly publishBy: number;
  readonly publishAt: number;
  /** Whoever keeps it can prove the server's promise, and that they were here. */
  readonly receiptRaw: Bytes;
}

/** A whole number below `bound`, from 4 random bytes: for orders and pauses, not for keys. */
const below = (bound: number, random: Random): number =>
  Math.floor((new DataView(random(4).slice().buffer).getUint32(0) / 2 ** 32) * bound);

/** Seconds to wait before try number `attempt` (from 1): longer each time up to two minutes, between half and one and a half of that. */
export function pauseBefore(attempt: number, random: Random): number {
  const mean = Math.min(FIRST_PAUSE * 2 ** Math.min(attempt - 1, 16), LONGEST_PAUSE);
  return mean * (0.5 + below(2 ** 32, random) / 2 ** 32);
}

/** Has the thread knocks, as far as one can know? The newest reply says; when there is none, somebody who came back tries. */
export const mayKnock = (replies: readonly Reply[], cameBack: boolean): boolean =>
  replies[replies.length - 1]?.known ?? cameBack;

/** The thread's four knocks under the epoch, in random order; none when the epoch's value is refused. */
export function knocksFor(keys: SourceKeys, note: EpochNote, random: Random): Knock[] {
  let four: Knock[];
  try {
    four = knocksOf(pairOfSource(keys, note));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return [];
  }
  const out: Knock[] = [];
  while (four.length) out.push(...four.splice(below(four.length, random), 1));
  return out;
}

/**
 * Post the letter until it is taken; the same bytes every time, so that it is taken once.
 *
 * `knocks` are used in turn once the door has said that it is full, without a pause. `tries` null: as long as the door
 * answers and `pause` lets. CannotWrite: `not-taken`, `unsure`, `no-receipt`, `stopped` or `stopped-unsure`.
 */
export async function send(
  transport: Transport,
  visit: VerifiedVisit,
  letter: Bytes,
  msgId: Bytes,
  pause: Pause,
  knocks: readonly Knock[] = [],
  tries: number | null = TRIES,
): Promise<Sent> {
  const left = knocks.map(knockHeader);
  let head = NO_KNOCK;
  let [lost, asking, silent, attempt, status] = [false, false, 0, 0, 0];
  try {
    for (;;) {
      asking = true;
      const answer = await asked(transport, letter, head);
      asking = false;
      status = answer?.status ?? 0;
      if (answer?.status === 201) return taken(visit, letter, msgId, answer.body);
      if (left.length && status === (head === NO_KNOCK ? FULL : WRONG_KNOCK)) {
        head = left.shift() as string;
        continue;
      }
      if (status === WRONG_KNOCK && head !== NO_KNOCK) head = NO_KNOCK; // none is left: like everybody from here
      else if (status !== 0 && !AGAIN.includes(status)) break;
      else if (status === FULL) silent = 0;
      else {
        lost = true; // 503 says "not taken"; with the others, and with no answer, nobody knows
        silent += 1;
      }
      attempt += 1;
      if (attempt === tries || silent === TRIES) break;
      await pause(attempt);
    }
  } catch (error) {
    if (error instanceof Stopped) throw new CannotWrite(lost || asking ? "stopped-unsure" : "stopped");
    if (!(error instanceof EnoughTries)) throw error;
  }
  throw lost ? new CannotWrite("unsure", status) : new CannotWrite("not-taken", status);
}

/** The answer, or null when none came. */
async function asked(transport: Transport, letter: Bytes, head: string): Promise<Answer | null> {
  try {
    return await transport.request("POST", "/v1/letters", { body: letter, headers: { [HEADER]: head } });
  } catch (error) {
    if (!(error instanceof NetworkFailed)) throw error;
    return null;
  }
}

/** Check the receipt before saying that the letter is in. */
function taken(visit: VerifiedVisit, letter: Bytes, msgId: Bytes, raw: Bytes): Sent {
  const leaf = entry("letter", letter);
  try {
    const { publishBy } = checkReceipt(visit, leaf, raw);
    const publishAt = closesAt(visit.directory.policy, publishBy);
    return { mark: msgId.slice(0, ACK_SIZE), leaf, publishBy, publishAt, receiptRaw: raw };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new CannotWrite("no-receipt");
  }
}
