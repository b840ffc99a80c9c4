// SPDX-License-Identifier: AGPL-3.0-or-later
/** Word, Excel, PowerPoint and OpenDocument files: archives of XML and pictures, and of files of the same kinds. */

import { type Bytes, toUtf8 } from "../protocol/bytes.ts";
import { type Format, type Found, type Kind, shown, type Unit, Unreadable } from "./facts.ts";
import { Unseen } from "./office_unseen.ts";
import { changes, changesIn, dropped, PATHS, PROPERTIES, REVIEWS, saidByTag, saidByText, VERSIONS } from "./office_rules.ts";
import { pictureOf } from "./pictures.ts";
import { says, Slices } from "./slices.ts";
import { attributes, plain, rewritten, tokens, type Token, xmlText } from "./xml.ts";
import { type Entry, newest, type Part, Zip, zipped } from "./zip.ts";

const IS_XML = /\.(xml|rels|vml|rdf)$/i;
const VERSION_KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries({ creator: "person", comment: "comment", "date-time": "date" } as const));
const IS_SLOPPY = /\.vml$/i; // Office itself writes some that are no XML

/** Which of the four, by the parts; null for another archive. */
export async function officeOf(zip: Zip): Promise<Format | null> {
  const names = new Set(zip.entries.map(({ name }) => name));
  if (names.has("[Content_Types].xml")) {
    if (names.has("word/document.xml")) return "docx";
    if (names.has("xl/workbook.xml") || names.has("xl/workbook.bin")) return "xlsx";
    if (names.has("ppt/presentation.xml")) return "pptx";
  }
  const first = zip.entries.find(({ name }) => name === "mimetype");
  if (first && first.size < 100 && says(await zip.bytes(first), "application/vnd.oasis.opendocument.")) return "odf";
  return null;
}

/** Gather what the file says, its pictures too. `deep`: files of this kind inside are looked into. */
export async function readOffice(zip: Zip, found: Found, deep = true): Promise<void> {
  found.add("date", newest(zip.entries));
  if (zip.comment) found.count("comment", "bytes", zip.comment, "zip");
  const unseen = new Unseen(found);
  for (const entry of zip.entries) {
    if (entry.name.endsWith("/") || entry.name === "mimetype" || !entry.size) continue;
    const part = found.within(entry.name);
    await part.trying(async () => readPart(zip, entry, await zip.bytes(entry), found, part, unseen, deep));
  }
  unseen.tell();
}

async function readPart(zip: Zip, { name }: Entry, raw: Bytes, found: Found, part: Found, unseen: Unseen, deep: boolean): Promise<void> {
  const picture = pictureOf(raw);
  if (/(^|\/)thumbnails?[./]/i.test(name)) found.count("thumbnail", "bytes", raw.length);
  else if (/\/printerSettings\//.test(name)) {
    const model = printer(raw);
    if (model) found.add("printer", model);
    else found.count("printer", "bytes", raw.length);
  }
  else if (picture) await picture.read(Slices.of(raw, zip.file.budget), part);
  else if (/^_xmlsignatures\/|(document|macro)signatures\.xml$/.test(name)) found.add("signature", name);
  else if (VERSIONS.test(name)) readVersions(name, raw, found);
  else if (/^docProps\/|(^|\/)meta\.xml$/.test(name)) readProperties(xmlText(raw), found);
  else if (IS_XML.test(name)) {
    unseen.part(name);
    readXml(name, xmlText(raw), found, unseen);
    if (dropped(name) && !name.endsWith(".rels")) found.add("other", name);
  } else {
    const inner = await archiveIn(raw, zip);
    found.add("embedded", name);
    if (inner && deep) await readOffice(inner, part, false);
    else throw new Unreadable("part");
  }
}

function readVersions(name: string, raw: Bytes, found: Found): void {
  if (!name.endsWith(".xml")) return found.add("history", name);
  for (const token of tokens(xmlText(raw))) {
    for (const { name: key, value } of token.is === "empty" || token.is === "open" ? attributes(token.text) : []) {
      const kind = VERSION_KINDS.get(key);
      if (kind) found.add(kind, plain(value));
    }
  }
}

/** The name at the start of a printer's settings, as Windows keeps them; "" without one. */
const printer = (raw: Bytes): string =>
  shown(new TextDecoder("utf-16le").decode(raw.subarray(0, 64)).replace(/\0.*$/s, ""));

/** Another file of these kinds; null when it is none, or cannot be opened. */
async function archiveIn(raw: Bytes, outer: Zip): Promise<Zip | null> {
  if (!says(raw, "PK\x03\x04")) return null;
  try {
    const zip = await Zip.open(Slices.of(raw, outer.file.budget));
    return (await officeOf(zip)) ? zip : null;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

/** Properties as elements with a text, and custom ones by their names. */
function readProperties(text: string, found: Found): void {
  const stack: { name: string; label: string }[] = [];
  for (const token of tokens(text)) {
    if (token.is === "open" || token.is === "empty") {
      const own = (wanted: string): string => plain(attributes(token.text).find(({ name }) => name === wanted)?.value ?? "");
      const custom = token.name === "property" || token.name === "user-defined";
      if (token.is === "open") stack.push({ name: token.name, label: custom ? own("name") : "" });
      if (token.name === "template") found.add("path", own("href"));
    } else if (token.is === "close") stack.pop();
    else if (token.is === "text" && token.text.trim()) {
      const here = stack[stack.length - 1];
      const kind = PROPERTIES.get(here?.name ?? "");
      const custom = [...stack].reverse().find(({ label }) => label);
      const value = plain(token.text);
      if (custom) found.add("other", `${custom.label}: ${value}`);
      else if (kind === "other") readWork(here?.name ?? "", value, found);
      else if (kind) found.add(kind, value);
    }
  }
}

/** How long it was worked on, and how often it was saved; as the file has it where that is no number. */
function readWork(name: string, value: string, found: Found): void {
  const lasting = /^P(?:(\d{1,5})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?$/.exec(value);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = lasting?.slice(1).map((part) => Number(part ?? 0)) ?? [];
  const n = lasting ? ((days * 24 + hours) * 60 + minutes) * 60 + seconds : /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (!n) found.add("other", `${name}: ${value}`);
  else if (lasting || name === "TotalTime") found.count("other", "seconds", lasting ? n : 60 * n); // Word counts minutes
  else found.count("other", "saves", n);
}

/** People, times, machines in the document's own XML; of times the first and the last, of marks how many. */
function readXml(name: string, text: string, found: Found, unseen: Unseen): void {
  if (name === "META-INF/manifest.xml" && text.includes(":encryption-data")) throw new Unreadable("encrypted");
  const counts = new Map<Kind, Map<Unit, number>>();
  const dates: string[] = [];
  const note = ([kind, value]: readonly [Kind, string]): void => {
    if (kind === "date") dates.push(value);
    else if (kind === "review" || (kind === "id" && value === "rsid")) {
      const of = counts.get(kind) ?? new Map<Unit, number>();
      const unit = kind === "id" ? "sessions" : (REVIEWS.get(value) ?? "changes");
      counts.set(kind, of.set(unit, (of.get(unit) ?? 0) + 1));
    } else found.add(kind, value);
  };
  const stack: Token[] = [];
  for (const token of tokens(text)) {
    if (token.is === "open" || token.is === "empty") {
      saidByTag(token.name, token.text).forEach(note);
      unseen.tag(token.name, token.text);
    }
    if (token.is === "open") stack.push(token);
    else if (token.is === "close") stack.pop();
    else if (token.is === "text" && token.text.trim()) {
      const owner = stack[stack.length - 1];
      if (owner) saidByText(owner.name, owner.text, token.text).forEach(note);
      unseen.text(name, stack, token.text);
    } else if (token.is === "rest" && token.text.startsWith("<!--")) found.add("comment", plain(token.text.slice(4, -3)));
  }
  dates.sort();
  for (const date of [dates[0], dates[dates.length - 1]]) if (date) found.add("date", date);
  for (const [kind, of] of counts) for (const [unit, count] of of) found.count(kind, unit, count);
  for (const [path] of text.matchAll(PATHS)) found.add("path", plain(path));
}

/** The same document without what it says of anybody, as pieces of a Blob. Unreadable where its XML is damaged. */
export async function cleanOffice(zip: Zip, deep = true): Promise<BlobPart[]> {
  const all = changes();
  const parts: Part[] = [];
  for (const entry of zip.entries) {
    if (entry.flags & 1) throw new Unreadable("encrypted");
    if (!dropped(entry.name)) parts.push({ entry, content: await cleanPart(zip, entry, all, deep) });
  }
  return zipped(parts);
}

async function cleanPart(zip: Zip, entry: Entry, all: ReturnType<typeof changes>, deep: boolean): Promise<Blob | Bytes> {
  if (!entry.size || entry.name === "mimetype") return zip.packed(entry);
  if (IS_XML.test(entry.name)) {
    const text = xmlText(await zip.bytes(entry));
    if (entry.name === "META-INF/manifest.xml" && text.includes(":encryption-data")) throw new Unreadable("encrypted");
    try {
      return toUtf8(rewritten(text, changesIn(all, entry.name)));
    } catch (error) {
      if (!(error instanceof Unreadable) || !IS_SLOPPY.test(entry.name)) throw error;
      return zip.packed(entry); // reading the result tells that it was not looked at
    }
  }
  const raw = await zip.bytes(entry);
  const picture = pictureOf(raw);
  const inner = picture || !deep ? null : await archiveIn(raw, zip);
  if (!picture && !inner) return zip.packed(entry);
  try {
    const clean = picture ? await picture.clean(Slices.of(raw, zip.file.budget)) : await cleanOffice(inner as Zip, false);
    return new Uint8Array(await new Blob(clean).arrayBuffer());
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return zip.packed(entry); // as above
  }
}
