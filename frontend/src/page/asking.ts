// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a desk asks whoever writes to it first, by the door's signed directory. The bundle that asks is fetched as soon as
 * any desk of the door is known to ask something: the server must not see by it which desk was chosen.
 */

import { type Answers, type Given } from "../protocol/answers.ts";
import { hex } from "../protocol/bytes.ts";
import { deskOf } from "../protocol/directory.ts";
import { type Cbor, encodeCbor, h } from "../protocol/encoding.ts";
import { CannotWrite, type VerifiedVisit } from "../source/session.ts";
import { bundle } from "./bundle.ts";
import { draftOf, over } from "./files.ts";
import { Journey, meanwhile } from "./journey.ts";
import type { AtDesk, Letter, Page } from "./page.ts";
import { Left, tryAgain } from "./why.ts";

type Bundle = typeof import("./questions.ts");

const asking = bundle<Bundle>("/static/questions.js");

/** Fetch what asks, if any desk does: `visit` says, or before it came the page. */
export function foresee(page: Page, visit: VerifiedVisit | null): void {
  const asks = visit ? visit.directory.desks.some(({ questions }) => questions.length) : page.texts.told.asks;
  if (asks) asking().catch(() => undefined); // told when it is needed
}

/** What the letter's desk asks. Nobody is asked again who came back. */
const asksOf = (letter: Letter, visit: VerifiedVisit): readonly Cbor[] =>
  letter.cameBack ? [] : (deskOf(visit.directory, letter.desk)?.questions ?? []);

/** By which a change of what a desk asks shows; empty when it asks nothing. */
const markOf = (questions: readonly Cbor[]): string => (questions.length ? hex(h(encodeCbor(questions))) : "");

function atDesk(letter: Letter): AtDesk {
  const found = letter.atDesk.get(letter.desk) ?? { mark: "", given: new Map(), answers: null };
  letter.atDesk.set(letter.desk, found);
  return found;
}

/** Is something asked of which the person knows nothing? Of what is not asked any more nothing is sent. */
export function mustAsk(letter: Letter, visit: VerifiedVisit): boolean {
  const questions = asksOf(letter, visit);
  const at = atDesk(letter);
  if (!questions.length) [at.mark, at.answers] = ["", null];
  return questions.length > 0 && markOf(questions) !== at.mark;
}

/** After the letter's text: ask; false to go back to it. What is not known yet is seen to before the letter is sealed. */
export async function askFirst(page: Page, letter: Letter): Promise<boolean> {
  if (letter.cameBack || (!page.door.known && !page.texts.told.asks)) return true;
  const visit = page.door.known ?? (await fetched(page));
  return visit !== null && ask(page, letter, visit);
}

/** What the door has published, or null for somebody who gave up. */
async function fetched(page: Page): Promise<VerifiedVisit | null> {
  for (;;) {
    try {
      return await new Journey(page.screen, page.texts, { asking: true, other: true }).visit(page.door);
    } catch (error) {
      if (error instanceof Left || !(await tryAgain(page, error, { letter: true, unsent: true }))) return null;
    }
  }
}

/** Ask what the desk wants to know now; false to go back to the letter. */
export async function ask(page: Page, letter: Letter, visit: VerifiedVisit): Promise<boolean> {
  const items = asksOf(letter, visit);
  const at = atDesk(letter);
  if (!items.length) return true;
  const bundle = await loaded(page);
  if (!bundle) return false;
  const questions = bundle.read(items);
  if (!questions) {
    await page.screen.ask("refused", { why: page.texts.say("untrusted"), letter: true });
    return false;
  }
  const mark = markOf(items);
  const answers = (given: Given): Answers | null => (given.size ? { asked: visit.directory.seq, given } : null);
  const tooLong = (given: Given): number => {
    try {
      return over({ ...draftOf(page, letter), answers: answers(given) });
    } catch (error) {
      if (!(error instanceof CannotWrite)) throw error;
      return 0; // of the files: told where they are chosen
    }
  };
  const given = await bundle.ask({ page, questions, given: at.given, over: tooLong }, at.mark !== "" && at.mark !== mark);
  if (!given) return false;
  at.mark = mark;
  const before = JSON.stringify([...(at.answers?.given ?? [])]);
  if (JSON.stringify([...given]) !== before) {
    at.answers = answers(given);
    letter.prepared = null;
  }
  return true;
}

/** What asks; null for somebody who gave up. */
async function loaded(page: Page): Promise<Bundle | null> {
  for (;;) {
    try {
      return await meanwhile(page, { asking: true }, asking);
    } catch (error) {
      if (error instanceof Left) return null;
      const why = page.texts.say("no-part");
      if ((await page.screen.ask("refused", { why, letter: true })).button !== "again") return null;
    }
  }
}
