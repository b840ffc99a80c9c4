// SPDX-License-Identifier: AGPL-3.0-or-later
/** Ten words on the screen: shown once, typed to practise or to come back, with what was likely meant for a slip. */

import { same } from "../protocol/bytes.ts";
import { tokens } from "../protocol/passphrase.ts";
import { MistypedPassphrase, parseInAny, type Passphrase, type WordList } from "../source/session.ts";
import { fill } from "./fill.ts";
import { meanwhile } from "./journey.ts";
import { noList } from "./lists.ts";
import type { Page } from "./page.ts";
import type { Trouble, Wire } from "./screen.ts";
import { Left, slips } from "./why.ts";

/** Show new words; the button that was pressed, or "back" when the list cannot be had and the person gives up. */
export async function showWords(page: Page, words: Passphrase, changing: boolean): Promise<string> {
  for (;;) {
    try {
      const list = await meanwhile(page, { words: true }, () => page.lists.of(page.texts.told.language));
      return (await page.screen.ask("passphrase", { words: words.words(list), ...which(changing) })).button;
    } catch (error) {
      if (error instanceof Left) return "back";
      const why = page.texts.say(noList(error));
      if ((await page.screen.ask("refused", { why, letter: !changing })).button !== "again") return "back";
    }
  }
}

const which = (changing: boolean): Readonly<Record<string, true>> => (changing ? { changing: true } : { first: true });

/** Which desks were chosen, [""] where there is no choice, or the button of somebody who goes elsewhere. `typed`: kept there. */
export async function practised(
  page: Page, words: Passphrase, changing: boolean, typed = new Map<string, string>(),
): Promise<string[] | "show" | "back"> {
  let troubles: Trouble[] = [];
  for (;;) {
    const { button, fields } = await page.screen.ask("practice", which(changing), typed, troubles, hints(page, mine(page)));
    typed.clear();
    for (const [name, text] of fields) if (button !== "show" || name !== "words") typed.set(name, text);
    if (button === "show" || button === "back") return button;
    const choice = [...fields.keys()].filter((name) => name.startsWith("desk-")).map((name) => name.slice(5));
    const asked = page.screen.part("desks") !== null;
    const desks = asked ? choice : [""];
    if (button === "unchecked") return desks;
    const parsed = await read(page, mine(page), fields.get("words") ?? "");
    troubles = parsed instanceof Array ? parsed : [];
    if (!(parsed instanceof Array) && !same(parsed.bits, words.bits)) {
      troubles = [{ at: "words", text: page.texts.say("other-words") }];
    }
    if (!desks.length) troubles.push({ at: "desks", text: page.texts.say("no-desks") });
    if (!troubles.length && !(parsed instanceof Array)) return desks;
  }
}

/** Lists by which what is typed is read. */
type Lists = () => Promise<[WordList, ...WordList[]]>;

/** The list in which the words were shown. */
const mine = (page: Page): Lists => async () => [await page.lists.of(page.texts.told.language)];

/** All of them, fetched whatever is typed and waited for: who holds one back does not see what is in it. */
export const every = (page: Page): Lists => () => page.lists.every(page.texts.told.language);

/** The passphrase that was typed in the language of one of the lists, or what is wrong with it; nothing, when it was stopped. */
export async function read(page: Page, lists: Lists, typed: string): Promise<Passphrase | Trouble[]> {
  try {
    return await meanwhile(page, { opening: true }, async () => parseInAny(typed, await lists()));
  } catch (error) {
    if (error instanceof Left) return [];
    const said = error instanceof MistypedPassphrase ? slips(error, page.texts).slice(0, 12) : [page.texts.say(noList(error))];
    return said.map((text) => ({ at: "words", text }));
  }
}

const MOST = 4; // words that are told at one time

/** While words are typed: those that are in no list, with what was likely meant to press on. */
export const hints =
  (page: Page, from: Lists): Wire =>
  (main) => {
    const area = main.querySelector<HTMLTextAreaElement>("#words");
    const list = main.querySelector<HTMLElement>("#hints");
    const carried = [...document.querySelectorAll("template")].map(({ content }) => content.querySelector("#hints"));
    const row = carried.find((one) => one !== null);
    if (!area || !list || !row) return;
    let lists: readonly WordList[] = [];
    const show = (): void => {
      const typed = tokens(area.value);
      const done = /[\s,]$/.test(area.value) ? typed : typed.slice(0, -1);
      const [first] = [...lists].sort((a, b) => known(b, done) - known(a, done));
      const wrong = first
        ? done.flatMap((token, i) => (first.find(token) === null ? [{ token, i }] : [])).slice(0, MOST)
        : [];
      const shown = row.cloneNode(true) as HTMLElement;
      fill(shown, {
        hints: wrong.map(({ token, i }) => ({
          said: page.texts.say("hint", { place: page.texts.number(i + 1), typed: token }),
          meant: first?.near(token) ?? [],
        })),
      });
      list.textContent = "";
      list.append(...shown.childNodes);
      list.hidden = !wrong.length;
      [...list.children].forEach((item, n) => {
        const { i } = wrong[n] as { i: number };
        for (const button of item.querySelectorAll<HTMLButtonElement>("[data-word]")) {
          button.addEventListener("click", () => {
            area.value = `${typed.map((token, at) => (at === i ? (button.textContent ?? "").trim() : token)).join(" ")} `;
            show();
            area.focus();
          });
        }
      });
    };
    from().then(
      (all) => {
        lists = all;
        show();
      },
      () => undefined, // told when the words are read
    );
    area.addEventListener("input", show);
  };

const known = (list: WordList, typed: readonly string[]): number => typed.filter((token) => list.find(token) !== null).length;
