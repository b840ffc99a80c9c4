// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * The check of `/visit`, as client/visit.py: what a page does before it believes anything.
 *
 * In this order: the door; the root keys' chain; directories, their signatures and chain; the quorum of the newest one's
 * witnesses; the checkpoint's signature; the root recomputed from the hashes; consistency with a pin, if there is one; the
 * manifest as last leaf; what the manifest names (sheets, directory, epoch notes with their signatures); the clock, and by
 * it the age of the cosignatures. For every failure but the clock the person is told one same sentence.
 */

import { openCheckpoint } from "../log/checkpoint.ts";
import type { Witnessed } from "../log/cosignature.ts";
import { LogError, NotDerivable } from "../log/errors.ts";
import { leafHash, type Ranges, rootAt, rootOf } from "../log/tree.ts";
import { type Bytes, equal, hex, isZero } from "../protocol/bytes.ts";
import * as c from "../protocol/constants.ts";
import {
  batchAt, checkSuccessor, closesAt, type Desk, deskOf, type Directory, doorNamedBy, openDirectory, type SignedDirectory,
} from "../protocol/directory.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import { entry } from "../protocol/entry.ts";
import { type EpochNote, type EpochSignature, parseEpochNote, parseEpochSignature, signatureHolds } from "../protocol/epoch.ts";
import { type Manifest, parseManifest } from "../protocol/manifest.ts";
import { parseRootNote, RootChain } from "../protocol/root_note.ts";
import { parseSheet, type Sheet, sheetIndexHash } from "../protocol/sheet.ts";
import { entriesStart, level1Start, parseVisit, sizeOf, type Visit } from "../protocol/visit.ts";
import type { Pin } from "./pin.ts";
import { checkFresh, quorumOf } from "./quorum.ts";

const AHEAD_SECONDS = 600;

/** Is this the door that the person means? */
export type DoorCheck = (door: Bytes) => boolean;

/** It cannot be trusted: one sentence for the person whatever failed. `reason` says which check, for tests, in English. */
export class VisitRefused extends Error {
  override name = "VisitRefused";

  constructor(readonly reason: string) {
    super("What this address serves cannot be trusted.");
  }
}

/**
 * The newest batch is far from this device's time: `seconds` old, or negative when it lies ahead. `addresses`: where the
 * door answers by the directory that was shown, whose root signatures hold.
 */
export class ClockOff extends Error {
  override name = "ClockOff";

  constructor(
    readonly seconds: number,
    readonly addresses: readonly string[],
  ) {
    super("This device's clock and the door's newest batch are far apart.");
  }
}

/** What `/visit` proved. `notes`: epoch notes by the hexadecimal digits of their hash. */
export interface VerifiedVisit {
  readonly directory: Directory;
  readonly manifest: Manifest;
  readonly manifestRaw: Bytes;
  readonly sheets: readonly Sheet[];
  readonly notes: ReadonlyMap<string, EpochNote>;
  readonly entries: readonly Bytes[];
  readonly pin: Pin;
  readonly cosigned: readonly Witnessed[];
  /** Reading goes on, writing stops. */
  readonly expired: boolean;
}

/** The epoch that letters to `desk` are sealed to now; null when the desk is not open. */
export function noteOf(visit: VerifiedVisit, desk: string): EpochNote | null {
  const named = visit.manifest.notes.get(desk);
  return named === undefined ? null : (visit.notes.get(hex(named)) ?? null);
}

/** Is this entry among those of the last two days? */
export const hasLeaf = (visit: VerifiedVisit, leaf: Bytes): boolean => visit.entries.some((e) => equal(e, leaf));

/** Verify the whole file. VisitRefused or ClockOff otherwise. `now`: Unix seconds by this device. */
export function checkVisit(raw: Bytes, isDoor: DoorCheck, now: number, pin: Pin | null): VerifiedVisit {
  const steps = visitSteps(raw, isDoor, now, pin);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** As `checkVisit`; `breathe` is awaited between steps of some milliseconds, so that a page stays alive meanwhile. */
export async function checkVisitSlowly(
  raw: Bytes,
  isDoor: DoorCheck,
  now: number,
  pin: Pin | null,
  breathe: () => Promise<void>,
): Promise<VerifiedVisit> {
  const steps = visitSteps(raw, isDoor, now, pin);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await breathe();
  }
}

type Steps<T> = Generator<void, T, void>;

function* visitSteps(raw: Bytes, isDoor: DoorCheck, now: number, pin: Pin | null): Steps<VerifiedVisit> {
  try {
    return yield* verified(raw, isDoor, now, pin);
  } catch (error) {
    if (error instanceof ClockOff) throw error;
    const ours = error instanceof ProtocolError || error instanceof LogError;
    throw new VisitRefused(ours ? error.message : `unforeseen: ${String(error)}`); // no bytes may do worse than be refused
  }
}

function* verified(raw: Bytes, isDoor: DoorCheck, now: number, pin: Pin | null): Steps<VerifiedVisit> {
  const visit = parseVisit(raw);
  const roots = rootsOf(visit, isDoor);
  yield;
  const [byHash, newest] = yield* directoriesOf(visit, roots);
  const { directory } = newest;
  const cosigned = quorumOf(visit.checkpoint, directory);
  yield;
  const ranges: Ranges = { level2: visit.level2, level1: visit.level1, leaves: visit.entries.map(leafHash) };
  const root = checkLog(visit, ranges, directory);
  const fresh = pinOf(visit, ranges, root, newest, roots, parseManifest(visit.manifest).n);
  if (pin !== null) follows(ranges, fresh, pin, roots);
  yield;
  const last = visit.entries[visit.entries.length - 1];
  if (last === undefined || !equal(entry("manifest", visit.manifest), last)) {
    throw new ProtocolError("the manifest is not the last leaf");
  }
  const manifest = parseManifest(visit.manifest);
  if (!equal(manifest.directory, newest.hash)) {
    throw new ProtocolError("the manifest names another directory than the newest");
  }
  const sheets = sheetsOf(visit, manifest, byHash);
  yield;
  const notes = yield* notesOf(visit, manifest, directory, sheets, byHash);
  const closed = closesAt(directory.policy, manifest.n);
  const age = now - closed;
  const { tick } = directory.policy;
  if (age < -(AHEAD_SECONDS + 2 * tick)) throw new ClockOff(age, []);
  // what a closing says stays true for ever, whoever keeps the file after the server has gone
  if (age > Math.max(c.VISIT_FRESH_TICKS * tick, AHEAD_SECONDS) && directory.closed === null) {
    throw new ClockOff(age, directory.addresses);
  }
  checkFresh(cosigned, directory, closed, now, AHEAD_SECONDS); // last: a clock that is off is told apart from witnesses that are
  return {
    directory,
    manifest,
    manifestRaw: visit.manifest,
    sheets,
    notes,
    entries: visit.entries,
    pin: fresh,
    cosigned,
    expired: batchAt(directory.policy, now) >= directory.expires,
  };
}

/** The root keys from the founding, whose hash is the door, to those in force. */
function rootsOf(visit: Visit, isDoor: DoorCheck): RootChain {
  const [first] = visit.directories;
  if (first === undefined) throw new ProtocolError("no directory");
  const [rotation] = visit.roots;
  const door = rotation === undefined ? doorNamedBy(first) : parseRootNote(rotation).door;
  if (!isDoor(door)) throw new ProtocolError("another door");
  return new RootChain(door).follow(visit.roots);
}

type ByHash = ReadonlyMap<string, SignedDirectory>;

/** Each under keys that were in force once, never going back; the newest under those in force now. */
function* directoriesOf(visit: Visit, roots: RootChain): Steps<[ByHash, SignedDirectory]> {
  const byHash = new Map<string, SignedDirectory>();
  let before: SignedDirectory | null = null;
  for (const raw of visit.directories) {
    const signed = openDirectory(raw, roots);
    if (before !== null) {
      const step = signed.directory.seq - before.directory.seq;
      if (step <= 0) throw new ProtocolError("directories out of order");
      if (step === 1) checkSuccessor(before, signed);
      if (before.directory.closed !== null) throw new ProtocolError("a directory after the closing of its door");
      if (signed.root < before.root) throw new ProtocolError("a directory signed by root keys that were replaced");
    }
    byHash.set(hex(signed.hash), signed);
    before = signed;
    yield;
  }
  if (before === null || before.root !== roots.number) {
    throw new ProtocolError("a root rotation without a directory of the new keys");
  }
  return [byHash, before];
}

function checkLog(visit: Visit, ranges: Ranges, directory: Directory): Bytes {
  const checkpoint = openCheckpoint(visit.checkpoint, { name: directory.origin, key: directory.logKey });
  if (visit.level2.length * c.LEVEL2_SPAN !== level1Start(entriesStart(visit))) {
    throw new ProtocolError("hashes coarser or finer than those of a /visit"); // coarser ones would hide a fork from pins
  }
  const root = rootOf(ranges);
  if (checkpoint.size !== sizeOf(visit) || !equal(checkpoint.root, root)) {
    throw new ProtocolError("the hashes do not give the checkpoint's root");
  }
  return root;
}

const roundedTo = (size: number, span: number): number => Math.floor(size / span) * span;

function pinOf(visit: Visit, ranges: Ranges, root: Bytes, newest: SignedDirectory, roots: RootChain, batch: number): Pin {
  const size = sizeOf(visit);
  return {
    size,
    root,
    root256: rootAt(roundedTo(size, c.LEVEL1_SPAN), ranges),
    root65536: rootAt(roundedTo(size, c.LEVEL2_SPAN), ranges),
    seq: newest.directory.seq,
    directory: newest.hash,
    batch,
    rotations: roots.number,
    head: roots.head(),
    closed: newest.directory.closed !== null,
  };
}

/**
 * Is this the log that was pinned, grown? Compared at the exact size when it is recent, else rounded down: a server that
 * forks its log chooses which leaves it folds into one hash, and what an honest one lists must be there.
 */
function follows(ranges: Ranges, fresh: Pin, pin: Pin, roots: RootChain): void {
  if (fresh.size < pin.size || fresh.batch < pin.batch || fresh.seq < pin.seq) {
    throw new ProtocolError("older than what was seen before");
  }
  if (!equal(roots.head(pin.rotations), pin.head)) throw new ProtocolError("other root keys than those seen before");
  if (pin.closed && fresh.seq > pin.seq) throw new ProtocolError("a directory after the closing of its door");
  if (fresh.seq === pin.seq && !equal(fresh.directory, pin.directory)) {
    throw new ProtocolError("another directory under the same number");
  }
  const spans: [number, Bytes][] = [[1, pin.root]];
  if (fresh.batch - pin.batch > c.VISIT_BATCHES) spans.push([c.LEVEL1_SPAN, pin.root256], [c.LEVEL2_SPAN, pin.root65536]);
  for (const [span, root] of spans) {
    let seen: Bytes;
    try {
      seen = rootAt(roundedTo(pin.size, span), ranges);
    } catch (error) {
      if (error instanceof NotDerivable) continue;
      throw error;
    }
    if (!equal(seen, root)) throw new ProtocolError("another log than the one seen before");
    return;
  }
  throw new ProtocolError("a log that cannot be compared with the one seen before");
}

function sheetsOf(visit: Visit, manifest: Manifest, directories: ByHash): Sheet[] {
  const sheets = visit.sheets.map(parseSheet);
  if (!equal(sheetIndexHash(sheets), manifest.sheets)) {
    throw new ProtocolError("the sheets are not those that the manifest names");
  }
  for (const sheet of sheets) {
    const directory = directories.get(hex(sheet.directory))?.directory;
    if (directory === undefined) throw new ProtocolError("a sheet's directory is missing");
    const owners = directory.pages;
    if (
      owners.length !== sheet.heads.length ||
      c.sheetOf(sheet.close) !== sheet.n ||
      sheet.heads.some((head, i) => head.desk !== owners[i]?.desk || head.slots !== directory.policy.slots)
    ) {
      throw new ProtocolError("a sheet that is not as its directory says");
    }
  }
  checkInForce(visit, sheets, directories);
  return sheets;
}

/**
 * Did each sheet close under the directory it names? Else a server could give a former member's pages a say again.
 * Exactly, for sheets among `entries`; before those, directories may at least not go back.
 */
function checkInForce(visit: Visit, sheets: readonly Sheet[], directories: ByHash): void {
  const firsts = new Map<string, number>(); // of a leaf that is logged twice a directory's first counts, a sheet's last
  const lasts = new Map<string, number>();
  visit.entries.forEach((leaf, place) => {
    const key = hex(leaf);
    if (!firsts.has(key)) firsts.set(key, place);
    lasts.set(key, place);
  });
  const logged = [...directories.values()].map(
    (d) => [firsts.get(hex(entry("directory", d.raw))) ?? -1, d.directory.seq] as const,
  );
  let last = 0;
  for (const sheet of sheets) {
    const named = (directories.get(hex(sheet.directory)) as SignedDirectory).directory.seq;
    const at = lasts.get(hex(entry("sheet", sheet.raw)));
    const inForce = Math.max(0, ...logged.filter(([place]) => place < (at ?? 0)).map(([, seq]) => seq));
    if (named < last || (at !== undefined && named !== inForce)) {
      throw new ProtocolError("a sheet under another directory than the one in force");
    }
    last = named;
  }
}

interface Given {
  readonly note: EpochNote;
  readonly signatures: readonly EpochSignature[];
}

function* notesOf(
  visit: Visit,
  manifest: Manifest,
  newest: Directory,
  sheets: readonly Sheet[],
  directories: ByHash,
): Steps<ReadonlyMap<string, EpochNote>> {
  const given = new Map<string, Given>();
  for (const [raw, signatures] of visit.epochs) {
    const note = parseEpochNote(raw);
    given.set(hex(note.hash), { note, signatures: signatures.map(parseEpochSignature) });
  }
  const named: [Directory, string, Bytes, number][] = [];
  for (const [desk, digest] of manifest.notes) named.push([newest, desk, digest, c.dayOf(manifest.n)]);
  for (const sheet of sheets) {
    const { directory } = directories.get(hex(sheet.directory)) as SignedDirectory;
    for (const { desk, note } of sheet.heads) {
      if (!isZero(note)) named.push([directory, desk, note, c.dayOf(sheet.close)]);
    }
  }
  const held = new Map<string, EpochNote>();
  const checked = new Set<string>();
  for (const [directory, deskId, digest, day] of named) {
    const key = hex(digest);
    const once = `${key} ${deskId} ${day} ${directory.seq}`;
    if (checked.has(once)) continue;
    const found = given.get(key);
    const desk = deskOf(directory, deskId);
    if (found === undefined || desk === undefined || found.note.day !== day || !equal(found.note.door, directory.door)) {
      throw new ProtocolError("an epoch that is missing or not its day's");
    }
    if (!isValid(desk, found)) throw new ProtocolError("an epoch that its desk did not sign");
    checked.add(once);
    held.set(key, found.note);
    yield;
  }
  return held;
}

/** Is the note this desk's, of its present gen, and signed by enough of its present members? As keystate.is_valid. */
function isValid(desk: Desk, { note, signatures }: Given): boolean {
  if (note.desk !== desk.id || note.gen !== desk.gen) return false;
  const needed = c.signaturesNeeded(desk.members.length);
  let signed = 0;
  for (const member of desk.members) {
    const holds = signatures.some(
      (s) => s.member === member.id && equal(s.noteHash, note.hash) && signatureHolds(s, member.signKey),
    );
    if (holds) signed += 1;
    if (signed >= needed) return true;
  }
  return false;
}
