// SPDX-License-Identifier: AGPL-3.0-or-later
/** From what went wrong to a sentence in the person's language. No bytes and no internals are shown. */

import { CannotWrite, ClockOff, MistypedPassphrase, NetworkFailed, NoSeed, VisitRefused } from "../source/session.ts";
import type { Values } from "./fill.ts";
import { shownName } from "./lines.ts";
import type { Page } from "./page.ts";
import type { Texts } from "./texts.ts";

/** The person pressed "Stop". `unsure`: the letter may be in all the same. */
export class Left extends Error {
  override name = "Left";

  constructor(readonly unsure: boolean) {
    super("left");
  }
}

/** May a letter be in of which that was thrown? */
export const maybeIn = (error: unknown): boolean =>
  error instanceof CannotWrite && ["unsure", "no-receipt", "stopped-unsure"].includes(error.why);

/** The page was made for another directory: the desk that was chosen is not there any more. */
export class OtherPage extends Error {
  override name = "OtherPage";
}

/** What happened to the door or this device, and other addresses of the door where that helps. */
export function sentence(error: unknown, texts: Texts): { why: string; addresses: readonly string[] } {
  if (error instanceof ClockOff) {
    const why = error.seconds < 0 ? texts.say("clock-early") : texts.say("clock-late", { span: texts.span(error.seconds) });
    return { why, addresses: error.addresses };
  }
  const name =
    error instanceof VisitRefused ? "untrusted"
    : error instanceof NetworkFailed ? "silent"
    : error instanceof NoSeed ? "no-memory"
    : error instanceof OtherPage ? "other-page"
    : "unforeseen";
  return { why: texts.say(name), addresses: [] };
}

/** Say it, and more of the step "refused" that holds; is it to be tried again? */
export async function tryAgain(page: Page, error: unknown, more: Values = {}): Promise<boolean> {
  const { why, addresses } = sentence(error, page.texts);
  const values = { why, ...more, ...(addresses.length ? { addresses } : {}) };
  return (await page.screen.ask("refused", values)).button === "again";
}

/** Why a letter or file was not taken. `file`: the name of the one that it is about; null when it is not the person's. */
export function cannot({ why, detail }: CannotWrite, texts: Texts, file: string | null): string {
  if (why === "too-long") return texts.many("too-long", detail);
  if (file === null) return texts.say(why.replace("attachment-", "beside-"));
  return texts.say(why, { name: shownName(file), most: why === "file-too-large" ? texts.size(detail) : "" });
}

/** What to tell of ten words that are not a passphrase, as site/wordlists.py. It names words: for the person's screen alone. */
export function slips({ count, slips: found }: MistypedPassphrase, texts: Texts): string[] {
  const told = found.map((one) => {
    const values = { place: texts.number(one.place), typed: one.typed, meant: texts.either(one.meant) };
    if (one.why === "unknown") return texts.say(one.meant.length ? "slip-meant" : "slip-unknown", values);
    return texts.say(one.why === "check" ? "slip-check" : "slip-swapped", values);
  });
  if (count !== 10) return [texts.many("count", count), ...told];
  if (!told.length) return [texts.say("slip-somewhere")];
  return found[0]?.why === "unknown" ? told : [texts.say("slip-look"), ...told];
}
