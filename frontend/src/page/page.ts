// SPDX-License-Identifier: AGPL-3.0-or-later
/** What every step needs, and what it works on: one letter. All of it lives in this page's memory alone. */

import type { Answer, Answers } from "../protocol/answers.ts";
import type { Attachment } from "../protocol/attachment.ts";
import type { Bytes } from "../protocol/bytes.ts";
import type { Passphrase, Prepared, Reply, Source, Upload, WordLists } from "../source/session.ts";
import type { Door } from "./door.ts";
import type { Screen } from "./screen.ts";
import type { Texts } from "./texts.ts";

export interface Page {
  readonly texts: Texts;
  readonly screen: Screen;
  readonly door: Door;
  readonly lists: WordLists;
}

/** A file that was chosen. `upload`: under way, or broken off; `sent`: what the letter says of it. */
export interface Chosen {
  readonly file: Blob;
  readonly name: string;
  upload: Upload | null;
  sent: Attachment | null;
}

/** What goes beside the letter for want of room in it. What was sent is not sent again for as long as it is the same. */
export interface Beside {
  readonly content: Bytes;
  upload: Upload | null;
  sent: Attachment | null;
}

/** What was typed for one desk's questions, those with this `mark`; `answers`: what goes along. */
export interface AtDesk {
  mark: string;
  readonly given: Map<string, Answer>;
  answers: Answers | null;
}

/** A letter from its first character to its receipt. `read`: the replies that were on the screen, by desk. */
export interface Letter {
  desk: string;
  text: string;
  files: Chosen[];
  words: Passphrase | null;
  source: Source | null;
  readonly cameBack: boolean;
  readonly decoy: boolean;
  readonly read: ReadonlyMap<string, readonly Reply[]>;
  /** By desk, so that no desk gets what another was told. */
  readonly atDesk: Map<string, AtDesk>;
  /** By name, as it was sent last. */
  readonly beside: Map<string, Beside>;
  /** Sealed to the epoch whose hash is `sealedTo`: the same bytes go until they are taken. */
  prepared: Prepared | null;
  sealedTo: string;
  /** The `msgId` under which it may be in, since an answer was lost. Once it is edited, that was another letter. */
  lost: Bytes | null;
  /** Why that is not sure, where it is not that an answer was lost; else empty. */
  doubt: string;
  /** Something of its files has left this device. */
  away: boolean;
}

export const newLetter = (decoy = false): Letter => ({
  desk: "", text: "", files: [], words: null, source: null, cameBack: false, decoy, read: new Map(),
  atDesk: new Map(), beside: new Map(), prepared: null, sealedTo: "", lost: null, doubt: "", away: false,
});

/** The next letter of somebody who came back. */
export const nextLetter = (source: Source, desk: string, read: ReadonlyMap<string, readonly Reply[]>): Letter => ({
  ...newLetter(), source, desk, read, cameBack: true,
});
