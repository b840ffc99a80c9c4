// SPDX-License-Identifier: AGPL-3.0-or-later
/** The script of tests/browser/test_attackers_chromium.py: what the page's code says to a /visit, and to receipts. */

import { checkVisit } from "../../src/client/visit.ts";
import { CannotWrite } from "../../src/source/errors.ts";
import { send } from "../../src/source/sending.ts";
import { type Asked, check, isDoor, type Json, unpack } from "../checking.ts";

/** What comes of a letter whose server answers with each of these receipts: "in", or why it is not believed. */
async function receipts(asked: Asked): Promise<string[]> {
  const visit = checkVisit(unpack(asked["raw"]), isDoor(asked), asked["now"] as number, null);
  const said: string[] = [];
  for (const receipt of asked["receipts"] as string[]) {
    const answer = { status: 201, body: unpack(receipt) };
    const door = { request: () => Promise.resolve(answer) };
    try {
      await send(door, visit, unpack(asked["letter"]), new Uint8Array(16), () => Promise.resolve());
      said.push("in");
    } catch (error) {
      if (!(error instanceof CannotWrite)) throw error;
      said.push(error.why);
    }
  }
  return said;
}

Object.assign(globalThis, { check: (all: Json[]) => all.map((one) => check(one as Asked)), receipts });
