// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a desk asks, page by page, as site/pages/questions.py and templates/_questions.html: a bundle of its own. It asks
 * what the root-signed directory says; of the page it takes the frame and the sentences alone.
 */

import { type Answer, check, chosen, type Given, isDate, kept, type Problem, shown } from "../protocol/answers.ts";
import { strip } from "../protocol/bytes.ts";
import type { Cbor } from "../protocol/encoding.ts";
import { decodeQuestions, HELP, type Question, TITLE } from "../protocol/questions.ts";
import { cut, oneLine } from "./lines.ts";
import type { Page } from "./page.ts";
import type { Trouble } from "./screen.ts";

const TOP = "questions"; // where a trouble of all answers together is mended
const LONGEST = 20_000; // characters of an answer that are looked at

/** What a desk asks; null when it is nothing that this version can ask. */
export function read(items: readonly Cbor[]): Question[] | null {
  try {
    return decodeQuestions(items);
  } catch {
    return null;
  }
}

/** One visit to a desk's questions. `given`: what was typed so far, empty answers too; it is filled here. */
export interface Asking {
  readonly page: Page;
  readonly questions: readonly Question[];
  readonly given: Map<string, Answer>;
  /** By how many characters letter and answers are too long together. */
  readonly over: (answers: Given) => number;
}

/** The answers to send, once all pages were passed; null to go back to the letter. `changed`: they were asked otherwise before. */
export async function ask(asking: Asking, changed: boolean): Promise<Given | null> {
  const { page, questions, given } = asking;
  let troubles: Trouble[] = changed ? [{ at: TOP, text: page.texts.say("questions-changed") }] : [];
  let step = stepAfter(questions, given, 0);
  while (step) {
    const asked = shown(questions, given).filter((question) => question.step === step);
    const { button, fields } = await page.screen.ask("questions", { asked: view(page, asked) }, typed(asked, given), troubles);
    for (const question of asked) given.set(question.id, answerIn(question, fields, page.texts.told.language));
    troubles = [];
    if (button === "earlier") {
      step = stepBefore(questions, given, step);
      if (!step) return null;
    } else {
      troubles = wrong(asking, asked);
      if (!troubles.length) step = stepAfter(questions, given, step);
    }
  }
  return kept(questions, given);
}

const steps = (questions: readonly Question[], given: Given): number[] => shown(questions, given).map(({ step }) => step);

/** The next page on which something is asked; 0 when there is none. */
export const stepAfter = (questions: readonly Question[], given: Given, step: number): number =>
  steps(questions, given).find((one) => one > step) ?? 0;

/** The page before on which something is asked; 0 when there is none. */
export const stepBefore = (questions: readonly Question[], given: Given, step: number): number =>
  steps(questions, given).filter((one) => one < step).pop() ?? 0;

// --- what is wrong ---------------------------------------------------------------------------------

/** What is wrong on one page of questions, or with all of them together. */
function wrong({ page, questions, given, over }: Asking, asked: readonly Question[]): Trouble[] {
  const answers = kept(questions, given); // what the desk does not ask any more is passed over
  const problems = check(questions, answers);
  const here = problems.filter(({ question }) => !question || asked.some(({ id }) => id === question));
  const found = here.map(({ question, what }: Problem) => ({ at: question ? `q-${question}` : TOP, text: page.texts.say(`answer-${what}`) }));
  const long = problems.length ? 0 : over(answers);
  return long ? [{ at: TOP, text: page.texts.many("too-long-together", long) }] : found;
}

// --- what was typed --------------------------------------------------------------------------------

const box = (question: Question, choice: string): string => `q-${question.id}.${choice}`;

/** The fields of a page of questions, as they are filled. */
function typed(asked: readonly Question[], given: Given): Map<string, string> {
  const fields = new Map<string, string>();
  for (const question of asked) {
    const answer = given.get(question.id) ?? "";
    if (question.kind === "several") for (const id of chosen(answer)) fields.set(box(question, id), "1");
    else fields.set(`q-${question.id}`, typeof answer === "string" ? answer : "");
  }
  return fields;
}

/** What stands in the fields of a question; a box that is not ticked counts as empty. */
function answerIn(question: Question, fields: ReadonlyMap<string, string>, language: string): Answer {
  if (question.kind === "several") return question.choices.map(({ id }) => id).filter((id) => fields.has(box(question, id)));
  const text = strip(cut(fields.get(`q-${question.id}`) ?? "", LONGEST));
  return question.kind === "date" ? asDate(text, language) : text;
}

/**
 * A date as letters have it, from the ways in which one is typed in that language; else what was typed. The year may
 * stand last, but not in English, where 5/6/2024 is the fifth of June to some and the sixth of May to others. Marks of
 * direction, which dates in Arabic have between their numbers, are passed over.
 */
export function asDate(text: string, language: string): string {
  const flat = text.replace(/[\u061c\u200e\u200f]/g, "").replace(/\p{Nd}/gu, digit);
  const found = /^(\d{4})[-./ ](\d{1,2})(?:[-./ ](\d{1,2}))?$/.exec(flat);
  if (found) return joined(found.slice(1));
  const last = language === "en" ? null : /^(?:(\d{1,2})[./])?(\d{1,2})[./](\d{4})$/.exec(flat);
  const date = last ? joined(last.slice(1).reverse()) : "";
  return isDate(date) ? date : flat;
}

const joined = (parts: readonly string[]): string => parts.filter(Boolean).map((part) => part.padStart(2, "0")).join("-");

/** The value of a decimal digit of any script: Unicode has them in rows of ten. */
function digit(sign: string): string {
  let value = 0;
  for (let code = (sign.codePointAt(0) as number) - 1; /\p{Nd}/u.test(String.fromCodePoint(code)); code -= 1) value += 1;
  return String(value % 10);
}

// --- what is seen ----------------------------------------------------------------------------------

type Attributes = Readonly<Record<string, string>>;

function make(tag: string, attributes: Attributes, ...children: readonly (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function view(page: Page, asked: readonly Question[]): DocumentFragment {
  const out = document.createDocumentFragment();
  for (const question of asked) out.append(...one(page, question));
  return out;
}

/** A text in the page's language or another. */
function said(page: Page, texts: ReadonlyMap<string, string>, width: number): HTMLElement {
  const lang = [page.texts.told.language, "en"].find((code) => texts.has(code)) ?? ([...texts.keys()][0] as string);
  return make("bdi", { lang }, oneLine(texts.get(lang) ?? "", width));
}

function hint(page: Page, question: Question): HTMLElement {
  const { texts } = page;
  const parts: (Node | string)[] = question.help.size ? [said(page, question.help, HELP), " "] : [];
  if (question.kind === "date") parts.push(`${texts.say("answer-date")} `);
  return make("span", { class: "hint", id: `q-${question.id}-hint` }, ...parts, texts.say(question.needed ? "answer-insisted" : "answer-free"));
}

function one(page: Page, question: Question): HTMLElement[] {
  const id = `q-${question.id}`;
  const about = { id, "aria-describedby": `${id}-hint` };
  const title = said(page, question.titles, TITLE);
  const error = make("p", { class: "error", id: `${id}-error`, hidden: "" });
  if (question.choices.length) {
    const several = question.kind === "several";
    const choices = question.choices.map(({ id: choice, titles }) => {
      const at = box(question, choice);
      return several
        ? picked({ type: "checkbox", name: at, id: at, value: "1" }, said(page, titles, TITLE))
        : picked({ type: "radio", name: id, id: at, value: choice }, said(page, titles, TITLE));
    });
    if (!several && !question.needed) choices.push(picked({ type: "radio", name: id, id: `${id}.`, value: "" }, page.texts.say("answer-none")));
    return [make("fieldset", { ...about, tabindex: "-1" }, make("legend", {}, title), hint(page, question), error, ...choices)];
  }
  const quiet = { ...about, name: id, dir: question.kind === "date" ? "ltr" : "auto", spellcheck: "false", autocomplete: "off" };
  const field = question.kind === "long" ? make("textarea", { ...quiet, class: "short", rows: "5" }) : make("input", { ...quiet, type: "text" });
  return [make("p", {}, make("label", { for: id }, title), "\n", hint(page, question)), error, field];
}

const picked = (attributes: Attributes, title: Node | string): HTMLElement =>
  make("div", { class: "choice" }, make("input", attributes), "\n", make("label", { for: attributes["id"] as string }, title));
