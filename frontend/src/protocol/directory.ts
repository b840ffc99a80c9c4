// SPDX-License-Identifier: AGPL-3.0-or-later
/** The directory, as protocol/directory.py: what the organisation says of itself, under both root signatures. */

import { type Bytes, characters, equal, hex, isPrintable, isZero } from "./bytes.ts";
import { checkClosing, type Closing, decodeClosing, LANGUAGE } from "./closing.ts";
import * as c from "./constants.ts";
import { type Cbor, decodeCbor, field, Fields, h, lp, parseLp, ProtocolError } from "./encoding.ts";
import { isName } from "./names.ts";
import { checkEd25519, checkX25519 } from "./primitives.ts";
import { type Both, doorOf, RootChain, rootPublic, rootSignature, rootVerify } from "./root_note.ts";
import { checkWitnesses, decodeWitness, type Witness } from "./witness.ts";

const ORIGIN = /^[a-z0-9](?:[a-z0-9./-]{0,98}[a-z0-9])?$/;
const MAX_DESKS = 64;
const MAX_MEMBERS = 32;
const MAX_PAGES = 64;
const MAX_SLOTS = 128;
const MAX_SIGNED = 256 * 1024;

/** One who answers at a desk: Ed25519 signing key and X25519 request key, 32 bytes each. */
export interface Member {
  readonly id: string;
  readonly signKey: Bytes;
  readonly requestKey: Bytes;
}

/** A team inside the organisation. `gen` rises only when a member is removed. */
export interface Desk {
  readonly id: string;
  readonly gen: number;
  readonly titles: ReadonlyMap<string, string>;
  readonly greetings: ReadonlyMap<string, string>;
  readonly members: readonly Member[];
  /** What it asks whoever writes, as CBOR has it: `decodeQuestions` looks at their rules when they are asked. */
  readonly questions: readonly Cbor[];
}

/** Which member of which desk fills a page of the sheets. */
export interface PageOwner {
  readonly desk: string;
  readonly member: string;
}

/** The door's figures. `tick` (seconds) and `started` (Unix seconds of batch 0's close) never change. */
export interface Policy {
  readonly tick: number;
  readonly started: number;
  readonly letters: number;
  readonly queue: number;
  readonly slots: number;
  readonly eraseDays: number;
  readonly answerDays: number;
  readonly keepDays: number;
  readonly attachment: number;
}

/** The number of the newest batch whose nominal close is not after `now` (Unix seconds); negative before the founding. */
export const batchAt = (p: Policy, now: number): number => Math.floor((now - p.started) / p.tick);

/** Unix seconds of the nominal close of `batch`. */
export const closesAt = (p: Policy, batch: number): number => p.started + batch * p.tick;

/** A directory's content. `issued` and `expires` are batch numbers; hashes are 32 bytes. */
export interface Directory {
  readonly door: Bytes;
  readonly seq: number;
  readonly previous: Bytes;
  readonly issued: number;
  readonly expires: number;
  readonly origin: string;
  readonly logKey: Bytes;
  readonly receiptKey: Bytes;
  readonly requestKey: Bytes;
  readonly addresses: readonly string[];
  readonly policy: Policy;
  readonly desks: readonly Desk[];
  readonly pages: readonly PageOwner[];
  readonly witnesses: readonly Witness[];
  readonly quorum: number;
  /** The door is closed for good: the last directory. */
  readonly closed: Closing | null;
  /** Who signs the list of the door's pages, and the lowest number of one that counts. */
  readonly site: readonly [Bytes, number] | null;
}

/** The desk with that id. */
export const deskOf = (d: Directory, id: string): Desk | undefined => d.desks.find((desk) => desk.id === id);

/** The member with that id; ids are unique in a directory. */
export const memberOf = (d: Directory, id: string): Member | undefined =>
  d.desks.flatMap((desk) => desk.members).find((member) => member.id === id);

/** A directory whose root signatures were checked: only `openDirectory` makes it. `root`: after how many rotations its keys came into force. */
export interface SignedDirectory {
  readonly directory: Directory;
  readonly raw: Bytes;
  readonly hash: Bytes;
  readonly root: number;
}

/** The content of a body; ProtocolError when it is not what the organisation's program writes. */
export function decodeDirectory(body: Bytes): Directory {
  const f = new Fields(decodeCbor(body), "directory");
  if (f.count("v") !== 1) throw new ProtocolError("a directory of a version that this program does not know");
  const p = new Fields(f.take("policy"), "policy");
  const policy: Policy = {
    tick: p.count("tick"),
    started: p.count("started"),
    letters: p.count("letters"),
    queue: p.count("queue"),
    slots: p.count("slots"),
    eraseDays: p.count("erase-days"),
    answerDays: p.count("answer-days"),
    keepDays: p.count("keep-days"),
    attachment: p.count("attachment"),
  };
  p.done();
  const directory: Directory = {
    door: f.raw("door", c.HASH_SIZE),
    seq: f.count("seq"),
    previous: f.raw("previous", c.HASH_SIZE),
    issued: f.count("issued"),
    expires: f.count("expires"),
    origin: f.text("origin"),
    logKey: f.raw("log", c.ED25519_PUBLIC),
    receiptKey: f.raw("receipt", c.ED25519_PUBLIC),
    requestKey: f.raw("request", 32),
    addresses: f.items("addresses", 32).map((a) => text(a, "addresses")),
    policy,
    desks: f.items("desks", MAX_DESKS).map(decodeDesk),
    pages: f.items("pages", MAX_PAGES).map(decodePage),
    witnesses: f.items("witnesses", c.MAX_WITNESSES).map(decodeWitness),
    quorum: f.count("quorum"),
    closed: decodeClosing(f.take("closed")),
    site: f.has("site") ? decodeSite(f.take("site")) : null,
  };
  f.done();
  checkDirectory(directory);
  return directory;
}

function text(value: Cbor | undefined, what: string): string {
  if (typeof value !== "string") throw new ProtocolError(`directory: '${what}' holds something else than texts`);
  return value;
}

function decodeDesk(value: Cbor): Desk {
  const f = new Fields(value, "desk");
  const members = f.items("members", MAX_MEMBERS).map((item): Member => {
    const m = new Fields(item, "member");
    const member = { id: m.text("id"), signKey: m.raw("sign", c.ED25519_PUBLIC), requestKey: m.raw("request", 32) };
    m.done();
    return member;
  });
  const desk = {
    id: f.text("id"),
    gen: f.count("gen"),
    titles: f.texts("titles", 64, 200),
    greetings: f.texts("greetings", 64, 4000),
    members,
    questions: f.has("questions") ? f.items("questions", c.MAX_QUESTIONS) : [],
  };
  f.done();
  return desk;
}

function decodeSite(value: Cbor): readonly [Bytes, number] {
  const [key, least] = Array.isArray(value) && value.length === 2 ? (value as readonly Cbor[]) : [];
  if (!(key instanceof Uint8Array) || key.length !== c.ED25519_PUBLIC || typeof least !== "number" || least < 1) {
    throw new ProtocolError("directory: 'site' is not a key and a number");
  }
  return [key, least];
}

function decodePage(value: Cbor): PageOwner {
  if (!Array.isArray(value) || value.length !== 2) throw new ProtocolError("directory: a page is not a desk and a member");
  const [desk, member] = value as readonly Cbor[];
  return { desk: text(desk, "pages"), member: text(member, "pages") };
}

function checkDirectory(d: Directory): void {
  const need = (holds: boolean, sentence: string): void => {
    if (!holds) throw new ProtocolError(`directory: ${sentence}`);
  };
  const within = (value: number, low: number, high: number): boolean => low <= value && value <= high;
  const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;
  const p = d.policy;
  need(within(p.tick, 1, 86_400), "a tick lasts from 1 second to a day");
  need(within(p.started, 1, 2 ** 40 - 1), "'started' is not a time");
  need(within(p.letters, 1, 4096), "a batch has from 1 to 4096 letters");
  need(within(p.queue, p.letters, 1_000_000), "the queue holds at least one batch and at most a million letters");
  need(within(p.slots, 1, 256), "a page has from 1 to 256 slots");
  need(within(p.eraseDays, c.MIN_ERASE_DAYS, 28), "keys are erased after 4 to 28 days");
  need(within(p.answerDays, 1, 366), "the promised response time is from 1 to 366 days");
  need(p.keepDays === 0 || within(p.keepDays, c.MIN_KEEP_DAYS, c.MAX_KEEP_DAYS), "threads are kept for 30 to 3660 days");
  need(within(p.attachment, 0, c.MAX_ATTACHMENT), "an attachment that is too large");
  need(d.seq >= 1, "the first has seq 1");
  need(d.issued < d.expires, "it runs out before it was signed");
  need((d.seq === 1) === isZero(d.previous), "only the first names none before it");
  need(ORIGIN.test(d.origin), "the origin is lower-case letters, digits, dots, slashes and hyphens");
  need(
    d.addresses.every((a) => within(characters(a), 1, 200) && isPrintable(a) && !a.includes(" ")),
    "an address is not one",
  );
  const members = d.desks.flatMap((desk) => desk.members);
  const signing = [d.logKey, d.receiptKey, ...members.map((m) => m.signKey)];
  for (const key of d.site ? [...signing, d.site[0]] : signing) checkEd25519(key);
  for (const key of [d.requestKey, ...members.map((m) => m.requestKey)]) checkX25519(key);
  need(distinct(d.desks.map((desk) => desk.id)), "two desks have the same id");
  need(distinct(members.map((m) => m.id)), "two members have the same id");
  need(distinct(members.map((m) => hex(m.signKey))), "two members have the same key");
  need(distinct(members.map((m) => hex(m.requestKey))), "two members have the same key");
  need([...members, ...d.desks].every(({ id }) => isName(id)), "an id is not lower-case letters, digits and hyphens");
  for (const desk of d.desks) {
    need(within(desk.gen, 1, d.seq), "a desk's gen is from 1 to the directory's number");
    need(within(desk.members.length, 1, MAX_MEMBERS), "a desk has too many members, or none");
    need(desk.titles.size > 0, "a desk has a title in at least one language");
    need([...desk.titles.keys(), ...desk.greetings.keys()].every((x) => LANGUAGE.test(x)), "a language is a tag such as 'en'");
  }
  need(within(d.pages.length, 1, MAX_PAGES), "a sheet has too many pages, or none");
  need(d.pages.length * p.slots <= MAX_SLOTS, "a sheet has too many slots in all");
  for (const page of d.pages) {
    need(!!deskOf(d, page.desk)?.members.some((m) => m.id === page.member), "a page belongs to nobody at that desk");
  }
  need(!d.site || !signing.map(hex).includes(hex(d.site[0])), "the site's key signs something else too");
  checkWitnesses(d.witnesses, d.quorum, d.origin);
  checkClosing(d.closed);
}

/** The root keys that the signed bytes name; nothing is proved by it. ProtocolError when they cannot be read. */
export function directoryKeys(raw: Bytes): Both {
  const f = parseLp("directory-signed", 5, raw);
  return rootPublic(field(f, 1), field(f, 2));
}

/** Check the signatures and that the root keys were in force once: whether they still are is the log's order. */
export function openDirectory(raw: Bytes, roots: RootChain): SignedDirectory {
  if (raw.length > MAX_SIGNED) throw new ProtocolError("a directory that is too long");
  const f = parseLp("directory-signed", 5, raw);
  const body = field(f, 0);
  const keys = rootPublic(field(f, 1), field(f, 2));
  const number = roots.numberOf(keys);
  if (number === null) throw new ProtocolError("a directory of another door");
  const signed = lp("directory", body);
  if (!rootVerify(keys, signed, rootSignature(field(f, 3), field(f, 4)))) {
    throw new ProtocolError("a directory whose signatures do not hold");
  }
  const directory = decodeDirectory(body);
  if (!equal(directory.door, roots.door)) {
    throw new ProtocolError("a directory that names another door than its own keys");
  }
  return { directory, raw, hash: h(signed), root: number };
}

/** ProtocolError unless `after` may follow `before` directly. */
export function checkSuccessor(before: SignedDirectory, after: SignedDirectory): void {
  const [a, b] = [before.directory, after.directory];
  if (b.seq !== a.seq + 1 || !equal(b.previous, before.hash)) {
    throw new ProtocolError("a directory that does not follow the one before it");
  }
  if (!equal(a.door, b.door)) throw new ProtocolError("a directory of another door");
  if (a.closed !== null) throw new ProtocolError("a directory after the closing of its door");
  if (after.root < before.root) throw new ProtocolError("a directory signed by root keys that were replaced");
  if (a.policy.tick !== b.policy.tick || a.policy.started !== b.policy.started) {
    throw new ProtocolError("a directory that changes the door's clock");
  }
  if (a.origin !== b.origin || !equal(a.logKey, b.logKey)) {
    throw new ProtocolError("a directory that changes the log's origin or key");
  }
  if (b.policy.letters < a.policy.letters || b.policy.queue < a.policy.queue) {
    throw new ProtocolError("a directory that makes batches or the queue smaller");
  }
  for (const desk of b.desks) {
    const old = deskOf(a, desk.id);
    if (old === undefined) {
      if (desk.gen !== b.seq) throw new ProtocolError("a directory with a new desk whose gen is not the directory's number");
      continue;
    }
    const removed = old.members.some((m) => !desk.members.some((n) => sameMember(m, n)));
    if (desk.gen < old.gen || (removed && desk.gen === old.gen)) {
      throw new ProtocolError("a directory that removes a member without raising the desk's gen");
    }
  }
}

const sameMember = (a: Member, b: Member): boolean =>
  a.id === b.id && equal(a.signKey, b.signKey) && equal(a.requestKey, b.requestKey);

/** Whose door these directories' root keys or rotations say they are; nothing is proved by it. */
export const doorNamedBy = (directory: Bytes): Bytes => doorOf(directoryKeys(directory));
