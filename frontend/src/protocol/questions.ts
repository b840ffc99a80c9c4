// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a desk asks whoever writes to it, as protocol/questions.py: part of the directory. Read when it is asked, not with
 * the directory.
 */

import { characters, strip } from "./bytes.ts";
import { LANGUAGE } from "./closing.ts";
import * as c from "./constants.ts";
import { type Cbor, encodeCbor, Fields, ProtocolError } from "./encoding.ts";
import { isName } from "./names.ts";

export const TITLE = 300; // characters of a question, or of a choice
export const HELP = 1000;
const LANGUAGES = 64;
const KINDS = ["text", "long", "one", "several", "date", "place"] as const;

/** What an answer looks like: a line, paragraphs, one or several of the choices, a date as exactly as it is known, a place. */
export type Kind = (typeof KINDS)[number];

type Texts = ReadonlyMap<string, string>;

export interface Choice {
  readonly id: string;
  readonly titles: Texts;
}

/** Asked only if one of `choices` was chosen at `question`, which stands in an earlier step. */
export interface Condition {
  readonly question: string;
  readonly choices: readonly string[];
}

/** One question, by language. `step`: the page on which it stands, from 1. `needed`: the desk insists. */
export interface Question {
  readonly id: string;
  readonly kind: Kind;
  readonly titles: Texts;
  readonly help: Texts;
  readonly step: number;
  readonly needed: boolean;
  readonly choices: readonly Choice[];
  readonly onlyIf: Condition | null;
}

/** The choice with that id. */
export const choiceOf = (question: Question, id: string): Choice | undefined =>
  question.choices.find((choice) => choice.id === id);

/** A desk's questions from what its directory says; ProtocolError when a rule is broken. */
export function decodeQuestions(items: readonly Cbor[]): Question[] {
  const questions = items.slice(0, c.MAX_QUESTIONS + 1).map(decode);
  checkQuestions(questions);
  need(encodeCbor(items).length <= c.MAX_DESK_QUESTIONS, "a desk's questions take too many bytes");
  return questions;
}

function decode(item: Cbor): Question {
  const f = new Fields(item, "question");
  const question = {
    id: f.text("id", 32),
    kind: kindOf(f.text("kind", 16)),
    titles: f.texts("titles", LANGUAGES, TITLE),
    help: f.has("help") ? said(f.texts("help", LANGUAGES, HELP)) : new Map<string, string>(),
    step: f.count("step", 1, c.MAX_QUESTIONS),
    needed: f.has("needed") && said(f.flag("needed")),
    choices: f.has("choices") ? said(f.items("choices", c.MAX_CHOICES)).map(decodeChoice) : [],
    onlyIf: f.has("if") ? decodeCondition(f.take("if")) : null,
  };
  f.done();
  return question;
}

/** What is there says something: an empty help goes without saying. */
function said<T extends boolean | Texts | readonly Cbor[]>(value: T): T {
  const empty = typeof value === "boolean" ? !value : (value instanceof Map ? value.size : (value as readonly Cbor[]).length) === 0;
  need(!empty, "something is said that goes without saying");
  return value;
}

function kindOf(text: string): Kind {
  const kind = KINDS.find((one) => one === text);
  if (kind === undefined) throw new ProtocolError("question: a kind that this version does not know");
  return kind;
}

function decodeChoice(item: Cbor): Choice {
  const [id, titles, ...more] = Array.isArray(item) ? (item as readonly Cbor[]) : [];
  if (typeof id !== "string" || titles === undefined || more.length) throw new ProtocolError("question: something else than a choice");
  return { id, titles: new Fields(new Map([["titles", titles]]), "choice").texts("titles", LANGUAGES, TITLE) };
}

function decodeCondition(item: Cbor): Condition {
  const [question, choices, ...more] = Array.isArray(item) ? (item as readonly Cbor[]) : [];
  if (typeof question !== "string" || !Array.isArray(choices) || more.length || !choices.every((x) => typeof x === "string")) {
    throw new ProtocolError("question: something else than a condition");
  }
  return { question, choices: choices as readonly string[] };
}

// --- the rules -------------------------------------------------------------------------------------

function need(holds: boolean, sentence: string): void {
  if (!holds) throw new ProtocolError(`question: ${sentence}`);
}

const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

function checkQuestions(questions: readonly Question[]): void {
  need(questions.length <= c.MAX_QUESTIONS, "too many");
  need(distinct(questions.map(({ id }) => id)), "two have the same id");
  let steps = 0;
  const before = new Map<string, Question>();
  for (const q of questions) {
    need((q.step === steps || q.step === steps + 1) && q.step > 0, "the steps are 1, 2, 3 and so on, in order");
    steps = q.step;
    checkTexts(q);
    checkChoices(q);
    if (q.onlyIf) checkCondition(q.onlyIf, q, before);
    before.set(q.id, q);
  }
}

function checkTexts(q: Question): void {
  need(isName(q.id), "an id is not lower-case letters, digits and hyphens");
  const all: [Texts, number][] = [[q.titles, TITLE], [q.help, HELP], ...q.choices.map(({ titles }): [Texts, number] => [titles, TITLE])];
  for (const [texts, longest] of all) {
    need([...texts.keys()].every((tag) => LANGUAGE.test(tag)), "a language is a tag such as 'en'");
    need([...texts.values()].every((text) => strip(text) !== "" && characters(text) <= longest), "a text is empty or too long");
  }
  need(q.titles.size > 0, "one has no title");
}

function checkChoices(q: Question): void {
  const count = q.choices.length;
  if (q.kind === "one" || q.kind === "several") need(count >= 2 && count <= c.MAX_CHOICES, "too few choices, or too many");
  else need(!count, "one is not of a kind that has choices");
  need(distinct(q.choices.map(({ id }) => id)) && q.choices.every(({ id }) => isName(id)), "a choice's id");
  need(q.choices.every(({ titles }) => titles.size > 0), "a choice has no title");
}

function checkCondition({ question, choices }: Condition, q: Question, before: ReadonlyMap<string, Question>): void {
  const asked = before.get(question);
  need(!!asked?.choices.length && asked.step < q.step, "one depends on what is not a choice in an earlier step");
  need(
    choices.length > 0 && distinct(choices) && choices.every((id) => asked && choiceOf(asked, id)),
    "one depends on a choice that is not there",
  );
}
