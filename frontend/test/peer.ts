// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What Python's tests speak with: a line of JSON asks, a line of JSON answers. All bytes are base64.
 *
 * Asked: {do, ...}. While an act needs the door, a line {request: {method, path, body, headers}} goes out and the answer
 * {status, body} (or {failed: true}) is awaited; at last {done: ...}, or {error: name, why} for what it threw.
 */

import { createInterface } from "node:readline";
import { type Answer, NetworkFailed, type Transport } from "../src/client/transport.ts";
import type { VerifiedVisit } from "../src/client/visit.ts";
import { check as problemsOf, type Given, kept as keptOf, shown as shownOf } from "../src/protocol/answers.ts";
import { type Bytes, hex } from "../src/protocol/bytes.ts";
import { type Cbor, decodeCbor, encodeCbor, h } from "../src/protocol/encoding.ts";
import { encodeLetter } from "../src/protocol/letter.ts";
import { decodeQuestions, type Question } from "../src/protocol/questions.ts";
import * as constants from "../src/protocol/constants.ts";
import { argon2 } from "../src/protocol/argon2.ts";
import { MistypedPassphrase, parseInAny } from "../src/protocol/passphrase.ts";
import { CODES, fold } from "../src/protocol/wordlist.ts";
import { oneLine } from "../src/page/lines.ts";
import { asDate } from "../src/page/questions.ts";
import { parseCheckpoint } from "../src/log/checkpoint.ts";
import { parseNote } from "../src/log/note.ts";
import { parseAdmitted } from "../src/protocol/attachment.ts";
import { decodeDirectory } from "../src/protocol/directory.ts";
import { parseEpochNote, parseEpochSignature } from "../src/protocol/epoch.ts";
import { parseManifest } from "../src/protocol/manifest.ts";
import { openReceipt } from "../src/protocol/receipt.ts";
import { parseReplyBody } from "../src/protocol/reply.ts";
import { parseRootNote } from "../src/protocol/root_note.ts";
import { parseSheet } from "../src/protocol/sheet.ts";
import { parseVisit } from "../src/protocol/visit.ts";
import * as s from "../src/source/session.ts";
import { ENDINGS } from "../src/source/upload.ts";
import { type Asked, check, isDoor, type Json, unpack } from "./checking.ts";
import { ENGLISH, listFile } from "./tools.ts";

const pack = (raw: Bytes): string => Buffer.from(raw).toString("base64");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
const hear = async (): Promise<Asked | null> => {
  const { value, done } = await lines.next();
  return done ? null : (JSON.parse(value) as Asked);
};

/** Every request goes out as a line. */
const wire: Transport = {
  async request(method, path, ask = {}): Promise<Answer> {
    say({ request: { method, path, body: pack(ask.body ?? new Uint8Array(0)), headers: ask.headers ?? {} } });
    const answer = await hear();
    if (answer === null || answer["failed"]) throw new NetworkFailed();
    return { status: answer["status"] as number, body: unpack(answer["body"]) };
  },
};

const lists = new s.WordLists((language) => Promise.resolve(listFile(language)));
const sources = new Map<string, s.Source>();
const atOnce = (): Promise<void> => Promise.resolve();

/** Everything that the page takes apart, by the names that `test_frontend_parsers.py` has for it. */
const PARSERS: { readonly [kind: string]: (raw: Bytes, key: Bytes) => unknown } = {
  admitted: parseAdmitted,
  checkpoint: (raw) => parseCheckpoint(parseNote(raw).text),
  directory: (raw) => decodeDirectory(raw).desks.forEach(({ questions }) => decodeQuestions(questions)), // which it does when it asks them
  epoch: parseEpochNote,
  manifest: parseManifest,
  receipt: openReceipt,
  "reply body": parseReplyBody,
  "root note": parseRootNote,
  sheet: parseSheet,
  signature: parseEpochSignature,
  visit: parseVisit,
};

/** Nothing for what is taken, else what was thrown. */
function thrownBy(act: () => unknown): Json {
  try {
    act();
    return null;
  } catch (error) {
    const { name, message } = error as Error;
    return [name, message];
  }
}

const look = (asked: Asked): Promise<VerifiedVisit> =>
  s.fetchVisit(wire, { isDoor: isDoor(asked), now: () => asked["now"] as number });

/** The source of a seed, which Python gives: Argon2id is looked at elsewhere. */
async function sourceOf(asked: Asked, name = "seed"): Promise<s.Source> {
  const key = asked[name] as string;
  const found = sources.get(key) ?? new s.Source(unpack(key), unpack(asked["door"]), true);
  sources.set(key, found);
  return found;
}

const givenOf = (value: Json | undefined): Given => new Map(Object.entries(value as { [id: string]: string | string[] }));

/** A letter as it would be sent, in CBOR; the reply number n has the id of 16 times n, a file the id of its place. */
async function letterOf(asked: Asked): Promise<string> {
  const id = (n: number): Bytes => new Uint8Array(16).fill(n);
  const read = Array.from({ length: asked["read"] as number }, (_, n) => ({ id: id(n), at: 0, text: "", acks: [], known: false }));
  const files = (asked["files"] as [number, string][]).map(([size, name], n) => ({ ...s.placeholder(size, name), id: id(n) }));
  const answers = asked["answers"] ? { asked: asked["asked"] as number, given: givenOf(asked["answers"]) } : null;
  const draft = { text: asked["text"] as string, language: "uk", read, files, answers, most: asked["most"] as number };
  const body = await s.sendBeside(s.compose(draft), draft.text, files, answers, (content, name) =>
    Promise.resolve({ ...s.placeholder(content.length, name), id: id(255), hash: h(content) }),
  );
  return hex(encodeLetter(body));
}

/** Questions as they are read, in the directory's CBOR; null for those that no directory may hold. */
function questionsOf(raw: Json | undefined): Question[] | null {
  try {
    return decodeQuestions(decodeCbor(unpack(raw)) as readonly Cbor[]);
  } catch (error) {
    if (error instanceof Error && error.name === "ProtocolError") return null;
    throw error;
  }
}

const sentAs = (sent: s.Sent): Json => ({ mark: hex(sent.mark), publishBy: sent.publishBy, leaf: hex(sent.leaf) });

const acts: { [name: string]: (asked: Asked) => Json | Promise<Json> } = {
  constants: () => Object.fromEntries(Object.entries(constants).filter(([, value]) => typeof value !== "function")) as Json,
  cbor: (asked) => {
    try {
      return pack(encodeCbor(decodeCbor(unpack(asked["raw"]))));
    } catch (error) {
      if (error instanceof Error && error.name === "ProtocolError") return null;
      throw error;
    }
  },
  parse: (asked) => {
    const [parse, key] = [PARSERS[asked["kind"] as string], unpack(asked["key"])];
    return (asked["raws"] as string[]).map((raw) => thrownBy(() => parse?.(unpack(raw), key)));
  },
  questions: (asked) => {
    const questions = questionsOf(asked["raw"]);
    if (questions === null) return null;
    const given = givenOf(asked["given"]);
    return {
      ids: questions.map(({ id }) => id),
      shown: shownOf(questions, given).map(({ id }) => id),
      kept: [...keptOf(questions, given).keys()],
      problems: problemsOf(questions, given).map(({ question, what }) => [question, what]),
    };
  },
  dates: (asked) => (asked["typed"] as string[]).map((typed) => asDate(typed, asked["language"] as string)),
  endings: () => [...ENDINGS],
  numbered: (asked) => (asked["names"] as string[]).map((name, n) => s.numbered(n + 1, name)),
  lines: (asked) => (asked["texts"] as string[]).map((text) => oneLine(text, asked["width"] as number)),
  letter: letterOf,
  fold: (asked) => (asked["words"] as string[]).map(fold),
  codes: () => Object.fromEntries(CODES),
  near: async (asked) => {
    const list = await lists.of(asked["code"] as string);
    return (asked["words"] as string[]).map((word) => list.near(word));
  },
  passphrase: async (asked) => {
    try {
      return hex(parseInAny(asked["text"] as string, await lists.every(asked["code"] as string)).bits);
    } catch (error) {
      if (!(error instanceof MistypedPassphrase)) throw error;
      return error.slips.map((slip) => [slip.place, slip.why, slip.typed, [...slip.meant]]);
    }
  },
  check,
  read: async (asked) => {
    const visit = await look(asked);
    const replies = (await sourceOf(asked)).thread(visit, asked["desk"] as string);
    return replies.map((r) => ({ id: hex(r.id), at: r.at, text: r.text, acks: r.acks.map(hex), known: r.known }));
  },
  write: async (asked) => {
    const visit = await look(asked);
    const source = await sourceOf(asked);
    const desk = asked["desk"] as string;
    const attachments = [];
    for (const [name, data] of (asked["files"] as [string, string][] | undefined) ?? []) {
      const upload = new s.Upload(new s.FromBlob(new Blob([unpack(data) as Uint8Array<ArrayBuffer>])), name, s.secureRandom);
      const line = (cuts: number): Promise<Transport | null> => Promise.resolve(cuts < 20 ? wire : null);
      attachments.push(await s.uploadOver(upload, line, atOnce, () => undefined));
    }
    const { seq, policy } = visit.directory;
    const answers = asked["answers"] ? { asked: seq, given: givenOf(asked["answers"]) } : null;
    const draft = { text: asked["text"] as string, language: "en", read: source.thread(visit, desk), files: attachments, answers, most: policy.attachment };
    const laidOut = s.compose(draft);
    const plan = asked["list"] ? { ...laidOut, attachments: [], listed: s.placeholder(1, "list") } : laidOut;
    const body = await s.sendBeside(plan, draft.text, attachments, answers, (content, name) =>
      new s.Upload(new s.InMemory(content), name, s.secureRandom).run(wire, atOnce, () => undefined),
    );
    return sentAs(await s.post(wire, visit, source.prepare(visit, desk, body, s.secureRandom), atOnce));
  },
  /** All of a first visit over HTTP, as the page's script does it: words, `/visit`, a file, the letter. */
  visit: async (asked) => {
    const line = new s.FetchTransport(asked["base"] as string);
    const steps: number[] = [];
    const progress = (got: number): void => void steps.push(got);
    const visit = await s.fetchVisit(line, { isDoor: isDoor(asked), now: () => Math.floor(Date.now() / 1000), progress });
    const words = s.parsePassphrase(asked["words"] as string, ENGLISH);
    const source = await s.openSource(words, false, visit.directory.door, argon2);
    const desk = asked["desk"] as string;
    const blob = new Blob([unpack(asked["file"]) as Uint8Array<ArrayBuffer>]);
    s.checkSize(blob.size, visit.directory.policy.attachment);
    const pause = (n: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 100 * n));
    const upload = new s.Upload(new s.FromBlob(blob), "scan.pdf", s.secureRandom);
    const attachment = await s.uploadOver(upload, () => Promise.resolve(line), pause, () => undefined);
    const draft = { text: asked["text"] as string, language: "en", read: [], files: [attachment], answers: null, most: 0 };
    const sent = await s.post(line, visit, source.prepare(visit, desk, s.compose(draft), s.secureRandom), pause);
    return { ...(sentAs(sent) as { [key: string]: Json }), came: steps[steps.length - 1] as number };
  },
  change: async (asked) => {
    const visit = await look(asked);
    const [before, after] = [await sourceOf(asked), await sourceOf(asked, "to")];
    const prepared = before.prepareChange(visit, asked["desk"] as string, after, s.secureRandom);
    return sentAs(await s.post(wire, visit, prepared, atOnce));
  },
};

for (let asked = await hear(); asked !== null; asked = await hear()) {
  try {
    const act = acts[asked["do"] as string];
    if (act === undefined) throw new Error("nothing of that name");
    say({ done: await act(asked) });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    say({ error: error.name, why: error instanceof s.CannotWrite ? error.why : error.message });
  }
}
