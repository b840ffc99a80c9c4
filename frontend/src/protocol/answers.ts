// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Answers to a desk's questions, and which questions apply once some are answered, as protocol/answers.py. In a letter:
 * [asked, {id: answer}].
 */

import { type Bytes, characters, isWhole, strip } from "./bytes.ts";
import * as c from "./constants.ts";
import { type Cbor, encodeCbor, ProtocolError } from "./encoding.ts";
import { isName } from "./names.ts";
import { choiceOf, type Question } from "./questions.ts";

/** A text, a date, a place, the id of one choice; or the ids of several. */
export type Answer = string | readonly string[];
export type Given = ReadonlyMap<string, Answer>;

/** At least one answer. `asked`: the seq of the directory in which the questions stand. */
export interface Answers {
  readonly asked: number;
  readonly given: Given;
}

/** As CBOR has it; ProtocolError when a part is not what it must be. */
export function answersItem({ asked, given }: Answers): Cbor[] {
  const holds = asked >= 1 && given.size >= 1 && given.size <= c.MAX_QUESTIONS && [...given.keys()].every(isName);
  if (!holds || ![...given.values()].every(isAnswer)) throw new ProtocolError("something else than answers");
  return [asked, new Map<string, Cbor>(given)];
}

function isAnswer(answer: Answer): boolean {
  if (typeof answer === "string") return answer !== "" && characters(answer) <= c.ANSWER_LONG;
  return answer.length >= 1 && answer.length <= c.MAX_CHOICES && answer.every(isName) && new Set(answer).size === answer.length;
}

/** What an attachment holds when a letter has no room; ProtocolError when it is too long even for that. */
export function encodeAnswers(answers: Answers): Bytes {
  const raw = encodeCbor(answersItem(answers));
  if (raw.length > c.MAX_ANSWERS) throw new ProtocolError("answers that are too long");
  return raw;
}

// --- which apply, and what is wrong ----------------------------------------------------------------

/** What can be wrong with an answer: under these names whoever shows it has its words. */
export type What = "needed" | "too-long" | "no-date" | "no-choice" | "no-text" | "not-asked" | "too-much";

/** `question` is empty where all answers together are too much. */
export interface Problem {
  readonly question: string;
  readonly what: What;
}

/** An answer as the ids of choices. */
export const chosen = (answer: Answer): readonly string[] => (typeof answer === "string" ? [answer] : answer);

/** Those that apply once these answers are given: whose condition, if any, an earlier one that applies fulfils. */
export function shown(questions: readonly Question[], given: Given): Question[] {
  const found = new Set<string>();
  return questions.filter(({ id, onlyIf }) => {
    const applies =
      onlyIf === null ||
      (found.has(onlyIf.question) && chosen(given.get(onlyIf.question) ?? []).some((choice) => onlyIf.choices.includes(choice)));
    if (applies) found.add(id);
    return applies;
  });
}

/** The answers to send: of questions that apply, in their order, without those that are empty. */
export function kept(questions: readonly Question[], given: Given): Map<string, Answer> {
  const out = new Map<string, Answer>();
  for (const { id } of shown(questions, given)) {
    const answer = given.get(id);
    if (answer !== undefined && !isEmpty(answer)) out.set(id, answer);
  }
  return out;
}

const isEmpty = (answer: Answer): boolean => (typeof answer === "string" ? strip(answer) : answer).length === 0;

/** What is wrong, in the questions' order; nothing when these answers can be sent. */
export function check(questions: readonly Question[], given: Given): Problem[] {
  const known = new Set(questions.map(({ id }) => id));
  const problems: Problem[] = [...given.keys()].filter((id) => !known.has(id)).map((question) => ({ question, what: "not-asked" }));
  const answers = kept(questions, given);
  for (const question of shown(questions, given)) {
    const answer = answers.get(question.id);
    const what = answer !== undefined ? wrong(question, answer) : question.needed ? "needed" : null;
    if (what) problems.push({ question: question.id, what });
  }
  const together: Cbor = [1n << 62n, new Map<string, Cbor>(answers)];
  if (!problems.length && answers.size && encodeCbor(together).length > c.MAX_ANSWERS) {
    problems.push({ question: "", what: "too-much" });
  }
  return problems;
}

function wrong(question: Question, answer: Answer): What | null {
  const { kind } = question;
  const ids = chosen(answer);
  if ((kind === "several") !== (typeof answer !== "string")) return "no-choice";
  if (kind === "several" && new Set(ids).size !== ids.length) return "no-choice";
  if (kind === "several" || kind === "one") return ids.every((id) => choiceOf(question, id)) ? null : "no-choice";
  const text = answer as string;
  if (!isWhole(text)) return "no-text";
  if (characters(text) > (kind === "long" ? c.ANSWER_LONG : c.ANSWER_LINE)) return "too-long";
  return kind === "date" && !isDate(text) ? "no-date" : null;
}

/** A year, a month (2024-05) or a day (2024-05-31) that the calendar has? */
export function isDate(text: string): boolean {
  const found = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$/.exec(text);
  if (!found) return false;
  const [year, month, day] = [1, 2, 3].map((n) => Number(found[n] ?? 1)) as [number, number, number];
  if (!year || month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] as number);
}
