// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What a PDF says (ISO 32000-1): properties, XMP, notes, forms' signatures, pictures and files inside, in all versions that
 * the file still holds.
 */

import type { Bytes } from "../protocol/bytes.ts";
import { type Found, type Kind, Unreadable } from "./facts.ts";
import { readProfile } from "./icc.ts";
import { Contents } from "./pdf_content.ts";
import { MAX_PDF } from "./pdf_document.ts";
import { type Filters, filtersOf, unfiltered } from "./pdf_filters.ts";
import { type Dictionary, Name, Objects, packedObjects, type PdfObject, Reference, type Value, written } from "./pdf_objects.ts";
import { REMARKS } from "./pdf_rules.ts";
import { pictureOf } from "./pictures.ts";
import { type Budget, latin1, Slices } from "./slices.ts";
import { readXmp } from "./xmp.ts";

const MAX_OBJECTS = 1_000_000;

const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries({
  Author: "person", Creator: "program", Producer: "program", Title: "title", Subject: "comment", Keywords: "comment",
  CreationDate: "date", ModDate: "date", LastModified: "date", Company: "organisation", Manager: "person", SourceModified: "date",
} as const));
const SIGNED: Readonly<Record<string, Kind>> = {
  Name: "person", Location: "place-name", Reason: "comment", ContactInfo: "contact", M: "date",
};
const NUMBERED = /^Author \d+$/; // written by what removes
const NOT_READ: ReadonlyMap<string, string> = new Map([["JPXDecode", "JPEG 2000"], ["JBIG2Decode", "JBIG2"]]);
const NO_PROPERTY = new Set(["Trapped", "Length", "Type"]);

/** Gather what a PDF says. One beyond 64 MiB is `too-large`. */
export async function readPdf(file: Slices, found: Found): Promise<void> {
  if (file.size > MAX_PDF) throw new Unreadable("too-large");
  const raw = await file.bytes(0, file.size);
  const text = latin1(raw);
  if (/\/Encrypt[\0\s]{0,9}(<<|\d{1,10}[\0\s]{1,9}\d)/.test(text)) throw new Unreadable("encrypted");
  await new Reading(raw, text, file.budget, found).run();
  const versions = text.split("%%EOF").length - 2 - (/\/Linearized\b/.test(text.slice(0, 2048)) ? 1 : 0);
  if (versions > 0) found.count("history", "versions", versions);
  const end = text.lastIndexOf("%%EOF");
  if (end < 0) throw new Unreadable("damaged");
  const trailing = text.slice(end + 5).replace(/^[\0\s]*/, "").length;
  if (trailing) found.count("trailing", "bytes", trailing);
}

type Said = readonly [Kind, string];

class Reading {
  private count = 0;
  private pictures = 0;
  private thumbnails = 0;
  private notes = 0;
  private readonly fonts = new Set<string>(); // that are in the file
  private readonly coded = new Map<string, number>(); // pictures of kinds that are not read
  private readonly said: Said[] = [];
  private readonly texts = new Map<number, string[]>(); // objects that are a text alone
  private readonly waiting: (readonly [Kind, string, number])[] = []; // for such an object
  private readonly infos = new Set<number>();
  private readonly plain = new Map<number, Dictionary>(); // without a type: one of them holds the properties
  private readonly contents = new Contents();

  constructor(
    private readonly raw: Bytes,
    private readonly text: string,
    private readonly budget: Budget,
    private readonly found: Found,
  ) {}

  async run(): Promise<void> {
    const damage = (): void => this.found.miss("damaged");
    let last = 0;
    for (const one of new Objects(this.text, damage).all()) {
      this.contents.between(this.text.slice(last, one.at));
      last = one.end;
      this.take(one);
      if (one.stream) await this.found.trying(() => this.stream(one, one.stream as readonly [number, number], damage));
    }
    for (const number of this.infos) {
      for (const [key, value] of this.plain.get(number) ?? []) {
        if (!KINDS.has(key) && !NO_PROPERTY.has(key)) this.say("other", value, `${key}: `);
      }
    }
    for (const [kind, label, number] of this.waiting) {
      for (const value of this.texts.get(number) ?? []) this.said.push([kind, label + written(value)]);
    }
    for (const [kind, value] of this.said) this.found.add(kind, kind === "date" ? pdfDate(value) : value);
    if (this.fonts.size) this.found.miss("part", `FontFile: ${[...this.fonts].slice(0, 40).join(", ")}`);
    for (const [kind, n] of this.coded) this.found.miss("part", `${kind}: ${n}`);
    this.contents.between(this.text.slice(last));
    await this.contents.tell(this.raw, this.found);
    if (this.thumbnails) this.found.count("thumbnail", "pictures", this.thumbnails);
    if (this.notes) this.found.count("review", "comments", this.notes);
  }

  private take(object: PdfObject): void {
    const { number, value } = object;
    this.count += 1;
    if (this.count > MAX_OBJECTS) throw new Unreadable("too-much");
    this.contents.take(object);
    if (typeof value === "string") this.texts.set(number, [...(this.texts.get(number) ?? []).slice(-9), value]);
    if (!(value instanceof Map)) {
      if (Array.isArray(value)) value.forEach((inner) => this.look(inner));
      return;
    }
    if (!value.has("Type") && this.plain.size < 10_000) this.plain.set(number, value);
    this.look(value);
  }

  private say(kind: Kind, value: Value | undefined, label = ""): void {
    if (typeof value === "string") this.said.push([kind, label + written(value)]);
    else if (value instanceof Reference) this.waiting.push([kind, label, value.number]);
  }

  /** A dictionary, and those in it. */
  private look(value: Value): void {
    if (Array.isArray(value)) value.forEach((inner) => this.look(inner));
    if (!(value instanceof Map)) return;
    const type = nameOf(value.get("Type"));
    const info = value.get("Info");
    if (info instanceof Reference) this.infos.add(info.number);
    for (const [key, inner] of value as Dictionary) {
      this.contents.entry(key, inner, value as Dictionary);
      const kind = KINDS.get(key);
      if (kind && !value.has("Parent")) this.say(kind, inner); // outlines have titles and parents
      else if (key === "ID" && Array.isArray(inner) && typeof inner[0] === "string") this.said.push(["id", digits(inner[0])]);
      else if (key === "PieceInfo" && inner instanceof Map) this.said.push(["other", `PieceInfo ${[...inner.keys()].join(" ")}`]);
      else if (key === "Lang" && type === "Catalog") this.say("other", inner, "Lang: ");
      else if (key === "Thumb") this.thumbnails += 1;
      else if (key === "XFA") this.said.push(["other", "XFA"]);
      if (typeof inner === "object") this.look(inner);
    }
    if (["FontFile", "FontFile2", "FontFile3"].some((key) => value.has(key))) {
      this.fonts.add(nameOf(value.get("FontName")).replace(/^[A-Z]{6}\+/, ""));
    }
    if (type === "Filespec" || value.has("EF")) {
      for (const key of ["F", "UF", "Desc"]) this.say(value.has("EF") ? "embedded" : "path", value.get(key));
    } else if (type === "Sig" || value.has("ByteRange")) {
      this.said.push(["signature", nameOf(value.get("SubFilter")) || "PDF"]);
      for (const [key, kind] of Object.entries(SIGNED)) this.say(kind, value.get(key));
    } else if (value.has("Subtype") && value.has("Rect") && nameOf(value.get("Subtype")) !== "Widget") {
      const remark = REMARKS.has(nameOf(value.get("Subtype"))) && value.has("Contents");
      if (value.has("T") || remark) this.notes += 1;
      if (!NUMBERED.test(String(value.get("T")))) this.say("person", value.get("T"));
      if (value.has("T")) this.say("date", value.get("M"));
    }
  }

  private async stream({ value }: PdfObject, [start, end]: readonly [number, number], damage: () => void): Promise<void> {
    const dictionary = value as Dictionary;
    const type = nameOf(dictionary.get("Type"));
    const filters = filtersOf(dictionary, (one) => one ?? null);
    const last = filters[filters.length - 1]?.name ?? "";
    if (type === "ObjStm") {
      for (const inner of packedObjects(latin1(this.unpacked(start, end, filters)), dictionary, damage)) this.take(inner);
    } else if (type === "Metadata" || nameOf(dictionary.get("Subtype")) === "XML") {
      readXmp(withoutPadding(this.unpacked(start, end, filters)), this.found);
    } else if (type === "EmbeddedFile") this.found.miss("part", "EmbeddedFile");
    else if (!type && typeof dictionary.get("N") === "number") readProfile(this.unpacked(start, end, filters), this.found);
    else if (last === "DCTDecode" || last === "DCT") {
      this.pictures += 1;
      const part = this.found.within(`${this.pictures}`);
      const raw = this.unpacked(start, end, filters.slice(0, -1));
      const picture = pictureOf(raw);
      if (picture) await picture.read(Slices.of(raw, this.budget), part);
      else part.miss("part");
    } else if (NOT_READ.has(last)) {
      const kind = NOT_READ.get(last) as string;
      this.coded.set(kind, (this.coded.get(kind) ?? 0) + 1);
    }
  }

  private unpacked(start: number, end: number, filters: Filters): Bytes {
    return unfiltered(this.raw.subarray(start, end), filters, this.budget);
  }
}

const nameOf = (value: Value | undefined): string => (value instanceof Name ? value.text : "");
const digits = (text: string): string => [...text].map((sign) => sign.charCodeAt(0).toString(16).padStart(2, "0")).join("");

/** XMP is filled up with blanks, and some programs end it with zeros. */
function withoutPadding(raw: Bytes): Bytes {
  let end = raw.length;
  while (end > 0 && (raw[end - 1] as number) <= 32) end -= 1;
  return raw.subarray(0, end);
}

/** "D:20261126101112+03'00'" in the form that facts have; what is none, as it is. */
const pdfDate = (text: string): string => {
  const found = /^(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-]\d\d)'?(\d\d)?)?/.exec(text);
  if (!found) return text;
  const [, year, month = "01", day = "01", hour, minute = "00", second = "00", utc, zone, minutes = "00"] = found;
  const time = hour ? ` ${hour}:${minute}:${second}` : "";
  return `${year}-${month}-${day}${time}${zone ? ` ${zone}:${minutes}` : utc ? " UTC" : ""}`;
};
