// SPDX-License-Identifier: AGPL-3.0-or-later
/** The pages of a PDF in their order (ISO 32000-1, 7.7.3). */

import { Unreadable } from "./facts.ts";
import type { Document } from "./pdf_document.ts";
import { type Dictionary, Reference, type Value } from "./pdf_objects.ts";

const INHERITED = ["Resources", "MediaBox", "CropBox", "Rotate"];
const MAX_PAGES = 100_000;

/** All pages, with what they take over from the branches they are on. Unreadable where one is missing, or a circle. */
export function* pagesOf(document: Document): Generator<Dictionary> {
  const catalog = document.dictionary(document.trailer.get("Root"), true) as Dictionary;
  const seen = new Set<number>();
  const branch = (value: Value | undefined, above: Dictionary): Dictionary => {
    if (!(value instanceof Reference) || seen.has(value.number)) throw new Unreadable("damaged");
    const node = document.dictionary(value, true) as Dictionary;
    if (node.has("Kids")) seen.add(value.number); // a page that is there twice is two pages
    return new Map([...INHERITED.flatMap((key) => (above.has(key) ? [[key, above.get(key) as Value] as const] : [])), ...node]);
  };
  let count = 0;
  const top: readonly Value[] = [catalog.get("Pages") ?? null];
  const open = [top[Symbol.iterator]()];
  const above: Dictionary[] = [new Map()];
  while (open.length) {
    const { value, done } = (open[open.length - 1] as Iterator<Value, undefined>).next();
    if (done) {
      open.pop();
      above.pop();
      continue;
    }
    const node = branch(value, above[above.length - 1] as Dictionary);
    const kids = document.plain(node.get("Kids"));
    if (Array.isArray(kids)) {
      open.push((kids as readonly Value[])[Symbol.iterator]());
      above.push(node);
      continue;
    }
    count += 1;
    if (count > MAX_PAGES) throw new Unreadable("too-much");
    yield node;
  }
  if (!count) throw new Unreadable("damaged");
}
