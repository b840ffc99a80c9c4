// SPDX-License-Identifier: AGPL-3.0-or-later
/** The statement by which an organisation closes its door for good, as protocol/closing.py. */

import { characters, isPrintable } from "./bytes.ts";
import { type Cbor, Fields, ProtocolError } from "./encoding.ts";

export const LANGUAGE = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/;
const MAX_TEXT = 4000;
const MAX_INSTEAD = 16;
const MAX_LINE = 300;

/** What the organisation says at the end, by language, and where to turn instead. */
export interface Closing {
  readonly texts: ReadonlyMap<string, string>;
  readonly instead: readonly string[];
}

/** ProtocolError when a rule is broken. */
export function checkClosing(closing: Closing | null): void {
  if (closing === null) return;
  const texts = [...closing.texts.values()];
  if (!texts.length || !texts.every((text) => text.trim() && characters(text) <= MAX_TEXT)) {
    throw new ProtocolError("directory: the closing has no text, or one that is too long");
  }
  if (![...closing.texts.keys()].every((language) => LANGUAGE.test(language))) {
    throw new ProtocolError("directory: a language is a tag such as 'en' or 'uk'");
  }
  const lines = closing.instead;
  if (
    lines.length > MAX_INSTEAD ||
    !lines.every((line) => line.length > 0 && characters(line) <= MAX_LINE && isPrintable(line) && line.trim())
  ) {
    throw new ProtocolError("directory: where to turn instead is not a list of short lines");
  }
}

/** ProtocolError for anything else than null or a closing's map. */
export function decodeClosing(value: Cbor): Closing | null {
  if (value === null) return null;
  const f = new Fields(value, "closing");
  const texts = f.texts("texts", 64, MAX_TEXT);
  const instead = f.items("instead", MAX_INSTEAD).map((line) => {
    if (typeof line !== "string") throw new ProtocolError("closing: 'instead' holds something else than texts");
    return line;
  });
  f.done();
  return { texts, instead };
}
