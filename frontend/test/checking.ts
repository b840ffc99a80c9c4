// SPDX-License-Identifier: AGPL-3.0-or-later
/** A /visit that Python hands over, checked: for peer.ts in Node, and for browser/attacked.ts. */

import type { Pin } from "../src/client/pin.ts";
import { checkVisit, ClockOff, noteOf, type VerifiedVisit, VisitRefused } from "../src/client/visit.ts";
import { type Bytes, equal, hex, unhex } from "../src/protocol/bytes.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Asked = { readonly [key: string]: Json };

/** Bytes in base64. */
export const unpack = (text: Json | undefined): Bytes => Uint8Array.from(atob(text as string), (one) => one.charCodeAt(0));

/** Is it the door that was asked for: one, "any" or "none"? */
export function isDoor(asked: Asked): (door: Bytes) => boolean {
  return (door) => asked["door"] === "any" || (asked["door"] !== "none" && equal(door, unpack(asked["door"])));
}

const shown = (visit: VerifiedVisit): Json => ({
  batch: visit.manifest.n,
  seq: visit.directory.seq,
  expired: visit.expired,
  closed: visit.directory.closed !== null,
  size: visit.pin.size,
  root: hex(visit.pin.root),
  root256: hex(visit.pin.root256),
  root65536: hex(visit.pin.root65536),
  directory: hex(visit.pin.directory),
  rotations: visit.pin.rotations,
  head: hex(visit.pin.head),
  sheets: visit.sheets.map((sheet) => sheet.n),
  cosigned: visit.cosigned.map(({ name, time }) => [name, time]),
  notes: [...visit.manifest.notes.keys()].map((desk) => [desk, hex(noteOf(visit, desk)?.hash ?? new Uint8Array(0))]),
});

/** A pin as Python gives it, hashes in hexadecimal digits. */
function pinOf(given: Json | undefined): Pin | null {
  if (!given) return null;
  const pin = given as { [key: string]: Json };
  const digest = (key: string): Bytes => unhex(String(pin[key]));
  return {
    size: Number(pin["size"]),
    root: digest("root"),
    root256: digest("root256"),
    root65536: digest("root65536"),
    seq: Number(pin["seq"]),
    directory: digest("directory"),
    batch: Number(pin["batch"]),
    rotations: Number(pin["rotations"]),
    head: digest("head"),
    closed: pin["closed"] === true,
  };
}

/** Check a /visit: what it proves, or why it is refused. */
export function check(asked: Asked): Json {
  try {
    return shown(checkVisit(unpack(asked["raw"]), isDoor(asked), asked["now"] as number, pinOf(asked["pin"])));
  } catch (error) {
    if (error instanceof VisitRefused) return { refused: error.reason };
    if (error instanceof ClockOff) return { clock: error.seconds, addresses: [...error.addresses] };
    throw error;
  }
}
