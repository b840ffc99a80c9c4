// SPDX-License-Identifier: AGPL-3.0-or-later
/** The three kinds of pictures as one: in a file of their own, or inside of another. */

import type { Bytes } from "../protocol/bytes.ts";
import type { Found } from "./facts.ts";
import { cleanJpeg, readJpeg } from "./jpeg.ts";
import { cleanPng, readPng } from "./png.ts";
import { says, type Slices } from "./slices.ts";
import { cleanWebp, readWebp } from "./webp.ts";

export interface Picture {
  readonly format: "jpeg" | "png" | "webp";
  read(file: Slices, found: Found): Promise<void>;
  /** Pieces of a Blob; Unreadable where it is damaged. */
  clean(file: Slices): Promise<BlobPart[]>;
}

/** By the first 12 bytes; null for anything else. */
export function pictureOf(head: Bytes): Picture | null {
  if (says(head, "\xff\xd8\xff")) return { format: "jpeg", read: readJpeg, clean: cleanJpeg };
  if (says(head, "\x89PNG\r\n\x1a\n")) return { format: "png", read: readPng, clean: cleanPng };
  if (says(head, "RIFF") && says(head, "WEBP", 8)) return { format: "webp", read: readWebp, clean: cleanWebp };
  return null;
}
