// SPDX-License-Identifier: AGPL-3.0-or-later
/** Getting in: the rules of retrying, knocks, receipts, uploads that resume, the browser's own transport. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { type Answer, type Ask, FetchTransport, NetworkFailed, Stopped, type Transport } from "../src/client/transport.ts";
import type { VerifiedVisit } from "../src/client/visit.ts";
import { chunkName, encodeList, Sealer } from "../src/protocol/attachment.ts";
import { type Bytes, hex, toUtf8 } from "../src/protocol/bytes.ts";
import { ATTACHMENT_CHUNK, ATTACHMENT_PLAIN } from "../src/protocol/constants.ts";
import { lp } from "../src/protocol/encoding.ts";
import { entry } from "../src/protocol/entry.ts";
import { parseEpochNote } from "../src/protocol/epoch.ts";
import { HEADER, knockHeader, NO_KNOCK } from "../src/protocol/knock.ts";
import { sourceKeys } from "../src/protocol/source_keys.ts";
import { noteToSealTo } from "../src/source/acts.ts";
import { compose, type Draft, room } from "../src/source/composing.ts";
import { CannotWrite, type Why } from "../src/source/errors.ts";
import { EnoughTries, knocksFor, mayKnock, pauseBefore, send } from "../src/source/sending.ts";
import type { Reply } from "../src/source/thread.ts";
import { checkSize, Cut, FromBlob, InMemory, nameOf, Upload } from "../src/source/upload.ts";
import { Source, uploadOver } from "../src/source/session.ts";
import { bytes, stream, vectors } from "./tools.ts";

const K = vectors("keys");
const KEYS = sourceKeys(bytes(K.source.seed), bytes(K.source.door), "news");
const NOTE = parseEpochNote(bytes(K.epoch.note));
const KNOCKS = knocksFor(KEYS, NOTE, stream("order"));
const LETTER = new Uint8Array(4096).fill(7);
const MSG = Uint8Array.from({ length: 16 }, (_, i) => i);
const SECRET = new Uint8Array(32).fill(3);
const policy = { tick: 600, started: 1_700_000_000, letters: 4, queue: 64 };
const directory = { origin: "door.example/log", receiptKey: ed25519.getPublicKey(SECRET), policy, closed: null };
const VISIT = {
  directory,
  manifest: { n: 300, notes: new Map([["news", NOTE.hash]]) },
  notes: new Map([[hex(NOTE.hash), NOTE]]),
  sheets: [],
  expired: false,
} as unknown as VerifiedVisit;

function receipt({ leaf = entry("letter", LETTER), by = 302, origin = "door.example/log", key = SECRET } = {}): Bytes {
  const body = lp("receipt", origin, leaf, by);
  return lp("receipt-signed", body, ed25519.sign(body, key));
}

const answer = (status: number, body: Bytes = new Uint8Array(0)): Answer => ({ status, body });
const [FULL, SPENT, LOST, TAKEN] = [answer(503), answer(409), answer(500), answer(201, receipt())];
const CUT = new NetworkFailed();

/** Answers in turn; remembers which knock each request carried. */
function line(...answers: readonly (Answer | Error)[]): Transport & { heads: (number | null)[] } {
  const left = [...answers];
  const heads: (number | null)[] = [];
  return {
    heads,
    request(method, path, ask = {}) {
      assert.deepEqual([method, path, ask.body], ["POST", "/v1/letters", LETTER], "the same bytes every time");
      const head = ask.headers?.[HEADER] as string;
      assert.equal(head.length, NO_KNOCK.length, "all requests have one size");
      heads.push(head === NO_KNOCK ? null : KNOCKS.map(knockHeader).indexOf(head));
      const next = left.shift();
      assert.ok(next, "one request too many");
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  };
}

async function sending(answers: readonly (Answer | Error)[], knocks = KNOCKS, tries: number | null = 4) {
  const transport = line(...answers);
  const pauses: number[] = [];
  const pause = async (n: number): Promise<void> => void pauses.push(n);
  try {
    const sent = await send(transport, VISIT, LETTER, MSG, pause, knocks, tries);
    return { heads: transport.heads, pauses, sent, why: null };
  } catch (error) {
    if (!(error instanceof CannotWrite)) throw error;
    return { heads: transport.heads, pauses, sent: null, why: error.why };
  }
}

test("taken: the mark, the leaf and the time of the promise", async () => {
  const { sent } = await sending([TAKEN]);
  assert.deepEqual([hex(sent?.mark as Bytes), sent?.publishBy], ["0001020304050607", 302]);
  assert.equal(sent?.publishAt, 1_700_000_000 + 302 * 600);
});

test("no knock before the door says that it is full", async () => {
  for (const first of [CUT, LOST]) assert.deepEqual((await sending([first, TAKEN])).heads, [null, null]);
});

test("after a refusal the knocks in turn without a pause, and then like everybody", async () => {
  assert.deepEqual(await sending([FULL, SPENT, SPENT, TAKEN]).then((s) => [s.heads, s.pauses]), [[null, 0, 1, 2], []]);
  const all = await sending([FULL, SPENT, SPENT, SPENT, SPENT, TAKEN]);
  assert.deepEqual([all.heads, all.pauses], [[null, 0, 1, 2, 3, null], [1]]);
});

test("a knock stays the same while nobody knows whether it counted", async () => {
  assert.deepEqual((await sending([FULL, CUT, LOST, TAKEN])).heads, [null, 0, 0, 0]);
  assert.deepEqual((await sending([FULL, FULL, TAKEN])).heads, [null, 0, 0], "full even for knocks");
});

test("without knocks a full door is asked again after a pause", async () => {
  const { heads, pauses, why } = await sending([FULL, FULL, FULL, FULL], []);
  assert.deepEqual([heads, pauses, why], [[null, null, null, null], [1, 2, 3], "not-taken"]);
});

test("what is said at the end", async () => {
  const ends: [readonly (Answer | Error)[], Why][] = [
    [[answer(410)], "not-taken"],
    [[answer(400)], "not-taken"],
    [[CUT, answer(410)], "unsure"],
    [[LOST, FULL, FULL, FULL], "unsure"],
    [[CUT, CUT, CUT, CUT], "unsure"],
    [[new Stopped()], "stopped-unsure"],
    [[answer(201)], "no-receipt"],
    [[answer(201, receipt({ leaf: new Uint8Array(32) }))], "no-receipt"],
    [[answer(201, receipt({ origin: "other" }))], "no-receipt"],
    [[answer(201, receipt({ key: new Uint8Array(32).fill(4) }))], "no-receipt"],
    [[answer(201, receipt({ by: 300 }))], "no-receipt"],
    [[answer(201, receipt({ by: 300 + 144 + 16 + 5 }))], "no-receipt"],
  ];
  for (const [answers, why] of ends) assert.equal((await sending(answers, [])).why, why);
  assert.ok((await sending([answer(201, receipt({ by: 300 + 144 + 16 + 4 }))])).sent);
});

test("stopped or tired in a pause", async () => {
  const stop = async (): Promise<void> => Promise.reject(new Stopped());
  await assert.rejects(send(line(FULL), VISIT, LETTER, MSG, stop), { why: "stopped" });
  await assert.rejects(send(line(LOST), VISIT, LETTER, MSG, stop), { why: "stopped-unsure" });
  const enough = async (): Promise<void> => Promise.reject(new EnoughTries());
  await assert.rejects(send(line(FULL), VISIT, LETTER, MSG, enough), { why: "not-taken" });
});

test("as long as the door answers", async () => {
  const patient = await sending([...Array<Answer>(20).fill(FULL), TAKEN], [], null);
  assert.equal(patient.pauses.length, 20);
  assert.equal((await sending([FULL, CUT, CUT, CUT, CUT], [], null)).why, "unsure");
});

test("pauses grow to two minutes, and nobody's are in step", () => {
  const at = (byte: number) => (size: number) => new Uint8Array(size).fill(byte);
  assert.deepEqual([1, 2, 3, 20].map((n) => pauseBefore(n, at(0))), [5, 10, 20, 60]);
  assert.ok(pauseBefore(20, at(255)) > 179.9 && pauseBefore(20, at(255)) < 180);
});

test("who may knock, in an order of their own", () => {
  const reply = (known: boolean): Reply => ({ id: MSG, at: 0, text: "", acks: [], known });
  assert.deepEqual([mayKnock([], true), mayKnock([], false)], [true, false]);
  assert.deepEqual([mayKnock([reply(true), reply(false)], true), mayKnock([reply(false), reply(true)], false)], [false, true]);
  const orders = new Set(Array.from({ length: 60 }, (_, i) => knocksFor(KEYS, NOTE, stream(`${i}`)).map(knockHeader).join()));
  assert.ok(orders.size > 12);
  assert.equal(new Set(KNOCKS.map(knockHeader)).size, 4);
});

// --- letters ----------------------------------------------------------------------------------------

const draft = (text: string, read: readonly Reply[] = []): Draft => ({ text, language: "en", read, files: [], answers: null, most: 0 });

test("what can be written", () => {
  assert.throws(() => compose(draft(" \n")), { why: "empty" });
  assert.throws(() => compose(draft("\ud800")), { why: "not-text" });
  const left = room(draft("x"));
  const longest = left + 1 - 2; // one was there, and the head of a longer text takes two bytes more
  assert.equal(compose(draft("x".repeat(longest))).text.length, longest);
  assert.throws(() => compose(draft("x".repeat(longest + 1))), (error: CannotWrite) => error.why === "too-long" && error.detail > 0);
  const replies = Array.from({ length: 20 }, (_, i): Reply => ({ id: new Uint8Array(16).fill(i), at: 0, text: "", acks: [], known: true }));
  assert.equal(compose(draft("x", replies)).read.length, 16);
  const full = compose(draft("x".repeat(left - 40), replies)).read;
  assert.equal(hex(full[full.length - 1] as Bytes), "13".repeat(16), "the newest is named longest");
  assert.ok(full.length < 4);
});

test("to whom can be written", () => {
  assert.equal(noteToSealTo(VISIT, "news"), NOTE);
  assert.throws(() => noteToSealTo(VISIT, "legal"), { why: "desk-closed" });
  assert.throws(() => noteToSealTo({ ...VISIT, expired: true }, "news"), { why: "expired" });
  const closed = { ...directory, closed: { texts: new Map(), instead: [] } } as unknown as VerifiedVisit["directory"];
  assert.throws(() => noteToSealTo({ ...VISIT, directory: closed }, "news"), { why: "closed" });
});

test("a session's letter and its knocks", () => {
  const source = (cameBack: boolean): Source => new Source(bytes(K.source.seed), bytes(K.source.door), cameBack);
  const back = source(true).prepare(VISIT, "news", compose(draft("again")), stream("a"));
  assert.deepEqual([back.bytes.length, back.msgId.length, back.knocks.length], [4096, 16, 4]);
  assert.equal(source(false).prepare(VISIT, "news", compose(draft("first")), stream("b")).knocks.length, 0);
});

test("a letter that is sealed anew is the same one for the desk, and another letter is not", () => {
  const source = new Source(bytes(K.source.seed), bytes(K.source.door), false);
  const first = source.prepare(VISIT, "news", compose(draft("once")), stream("a"));
  const anew = source.prepare(VISIT, "news", compose(draft("once")), stream("b"), first);
  assert.equal(hex(anew.msgId), hex(first.msgId));
  assert.notEqual(hex(anew.bytes), hex(first.bytes));
  assert.notEqual(hex(source.prepare(VISIT, "news", compose(draft("once")), stream("b")).msgId), hex(first.msgId));
});

// --- attachments ------------------------------------------------------------------------------------

/** A server of attachments that answers as it is told, else as it should. */
class Store implements Transport {
  readonly stored = new Map<string, Bytes>();
  readonly asked: string[] = [];
  chunks = 0;

  constructor(readonly fates: (Answer | Error | "cut" | "pass")[] = []) {}

  async request(method: string, path: string, ask: { body?: Bytes; headers?: Readonly<Record<string, string>> } = {}): Promise<Answer> {
    this.asked.push(method);
    const fate = this.fates.shift() ?? "pass";
    if (fate instanceof Error) throw fate;
    if (typeof fate === "object") return fate;
    const said = this.honest(method, path, ask.body);
    if (fate === "cut") throw new NetworkFailed();
    return said;
  }

  private honest(method: string, path: string, body: Bytes = new Uint8Array(0)): Answer {
    if (method === "POST") {
      this.chunks = body[body.length - 1] as number;
      return answer(201, lp("attachment-admitted", this.chunks - this.stored.size));
    }
    if (method === "HEAD") return answer(this.stored.has(path) ? 200 : 404);
    const before = this.stored.get(path);
    if (before && hex(before) !== hex(body)) return answer(409);
    this.stored.set(path, body);
    return answer(201);
  }
}

const atOnce = (): Promise<void> => Promise.resolve();
const DATA = Uint8Array.from({ length: ATTACHMENT_PLAIN + 5 }, (_, i) => i % 251);

test("an upload: its chunks under their names, its hash, progress", async () => {
  const store = new Store();
  const steps: number[] = [];
  const upload = new Upload(new InMemory(DATA), "f", stream("up"));
  const made = await upload.run(store, atOnce, (stored) => steps.push(stored));
  const sealer = new Sealer(made.id, made.key, DATA.length);
  [DATA.subarray(0, ATTACHMENT_PLAIN), DATA.subarray(ATTACHMENT_PLAIN)].forEach((plain, n) => {
    assert.deepEqual(store.stored.get(`/v1/attachments/${hex(chunkName(made.id, n))}`), sealer.seal(plain));
  });
  assert.deepEqual([hex(made.hash), made.size, made.name], [hex(sealer.ciphertextHash()), DATA.length, "f"]);
  assert.deepEqual([store.asked, steps], [["POST", "PUT", "PUT", "POST"], [ATTACHMENT_CHUNK, 2 * ATTACHMENT_CHUNK]]);
});

test("after a cut: what had arrived is not sent twice, and what is sent again is the same", async () => {
  const store = new Store(["pass", "cut", "pass", CUT, CUT, "pass"]);
  await new Upload(new InMemory(DATA), "f", stream("up")).run(store, atOnce, () => undefined);
  assert.deepEqual(store.asked, ["POST", "PUT", "HEAD", "PUT", "HEAD", "HEAD", "PUT", "POST"]);
  assert.equal(store.stored.size, 2);
});

test("a dead line: the upload goes on from there over another", async () => {
  const dead = new Store(["pass", "pass", ...Array<Error>(8).fill(CUT)]);
  const upload = new Upload(new InMemory(DATA), "f", stream("up"));
  const next = new Store();
  next.fates.push("pass");
  await assert.rejects(upload.run(dead, atOnce, () => undefined), Cut);
  assert.equal(upload.stored, 1);
  for (const [name, chunk] of dead.stored) next.stored.set(name, chunk);
  const made = await uploadOver(upload, (cuts) => Promise.resolve(cuts ? null : next), atOnce, () => undefined);
  assert.deepEqual(next.asked, ["PUT", "POST"]);
  assert.equal(made.size, DATA.length);
  const dying = new Upload(new InMemory(DATA), "f", stream("up"));
  await assert.rejects(uploadOver(dying, (cuts) => Promise.resolve(cuts < 2 ? new Store(Array(9).fill(CUT)) : null), atOnce, () => undefined), Cut);
});

test("paused by the person, and gone on with", async () => {
  const upload = new Upload(new InMemory(DATA), "f", stream("up"));
  const store = new Store(["pass", new Stopped()]);
  await assert.rejects(upload.run(store, atOnce, () => undefined), Stopped);
  assert.equal((await upload.run(store, atOnce, () => undefined)).size, DATA.length);
});

test("refusals, and a server that lost a part", async () => {
  const run = (...fates: (Answer | Error)[]) => new Upload(new InMemory(DATA), "f", stream("up"), KNOCKS).run(new Store(fates), atOnce, () => undefined);
  await assert.rejects(run(answer(413)), { why: "attachment-not-taken", detail: 413 });
  await assert.rejects(run(answer(201, toUtf8("?"))), { why: "attachment-not-taken" });
  await assert.rejects(run(answer(201, lp("attachment-admitted", 2)), answer(409)), { why: "attachment-not-taken", detail: 409 });
  const room = answer(201, lp("attachment-admitted", 2));
  await assert.rejects(run(room, answer(201), answer(201), answer(201, lp("attachment-admitted", 1))), { why: "attachment-lost" });
  const full = new Store([FULL, SPENT, room]);
  await new Upload(new InMemory(DATA), "f", stream("up"), KNOCKS).run(full, atOnce, () => undefined).catch(() => undefined);
  assert.deepEqual(full.asked.slice(0, 4), ["POST", "POST", "POST", "PUT"], "the second knock counted");
});

test("a file is read in slices, and one that changed is noticed", async () => {
  const slices: [number, number][] = [];
  const blob = new Blob([DATA]);
  const file = {
    size: blob.size,
    lastModified: 1,
    slice(start: number, end: number) {
      slices.push([start, end]);
      return blob.slice(start, end);
    },
  };
  await new Upload(new FromBlob(file), "f", stream("up")).run(new Store(), atOnce, () => undefined);
  assert.deepEqual(slices, [[0, ATTACHMENT_PLAIN], [ATTACHMENT_PLAIN, ATTACHMENT_PLAIN + 5]]);
  const spoilt: [string, object][] = [
    ["shorter", { slice: () => new Blob(["x"]) }],
    ["gone", { slice: () => ({ arrayBuffer: () => Promise.reject(new Error("NotReadableError")) }) }],
  ];
  for (const [why, part] of spoilt) {
    const upload = new Upload(new FromBlob({ ...file, ...part }), "f", stream("up"));
    await assert.rejects(upload.run(new Store(), atOnce, () => undefined), { why: "file-changed" }, why);
  }
  const moving = { ...file, lastModified: 1 };
  const content = new FromBlob(moving);
  moving.lastModified = 2;
  await assert.rejects(content.read(1), { why: "file-changed" });
});

test("a file of 5 GB goes through a window of two chunks", async () => {
  const size = 5_000_000_000;
  let [largest, at] = [0, 0];
  const content = { size, read: (count: number) => {
    largest = Math.max(largest, count);
    at += count;
    return Promise.resolve(new Uint8Array(count));
  } };
  const upload = new Upload(content, "f", stream("up"));
  assert.ok(upload.chunks >= size / ATTACHMENT_PLAIN);
  const store = { puts: 0, async request(method: string): Promise<Answer> {
    if (method === "PUT") this.puts += 1;
    if (this.puts > 3) throw new Stopped();
    return method === "POST" ? answer(201, lp("attachment-admitted", upload.chunks)) : answer(201);
  } };
  await assert.rejects(upload.run(store, atOnce, () => undefined), Stopped);
  assert.deepEqual([largest, at, upload.stored], [ATTACHMENT_PLAIN, 4 * ATTACHMENT_PLAIN, 3]);
});

test("sizes, names, lists", () => {
  assert.throws(() => checkSize(1, 0), { why: "no-attachments" });
  assert.throws(() => checkSize(0, 10), { why: "file-empty" });
  assert.throws(() => checkSize(11, 10), { why: "file-too-large", detail: 10 });
  checkSize(10, 10);
  assert.equal(nameOf("C:\\fakepath\\фото.jpg"), "фото.jpg");
  assert.equal([...nameOf("😀".repeat(300))].length, 255);
  assert.equal(nameOf("a\ud800"), "a\ufffd");
  const one = { id: MSG, key: SECRET, size: 1, hash: SECRET, name: "n" };
  const many = (count: number): Draft => ({ ...draft("x"), files: Array(count).fill(one) });
  assert.throws(() => compose(many(1001)), { why: "no-room" });
  assert.equal(compose(many(1000)).listed?.size, encodeList(Array.from({ length: 1000 }, (_, n) => ({ ...one, id: stream("i")(16 + n).slice(-16) }))).length);
});

// --- the browser's transport ------------------------------------------------------------------------

test("fetch is asked without anything that names the sender, and the answer comes with progress", async () => {
  let seen: RequestInit = {};
  const parts = [new Uint8Array(3), new Uint8Array(4)];
  const body = new ReadableStream<Uint8Array>({ start(c) { for (const part of parts) c.enqueue(part); c.close(); } });
  const transport = new FetchTransport("http://door", null, async (url, init) => {
    assert.equal(url, "http://door/visit");
    seen = init as RequestInit;
    return new Response(body as unknown as BodyInit, { headers: { "content-length": "7" } });
  });
  const came: [number, number | null][] = [];
  const said = await transport.request("GET", "/visit", { progress: (got, total) => came.push([got, total]) });
  assert.deepEqual([said.status, said.body.length, came], [200, 7, [[3, 7], [7, 7]]]);
  const { credentials, cache, redirect, referrerPolicy, headers } = seen;
  assert.deepEqual([credentials, cache, redirect, referrerPolicy, headers], ["omit", "no-store", "error", "no-referrer", {}]);
});

/** While `work` runs, time passes only as it says. */
async function withClock(work: (minutes: (n: number) => Promise<void>) => Promise<void>): Promise<void> {
  const { setTimeout: start, clearTimeout: end } = globalThis;
  const settled = (): Promise<void> => new Promise((resolve) => void start(resolve, 5));
  const due = new Map<number, { at: number; run: () => void }>();
  let [now, count] = [0, 0];
  const minutes = async (n: number): Promise<void> => {
    await settled();
    now += n * 60_000;
    for (const [id, { at, run }] of due) if (at <= now && due.delete(id)) run();
    await settled();
  };
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms: number) => {
      due.set((count += 1), { at: now + ms, run });
      return count;
    },
    clearTimeout: (id: number) => void due.delete(id),
  });
  try {
    await work(minutes);
  } finally {
    Object.assign(globalThis, { setTimeout: start, clearTimeout: end });
  }
}

test("a line on which nothing moves has broken, one on which little does has not", () => withClock(async (minutes) => {
  const hanging = new FetchTransport("", null, (_url, init) =>
    new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(new Error("aborted")))));
  const asked = (path: string, ask: Ask = {}): { ended: boolean } => {
    const one = { ended: false };
    hanging.request("GET", path, ask).catch((error) => (one.ended = error instanceof NetworkFailed));
    return one;
  };
  const [usual, quick, whole] = [asked("/v1/letters"), asked("/", { silence: 60 }), asked("/", { silence: 1800 })];
  await minutes(1);
  assert.deepEqual([usual.ended, quick.ended, whole.ended], [false, true, false]);
  await minutes(2);
  assert.deepEqual([usual.ended, whole.ended], [true, false]);
  await minutes(27);
  assert.equal(whole.ended, true);

  let give: (last: boolean) => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (to) => {
      give = (last) => (last ? to.close() : to.enqueue(new Uint8Array(1)));
    },
  });
  const slow = new FetchTransport("", null, async () => new Response(body)).request("GET", "/");
  for (let n = 0; n < 4; n += 1) {
    await minutes(2);
    give(false);
  }
  await minutes(2);
  give(true);
  assert.equal((await slow).body.length, 4);
}));

test("a line that fails, and a person who stops", async () => {
  const failing = new FetchTransport("", null, () => Promise.reject(new TypeError("network")));
  await assert.rejects(failing.request("GET", "/visit"), NetworkFailed);
  const control = new AbortController();
  const hanging = new FetchTransport("", control.signal, (_url, init) =>
    new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(new Error("aborted")))));
  const asked = hanging.request("GET", "/visit");
  control.abort();
  await assert.rejects(asked, Stopped);
  await assert.rejects(hanging.request("GET", "/visit"), Stopped);
});
