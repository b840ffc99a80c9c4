// SPDX-License-Identifier: AGPL-3.0-or-later
/** The word lists, fetched when they are needed and kept while the page is open. */

import { parseInAny, type Passphrase, readIn, tokens } from "../protocol/passphrase.ts";
import { CODES, WordList } from "../protocol/wordlist.ts";

/** Lists that are under way, that of the page's language first. */
export type Coming = readonly [Promise<WordList>, ...Promise<WordList>[]];

/**
 * The passphrase that was typed, as `parseInAny`: by the first list, or else by whichever of the others is there. What all
 * ten words and their check bits fit is read; that nothing fits, and what is wrong then, only all lists together can say.
 */
export async function readInAny(text: string, [first, ...others]: Coming): Promise<Passphrase> {
  const typed = tokens(text);
  const mine = readIn(typed, await first);
  if (mine) return mine;
  return new Promise((resolve, reject) => {
    const tried = others.map(async (other) => {
      const read = readIn(typed, await other);
      if (read) resolve(read);
    });
    const all = Promise.all(tried.map((one) => one.catch(() => undefined))).then(() => Promise.all([first, ...others]));
    all.then((lists) => resolve(parseInAny(text, lists as [WordList, ...WordList[]]))).catch(reject);
  });
}

/** All lists by their language's code. */
export class WordLists {
  private readonly kept = new Map<string, Promise<WordList>>();

  /** `fetch`: a list's file by the list's name, such as "english"; what it throws is thrown on, and asked again next time. */
  constructor(private readonly fetch: (language: string) => Promise<string>) {}

  /** The list of a page's language; the English one where there is none. */
  of(code: string): Promise<WordList> {
    return this.named(CODES.get(code) ?? "english");
  }

  /**
   * Every list, that of the page's language first, for `readInAny`. To be asked for before words are typed, whatever is
   * typed: a list that is fetched after a slip would tell the server of it.
   */
  every(code: string): Coming {
    const first = CODES.get(code) ?? "english";
    const others = [...CODES.values()].filter((language) => language !== first);
    return [this.named(first), ...others.map((language) => this.named(language))];
  }

  private named(language: string): Promise<WordList> {
    let list = this.kept.get(language);
    if (list === undefined) {
      list = this.fetch(language).then((text) => WordList.parse(language, text));
      list.catch(() => this.kept.delete(language));
      this.kept.set(language, list);
    }
    return list;
  }
}
