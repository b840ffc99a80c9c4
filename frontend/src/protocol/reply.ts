// SPDX-License-Identifier: AGPL-3.0-or-later
/** Replies, the source's side, as protocol/reply.py: slots of 3072 bytes in a sheet's pages, tag (16) ‖ enc ‖ ciphertext. */

import { type Bytes, isZero, same } from "./bytes.ts";
import * as c from "./constants.ts";
import { decodeCbor, field, Fields, h, lp, ProtocolError, readLp, sized } from "./encoding.ts";
import type { OpenKey } from "./hpke.ts";
import { type Pair, pairKey } from "./pair.ts";
import { mac } from "./primitives.ts";

const MAX_ACKS = 64;

/** Where a slot is: sheet number, page number, the page's 16 random bytes, slot number. A tag counts only there. */
export interface Place {
  readonly sheet: number;
  readonly page: number;
  readonly r: Bytes;
  readonly slot: number;
}

/** What a reply says. `acks`: the first 8 bytes of the ids of letters a human opened. `known`: marked as known. */
export interface ReplyBody {
  readonly text: string;
  readonly acks: readonly Bytes[];
  readonly known: boolean;
}

/** ProtocolError for anything else than a reply's body of this version. */
export function parseReplyBody(raw: Bytes): ReplyBody {
  const f = new Fields(decodeCbor(raw), "reply");
  const text = f.text("text");
  const acks = f.items("acks", MAX_ACKS).map((ack) => {
    if (!(ack instanceof Uint8Array) || ack.length !== c.ACK_SIZE) {
      throw new ProtocolError("reply: 'acks' holds something else than letters' marks");
    }
    return ack;
  });
  const known = f.flag("known");
  f.done();
  return { text, acks, known };
}

/** A reply whose tag, seal and MAC hold. `body` is null when this version cannot read `cbor`. */
export interface OpenedReply {
  readonly place: Place;
  readonly replyId: Bytes;
  readonly cbor: Bytes;
  readonly body: ReplyBody | null;
}

/** HMAC(K_tag, LP("reply-tag", n, page, r, j))[:16]. */
export const replyTag = (tagKey: Bytes, p: Place): Bytes =>
  mac(tagKey, lp("reply-tag", p.sheet, p.page, p.r, p.slot)).subarray(0, c.TAG_SIZE);

/**
 * Open a slot whose tag was found to be ours.
 *
 * NotOurs when it does not open; ProtocolError when the tag, the padding or the MAC is wrong.
 */
export function openReply(pair: Pair, openKey: OpenKey, p: Place, slot: Bytes): OpenedReply {
  sized(slot, c.SLOT_SIZE, "a slot");
  if (!same(slot.subarray(0, c.TAG_SIZE), replyTag(pairKey(pair, "tag"), p))) {
    throw new ProtocolError("a slot that is not this thread's");
  }
  const { note } = pair;
  const info = lp("reply", note.door, note.desk, note.hash, p.sheet, p.page, p.r, p.slot);
  const plain = openKey.open(slot.subarray(c.TAG_SIZE), info);
  const [fields, used] = readLp("reply-body", 2, plain);
  const replyId = sized(field(fields, 0), c.REPLY_ID, "a reply's id");
  const cbor = field(fields, 1);
  if (used + c.MAC_SIZE > plain.length || !isZero(plain.subarray(used + c.MAC_SIZE))) {
    throw new ProtocolError("a reply that is not padded as it must be");
  }
  const message = h(lp("reply-mac", p.sheet, p.page, p.r, p.slot, plain.subarray(0, used)));
  if (!same(mac(pairKey(pair, "reply"), message), plain.subarray(used, used + c.MAC_SIZE))) {
    throw new ProtocolError("a reply whose writer does not hold the thread's keys");
  }
  try {
    return { place: p, replyId, cbor, body: parseReplyBody(cbor) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { place: p, replyId, cbor, body: null };
  }
}
