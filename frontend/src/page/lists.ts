// SPDX-License-Identifier: AGPL-3.0-or-later
/** The files of the word lists: those that this script was built with, or none. */

import { sha256 } from "@noble/hashes/sha2.js";
import { hex } from "../protocol/bytes.ts";
import { FetchTransport, NetworkFailed } from "../source/session.ts";

/** SHA-256 of each list's file, by the list's name; build.mjs puts it in. */
declare const LISTS: Readonly<Record<string, string>>;

/** The door sent another list: words learned by it would be other words everywhere else. */
export class OtherList extends Error {
  override name = "OtherList";
}

const SILENCE = 60; // seconds between two signs of life

/** A list. Whoever types is not told apart: the same files are fetched whatever is typed. NetworkFailed, OtherList. */
export async function list(language: string): Promise<string> {
  const { status, body } = await new FetchTransport().request("GET", `/static/words-${language}.txt`, { silence: SILENCE });
  if (status !== 200) throw new NetworkFailed();
  if (hex(sha256(body)) !== LISTS[language]) throw new OtherList();
  return new TextDecoder().decode(body);
}

/** Why a list is not there, as the name of a text. */
export const noList = (error: unknown): string => (error instanceof OtherList ? "other-list" : "no-list");
