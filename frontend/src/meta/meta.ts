// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a file says about a person, read and removed in the browser. A bundle of its own, loaded when a file is chosen:
 *
 *     const at = "/static/meta.js"; // in a variable: the page's own bundle is not to have a copy
 *     const { read, remove } = (await import(at)) as typeof import("../meta/meta.ts");
 *     const { facts, unread } = await read(file);
 *     const cleaned = await remove(file);
 *     if ("blob" in cleaned) send(cleaned.blob), tell(cleaned.left); else say(cleaned.why);
 *
 * Both only read, never send or keep, and never reject: what cannot be read is part of the answer (`unread`, `why`).
 * "Nothing was found" is true only where `facts` and `unread` are both empty. A file's name is not looked at: it goes with
 * the file, and may say something too. What is shown in a picture or written in a document is not looked at either.
 * `remove` never changes a picture's pixels; in documents names become "Author 1", the words stay. It reads its own result
 * and says in `left` what is in it still: the page shows that before it is sent.
 *
 * docs/decisions/0021-file-metadata.md and 0023 say what is removed, what is not, and why.
 */

import { type Facts, type Format, Found, LIMIT, Unreadable, type Why } from "./facts.ts";
import { familyOf } from "./families.ts";
import { cleanOffice, officeOf, readOffice } from "./office.ts";
import { readPdf } from "./pdf.ts";
import { cleanPdf } from "./pdf_clean.ts";
import { pictureOf } from "./pictures.ts";
import { latin1, says, Slices } from "./slices.ts";
import { Zip } from "./zip.ts";

export type { Fact, Facts, Format, Kind, Unread, Why } from "./facts.ts";
export { LIMIT } from "./facts.ts";

/** A file without what it said, and what it says still. */
export interface Removed {
  readonly blob: Blob;
  readonly left: Facts;
}

/** Why nothing was removed, as in Unread. */
export interface Refused {
  readonly why: Why;
}

const PDF_HEAD = 1024; // a PDF may begin after other bytes

/** A kind of file as it was found, with what reads and cleans it. */
interface Kind {
  readonly format: Format;
  read(found: Found): Promise<void>;
  clean(): Promise<BlobPart[]>;
}

/** By the bytes. Unreadable for what is not known, `unknown` or as `familyOf` has it. */
async function kindOf(file: Slices): Promise<Kind> {
  const head = await file.upTo(0, PDF_HEAD);
  const picture = pictureOf(head);
  if (picture) return { format: picture.format, read: (found) => picture.read(file, found), clean: () => picture.clean(file) };
  if (latin1(head).includes("%PDF-")) return { format: "pdf", read: (found) => readPdf(file, found), clean: () => cleanPdf(file) };
  if (!says(head, "PK\x03\x04")) throw new Unreadable(familyOf(head));
  const zip = await Zip.open(file);
  const format = await officeOf(zip);
  if (!format) throw new Unreadable("unknown");
  return { format, read: (found) => readOffice(zip, found), clean: () => cleanOffice(zip) };
}

/** What the file says. Reads at most what its kind asks for, and no more than `LIMIT` bytes of a picture or PDF. */
export async function read(blob: Blob): Promise<Facts> {
  const found = new Found();
  let format: Format | "unknown" = "unknown";
  await found.trying(async () => {
    const kind = await kindOf(new Slices(blob));
    format = kind.format;
    await kind.read(found);
  });
  return found.result(format);
}

/** The file without what it says of anybody, or why that is not possible here. Files beyond `LIMIT` bytes are `too-large`. */
export async function remove(blob: Blob): Promise<Removed | Refused> {
  try {
    const kind = await kindOf(new Slices(blob));
    if (blob.size > LIMIT) return { why: "too-large" };
    const clean = new Blob(await kind.clean());
    return { blob: clean, left: await read(clean) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { why: error.why };
  }
}
