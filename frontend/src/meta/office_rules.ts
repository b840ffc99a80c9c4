// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What in an Office file's XML speaks of people and machines: OOXML (ECMA-376 and Microsoft's extensions, MS-DOCX, MS-XLSX,
 * MS-PPTX) and OpenDocument 1.3. Names are compared without their prefixes. What the document shows stays.
 */

import type { Kind, Unit } from "./facts.ts";
import { type Attribute, attributes, type Changes, plain } from "./xml.ts";

/** Earlier versions, each whole, as LibreOffice keeps them, and the list of who made them. */
export const VERSIONS = /^Versions\/|^VersionList\.xml$/;

/** Parts that nothing shown depends on: they go wholly. */
const DROPPED = [
  /^docProps\//, /^docMetadata\//, /^customXml\//, /^_xmlsignatures\//, /\/printerSettings\//, /(^|\/)thumbnails?[./]/i,
  /^word\/(people|recipientData|comments(Extended|Ids|Extensible))\.xml$/, /^(word|xl)\/documentTasks\//i, /^ppt\/tasks\//i, /^xl\/revisions\//, /^ppt\/(revisionInfo\.xml|changesInfos\/)/,
  /(^|\/)meta\.xml$/, /(^|\/)layout-cache$/, VERSIONS, /^META-INF\/(document|macro)signatures\.xml$/,
];
/** A part dropped takes along what describes it: the relationships of a part stand in _rels beside it. */
export const dropped = (name: string): boolean => {
  const part = name.replace(/(^|\/)_rels\/(.*)\.rels$/, "$1$2");
  return DROPPED.some((rule) => rule.test(part));
};

/** Elements of property parts whose text is worth telling. */
export const PROPERTIES: ReadonlyMap<string, Kind> = new Map(
  Object.entries({
    creator: "person", lastModifiedBy: "person", Manager: "person", "initial-creator": "person", "printed-by": "person",
    Company: "organisation", created: "date", modified: "date", lastPrinted: "date", "creation-date": "date", date: "date",
    "print-date": "date", "editing-duration": "other", TotalTime: "other", revision: "other", "editing-cycles": "other",
    Application: "program", AppVersion: "program", generator: "program", title: "title", subject: "comment",
    description: "comment", keywords: "comment", keyword: "comment", category: "comment", Template: "path", HyperlinkBase: "path", identifier: "id",
  } as const),
);

/** What an element of a review is; any other is a change. */
export const REVIEWS: ReadonlyMap<string, Unit> = new Map([
  ["ins", "insertions"], ["del", "deletions"], ["comment", "comments"], ["cm", "comments"], ["threadedComment", "comments"],
  ["author", "names"], ["creator", "names"], ["person", "names"],
]);

const ISO = /^\d{4}-\d\d-\d\dT/;
const NO_TIME = "2000-01-01T00:00:00Z"; // where the format asks for one
const NO_NAME = /^(Author( \d+)?|None|A|tc=\{.*)?$/; // written by `changes`, or a link to another comment

const NAMES: ReadonlyMap<string, readonly string[]> = new Map(Object.entries({
  displayName: ["person"], name: ["cmAuthor", "author", "userInfo"], user: ["scenario"], ed: ["permStart"],
}));
/** The view that a shared table keeps for one person: "Anna - Personal View". */
const PERSONAL = /^<[^>]*\spersonalView=["'](1|true)/;
const PRINTER_ITEMS = new Set(["PrinterName", "PrinterSetup"]);
const ITEMS = new Set([...PRINTER_ITEMS, "Rsid", "RsidRoot", "CurrentDatabaseDataSource", "CurrentDatabaseCommand"]);

const item = (tag: string): string => attributes(tag).find(({ name }) => name === "name")?.value ?? "";

type Said = readonly [Kind, string];

/** Attributes that name a person wherever they are: of a change, a comment, a task. */
const NAMING = new Set(["author", "refreshedBy", "lastModifiedBy", "userName"]);
const isName = (element: string, name: string, tag: string): boolean =>
  NAMING.has(name) || (NAMES.get(name) ?? []).includes(element) || (element === "customWorkbookView" && name === "name" && PERSONAL.test(tag));

/** The name of a file, or a whole path. */
const FILE =
  /^[^\n]{0,100}[^\s.]\.(jpe?g|jfif|png|gif|bmp|tiff?|webp|heic|heif|svg|[ew]mf|pdf|docx?|xlsx?|pptx?|od[tsp]|mp[34]|m4[av]|mov|avi|wav)$|^([A-Za-z]:[\\/]|\\\\|file:)\S[^\n]*$/i;
const COUNTED = /^(\p{L}+ ?\d+)?$/u; // "Picture 3": programs name so
/**
 * Does an attribute say what a picture's file was called? Shown nowhere, but for lists of what is on a page. `pic:cNvPr` and
 * `v:imagedata` have the file's name whatever it looks like; others where somebody's program put it.
 */
function isFileName(element: string, full: string, value: string, tag: string): boolean {
  if (element === "imagedata") return full === "o:title" && !COUNTED.test(value);
  if (tag.startsWith("<pic:") && element === "cNvPr" && full === "name") return !COUNTED.test(value);
  if (element === "docPr" || element === "cNvPr") return /^(name|descr|title)$/.test(full) && FILE.test(value);
  return (full === "draw:name" || (full === "alt" && element === "shape")) && FILE.test(value);
}

/** What the pen was that something was drawn with. */
const PEN: ReadonlyMap<string, Kind> = new Map([["manufacturer", "device"], ["model", "device"], ["description", "device"], ["serialNo", "serial"]]);

/** What another attribute says and is dropped for; the notes of a scenario are Excel's own: "Created by Anna on …". */
function saying(element: string, full: string, name: string, value: string, tag: string): Kind | undefined {
  if (isFileName(element, full, value, tag)) return /[\\/]/.test(value) ? "path" : "title";
  if (element === "inkSource") return PEN.get(name);
  if (element === "scenario" && name === "comment") return "comment";
  if (element === "protectedRange" && name === "securityDescriptor") return "contact";
  return element === "timestamp" && name === "time" && value ? "date" : undefined;
}

const GONE = new Set("rsid rsids attachedTemplate docId docVars mailMerge absPath presenceInfo revisionPtr securityDescriptor".split(" "));
const LISTS = new Set(
  ("Override Relationship file-entry config-item pageSetup cm threadedComment " +
    "scenario permStart protectedRange imagedata inkSource timestamp").split(" "),
);
const ATTRIBUTES =
  /author|name|initials|date|dt=|created|refreshed|lastModified|rsid|paraId|textId|uid=|userId|provider|time=|alt=|descr=|title=/i;

/** May a tag say something, or have to change? A quick look: a table has a million that do not. */
const concerns = (element: string, tag: string): boolean => GONE.has(element) || LISTS.has(element) || ATTRIBUTES.test(tag);

/** What an opening tag says. */
export function saidByTag(element: string, tag: string): readonly Said[] {
  if (!concerns(element, tag)) return [];
  const out: Said[] = [];
  if (element === "config-item" && ITEMS.has(item(tag)) && !PRINTER_ITEMS.has(item(tag))) out.push(["id", item(tag)]);
  if (element === "docId" || element === "revisionPtr") out.push(["id", element]);
  if (element === "rsid") out.push(["id", "rsid"]);
  if (element === "attachedTemplate" || element === "docVars" || element === "mailMerge") out.push(["other", element]);
  for (const { full, name, value: raw } of attributes(tag)) {
    const value = plain(raw);
    const kind = saying(element, full, name, value, tag);
    if (kind) out.push([kind, value]);
    if (isName(element, name, tag) && !NO_NAME.test(value)) out.push(["person", value]);
    if (name === "author" || element === "cm" || element === "threadedComment") out.push(["review", element]);
    if (name === "userId" && !NO_NAME.test(value)) out.push(["contact", value]);
    if (isTime(name, value)) out.push(["date", value]);
    if (element === "absPath" && name === "url") out.push(["path", value]);
    if (isRevision(name, value)) out.push(["id", "rsid"]);
  }
  return out;
}

const TEXTS = /^(author|creator|date|author-name|author-initials|initial-creator|printed-by|config-item|securityDescriptor|(creator|sender)-.*)$/;

/** What the text right inside an element says. */
export function saidByText(element: string, parentTag: string, text: string): readonly Said[] {
  if (!TEXTS.test(element)) return [];
  const value = plain(text).trim();
  if (element === "author" || element === "creator") {
    return [["review", element], ...(NO_NAME.test(value) ? [] : [["person", value] as const])];
  }
  if (element === "date" && ISO.test(value) && value !== NO_TIME) return [["date", value]];
  if (element === "securityDescriptor") return [["contact", value]]; // accounts that may change a table
  if (element === "config-item" && item(parentTag) === "PrinterName") return [["printer", value]];
  if (element === "config-item" || element === "date" || /-initials$/.test(element)) return [];
  return [["person", value]]; // fields that show who wrote, sent, printed it
}

const isTime = (name: string, value: string): boolean =>
  /^(date|dateUtc|dT|dt|created|refreshedDateIso|time|timeString)$/.test(name) && ISO.test(value) && value !== NO_TIME;
const isRevision = (name: string, value: string): boolean =>
  /rsid/.test(name) || name === "paraId" || name === "textId" || (name === "uid" && value.startsWith("{"));

/** Folders that have a person's name in them, and machines of a network; in Word's fields every backslash is two. */
export const PATHS = new RegExp(
  String.raw`(?:[A-Za-z]:[\\/]+(?:Users|Documents and Settings)|/(?:Users|home)|\\\\[\w.-]+)[\\/]+[^\\/"'<>|&\s][^"'<>|&]{0,150}` +
    String.raw`|file://[^"'<>|&\s]{1,200}`,
  "g",
);

/** Changes, and of a comment's text the name that Excel puts before it: "Anna:". */
interface OfficeChanges extends Changes {
  readonly signed: (text: string) => string | undefined;
}

/** The changes for one file; each person has the same number in all its parts. */
export function changes(): OfficeChanges {
  const numbers = new Map<string, number>();
  const author = (name: string): string => {
    if (!numbers.has(name)) numbers.set(name, numbers.size + 1);
    return `Author ${numbers.get(name)}`;
  };
  return {
    concerns,
    drops: (element, tag) =>
      GONE.has(element) || (element === "config-item" && ITEMS.has(item(tag))) || leadsNowhere(element, tag),
    attribute: (element, { full, name, value: raw }: Attribute, tag) => {
      const value = plain(raw);
      if (saying(element, full, name, value, tag)) return full === "name" ? "" : null; // a format asks for it
      if (name === "refreshedBy" || isRevision(name, value)) return null;
      if (isName(element, name, tag)) return NO_NAME.test(value) ? undefined : author(value);
      if (name === "initials") return "A";
      if (name === "userId" || name === "providerId" || name === "userProvider") return "None";
      if (isTime(name, value)) return /^(created|time|timeString)$/.test(name) ? NO_TIME : null;
      if (name === "refreshedDate") return null;
      if (name === "id" && element === "pageSetup") return null; // a printer's settings, which are dropped
      return undefined;
    },
    text: (element, text) => {
      if (!TEXTS.test(element)) return undefined;
      const value = plain(text).trim();
      if (element === "author" || element === "creator") return NO_NAME.test(value) ? undefined : author(value);
      if (/^(creator|sender)-initials$/.test(element)) return "A";
      if (element === "date" && ISO.test(value)) return NO_TIME;
      return undefined;
    },
    signed: (text) => {
      const value = plain(text);
      const name = value.slice(0, Math.max(0, value.indexOf(":")));
      return numbers.has(name) ? author(name) + value.slice(name.length) : undefined;
    },
  };
}

/** A line in a list of parts that speaks of one that is dropped; `base` of relationships is set by `changesIn`. */
function leadsNowhere(element: string, tag: string, base = ""): boolean {
  const value = (wanted: string): string => plain(attributes(tag).find(({ name }) => name === wanted)?.value ?? "");
  if (element === "Override") return dropped(value("PartName").slice(1));
  if (element === "file-entry") return dropped(value("full-path"));
  if (element !== "Relationship") return false;
  if (/\/(attachedTemplate|printerSettings|mailMerge\w*)$/.test(value("Type"))) return true;
  return value("TargetMode") !== "External" && dropped(resolved(base, value("Target")));
}

/** The same changes where a list of relationships is rewritten: its targets are seen from the part's own folder. And in Excel's
 *  comments, whose authors stand before them. */
export function changesIn(all: OfficeChanges, name: string): Changes {
  if (/^xl\/comments.*\.xml$/.test(name)) {
    return { ...all, text: (element, text) => (element === "t" ? all.signed(text) : all.text(element, text)) };
  }
  const base = /^(.*\/|)_rels\/[^/]*\.rels$/.exec(name)?.[1];
  if (base === undefined) return all;
  return { ...all, drops: (element, tag) => leadsNowhere(element, tag, base) };
}

/** "word/" and "../customXml/item1.xml" give "customXml/item1.xml". */
function resolved(base: string, target: string): string {
  if (target.startsWith("/")) return target.slice(1);
  const out: string[] = [];
  for (const step of (base + target).split("/")) {
    if (step === "..") out.pop();
    else if (step !== ".") out.push(step);
  }
  return out.join("/");
}
