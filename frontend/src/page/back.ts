// SPDX-License-Identifier: AGPL-3.0-or-later
/** Coming back: ten words, the thread that they open, going on in it, and other words. */

import { deskOf } from "../protocol/directory.ts";
import {
  generate, type Passphrase, post, type Reply, secureRandom, type Source, type VerifiedVisit,
} from "../source/session.ts";
import type { Values } from "./fill.ts";
import { Journey } from "./journey.ts";
import { printable } from "./lines.ts";
import { nextLetter, type Page } from "./page.ts";
import type { Trouble } from "./screen.ts";
import { every, hints, practised, read, showWords } from "./words.ts";
import { Left, maybeIn, tryAgain } from "./why.ts";
import { background, grouped, write } from "./writing.ts";

interface Thread {
  readonly source: Source;
  readonly visit: VerifiedVisit;
  readonly replies: ReadonlyMap<string, readonly Reply[]>;
}

/** Words are asked for until somebody leaves the page. */
export async function comeBack(page: Page, typed: ReadonlyMap<string, string>): Promise<void> {
  let fields = typed;
  let troubles: Trouble[] = [];
  for (;;) {
    const asked = await page.screen.ask("return", { door: "" }, fields, troubles, (main, press) => {
      hints(page, every(page))(main, press);
      background(page);
    });
    const words = await read(page, every(page), asked.fields.get("words") ?? "");
    fields = words instanceof Array ? asked.fields : new Map();
    troubles = words instanceof Array ? words : [];
    if (!(words instanceof Array)) await inThread(page, words);
  }
}

/** Until the person wants to type words anew. */
async function inThread(page: Page, words: Passphrase): Promise<void> {
  let thread = await opened(page, words, null);
  while (thread) {
    const { button } = await page.screen.ask("thread", shown(page, thread));
    if (button === "change") await change(page, thread.source);
    if (button === "more") await write(page, nextLetter(thread.source, lastDesk(thread), thread.replies));
    page.door.again();
    thread = await opened(page, words, thread.source);
  }
}

/** All desks' replies to these words: none for words that were never used. null when the person gave up. */
async function opened(page: Page, words: Passphrase, known: Source | null): Promise<Thread | null> {
  for (;;) {
    const journey = new Journey(page.screen, page.texts, { opening: true, other: true });
    try {
      const visit = await journey.visit(page.door);
      const source = known ?? (await journey.keys(words, true, visit));
      const replies = new Map(visit.directory.desks.map(({ id }) => [id, source.thread(visit, id)]));
      return { source, visit, replies };
    } catch (error) {
      if (error instanceof Left) return null;
      if (!(await tryAgain(page, error))) return null;
    }
  }
}

const inOrder = ({ replies }: Thread): [string, Reply][] =>
  [...replies].flatMap(([desk, some]) => some.map((reply): [string, Reply] => [desk, reply])).sort(([, a], [, b]) => a.at - b.at);

const lastDesk = (thread: Thread): string => inOrder(thread).pop()?.[0] ?? "";

function title(page: Page, visit: VerifiedVisit, desk: string): string {
  const titles = deskOf(visit.directory, desk)?.titles;
  return titles?.get(page.texts.told.language) ?? titles?.get("en") ?? [...(titles?.values() ?? [])][0] ?? desk;
}

function shown(page: Page, thread: Thread): Values {
  const all = inOrder(thread);
  const replies = all.map(([desk, reply]) => ({
    desk: title(page, thread.visit, desk),
    when: page.texts.when(reply.at),
    acks: reply.acks.map(grouped),
    ...(reply.text === null ? { newer: true } : reply.text ? { text: printable(reply.text.replace(/\r\n/g, "\n")) } : {}),
  }));
  if (!all.length) return { none: true };
  return { some: true, replies, ...(all.some(([, reply]) => reply.known) ? { known: true } : {}) };
}

/** Other words and how far the desks know of them. `maybe`: those whose answer was lost. `visit`: by which the last were told. */
interface Change {
  readonly words: Passphrase;
  readonly before: Source;
  readonly told: Set<string>;
  readonly maybe: Set<string>;
  after: Source | null;
  visit: VerifiedVisit | null;
  /** Some desk was not told, and not because the person stopped it. */
  refused: boolean;
}

/** Take other words, and tell the desks; returns when the person gives up, under the words of before. */
async function change(page: Page, before: Source): Promise<void> {
  const made: Change = { words: generate(secureRandom), before, told: new Set(), maybe: new Set(), after: null, visit: null, refused: false };
  const typed = new Map<string, string>();
  for (let show = true; ; ) {
    if (show && (await showWords(page, made.words, true)) === "back") return;
    const chosen = await practised(page, made.words, true, typed);
    if (chosen === "back") return;
    show = chosen === "show";
    if (chosen !== "show") await telling(page, made, chosen);
  }
}

/** Tell the desks until all are told; returns when somebody gives up, or chooses others. */
async function telling(page: Page, made: Change, chosen: readonly string[]): Promise<void> {
  for (;;) {
    const journey = new Journey(page.screen, page.texts, { changing: true, other: true });
    try {
      const visit = await journey.visit(page.door);
      made.after ??= await journey.keys(made.words, false, visit);
      await tell(page, journey, made, made.after, visit, chosen);
    } catch (error) {
      if (!(error instanceof Left)) {
        await tryAgain(page, error);
        continue;
      }
    }
    if (!made.visit || !(made.told.size || made.maybe.size || made.refused)) return; // stopped, and nobody knows of them
    const again = await outcome(page, made, made.visit, chosen);
    page.door.again(); // it may have been refused for what this page knew of the door
    if (!again) return;
  }
}

const among = (visit: VerifiedVisit, chosen: readonly string[]): string[] =>
  visit.directory.desks.map(({ id }) => id).filter((id) => chosen.includes(id) || chosen.includes(""));

/** Tell each of these desks that was not told before. */
async function tell(
  page: Page, journey: Journey, made: Change, after: Source, visit: VerifiedVisit, chosen: readonly string[],
): Promise<void> {
  made.visit = visit;
  made.refused = false;
  for (const desk of among(visit, chosen).filter((one) => !made.told.has(one))) {
    journey.say("telling", { desk: title(page, visit, desk) });
    let asked = false;
    try {
      const prepared = made.before.prepareChange(visit, desk, after, secureRandom);
      asked = true;
      await journey.over((transport) => post(transport, visit, prepared, journey.pause));
      made.told.add(desk);
    } catch (error) {
      // full, silent, closed or stopped: the old words stay good there, unless an answer was lost
      if (asked && (journey.lost || maybeIn(error))) made.maybe.add(desk);
      if (!(error instanceof Left)) made.refused = true;
    }
  }
}

/** Show which were told; true when the others are to be tried again, false to choose desks anew. */
async function outcome(page: Page, { told, maybe }: Change, visit: VerifiedVisit, chosen: readonly string[]): Promise<boolean> {
  const desks = among(visit, chosen);
  const named = (so: (desk: string) => boolean): string => page.texts.all(desks.filter(so).map((desk) => title(page, visit, desk)));
  const [some, unsure, missed] = [
    named((desk) => told.has(desk)),
    named((desk) => !told.has(desk) && maybe.has(desk)),
    named((desk) => !told.has(desk) && !maybe.has(desk)),
  ];
  const values = {
    ...(some ? { told: some } : {}),
    ...(unsure ? { unsure } : {}),
    ...(missed ? { missed, again: true } : unsure ? { perhaps: true, again: true } : { done: true }),
  };
  return (await page.screen.ask("changed", values)).button !== "choose";
}
