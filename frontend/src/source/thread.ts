// SPDX-License-Identifier: AGPL-3.0-or-later
/** Finding one's own replies in the sheets that everyone downloads, as source/thread.py. Pure: the server learns nothing of it. */

import type { VerifiedVisit } from "../client/visit.ts";
import { type Bytes, hex, isZero, same } from "../protocol/bytes.ts";
import { TAG_SIZE } from "../protocol/constants.ts";
import { closesAt } from "../protocol/directory.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import type { EpochNote } from "../protocol/epoch.ts";
import { NotOurs } from "../protocol/hpke.ts";
import { type Pair, pairKey, pairOfSource } from "../protocol/pair.ts";
import { openReply, type OpenedReply, type Place, replyTag } from "../protocol/reply.ts";
import { PAGE_RANDOM } from "../protocol/constants.ts";
import { slotOf } from "../protocol/sheet.ts";
import type { SourceKeys } from "../protocol/source_keys.ts";

/**
 * A reply as the source reads it. `at`: Unix seconds of the first sheet it was found in. `text` is null when this version
 * cannot read it. `acks`: marks of the letters that a human opened. `known`: the desk marked the thread as known.
 */
export interface Reply {
  readonly id: Bytes;
  readonly at: number;
  readonly text: string | null;
  readonly acks: readonly Bytes[];
  readonly known: boolean;
}

/** Every reply of one thread in the sheets of the last three weeks, oldest first; a re-placed one once. */
export function findReplies(visit: VerifiedVisit, keys: SourceKeys): Reply[] {
  const pairs = new Map<string, [Pair, Bytes] | null>();
  const found = new Map<string, Reply>();
  for (const sheet of visit.sheets) {
    sheet.heads.forEach((head, page) => {
      if (head.desk !== keys.desk || isZero(head.note)) return;
      const key = hex(head.note);
      if (!pairs.has(key)) pairs.set(key, pairWithTag(keys, visit.notes.get(key)));
      const pair = pairs.get(key);
      const bytes = sheet.pages[page];
      if (!pair || bytes === undefined) return;
      const r = bytes.subarray(0, PAGE_RANDOM);
      for (let slot = 0; slot < head.slots; slot += 1) {
        const opened = opens(keys, pair, { sheet: sheet.n, page, r, slot }, slotOf(bytes, slot));
        if (opened !== null && !found.has(hex(opened.replyId))) {
          found.set(hex(opened.replyId), replyOf(opened, closesAt(visit.directory.policy, sheet.close)));
        }
      }
    });
  }
  return [...found.values()];
}

function pairWithTag(keys: SourceKeys, note: EpochNote | undefined): [Pair, Bytes] | null {
  if (note === undefined) return null;
  try {
    const pair = pairOfSource(keys, note);
    return [pair, pairKey(pair, "tag")];
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return null; // a desk that published a bad value can place no reply under it
  }
}

function opens(keys: SourceKeys, [pair, tagKey]: [Pair, Bytes], place: Place, slot: Bytes): OpenedReply | null {
  if (!same(slot.subarray(0, TAG_SIZE), replyTag(tagKey, place))) return null;
  try {
    return openReply(pair, keys.openKey, place, slot);
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof NotOurs)) throw error;
    return null; // a tag without a reply behind it: noise
  }
}

function replyOf({ replyId, body }: OpenedReply, at: number): Reply {
  if (body === null) return { id: replyId, at, text: null, acks: [], known: false };
  return { id: replyId, at, text: body.text, acks: body.acks, known: body.known };
}
