// SPDX-License-Identifier: AGPL-3.0-or-later
/** Which files go along: chosen, looked at, left out. They are read and sealed only when the letter goes. */

import { CannotWrite, checkSize, compose, type Draft, nameOf, numbered, placeholder } from "../source/session.ts";
import { characters, toUtf8 } from "../protocol/bytes.ts";
import { MAX_LISTED } from "../protocol/constants.ts";
import { shownName } from "./lines.ts";
import { Looking } from "./looking.ts";
import type { Chosen, Letter, Page } from "./page.ts";
import type { Trouble } from "./screen.ts";
import { cannot } from "./why.ts";

/** The letter as it will be: files that are not sent yet take as much room as they will. */
export const draftOf = (page: Page, letter: Letter): Draft => ({
  text: letter.text,
  language: page.texts.told.language,
  read: letter.read.get(letter.desk) ?? [],
  files: letter.files.map((one) => one.sent ?? placeholder(one.file.size, one.name)),
  answers: letter.atDesk.get(letter.desk)?.answers ?? null,
  most: page.door.known?.directory.policy.attachment ?? page.texts.told.most,
});

/** By how many characters of its kind, roughly, it is too long for the letter and what goes beside it. CannotWrite as `compose`. */
export function over(draft: Draft): number {
  try {
    compose(draft);
    return 0;
  } catch (error) {
    if (!(error instanceof CannotWrite) || error.why !== "too-long") throw error;
    return charactersIn(draft.text, error.detail);
  }
}

/** So many bytes, roughly, in characters of this text's kind; one at least. */
export function charactersIn(text: string, bytes: number): number {
  const each = text ? toUtf8(text).length / characters(text) : 1;
  return Math.max(1, Math.floor(bytes / each));
}

/** False to go back to the letter. `troubles`: of files that could not be sent. */
export async function files(page: Page, letter: Letter, troubles: readonly Trouble[] = []): Promise<boolean> {
  const { texts, screen } = page;
  let wrong = troubles;
  let nameless = false;
  for (;;) {
    const values = {
      files: letter.files.map(({ name, file }) => ({ name: shownName(name), size: texts.size(file.size) })),
      none: !letter.files.length,
      ...(letter.cameBack ? { again: true } : { first: true }),
    };
    let chosen: File[] = [];
    const { button } = await screen.ask("files", values, new Map(), wrong, (main, press) => {
      main.querySelectorAll<HTMLButtonElement>('button[value="drop-"]').forEach((one, n) => (one.value = `drop-${n}`));
      const input = main.querySelector<HTMLInputElement>("#file");
      const box = main.querySelector<HTMLInputElement>("#nameless");
      if (box) box.checked = nameless;
      box?.addEventListener("change", () => (nameless = box.checked));
      input?.addEventListener("change", () => {
        chosen = [...(input.files ?? [])];
        press("added");
      });
    });
    wrong = [];
    if (button === "back") return false;
    if (button === "added") wrong = await add(page, letter, chosen, nameless);
    else if (button.startsWith("drop-")) change(letter, letter.files.filter((_, n) => n !== Number(button.slice(5))));
    else return true;
  }
}

/** Other files: what was sealed with the ones before is not the letter any more. */
function change(letter: Letter, now: Chosen[]): void {
  letter.files = now;
  letter.prepared = null;
}

/** Each is looked into first; what does not go along is said. */
async function add(page: Page, letter: Letter, chosen: readonly File[], nameless: boolean): Promise<Trouble[]> {
  const out: Trouble[] = [];
  const looking = new Looking(page, chosen.length, nameless);
  for (const [n, file] of chosen.entries()) {
    const own = nameOf(file.name);
    try {
      checkSize(file.size, page.texts.told.most);
      if (letter.files.length >= MAX_LISTED) throw new CannotWrite("too-many-files");
      const going = await looking.next(file, own, n + 1);
      if (!going) continue;
      checkSize(going.blob.size, page.texts.told.most);
      const name = going.nameless || !own ? numbered(letter.files.length + 1, own) : own;
      const more = { ...letter, files: [...letter.files, { file: going.blob, name, upload: null, sent: null }] };
      if (over(draftOf(page, more))) throw new CannotWrite("no-room");
      change(letter, more.files);
    } catch (error) {
      if (!(error instanceof CannotWrite)) throw error;
      out.push({ at: "file", text: cannot(error, page.texts, own) });
      if (["too-many-files", "no-room"].includes(error.why)) return out; // of all that are left
    }
  }
  return out;
}
