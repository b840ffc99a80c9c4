// SPDX-License-Identifier: AGPL-3.0-or-later
/** The steps of a letter: its text, files, ten words, the way to the door, and what comes then. */

import { isWhole, strip, toUtf8 } from "../protocol/bytes.ts";
import { deskOf } from "../protocol/directory.ts";
import { noteOf } from "../client/visit.ts";
import { CannotWrite, generate, room, secureRandom, type VerifiedVisit } from "../source/session.ts";
import { askFirst, foresee } from "./asking.ts";
import { type Page, type Letter, newLetter } from "./page.ts";
import { charactersIn, draftOf, files, over } from "./files.ts";
import type { Trouble } from "./screen.ts";
import { deliver, type Delivered } from "./deliver.ts";
import { tryAgain } from "./why.ts";
import { practised, showWords } from "./words.ts";

/** Writes until it is in; false when a harmless letter is wanted next, true to go back to the thread. */
export async function write(page: Page, letter: Letter, troubles: readonly Trouble[] = []): Promise<boolean> {
  let wrong = troubles;
  for (;;) {
    try {
      const end = await steps(page, letter, wrong);
      if (end === null) return true;
      if (end.kind === "sent") return await sent(page, letter, end);
      wrong = end.troubles;
    } catch (error) {
      if (!page.screen.step) throw error;
      wrong = [];
      await tryAgain(page, error, { letter: true, ...(letter.lost ? { unsure: true } : {}) }); // whatever it was
    }
  }
}

/** From the text to the door, or back to the text from wherever the person is; null for the thread. */
async function steps(page: Page, letter: Letter, troubles: readonly Trouble[]): Promise<Delivered | null> {
  if (!(await text(page, letter, troubles))) return null;
  const goesOn =
    (await askFirst(page, letter)) &&
    (!page.texts.told.most || (await files(page, letter))) &&
    (letter.cameBack || (await words(page, letter)));
  return goesOn ? deliver(page, letter) : { kind: "back", troubles: [] };
}

/** Asked for until the desk and the text can go on; false for the thread. */
async function text(page: Page, letter: Letter, troubles: readonly Trouble[]): Promise<boolean> {
  let wrong = troubles;
  for (;;) {
    if (wrong.some(({ at }) => at === "desk")) page.door.again(); // one may open: it is looked at anew
    const typed = new Map([["desk", letter.desk], ["text", letter.text]]);
    const values = { first: !letter.cameBack && !letter.decoy, again: letter.cameBack, decoy: letter.decoy, door: "" };
    const { button, fields } = await page.screen.ask("write", values, typed, wrong, (main) => wire(page, letter, main));
    const desk = fields.get("desk") ?? page.screen.part("desk")?.dataset["only"] ?? "";
    const now = fields.get("text") ?? "";
    if (desk !== letter.desk || now !== letter.text) letter.prepared = null;
    [letter.desk, letter.text] = [desk, now];
    if (button === "thread" && ((!strip(now) && !letter.files.length) || confirm(page.texts.say("leaving")))) return false;
    wrong = button === "thread" ? [] : check(page, letter);
    if (button !== "thread" && !wrong.length) return true;
  }
}

/** What can be seen before the door is asked. */
function check(page: Page, letter: Letter): Trouble[] {
  const { texts } = page;
  const out: Trouble[] = [];
  const visit = page.door.known;
  if (!letter.desk) out.push({ at: "desk", text: texts.say("no-desk") });
  else if (visit) {
    const why = closed(visit, letter.desk);
    if (why) out.push({ at: "desk", text: texts.say(why) });
  }
  if (!strip(letter.text)) return [...out, { at: "text", text: texts.say("empty") }];
  try {
    const long = over(draftOf(page, letter));
    if (long) out.push({ at: "text", text: texts.many("too-long", long) });
  } catch (error) {
    if (!(error instanceof CannotWrite)) throw error;
    out.push({ at: "text", text: texts.say(error.why) });
  }
  return out;
}

/** Why no desk takes letters, as the name of a text. */
const shut = (visit: VerifiedVisit): string | null =>
  visit.directory.closed !== null ? "closed" : visit.expired ? "expired" : null;

/** Why a desk takes no letters, as the name of a text. */
function closed(visit: VerifiedVisit, desk: string): string | null {
  if (!deskOf(visit.directory, desk)) return "other-page";
  return shut(visit) ?? (noteOf(visit, desk) === null ? "desk-closed" : null);
}

const FEW = 400; // bytes: from here on the person is told how many are left

/** Counts what fits while it is typed; fetches what the door has published, and says which desks are open by it. */
function wire(page: Page, letter: Letter, main: HTMLElement): void {
  const area = main.querySelector<HTMLTextAreaElement>("#text");
  const left = main.querySelector<HTMLElement>("#room");
  const count = (): void => {
    if (!area || !left || !isWhole(area.value)) return;
    const draft = draftOf(page, { ...letter, text: area.value });
    const bytes = room(draft);
    const along = bytes < 0 && toUtf8(draft.text).length <= draft.most;
    left.textContent =
      bytes > FEW || along ? ""
      : bytes < 0 ? page.texts.many("too-long", charactersIn(area.value, -bytes))
      : page.texts.many("room", charactersIn(area.value, bytes));
  };
  area?.addEventListener("input", count);
  count();
  if (!letter.cameBack) {
    foresee(page, page.door.known);
    page.lists.of(page.texts.told.language).catch(() => undefined); // in which the ten words are shown
  }
  background(page, (visit) => {
    if (!letter.cameBack) foresee(page, visit);
    const why = shut(visit);
    const form = main.querySelector("form");
    if (why && !page.screen.part("state")?.textContent?.trim()) page.screen.update({ door: page.texts.say(`door-${why}`) });
    if (why && form && !area?.value.trim()) form.hidden = true; // it could not be sent; what was typed stays
    for (const radio of main.querySelectorAll<HTMLInputElement>('input[name="desk"]')) {
      radio.disabled = closed(visit, radio.value) !== null;
      const said = radio.parentElement?.querySelector<HTMLElement>(".closed");
      if (said) said.hidden = !radio.disabled;
      if (said && why === "closed") said.textContent = page.texts.say("desk-gone");
    }
  });
}

/** Begin to fetch what the door has published, while the person types. What goes wrong is told when it is needed. */
export function background(page: Page, then: (visit: VerifiedVisit) => void = () => undefined): void {
  const { texts, screen } = page;
  const say = (door: string, fetched = ""): void => screen.update({ door, fetched }); // the first of them is read aloud
  if (!page.door.known) say(texts.say("fetching"));
  page.door
    .visit((got, all) => {
      const amount = { done: texts.size(got), all: texts.size(all ?? 0) };
      say(texts.say("fetching"), texts.say(all ? "of" : "got", amount));
    })
    .then(
      (visit) => {
        say("");
        then(visit);
      },
      () => say(""),
    );
}

/** Show the ten words and have them typed; false to go back to the letter. */
async function words(page: Page, letter: Letter): Promise<boolean> {
  letter.words ??= generate(secureRandom);
  for (;;) {
    if ((await showWords(page, letter.words, false)) === "back") return false;
    if ((await practised(page, letter.words, false)) !== "show") return true;
  }
}

async function sent(page: Page, letter: Letter, { sent: { mark, publishAt } }: Extract<Delivered, { kind: "sent" }>): Promise<boolean> {
  const values = {
    by: page.texts.when(publishAt),
    mark: grouped(mark),
    ...(letter.cameBack ? { again: true } : { first: true }),
  };
  letter.text = "";
  letter.words = null;
  return (await page.screen.ask("sent", values)).button !== "decoy";
}

/** A mark as people compare it: four digits at a time. */
export const grouped = (mark: Uint8Array): string =>
  [...mark].map((byte) => byte.toString(16).padStart(2, "0")).join("").replace(/(.{4})(?=.)/g, "$1 ");

/** A first letter, and harmless ones after it for as long as they are wanted. */
export async function firstLetters(page: Page, typed: ReadonlyMap<string, string>): Promise<void> {
  let letter = newLetter();
  letter.desk = typed.get("desk") ?? "";
  letter.text = typed.get("text") ?? "";
  for (;;) {
    await write(page, letter);
    letter = newLetter(true);
  }
}
