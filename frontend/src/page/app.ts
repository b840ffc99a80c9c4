// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * The pages' script: the same steps as without it, all of them in this page. Keys, words and texts live in its memory and
 * nowhere else; the server gets what is sealed.
 */

import { WordLists } from "../source/session.ts";
import { mustBeAble } from "./able.ts";
import { comeBack } from "./back.ts";
import { Door } from "./door.ts";
import { list } from "./lists.ts";
import type { Page } from "./page.ts";
import { Screen } from "./screen.ts";
import { type Told, Texts } from "./texts.ts";
import { tryAgain } from "./why.ts";
import { firstLetters } from "./writing.ts";

/** The door whose pages these are, in 64 digits: the first line of the script that is served (site/files.py). */
declare const DOOR: string;

async function run(page: Page, typed: ReadonlyMap<string, string>): Promise<void> {
  for (let fields = typed; ; fields = new Map()) {
    try {
      await (page.texts.told.page === "write" ? firstLetters(page, fields) : comeBack(page, fields));
    } catch (error) {
      if (!page.screen.step) throw error;
      await tryAgain(page, error); // said, and no trace in the console
    }
  }
}

/** When the page is left nothing stays on it: a browser may keep it, as it was, for its "back" button. */
function leaveNothing(screen: Screen): void {
  window.addEventListener("pagehide", () => screen.clear());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

/** Who leaves at once has nothing on the screen, or in the window's title, while the next page is on its way. */
function leaveAtOnce(): void {
  document.addEventListener("click", (event) => {
    const link = linkOf(event);
    if (link?.pathname !== LEAVE) return;
    event.preventDefault(); // with a key held down it would open beside this page, which must not stay
    location.assign(link.href);
    document.body.hidden = true;
    document.title = "";
  });
}

const LEAVE = "/leave";
const linkOf = (event: Event): HTMLAnchorElement | null => (event.target as Element).closest<HTMLAnchorElement>("a[href]");

/** Steps in which nothing is lost by leaving, but for what stands in their fields. */
const SETTLED = ["write", "return", "thread", "sent", "changed"];

/** Links away ask first when something was typed; the one that leaves at once never does. */
function askBeforeLeaving(page: Page): void {
  document.addEventListener("click", (event) => {
    const link = linkOf(event);
    if (!link || link.pathname === LEAVE || (link.hash && link.pathname === location.pathname)) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // it opens beside this page
    const typed = [...document.querySelectorAll("textarea")].some((area) => area.value.trim());
    if ((typed || !SETTLED.includes(page.screen.step)) && !confirm(page.texts.say("leaving"))) event.preventDefault();
  });
}

const main = document.getElementById("main");
const told = document.getElementById("told")?.textContent;
const note = document.getElementById("unscripted");
if (main && told) {
  const screen = new Screen(main);
  try {
    const texts = new Texts(JSON.parse(told) as Told);
    mustBeAble(texts);
    const page: Page = { texts, screen, door: new Door(DOOR), lists: new WordLists(list) };
    leaveNothing(screen);
    leaveAtOnce();
    askBeforeLeaving(page);
    run(page, screen.fields()).catch(() => undefined); // its first step could not be shown
  } catch {
    // this browser is too old
  }
  if (screen.step) document.documentElement.dataset["page"] = "ready";
  else if (note) main.insertBefore(note, main.firstChild); // should a step have taken its place: guard.ts shows it
}
