// SPDX-License-Identifier: AGPL-3.0-or-later
/** Why something was not sent, as a word that the page has a sentence for in each language. */

export type Why =
  | "empty" // the letter holds no words
  | "not-text" // it holds half a character
  | "too-long" // by `detail` bytes
  | "closed" // the door is closed for good
  | "expired" // the directory is out of date: reading goes on
  | "desk-closed" // this desk takes no letters just now
  | "same-words" // a change to the same passphrase
  | "not-taken" // the door said no; `detail`: the status, 0 for no answer
  | "unsure" // it is not sure that the letter was taken: sending it once more does no harm
  | "no-receipt" // the server answered without a valid receipt
  | "stopped" // by the person, and nothing was kept
  | "stopped-unsure" // by the person; an answer that got lost may have been a receipt
  | "no-attachments" // this door takes none
  | "file-empty"
  | "file-too-large" // `detail`: the most that this door takes, in bytes
  | "file-changed" // it changed, or could not be read to its end, while it was sent
  | "too-many-files"
  | "no-room" // for their names
  | "attachment-not-taken" // `detail`: the status
  | "attachment-lost"; // the server lost a part of what it had taken

/** The letter or attachment was not sent, or not taken. */
export class CannotWrite extends Error {
  override name = "CannotWrite";

  constructor(
    readonly why: Why,
    readonly detail = 0,
  ) {
    super(why);
  }
}
