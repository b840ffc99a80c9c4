// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Letters and changes of the passphrase, the source's side, as protocol/letter.py and change.py: 4096 bytes each, sealed
 * to the desk's epoch. Plaintext (2960): body' = LP("letter-body", msg_id, pk_S, A, psk, CBOR),
 * HMAC(K_letter, H(LP("letter-mac", body'))), zeros; a change carries a second MAC by the new keys behind the first.
 */

import { type Answers, answersItem } from "./answers.ts";
import { type Attachment, asItem } from "./attachment.ts";
import { type Bytes, concat, equal, filledTo, type Random } from "./bytes.ts";
import * as c from "./constants.ts";
import { type Cbor, encodeCbor, h, lp, ProtocolError, sized } from "./encoding.ts";
import type { EpochNote } from "./epoch.ts";
import { seal } from "./hpke.ts";
import { type Pair, pairKey, pairOfSource } from "./pair.ts";
import { mac } from "./primitives.ts";
import { sameThread, type SourceKeys, type ThreadKeys } from "./source_keys.ts";

export const MAX_READ = 64;
export const MAX_ATTACHED = 64; // in the letter itself; more than fit are named by a list

/** What a letter says. `way`: how it came. `read`: ids (16 bytes) of replies the person has read. */
export interface LetterBody {
  readonly language: string;
  readonly way: string;
  readonly text: string;
  readonly read: readonly Bytes[];
  readonly attachments: readonly Attachment[];
  /** When the attachments do not all fit, none of them and this one, whose content is the list (`encodeList`). */
  readonly listed: Attachment | null;
  /** To the desk's questions; when they do not fit, none, and `answersIn` is an attachment whose content they are. */
  readonly answers: Answers | null;
  readonly answersIn: Attachment | null;
}

function cborOf(body: LetterBody): Bytes {
  const value: { [key: string]: Cbor } = {
    kind: "letter",
    lang: body.language,
    way: body.way,
    text: body.text,
    read: body.read.map((id) => sized(id, c.REPLY_ID, "a reply's id")),
  };
  if (body.attachments.length) value["attachments"] = body.attachments.map(asItem);
  if (body.listed !== null) value["list"] = asItem(body.listed);
  if (body.answers !== null) value["answers"] = answersItem(body.answers);
  if (body.answersIn !== null) value["answers-in"] = asItem(body.answersIn);
  return encodeCbor(value);
}

/** CBOR; ProtocolError when it does not fit one letter (see `roomLeft`) or is not what a desk reads. */
export function encodeLetter(body: LetterBody): Bytes {
  if (body.attachments.length && body.listed !== null) throw new ProtocolError("letter: attachments are named in one way");
  if (body.answers !== null && body.answersIn !== null) throw new ProtocolError("letter: answers are given in one way");
  if (body.read.length > MAX_READ || body.attachments.length > MAX_ATTACHED) throw new ProtocolError("letter: too many items");
  const raw = cborOf(body);
  if (raw.length > c.LETTER_CBOR_MAX) throw new ProtocolError("a letter that is too long for one envelope");
  return raw;
}

/** How many bytes of UTF-8 text still fit; negative when it is too long already. */
export const roomLeft = (body: LetterBody): number => c.LETTER_CBOR_MAX - cborOf(body).length;

/** What the seal is bound to: LP("letter", door, desk, H(epoch note)). */
export const letterInfo = (note: EpochNote): Bytes => lp("letter", note.door, note.desk, note.hash);

const letterMac = (pair: Pair, framed: Bytes): Bytes => mac(pairKey(pair, "letter"), h(lp("letter-mac", framed)));

const frame = (keys: ThreadKeys, msgId: Bytes, cbor: Bytes): Bytes =>
  lp("letter-body", sized(msgId, c.MSG_ID, "a letter's id"), keys.sealKey.raw, keys.dh, keys.psk, cbor);

function padded(plain: Bytes): Bytes {
  if (plain.length > c.LETTER_PLAIN) throw new ProtocolError("a letter that is too long for one envelope");
  return filledTo(plain, c.LETTER_PLAIN);
}

/** The 2960 bytes of plaintext. */
export function frameLetter(pair: Pair, msgId: Bytes, cbor: Bytes): Bytes {
  const framed = frame(pair.threadKeys, msgId, cbor);
  return padded(concat(framed, letterMac(pair, framed)));
}

/** The 2960 bytes of a change: under the old keys, with the MACs of both. */
export function frameChange(before: Pair, after: Pair, msgId: Bytes, cbor: Bytes): Bytes {
  const framed = frame(before.threadKeys, msgId, cbor);
  return padded(concat(framed, letterMac(before, framed), letterMac(after, framed)));
}

function checkNote(keys: SourceKeys, note: EpochNote): void {
  if (!equal(note.door, keys.door) || note.desk !== keys.desk) throw new ProtocolError("an epoch of another desk");
}

/** 4096 bytes to `POST /v1/letters`; ProtocolError for another door's or desk's note, or a body too long. */
export function sealLetter(keys: SourceKeys, note: EpochNote, msgId: Bytes, body: LetterBody, random: Random): Bytes {
  checkNote(keys, note);
  return seal(note.sealKey, frameLetter(pairOfSource(keys, note), msgId, encodeLetter(body)), letterInfo(note), random);
}

/** What a change says: c0 of the old keys, and the keys that follow them. ProtocolError for the same keys, or of two desks. */
export function changeBody(before: SourceKeys, after: SourceKeys): Bytes {
  if (!equal(before.door, after.door) || before.desk !== after.desk) {
    throw new ProtocolError("a change from one desk to another");
  }
  if (sameThread(before.threadKeys, after.threadKeys)) throw new ProtocolError("a change to the same keys");
  const { sealKey, dh, psk } = after.threadKeys;
  return encodeCbor({ kind: "change", c0: before.c0, seal: sealKey.raw, dh, psk });
}

/** 4096 bytes like any letter's; ProtocolError for another desk's note or keys, or keys that stay the same. */
export function sealChange(before: SourceKeys, after: SourceKeys, note: EpochNote, msgId: Bytes, random: Random): Bytes {
  checkNote(before, note);
  const cbor = changeBody(before, after);
  const plain = frameChange(pairOfSource(before, note), pairOfSource(after, note), msgId, cbor);
  return seal(note.sealKey, plain, letterInfo(note), random);
}
