// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * A PDF without what it says of anybody: written anew from what a renderer reads, page by page, from the pages on. What is
 * not led to from there, or is in no rule, is not there any more: properties, XMP, earlier versions, attached files, scripts,
 * links' aims, outlines, the order and numbers of the program that made it. docs/decisions/0023 says what stays.
 */

import { Unreadable } from "./facts.ts";
import { Annotations } from "./pdf_annotations.ts";
import { Document } from "./pdf_document.ts";
import { type Dictionary, type Value } from "./pdf_objects.ts";
import { pagesOf } from "./pdf_pages.ts";
import { framed, Writer } from "./pdf_write.ts";
import { Slices } from "./slices.ts";

/** The same pages, as pieces of a Blob. Unreadable where something on the way to them cannot be read. */
export async function cleanPdf(file: Slices): Promise<BlobPart[]> {
  const document = await Document.open(file);
  const catalog = document.dictionary(document.trailer.get("Root"), true) as Dictionary;
  if (document.plain(catalog.get("NeedsRendering")) === true) throw new Unreadable("part"); // its pages are made by a program in it
  if (catalog.has("Collection")) throw new Unreadable("part"); // what is to be read are the files inside, not the page
  const writer = new Writer(document, file);
  const annotations = new Annotations(writer, catalog);
  const [root, tree] = [writer.take(), writer.take()];
  const pages: number[] = [];
  for (const page of pagesOf(document)) {
    const out = writer.take();
    pages.push(out);
    const contents = needed(document, page.get("Contents"));
    const laid = annotations.write(page);
    const entries = writer.drawing(page, "page", contents);
    if (laid) entries.push(`/Annots ${laid}`);
    writer.object(out, framed([`/Type /Page /Parent ${tree} 0 R`, ...entries]));
  }
  writer.object(tree, `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((out) => `${out} 0 R`).join(" ")}] >>`);
  const layers = document.dictionary(catalog.get("OCProperties"));
  const choice = layers ? [`/OCProperties ${writer.write(layers, "layers")}`] : [];
  writer.object(root, framed([`/Type /Catalog /Pages ${tree} 0 R`, ...choice]));
  const parts = await writer.finish(root);
  await check(parts, pages.length, file);
  return parts;
}

/** What is on a page, which must be there: an empty one would look whole. */
function needed(document: Document, contents: Value | undefined): readonly Value[] {
  const { value, stream } = document.get(contents, contents !== undefined && contents !== null);
  if (value === null) return [];
  const all: readonly Value[] = Array.isArray(value) ? value : [contents as Value];
  if (!(Array.isArray(value) || stream) || !all.every((one) => document.get(one, true).stream)) throw new Unreadable("damaged");
  return all;
}

/** What was written is read as any other file: its tables hold, and as many pages are found by them. */
async function check(parts: readonly BlobPart[], count: number, { budget }: Slices): Promise<void> {
  const again = await Document.open(new Slices(new Blob([...parts]), budget));
  if (again.gathered || [...pagesOf(again)].length !== count) throw new Unreadable("damaged");
}
