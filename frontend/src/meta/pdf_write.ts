// SPDX-License-Identifier: AGPL-3.0-or-later
/** A PDF's objects written anew, numbered as they are met, by the rules of what stays. */

import type { Bytes } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";
import { cleanProfile } from "./icc.ts";
import type { Document } from "./pdf_document.ts";
import { type Filters, filtersOf, unfiltered } from "./pdf_filters.ts";
import { type Dictionary, Name, ODD, Reference, type Value } from "./pdf_objects.ts";
import { RULES, SPACES, STREAMS, TEXTS } from "./pdf_rules.ts";
import { Used } from "./pdf_used.ts";
import { pictureOf } from "./pictures.ts";
import { fromLatin1, Pieces, Slices } from "./slices.ts";

const HEAD = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";
const MAX_NUMBER = 1e15;
const IS_JPEG = new Set(["DCTDecode", "DCT"]);

export const nameOf = (value: Value | undefined): string => (value instanceof Name ? value.text : "");

export class Writer {
  private readonly pieces: Pieces;
  private size = 0;
  private readonly starts: number[] = [0]; // of each number's object; none has 0
  private readonly numbers = new Map<string, number>();
  private readonly used: Used;
  private readonly lent = new Map<Dictionary, number>();
  private readonly waiting: { readonly value: Value; readonly out: number; readonly role: string }[] = [];
  private layers = 0;

  constructor(
    readonly document: Document,
    file: Slices,
  ) {
    this.pieces = new Pieces(file);
    this.used = new Used(document);
    this.put(HEAD);
  }

  /** Its entries, with those resources alone that `contents` name. */
  drawing(dictionary: Dictionary, role: "page" | "form", contents: readonly Value[]): string[] {
    const some = this.used.of(dictionary.get("Resources"), contents);
    return this.entries(some ? new Map([...dictionary, ["Resources", some]]) : dictionary, role);
  }

  /** The number of an object that is written later. */
  take(): number {
    return this.starts.push(0) - 1;
  }

  /** An object that is not a copy. */
  object(out: number, text: string): void {
    this.document.spend(text.length);
    this.starts[out] = this.size;
    this.put(`${out} 0 obj\n${text}\nendobj\n`);
  }

  /** Whatever was referred to; then the table. `root`: the catalog's number. */
  async finish(root: number): Promise<BlobPart[]> {
    for (const { value, out, role } of this.waiting) await this.copy(out, value, role); // it grows
    const at = this.size;
    const lines = this.starts.slice(1).map((start) => `${String(start).padStart(10, "0")} 00000 n \n`);
    this.put(`xref\n0 ${this.starts.length}\n0000000000 65535 f \n${lines.join("")}`);
    this.put(`trailer\n<< /Size ${this.starts.length} /Root ${root} 0 R >>\nstartxref\n${at}\n%%EOF\n`);
    return this.pieces.all();
  }

  private put(raw: string | Bytes): void {
    const bytes = typeof raw === "string" ? fromLatin1(raw) : raw;
    this.size += bytes.length;
    this.pieces.put(bytes);
  }

  /** A value in its role; "" for what is not of it. */
  write(value: Value | undefined, role: string): string {
    if (value === ODD) throw new Unreadable("damaged");
    if (value === undefined) return "";
    if (typeof value === "string") return TEXTS.has(role) ? hexadecimal(value) : "";
    if (typeof value === "number") return numeral(value);
    if (value instanceof Name) return spelled(value.text);
    if (value instanceof Reference) return this.reference(value.number, role);
    if (Array.isArray(value)) return this.list(value, role);
    if (value instanceof Map) return role === "resources" ? this.lend(value as Dictionary) : this.dictionary(value as Dictionary, role);
    return String(value);
  }

  /** Always the same new number for the same object in the same role. */
  reference(number: number, role: string): string {
    if (!this.document.has(number)) return "null";
    const key = `${number} ${role}`;
    let out = this.numbers.get(key);
    if (out === undefined) {
      out = this.take();
      this.numbers.set(key, out);
      this.waiting.push({ value: new Reference(number), out, role });
    }
    return `${out} 0 R`;
  }

  /** Resources are always objects of their own: those of a branch are all its pages'. */
  private lend(resources: Dictionary): string {
    let out = this.lent.get(resources);
    if (out === undefined) {
      out = this.take();
      this.lent.set(resources, out);
      this.waiting.push({ value: resources, out, role: "resources" });
    }
    return `${out} 0 R`;
  }

  private list(list: readonly Value[], role: string): string {
    const roles = role === "space" ? (SPACES.get(nameOf(this.document.plain(list[0]))) ?? []) : [];
    const parts = list.map((one, i) => this.write(one, role === "space" ? (roles[i] ?? "plain") : role));
    return `[${parts.filter(Boolean).join(" ")}]`;
  }

  private dictionary(dictionary: Dictionary, asked: string): string {
    if (asked.startsWith("{")) {
      const inner = [...dictionary].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, this.write(value, asked.slice(1, -1))]);
      return framed(inner.filter(([, text]) => text).map(([key, text]) => `${spelled(key as string)} ${text}`));
    }
    const role = this.roleOf(dictionary, asked);
    if (role === "group of layers") return this.layer(dictionary);
    return RULES.has(role) ? framed(this.entries(dictionary, role)) : "";
  }

  /** What of a dictionary is of its role. */
  entries(dictionary: Dictionary, role: string): string[] {
    const kept = (RULES.get(role) ?? []).map(([key, inner]) => [key, this.write(dictionary.get(key), inner)] as const);
    return kept.filter(([, text]) => text).map(([key, text]) => `/${key} ${text}`);
  }

  /** The role that an object has by itself, where several may stand; "" for none. */
  private roleOf(dictionary: Dictionary, role: string): string {
    const is = (key: string): string => nameOf(this.document.plain(dictionary.get(key)));
    if (role === "xobject") return is("Subtype") === "Image" ? "image" : is("Subtype") === "Form" ? "form" : "";
    if (role !== "layer") return role; // one role for all that leads to a layer: it must stay one object
    return is("Type") === "OCG" ? "group of layers" : is("Type") === "OCMD" ? "member" : "marked";
  }

  private layer(dictionary: Dictionary): string {
    this.layers += 1;
    return framed(["/Type /OCG", `/Name (Layer ${this.layers})`, ...this.entries(dictionary, "layer")]);
  }

  private async copy(out: number, source: Value, asked: string): Promise<void> {
    const { value, stream } = this.document.get(source);
    const role = value instanceof Map && stream ? this.roleOf(value as Dictionary, asked) : asked;
    if (!(value instanceof Map) || !stream || !STREAMS.has(role)) {
      const text = value instanceof Map ? this.dictionary(value as Dictionary, asked) : this.write(value, asked);
      return this.object(out, text || "null");
    }
    const dictionary = value as Dictionary;
    const filters = filtersOf(dictionary, this.document.plain);
    const own = role === "form" ? this.drawing(dictionary, role, [source]) : this.entries(dictionary, role);
    const clean = role === "profile" ? this.profile(dictionary, stream) : await this.jpeg(filters, stream);
    const kept = clean ? (role === "profile" ? [] : filters.slice(-1)) : filters;
    if (kept.some(({ name }) => name === "Crypt")) throw new Unreadable("part");
    if (kept.length) {
      own.push(`/Filter [${kept.map(({ name }) => spelled(name)).join(" ")}]`);
      const parms = kept.map((one) => (one.parms ? this.write(one.parms, "parameters") : "null"));
      if (kept.some((one) => one.parms)) own.push(`/DecodeParms [${parms.join(" ")}]`);
    }
    const length = clean ? clean.length : stream[1] - stream[0];
    const head = framed([...own, `/Length ${length}`]);
    this.document.spend(head.length);
    this.starts[out] = this.size;
    this.put(`${out} 0 obj\n${head}\nstream\n`);
    if (clean) this.put(clean);
    else {
      this.pieces.keep(...stream);
      this.size += length;
    }
    this.put("\nendstream\nendobj\n");
  }

  /** Not packed: how a browser packs would say which one it was. Empty where it is no profile: what it is instead of stands beside. */
  private profile(dictionary: Dictionary, stream: readonly [number, number]): Bytes {
    return cleanProfile(this.document.unpacked(dictionary, stream)) ?? new Uint8Array(0);
  }

  /** A photograph without what it says; null for what is none, or cannot be looked into: reading the result tells that. */
  private async jpeg(filters: Filters, [start, end]: readonly [number, number]): Promise<Bytes | null> {
    const { document } = this;
    if (!IS_JPEG.has(filters[filters.length - 1]?.name ?? "")) return null;
    try {
      const raw = unfiltered(document.raw.subarray(start, end), filters.slice(0, -1), document.budget);
      const picture = pictureOf(raw);
      if (picture?.format !== "jpeg") return null;
      return new Uint8Array(await new Blob(await picture.clean(Slices.of(raw, document.budget))).arrayBuffer());
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return null;
    }
  }
}

export const framed = (entries: readonly string[]): string => (entries.length ? `<< ${entries.join(" ")} >>` : "<< >>");

const byte = (sign: string): string => sign.charCodeAt(0).toString(16).padStart(2, "0");
/** A text in digits. */
export const hexadecimal = (text: string): string => `<${[...text].map(byte).join("")}>`;
const spelled = (name: string): string => `/${name.replace(/[^!-~]|[#()<>[\]{}/%]/g, (sign) => `#${byte(sign)}`)}`;

/** Without exponents, which PDF does not know. */
function numeral(value: number): string {
  const within = Math.max(-MAX_NUMBER, Math.min(MAX_NUMBER, value));
  const text = String(within || 0);
  return text.includes("e") ? within.toFixed(20).replace(/\.?0+$/, "") : text;
}
