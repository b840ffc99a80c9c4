// SPDX-License-Identifier: AGPL-3.0-or-later
/** A desk's questions and the answers to them, by the project's vectors. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answers, answersItem, check, encodeAnswers, type Given, kept, shown } from "../src/protocol/answers.ts";
import { hex, strip } from "../src/protocol/bytes.ts";
import { ANSWER_LONG, MAX_QUESTIONS } from "../src/protocol/constants.ts";
import { decodeDirectory, deskOf } from "../src/protocol/directory.ts";
import { type Cbor, decodeCbor, encodeCbor } from "../src/protocol/encoding.ts";
import { encodeLetter, type LetterBody } from "../src/protocol/letter.ts";
import { decodeQuestions } from "../src/protocol/questions.ts";
import { bytes, vectors } from "./tools.ts";

const V = vectors("questions");
const refused = { name: "ProtocolError" };
const questions = decodeQuestions(decodeCbor(bytes(V.questions)) as readonly Cbor[]);
const given = (value: object): Given => new Map(Object.entries(value));

test("a directory that asks", () => {
  const items = deskOf(decodeDirectory(bytes(V.directory_body)), "news")?.questions as readonly Cbor[];
  assert.equal(hex(encodeCbor(items)), V.questions);
  assert.deepEqual(decodeQuestions(items), questions);
  const [what] = questions;
  assert.deepEqual([what?.id, what?.kind, what?.step, what?.needed, what?.choices.length], ["what", "one", 1, true, 3]);
  assert.equal(what?.titles.get("uk"), "Про що йдеться?");
  assert.deepEqual(questions[1]?.onlyIf, { question: "what", choices: ["order"] });
});

test("questions that no directory may hold", () => {
  assert.ok(V.refused.length > 25);
  for (const { why, questions: raw } of V.refused) {
    assert.throws(() => decodeQuestions(decodeCbor(bytes(raw)) as readonly Cbor[]), refused, why);
  }
});

test("which apply, which are kept, what is wrong", () => {
  assert.ok(V.cases.length > 8);
  for (const { given: answers, ...expected } of V.cases) {
    const map = given(answers);
    assert.deepEqual(shown(questions, map).map(({ id }) => id), expected.shown);
    assert.deepEqual([...kept(questions, map).keys()], expected.kept);
    assert.deepEqual(check(questions, map).map(({ question, what }) => [question, what]), expected.problems);
  }
});

const decoded = decodeCbor(bytes(V.answers)) as readonly [number, Map<string, string | string[]>];
const ANSWERS: Answers = { asked: decoded[0], given: decoded[1] };
const LETTER: LetterBody = {
  language: "uk", way: "client", text: "Дивіться.", read: [], attachments: [], listed: null, answers: null, answersIn: null,
};

test("answers in a letter and beside it", () => {
  assert.equal(hex(encodeAnswers(ANSWERS)), V.answers);
  assert.equal(hex(encodeLetter({ ...LETTER, answers: ANSWERS })), V.letter_cbor);
  const said = (decodeCbor(bytes(V.letter_with_answers_beside_cbor)) as Map<string, Cbor>).get("answers-in");
  const [id, key, size, hash, name] = said as unknown as [Uint8Array, Uint8Array, number, Uint8Array, string];
  const beside = { ...LETTER, answersIn: { id, key, size, hash, name } };
  assert.equal(hex(encodeLetter(beside)), V.letter_with_answers_beside_cbor);
  assert.throws(() => encodeLetter({ ...beside, answers: ANSWERS }), refused);
  const long = new Map(Array.from({ length: MAX_QUESTIONS }, (_, n) => [`q${n}`, "ж".repeat(ANSWER_LONG)]));
  assert.throws(() => encodeAnswers({ asked: 1, given: long }), refused);
});

test("answers that are none", () => {
  let tried = 0;
  for (const { why, answers: raw } of V.refused_answers) {
    const value = decodeCbor(bytes(raw));
    if (!Array.isArray(value) || value.length !== 2 || why === "a number") continue; // what no type here can say
    const [asked, map] = value as [number, Map<string, string>];
    assert.throws(() => answersItem({ asked, given: map }), refused, why);
    tried += 1;
  }
  assert.ok(tried >= 9);
});

test("space as Python has it", () => {
  assert.equal(strip("\x1c\x85 \u2028\t a b \u3000\n"), "a b");
  assert.equal(strip("\ufeffa\u200b"), "\ufeffa\u200b");
});
