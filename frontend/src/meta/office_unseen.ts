// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What an Office file holds and does not show: hidden sheets, rows, slides and text, notes to slides, pictures of which a part
 * is shown, the words that stand for a picture, where links lead, what was copied from other files. All of it is content and
 * stays: it is told.
 */

import type { Found, Kind, Unit } from "./facts.ts";
import { attributes, plain, type Token } from "./xml.ts";

const SIGNS = /[hH]idden|vanish|collapse|filter|display=|show=|clip=|srcRect|descr=|title=|External|connection|sourceFile| val=|href=|alt=|tooltip=|comment=|fldChar|instr=|HYPERLINK/;
/** Parts that are copies of other files' data. */
const COPIES = /^xl\/(pivotCache\/pivotCacheRecords|externalLinks\/externalLink)\w*\.xml$/;
/** Programs in OpenDocument files: what they say is not looked through. */
const PROGRAMS = /^(Basic|Scripts)\//;
const NOTES = /^ppt\/notesSlides\/[^/]*\.xml$/;
/** Links in a field of Word's, or a formula; none within the file itself (`\l`). In a field every backslash is two. */
const FIELDS = /\b(?:HYPERLINK|INCLUDE(?:PICTURE|TEXT)|LINK|DDE|DDEAUTO|RD)\b((?:(?!\\l\b)[^"]){0,80})"([^"]{1,2000})"/g;
const MAX_LINKS = 100;
const isOff = (value: string | undefined): boolean => value === "0" || value === "false" || value === "off";
const isOn = (value: string | undefined): boolean => value !== undefined && !isOff(value);

/** Gathers it from all parts of one file. */
export class Unseen {
  private readonly counts = new Map<Unit, number>();
  private cropped = 0;
  private noted = new Set<string>(); // parts of notes that say something
  private readonly links = new Set<string>();
  private field = ""; // the text of a field so far: it may come in pieces

  constructor(private readonly found: Found) {}

  part(name: string): void {
    if (COPIES.test(name)) this.found.add("unseen", name);
    if (PROGRAMS.test(name)) this.found.miss("part", name);
  }

  /** Where one leads; not to a place in the file itself. */
  private link(target: string): void {
    if (/^(?:[a-z][a-z\d+.-]*:|[\\/]|\.\.)/i.test(target) && !target.startsWith("vnd.sun.star")) this.links.add(target);
  }

  private fields(text: string): void {
    for (const [, , target] of text.matchAll(FIELDS)) if (target && !target.startsWith("#")) this.links.add(target);
  }

  private one(unit: Unit): void {
    this.counts.set(unit, (this.counts.get(unit) ?? 0) + 1);
  }

  tag(element: string, tag: string): void {
    if (!SIGNS.test(tag)) return;
    const all = new Map(attributes(tag).map(({ name, value }) => [name, plain(value)]));
    const get = (name: string): string | undefined => all.get(name);
    if (element === "fldChar") {
      this.fields(this.field);
      this.field = "";
    }
    this.link(get("href") ?? "");
    for (const name of ["instr", "formula"]) this.fields(get(name) ?? "");
    if (element === "definedName" || element === "table") this.found.add("comment", get("comment") ?? "");
    for (const name of ["tooltip", "alt"]) this.found.add("words", get(name) ?? "");
    if (element === "sheet" && /hidden$/i.test(get("state") ?? "")) this.one("sheets");
    else if (element === "table-properties" && get("display") === "false") this.one("sheets");
    else if ((element === "row" || element === "col") && isOn(get("hidden"))) this.one("lines");
    else if (/^table-(row|column)$/.test(element) && /^(collapse|filter)$/.test(get("visibility") ?? "")) this.one("lines");
    else if (element === "sld" && isOff(get("show"))) this.one("slides");
    else if (element === "drawing-page-properties" && get("visibility") === "hidden") this.one("slides");
    else if (element === "vanish" && !isOff(get("val"))) this.one("pieces");
    else if (element === "hidden-text" || (element === "text-properties" && get("display") === "none")) this.one("pieces");
    else if (element === "srcRect" && ["l", "t", "r", "b"].some((side) => Number.parseFloat(get(side) ?? "0") > 0)) this.cropped += 1;
    else if (element === "graphic-properties" && /[1-9]/.test(get("clip") ?? "")) this.cropped += 1;
    else if (element === "docPr" || element === "cNvPr") for (const name of ["title", "descr"]) this.found.add("words", get(name) ?? "");
    else if (element === "Relationship" && get("TargetMode") === "External") {
      if (/\/hyperlink$/.test(get("Type") ?? "")) this.links.add(get("Target") ?? "");
      else this.found.add("path", get("Target") ?? "");
    } else if (tag.startsWith("<p:tag")) this.found.add("other", `${get("name") ?? ""}: ${get("val") ?? ""}`); // what programs note on slides
    else if (element === "dbPr") this.found.add("other", get("connection") ?? "");
    for (const name of ["sourceFile", "odcFile"]) this.found.add("path", get(name) ?? "");
  }

  /** A text inside of these tags. */
  text(part: string, stack: readonly Token[], text: string): void {
    const element = stack[stack.length - 1]?.name;
    if (element === "instrText" || element === "delInstrText") this.field += plain(text);
    else if (element === "f" && text.includes("HYPERLINK")) this.fields(plain(text));
    else if (NOTES.test(part) && element === "t" && !/^\d*$/.test(text.trim())) this.noted.add(part);
    else if ((element === "desc" || element === "title") && stack[stack.length - 1]?.text.startsWith("<svg:")) this.found.add("words", plain(text));
    else if (element !== "page-number" && stack.some(({ text: tag }) => tag.startsWith("<presentation:notes"))) this.one("notes");
  }

  tell(): void {
    if (this.noted.size) this.counts.set("notes", this.noted.size);
    for (const [unit, n] of this.counts) this.found.count("unseen", unit, n);
    if (this.cropped) this.found.count("cropped", "pictures", this.cropped);
    this.fields(this.field);
    const links = [...this.links];
    for (const link of links.slice(0, MAX_LINKS)) this.found.add(kindOf(link), link); // last: they may be many
    if (links.length > MAX_LINKS) this.found.miss("too-much");
  }
}

/** Of a link: an address of somebody, a file, or a page. */
const kindOf = (link: string): Kind =>
  /^(mailto|tel|sips?|xmpp|callto|skype):/i.test(link) ? "contact" : /^(?!file:)[a-z][a-z\d+.-]+:/i.test(link) ? "unseen" : "path";
