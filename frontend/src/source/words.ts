// SPDX-License-Identifier: AGPL-3.0-or-later
/** The word lists, fetched when they are needed and kept while the page is open. */

import { CODES, WordList } from "../protocol/wordlist.ts";

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
   * Every list, that of the page's language first, for `parseInAny`. To be asked for before words are typed, whatever is
   * typed: a list that is fetched after a slip would tell the server of it.
   */
  async every(code: string): Promise<[WordList, ...WordList[]]> {
    const first = CODES.get(code) ?? "english";
    const others = [...CODES.values()].filter((language) => language !== first);
    const [mine, ...rest] = await Promise.all([this.named(first), ...others.map((language) => this.named(language))]);
    return [mine, ...rest];
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
