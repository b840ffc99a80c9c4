// SPDX-License-Identifier: AGPL-3.0-or-later
/** Passphrases, keys, letters, replies, knocks and attachments, by the project's vectors. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { argon2, argon2Plain, argon2Wasm } from "../src/protocol/argon2.ts";
import {
  type Attachment, asItem, chunkName, chunksOf, encodeAsk, encodeList, padded, parseAdmitted, Sealer,
} from "../src/protocol/attachment.ts";
import { type Bytes, concat, hex, toUtf8 } from "../src/protocol/bytes.ts";
import { doorWords } from "../src/protocol/doorwords.ts";
import { decodeCbor, encodeCbor, h, lp } from "../src/protocol/encoding.ts";
import { entry, type Kind } from "../src/protocol/entry.ts";
import { parseEpochNote, parseEpochSignature, signatureHolds } from "../src/protocol/epoch.ts";
import { OpenKey, parseSealKey, seal } from "../src/protocol/hpke.ts";
import { knockHeader, knocksOf, NO_KNOCK } from "../src/protocol/knock.ts";
import { changeBody, encodeLetter, frameChange, frameLetter, letterInfo, sealChange, sealLetter } from "../src/protocol/letter.ts";
import { parseManifest } from "../src/protocol/manifest.ts";
import { pairKey, pairOfSource } from "../src/protocol/pair.ts";
import { generate, MistypedPassphrase, parseInAny, parsePassphrase, Passphrase } from "../src/protocol/passphrase.ts";
import { checkX25519, expand, secureRandom } from "../src/protocol/primitives.ts";
import { openReceipt } from "../src/protocol/receipt.ts";
import { openReply, parseReplyBody, replyTag } from "../src/protocol/reply.ts";
import { seedOf, sourceKeys, threadId } from "../src/protocol/source_keys.ts";
import { CODES } from "../src/protocol/wordlist.ts";
import { NetworkFailed, Stopped } from "../src/client/transport.ts";
import { argon2InWorker, NoSeed, type Said, type Workerlike } from "../src/source/worker.ts";
import { WordLists } from "../src/source/words.ts";
import { bytes, ENGLISH, listFile, stream, vectors } from "./tools.ts";

const K = vectors("keys");
const SEALED = vectors("sealed");
const DOOR = bytes(K.source.door);
const KEYS = sourceKeys(bytes(K.source.seed), DOOR, K.source.desk);
const NOTE = parseEpochNote(bytes(K.epoch.note));
const EPOCH = new OpenKey(expand(bytes(K.epoch.secret), lp("epoch-xwing")));
const PAIR = pairOfSource(KEYS, NOTE);
const refused = { name: "ProtocolError" };

// --- passphrases -----------------------------------------------------------------------------------

test("the list is the one that the vectors were made with", () => {
  assert.equal(hex(h(toUtf8(ENGLISH.words.map((word) => `${word}\n`).join("")))), vectors("passphrase").list_sha256);
});

test("passphrases, both ways", () => {
  const v = vectors("passphrase");
  for (const { bits, words } of v.cases) {
    assert.equal(hex(parsePassphrase(words.join(" "), ENGLISH).bits), bits);
    assert.deepEqual(new Passphrase(bytes(bits)).words(ENGLISH), words);
  }
  for (const { how, text } of v.also_read) assert.equal(hex(parsePassphrase(text, ENGLISH).bits), v.cases[2].bits, how);
  for (const { why, words } of v.refused) {
    assert.throws(() => parsePassphrase(words.join(" "), ENGLISH), MistypedPassphrase, why);
  }
});

test("passphrases in every language, on a page of any", async () => {
  const v = vectors("passphrase");
  const asked: string[] = [];
  const lists = new WordLists((language) => {
    asked.push(language);
    return Promise.resolve(listFile(language));
  });
  assert.equal((await lists.of("en")).language, "english");
  assert.equal((await lists.of("xx")).language, "english");
  assert.deepEqual(asked, ["english"], "one is fetched when one is needed");
  const languages = Object.keys(v.other_languages);
  assert.deepEqual(new Set([...CODES.values()]), new Set(["english", ...languages]));
  for (const code of CODES.keys()) {
    const every = await lists.every(code);
    assert.equal(every[0].language, CODES.get(code));
    for (const language of languages) {
      const { list_sha256, words } = v.other_languages[language];
      assert.equal(hex(h(toUtf8(listFile(language)))), list_sha256);
      words.forEach((ten: string[], i: number) => {
        assert.equal(hex(parseInAny(ten.join(" "), every).bits), v.cases[i].bits);
        assert.deepEqual(new Passphrase(bytes(v.cases[i].bits)).words(every.find((w) => w.language === language)!), ten);
      });
    }
  }
  assert.deepEqual(asked, [...CODES.values()], "each is fetched once");
});

test("a list that could not be fetched is asked for again", async () => {
  let tries = 0;
  const lists = new WordLists((language) => {
    tries += 1;
    return tries === 1 ? Promise.reject(new Error("cut")) : Promise.resolve(listFile(language));
  });
  await assert.rejects(lists.every("en"));
  assert.equal((await lists.every("en"))[0].language, "english");
});

test("a new passphrase is 100 bits, and no word of it is in an error", () => {
  const fresh = generate(() => new Uint8Array(13).fill(255));
  assert.equal(hex(fresh.bits), `0f${"ff".repeat(12)}`);
  assert.throws(() => new Passphrase(new Uint8Array(13).fill(255)), RangeError);
  const words = fresh.words(ENGLISH);
  const [first] = words as [string];
  assert.throws(
    () => parsePassphrase([...words.slice(1), first].join(" "), ENGLISH),
    (error: Error) => !words.some((word) => error.message.includes(` ${word} `)),
  );
});

test("a mistyped word is found on the spot", () => {
  const words = new Passphrase(bytes(vectors("passphrase").cases[2].bits)).words(ENGLISH);
  const slipsOf = (typed: readonly string[]): MistypedPassphrase => {
    try {
      parsePassphrase(typed.join(" "), ENGLISH);
    } catch (error) {
      return error as MistypedPassphrase;
    }
    throw new Error("taken");
  };
  const third = words[2] as string;
  const [slip] = slipsOf(words.map((word, i) => (i === 2 ? `${third.slice(1)}` : word))).slips;
  assert.deepEqual([slip?.place, slip?.why, slip?.meant[0]], [3, "unknown", third]);
  const swapped = slipsOf([words[1] as string, words[0] as string, ...words.slice(2)]).slips[0];
  assert.deepEqual([swapped?.place, swapped?.why], [1, "swapped"]);
  assert.equal(slipsOf(words.slice(1)).count, 9);
  assert.deepEqual(slipsOf(Array.from({ length: 21 }, () => "x")).slips, []);
});

test("a door's twelve words", () => {
  for (const { door, words } of vectors("doorwords").cases) assert.deepEqual(doorWords(bytes(door), ENGLISH), words);
});

// --- keys ------------------------------------------------------------------------------------------

test("Argon2id in WebAssembly and in plain JavaScript give the seed of the vectors", async () => {
  const salt = h(lp("source", DOOR));
  assert.equal(hex(await argon2Wasm(bytes(K.source.bits), salt)), K.source.seed);
  assert.equal(hex(argon2Plain(bytes(K.source.bits), salt)), K.source.seed);
  assert.equal(hex(await seedOf(bytes(K.source.bits), DOOR, async (s, t) => argon2Wasm(s, t))), K.source.seed);
});

test("a Worker is ended after its one answer, its one failure, or by whoever stops it", async () => {
  const ended: string[] = [];
  const making = (said: Said | Partial<ErrorEvent> | null): Workerlike => ({
    onmessage: null,
    onerror: null,
    postMessage(asked) {
      assert.deepEqual(Object.keys(asked), ["secret", "salt"]);
      if (said === null) return;
      if (!("seed" in said || "failed" in said)) this.onerror?.(said as ErrorEvent);
      else this.onmessage?.({ data: said } as MessageEvent<Said>);
    },
    terminate: () => void ended.push("ended"),
  });
  const [secret, salt] = [new Uint8Array(13), new Uint8Array(32)];
  assert.deepEqual(await argon2InWorker(() => making({ seed: salt }))(secret, salt), salt);
  await assert.rejects(argon2InWorker(() => making({ failed: true }))(secret, salt), NoSeed);
  await assert.rejects(argon2InWorker(() => making({ message: "it ran, and failed" }))(secret, salt), NoSeed);
  await assert.rejects(argon2InWorker(() => making({}))(secret, salt), NetworkFailed, "its script did not come");
  assert.equal(ended.length, 4);
  const control = new AbortController();
  const stopped = argon2InWorker(() => making(null), control.signal)(secret, salt);
  control.abort();
  await assert.rejects(stopped, Stopped);
  assert.equal(ended.length, 5);
  await assert.rejects(argon2InWorker(() => making(null), control.signal)(secret, salt), Stopped);
  assert.equal(ended.length, 5, "none was made");
});

test("where WebAssembly is off, the slow way is taken", async () => {
  const kept = globalThis.WebAssembly;
  try {
    for (const off of [undefined, { ...kept, instantiate: () => Promise.reject(new Error("refused by the page's policy")) }]) {
      Object.assign(globalThis, { WebAssembly: off });
      assert.equal(hex(await argon2(bytes(K.source.bits), h(lp("source", DOOR)))), K.source.seed);
    }
  } finally {
    globalThis.WebAssembly = kept;
  }
});

test("a source's keys", () => {
  const { sealKey, dh, psk } = KEYS.threadKeys;
  const made = [sealKey.raw, dh, KEYS.c0, psk, threadId(KEYS.threadKeys, DOOR, "news")].map(hex);
  assert.deepEqual(made, [K.source.pk_S, K.source.A, K.source.c0, K.source.psk, K.source.thread]);
  assert.notEqual(hex(sourceKeys(bytes(K.source.seed), DOOR, "legal").threadKeys.dh), K.source.A, "each desk sees another");
});

test("an epoch and what a thread has with it", () => {
  assert.equal(hex(NOTE.hash), K.epoch.hash);
  assert.ok(signatureHolds(parseEpochSignature(bytes(K.signature)), bytes(K.signer)));
  for (const use of ["letter", "reply", "tag", "knock"] as const) assert.equal(hex(pairKey(PAIR, use)), K.pair[use]);
  const { sheet, page, r, slot } = SEALED.reply;
  assert.equal(hex(replyTag(pairKey(PAIR, "tag"), { sheet, page, r: bytes(r), slot })), K.tag);
});

test("X25519 values that are refused", () => {
  const p = (1n << 255n) - 19n;
  const little = (value: bigint): Bytes => bytes(value.toString(16).padStart(64, "0")).reverse();
  for (const bad of [0n, 1n, p - 1n, p, p + 1n, (1n << 256n) - 1n, p + 9n]) {
    assert.throws(() => checkX25519(little(bad)), refused, String(bad));
  }
  for (const good of [2n, 9n, p - 2n]) assert.equal(checkX25519(little(good)).length, 32);
  assert.throws(() => checkX25519(new Uint8Array(31)), refused);
});

test("sealing keys that are refused", () => {
  const raw = KEYS.threadKeys.sealKey.raw;
  const changed = (at: number, ...values: number[]): Bytes => {
    const out = raw.slice();
    out.set(values, at);
    return out;
  };
  parseSealKey(changed(0, 0x00, raw[1] as number & 0xf0, raw[2] as number));
  assert.throws(() => parseSealKey(changed(0, 0x01, (raw[1] as number & 0xf0) | 0x0d)), refused, "3329 at the first place");
  assert.throws(() => parseSealKey(changed(1149, 0xff, 0xff, 0xff)), refused, "4095 at the last place");
  assert.throws(() => parseSealKey(raw.subarray(1)), refused);
  assert.throws(() => parseSealKey(changed(1184, ...new Uint8Array(32))), refused, "X25519 of small order");
});

test("HPKE opens what it sealed with the same key and info alone", () => {
  const info = lp("x");
  const sealed = seal(EPOCH.sealKey, toUtf8("text"), info, secureRandom);
  assert.equal(sealed.length, 1136 + 4);
  assert.deepEqual(EPOCH.open(sealed, info), toUtf8("text"));
  assert.notDeepEqual(sealed, seal(EPOCH.sealKey, toUtf8("text"), info, secureRandom));
  const foreign = { name: "NotOurs" };
  assert.throws(() => EPOCH.open(sealed, lp("y")), foreign);
  assert.throws(() => KEYS.openKey.open(sealed, info), foreign);
  for (const at of [0, 1088, 1119, 1120, sealed.length - 1]) {
    const changed = sealed.slice();
    changed[at] = (changed[at] as number) ^ 1;
    assert.throws(() => EPOCH.open(changed, info), foreign, String(at));
  }
  for (const size of [0, 1119, 1135, 1139]) assert.throws(() => EPOCH.open(sealed.subarray(0, size), info), foreign);
});

// --- letters and replies ---------------------------------------------------------------------------

test("a letter's plaintext is that of the vectors, and Python's seal opens", () => {
  const v = SEALED.letter;
  assert.equal(hex(frameLetter(PAIR, bytes(v.msg_id), bytes(v.cbor))), v.plaintext);
  assert.equal(hex(EPOCH.open(bytes(v.sealed), letterInfo(NOTE))), v.plaintext);
});

const body = (text: string, attachments: readonly Attachment[] = [], listed: Attachment | null = null) => ({
  language: "uk", way: "client", text, read: [], attachments, listed, answers: null, answersIn: null,
});

test("a letter that is sealed here has 4096 bytes and opens", () => {
  const raw = sealLetter(KEYS, NOTE, new Uint8Array(16), body("слово"), stream("seal"));
  assert.equal(raw.length, 4096);
  assert.deepEqual(EPOCH.open(raw, letterInfo(NOTE)), frameLetter(PAIR, new Uint8Array(16), encodeLetter(body("слово"))));
  assert.throws(() => sealLetter(KEYS, NOTE, new Uint8Array(16), body("x".repeat(1600)), stream("seal")), refused);
  assert.throws(() => sealLetter(KEYS, NOTE, new Uint8Array(15), body("x"), stream("seal")), refused);
  const legal = sourceKeys(bytes(K.source.seed), DOOR, "legal");
  assert.throws(() => sealLetter(legal, NOTE, new Uint8Array(16), body("x"), stream("seal")), refused);
});

test("a change of the passphrase", async () => {
  const v = vectors("change");
  const seed = await argon2Wasm(bytes(v.new.bits), h(lp("source", DOOR)));
  const after = sourceKeys(seed, DOOR, "news");
  const made = [after.threadKeys.sealKey.raw, after.threadKeys.dh, after.threadKeys.psk].map(hex);
  assert.deepEqual(made, [v.new.pk_S, v.new.A, v.new.psk]);
  const cbor = changeBody(KEYS, after);
  assert.equal(hex(cbor), v.cbor);
  assert.equal(hex(frameChange(PAIR, pairOfSource(after, NOTE), bytes(v.msg_id), cbor)), v.plaintext);
  assert.equal(hex(EPOCH.open(bytes(vectors("sealed_change").sealed), letterInfo(NOTE))), v.plaintext);
  const sealed = sealChange(KEYS, after, NOTE, bytes(v.msg_id), stream("change"));
  assert.equal(hex(EPOCH.open(sealed, letterInfo(NOTE))), v.plaintext);
  assert.throws(() => sealChange(KEYS, KEYS, NOTE, bytes(v.msg_id), stream("change")), refused);
});

test("a reply opens at its place alone", () => {
  const v = SEALED.reply;
  const place = { sheet: v.sheet, page: v.page, r: bytes(v.r), slot: v.slot };
  const opened = openReply(PAIR, KEYS.openKey, place, bytes(v.sealed));
  assert.deepEqual([hex(opened.replyId), hex(opened.cbor)], [v.reply_id, v.cbor]);
  assert.equal(opened.body?.acks.length, 1);
  for (const other of [{ sheet: 6 }, { page: 0 }, { r: new Uint8Array(16) }, { slot: 3 }]) {
    assert.throws(() => openReply(PAIR, KEYS.openKey, { ...place, ...other }, bytes(v.sealed)), refused);
  }
  const changed = bytes(v.sealed);
  changed[2000] = (changed[2000] as number) ^ 1;
  assert.throws(() => openReply(PAIR, KEYS.openKey, place, changed), { name: "NotOurs" });
});

test("the inside of a reply is looked at as strictly as in Python", () => {
  const place = { sheet: 5, page: 1, r: new Uint8Array(16), slot: 0 };
  const info = lp("reply", NOTE.door, NOTE.desk, NOTE.hash, 5, 1, place.r, 0);
  const inside = (plain: Bytes): Bytes => {
    const full = new Uint8Array(1920);
    full.set(plain);
    return concat(replyTag(pairKey(PAIR, "tag"), place), seal(KEYS.threadKeys.sealKey, full, info, stream("reply")));
  };
  const cbor = encodeCbor({ text: "t", acks: [], known: true });
  const rest = lp("reply-body", new Uint8Array(16), cbor);
  assert.throws(() => openReply(PAIR, KEYS.openKey, place, inside(rest)), refused, "no MAC");
  const short = lp("reply-body", new Uint8Array(15), cbor);
  assert.throws(() => openReply(PAIR, KEYS.openKey, place, inside(short)), refused, "a short id");
  const noisy = new Uint8Array(1920);
  noisy.set(rest);
  noisy[1919] = 1;
  assert.throws(() => openReply(PAIR, KEYS.openKey, place, inside(noisy)), refused, "no padding");
  for (const bad of [{ text: "t", acks: [] }, { text: 1, acks: [], known: true }, { text: "t", acks: [Uint8Array.of(1)], known: true },
    { text: "t", acks: [], known: 1 }, { text: "t", acks: [], known: true, more: 1 }]) {
    assert.throws(() => parseReplyBody(encodeCbor(bad)), refused);
  }
});

test("knocks", () => {
  const v = vectors("knocks");
  assert.equal(NO_KNOCK, v.none);
  const made = knocksOf(PAIR).map((knock) => [hex(knock.value), knockHeader(knock)]);
  assert.deepEqual(made, v.knocks.map((k: { value: string; header: string }) => [k.value, k.header]));
});

test("receipts, entries and a manifest", () => {
  const v = vectors("structures");
  assert.equal(openReceipt(bytes(v.receipt), bytes(v.receipt_key)).publishBy, 40);
  assert.throws(() => openReceipt(bytes(v.receipt), bytes(K.signer)), refused);
  assert.throws(() => openReceipt(bytes(v.page_receipt), bytes(v.receipt_key)), refused, "a page's");
  const changed = bytes(v.receipt);
  changed[100] = (changed[100] as number) ^ 1;
  assert.throws(() => openReceipt(changed, bytes(v.receipt_key)), refused);
  assert.equal(new Set(Object.keys(v.entries).map((kind) => hex(entry(kind as Kind, Uint8Array.of(1))))).size, 9);
  assert.ok(parseManifest(bytes(v.manifest)).notes.size);
  assert.throws(() => parseManifest(bytes(v.manifest).subarray(0, -1)), refused);
});

// --- attachments -----------------------------------------------------------------------------------

test("attachments are sealed to the bytes of the vectors", () => {
  const v = vectors("attachment");
  const [id, key] = [bytes(v.id), bytes(v.key)];
  for (const [chunks, expected] of v.padded) assert.equal(padded(chunks), expected);
  for (const [size, expected] of v.chunks_of) assert.equal(chunksOf(size), expected);
  [0, 1, 2 ** 32].forEach((n, i) => assert.equal(hex(chunkName(id, n)), v.names[i]));
  for (const { size, chunks, hash } of v.sealed) {
    const plain = Uint8Array.from({ length: size }, (_, i) => i % 251);
    const sealer = new Sealer(id, key, size);
    assert.throws(() => sealer.ciphertextHash(), refused);
    let at = 0;
    for (const digest of chunks) {
      const end = at + sealer.needs;
      assert.throws(() => sealer.seal(new Uint8Array(sealer.needs + 1)), refused);
      assert.equal(hex(h(sealer.seal(plain.subarray(at, end)))), digest);
      at = end;
    }
    assert.throws(() => sealer.seal(new Uint8Array(0)), refused);
    assert.equal(hex(sealer.ciphertextHash()), hash);
  }
});

/** The first attachment of a list's CBOR. */
function first(list: string): Attachment {
  const [item] = decodeCbor(bytes(list)) as readonly (readonly [Bytes, Bytes, number, Bytes, string])[];
  const [id, key, size, hash, name] = item as readonly [Bytes, Bytes, number, Bytes, string];
  return { id, key, size, hash, name };
}

test("what a letter says of attachments, and the requests for room", () => {
  const v = vectors("attachment");
  assert.equal(hex(encodeAsk(Uint8Array.from({ length: 32 }, (_, i) => i), 10)), v.ask);
  assert.equal(parseAdmitted(bytes(v.admitted)), 10);
  assert.throws(() => encodeAsk(new Uint8Array(32), 17), refused);
  const one = { id: bytes(v.id), key: bytes(v.key), size: 5, hash: new Uint8Array(32), name: "n" };
  const two = { ...one, id: new Uint8Array(16).fill(5), key: new Uint8Array(32), hash: new Uint8Array(32), size: 7, name: "ab" };
  const letter = encodeLetter({ ...body("Дивіться."), attachments: [first(v.list)] });
  assert.equal(hex(letter), v.letter_cbor);
  assert.equal(hex(encodeLetter({ ...body("Дивіться."), listed: first(v.list) })), v.letter_with_list_cbor);
  assert.ok(v.list.startsWith(`82${hex(encodeCbor(asItem(first(v.list))))}`));
  assert.equal(encodeList([one, two])[0], 0x82);
  assert.throws(() => encodeList([one, one]), refused);
  assert.throws(() => encodeList([]), refused);
  assert.throws(() => asItem({ ...one, name: "n".repeat(256) }), refused);
  assert.throws(() => asItem({ ...one, size: -1 }), refused);
  assert.throws(() => encodeLetter(body("x", [one], one)), refused);
});
