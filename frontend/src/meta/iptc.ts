// SPDX-License-Identifier: AGPL-3.0-or-later
/** What Photoshop and news agencies write into pictures: resource blocks, and IPTC's records in them (IIM 4.2). */

import type { Bytes } from "../protocol/bytes.ts";
import { readExif } from "./exif.ts";
import type { Found, Kind } from "./facts.ts";
import { lenient, number, says } from "./slices.ts";
import { readXmp } from "./xmp.ts";

/** Datasets of record 2. */
const KINDS: Readonly<Record<number, Kind>> = {
  5: "title", 25: "comment", 40: "comment", 55: "date", 62: "date", 65: "program", 80: "person", 85: "person", 90: "place-name",
  92: "place-name", 95: "place-name", 100: "place-name", 101: "place-name", 103: "id", 105: "title", 110: "person",
  115: "organisation", 116: "person", 118: "contact", 120: "comment", 122: "person",
};

/** Gather what resource blocks say, after "Photoshop 3.0" and its zero. */
export async function readResources(raw: Bytes, found: Found): Promise<void> {
  for (let at = 0; at + 12 <= raw.length && says(raw, "8BIM", at); ) {
    const id = number(raw, at + 4, 2);
    const start = at + 6 + (((raw[at + 6] as number) + 2) & ~1); // a name, counted, of even length with its count
    const size = number(raw, start, 4);
    const body = raw.subarray(start + 4, start + 4 + size);
    await found.trying(() => {
      if (id === 0x0404) readRecords(body, found);
      else if (id === 0x0422) readExif(body, found);
      else if (id === 0x0424) readXmp(body, found);
      else if (id === 0x0409 || id === 0x040c) found.count("thumbnail", "bytes", size);
      else found.add("other", `Photoshop 0x${id.toString(16)}`);
    });
    at = start + 4 + ((size + 1) & ~1);
  }
}

function readRecords(raw: Bytes, found: Found): void {
  for (let at = 0; raw[at] === 0x1c; ) {
    const [record, dataset, size] = [number(raw, at + 1, 1), number(raw, at + 2, 1), number(raw, at + 3, 2)];
    const value = lenient(raw.subarray(at + 5, at + 5 + size));
    const kind = record === 2 ? KINDS[dataset] : undefined;
    if (kind) found.add(kind, value);
    else if (dataset && !(record === 1 && dataset === 90)) found.add("other", `IPTC ${record}:${dataset}`);
    at += 5 + size;
  }
}
