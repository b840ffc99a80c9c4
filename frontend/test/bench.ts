// SPDX-License-Identifier: AGPL-3.0-or-later
/** How long things take in this Node. `node test.mjs --compile DIR && node DIR/bench.js` prints it. */

import { readFileSync } from "node:fs";
import { checkVisit, type VerifiedVisit } from "../src/client/visit.ts";
import { argon2Plain, argon2Wasm } from "../src/protocol/argon2.ts";
import { Sealer } from "../src/protocol/attachment.ts";
import { hex } from "../src/protocol/bytes.ts";
import { parseEpochNote } from "../src/protocol/epoch.ts";
import { sealLetter } from "../src/protocol/letter.ts";
import { secureRandom } from "../src/protocol/primitives.ts";
import { sourceKeys } from "../src/protocol/source_keys.ts";
import { findReplies } from "../src/source/thread.ts";
import { bytes, vectors } from "./tools.ts";

async function timed(what: string, times: number, act: () => unknown): Promise<void> {
  await act();
  const start = performance.now();
  for (let i = 0; i < times; i += 1) await act();
  console.log(`${what.padEnd(34)} ${((performance.now() - start) / times).toFixed(1)} ms`);
}

const K = vectors("keys");
const [bits, salt, door] = [bytes(K.source.bits), new Uint8Array(32), bytes(K.source.door)];
const keys = sourceKeys(bytes(K.source.seed), door, "news");
const note = parseEpochNote(bytes(K.epoch.note));
const body = { language: "en", way: "page", text: "A letter.", read: [], attachments: [], listed: null, answers: null, answersIn: null };
const chunk = new Uint8Array(262_128);

await timed("Argon2id, WebAssembly", 3, () => argon2Wasm(bits, salt));
await timed("Argon2id, plain JavaScript", 2, () => argon2Plain(bits, salt));
await timed("a source's keys for a desk", 20, () => sourceKeys(bytes(K.source.seed), door, "news"));
await timed("seal a letter", 20, () => sealLetter(keys, note, new Uint8Array(16), body, secureRandom));
await timed("seal a chunk of 256 KiB", 10, () => new Sealer(salt.subarray(16), salt, chunk.length).seal(chunk));

// A /visit, when one is given: BENCH_VISIT names a file of JSON with "raw" (base64), "door" (hexadecimal) and "now".
const given = process.env["BENCH_VISIT"];
if (given !== undefined) {
  const { raw, door: its, now } = JSON.parse(readFileSync(given, "utf-8"));
  const file = Uint8Array.from(Buffer.from(raw, "base64"));
  const open = (): VerifiedVisit => checkVisit(file, (one) => hex(one) === its, now, null);
  await timed(`check a /visit of ${(file.length / 1e6).toFixed(1)} MB`, 5, open);
  const [visit, mine] = [open(), sourceKeys(bytes(K.source.seed), bytes(its), "news")];
  await timed("find the replies in it", 5, () => findReplies(visit, mine));
}
