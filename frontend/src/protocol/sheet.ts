// SPDX-License-Identifier: AGPL-3.0-or-later
/** Sheets, as protocol/sheet.py: what the door publishes every 36 ticks for everyone to download whole. */

import type { Bytes } from "./bytes.ts";
import * as c from "./constants.ts";
import { decodeCbor, encodeCbor, field, h, parseLp, parseU64, ProtocolError, sized } from "./encoding.ts";

const MAX_SHEET = 8 * 1024 * 1024;

/** What a sheet's header says of one page. `note` is H(epoch note), zeros when the desk has none. */
export interface PageHead {
  readonly slots: number;
  readonly desk: string;
  readonly note: Bytes;
}

/** A parsed sheet. `n` its number, `close` the batch it closed in, `hash` the SHA-256 of its bytes. */
export interface Sheet {
  readonly n: number;
  readonly close: number;
  readonly directory: Bytes;
  readonly heads: readonly PageHead[];
  readonly pages: readonly Bytes[];
  readonly raw: Bytes;
  readonly hash: Bytes;
}

/** The 3072 bytes of one slot of a page. */
export const slotOf = (page: Bytes, slot: number): Bytes =>
  page.subarray(c.PAGE_RANDOM + slot * c.SLOT_SIZE, c.PAGE_RANDOM + (slot + 1) * c.SLOT_SIZE);

/** ProtocolError for other bytes. Whether it is the door's: the manifest names its hash. */
export function parseSheet(raw: Bytes): Sheet {
  if (raw.length > MAX_SHEET) throw new ProtocolError("a sheet that is too long");
  const f = parseLp("sheet", 5, raw);
  const directory = sized(field(f, 2), c.HASH_SIZE, "a hash");
  const body = field(f, 4);
  const items = decodeCbor(field(f, 3));
  if (!Array.isArray(items)) throw new ProtocolError("a sheet whose header is not a list");
  const heads: PageHead[] = [];
  const pages: Bytes[] = [];
  let offset = 0;
  items.forEach((item, number) => {
    const [page, slots, desk, note] = Array.isArray(item) && item.length === 4 ? item : [];
    if (
      page !== number ||
      typeof slots !== "number" ||
      slots < 1 ||
      slots > 256 ||
      typeof desk !== "string" ||
      !(note instanceof Uint8Array) ||
      note.length !== c.HASH_SIZE
    ) {
      throw new ProtocolError("a sheet whose header is not as it must be");
    }
    const size = c.PAGE_RANDOM + slots * c.SLOT_SIZE;
    heads.push({ slots, desk, note });
    pages.push(sized(body.subarray(offset, offset + size), size, "a page"));
    offset += size;
  });
  if (offset !== body.length) throw new ProtocolError("a sheet with bytes left over");
  return { n: parseU64(field(f, 0)), close: parseU64(field(f, 1)), directory, heads, pages, raw, hash: h(raw) };
}

/** H of the CBOR list of [n, H(sheet)] of the last 84 sheets, oldest first. */
export const sheetIndexHash = (sheets: readonly Sheet[]): Bytes => h(encodeCbor(sheets.map((s) => [s.n, s.hash])));
