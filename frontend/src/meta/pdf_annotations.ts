// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What is laid over a PDF's pages (ISO 32000-1, 12.5): remarks, stamps, forms. What is seen stays as it is drawn, a remark's
 * words too; who made it is a number, and what it would do is gone. A filled form is left as the picture of what was filled in.
 */

import { Unreadable } from "./facts.ts";
import { type Dictionary, Reference, type Value } from "./pdf_objects.ts";
import { DRAWN, REMARKS, SYMBOLS } from "./pdf_rules.ts";
import { framed, hexadecimal, nameOf, type Writer } from "./pdf_write.ts";

const [HIDDEN, PRINT, NO_VIEW] = [2, 4, 32]; // of F
/** Is it neither on the screen nor on paper? */
const unseen = (flags: Value): boolean =>
  typeof flags === "number" && ((flags & HIDDEN) !== 0 || (flags & (NO_VIEW | PRINT)) === NO_VIEW);
const MAX_ABOVE = 32;

/** All annotations of one document: each person has one number in it. */
export class Annotations {
  private readonly people = new Map<string, number>();
  private readonly stale: boolean; // what was filled in need not be what was drawn

  constructor(
    private readonly writer: Writer,
    catalog: Dictionary,
  ) {
    const form = writer.document.dictionary(catalog.get("AcroForm"));
    this.stale = writer.document.plain(form?.get("NeedAppearances")) === true;
  }

  /** Those of a page, as a list; "" for none. */
  write(page: Dictionary): string {
    const { document } = this.writer;
    const all = document.plain(page.get("Annots"));
    if (!Array.isArray(all)) return "";
    const kept: string[] = [];
    for (const one of all) {
      const annotation = document.dictionary(one as Value);
      const text = annotation ? this.one(annotation) : "";
      if (!text) continue;
      const out = this.writer.take();
      this.writer.object(out, text);
      kept.push(`${out} 0 R`);
    }
    return kept.length ? `[${kept.join(" ")}]` : "";
  }

  private one(annotation: Dictionary): string {
    const { document } = this.writer;
    const get = (key: string): Value => document.plain(annotation.get(key));
    const subtype = nameOf(get("Subtype"));
    if (subtype === "Popup" || get("StateModel") !== null || unseen(get("F"))) return "";
    const appearance = this.appearance(annotation);
    if (subtype === "Widget") this.refuseUndrawn(annotation, appearance);
    if (!appearance && !DRAWN.has(subtype)) return "";
    const entries = [`/Type /Annot /Subtype /${DRAWN.has(subtype) ? subtype : "Stamp"}`, ...this.writer.entries(annotation, "drawn")];
    if (REMARKS.has(subtype)) entries.push(...this.remark(annotation, subtype));
    if (appearance) entries.push(`/AP << /N ${appearance} >>`);
    return framed(entries);
  }

  private remark(annotation: Dictionary, subtype: string): string[] {
    const { document } = this.writer;
    const get = (key: string): Value => document.plain(annotation.get(key));
    const [person, words, drawn, symbol] = [get("T"), get("Contents"), get("DA"), nameOf(get("Name"))];
    const out: string[] = [];
    if (typeof words === "string") out.push(`/Contents ${hexadecimal(words)}`);
    if (typeof person === "string") out.push(`/T (Author ${this.number(person)})`);
    if (subtype === "FreeText" && typeof drawn === "string") out.push(`/DA ${hexadecimal(drawn)}`);
    if (SYMBOLS.has(symbol)) out.push(`/Name /${symbol}`);
    return out;
  }

  private number(person: string): number {
    if (!this.people.has(person)) this.people.set(person, this.people.size + 1);
    return this.people.get(person) as number;
  }

  /** A reference to how it is drawn, in the state in which it is; "" for nothing. */
  private appearance(annotation: Dictionary): string {
    const { document } = this.writer;
    let normal = document.dictionary(annotation.get("AP"))?.get("N");
    const { value, stream } = document.get(normal);
    if (value instanceof Map && !stream) {
      normal = (value as Dictionary).get(this.state(annotation)) ?? (annotation.has("AS") ? undefined : (value as Dictionary).get("Off"));
    }
    return normal instanceof Reference && document.get(normal).stream ? this.writer.reference(normal.number, "form") : "";
  }

  /** In which of its states it is drawn; "" where it does not say. */
  private state(annotation: Dictionary): string {
    return nameOf(this.writer.document.plain(annotation.get("AS")));
  }

  /** A field's value, which may stand above it. */
  private field(annotation: Dictionary, key: string): Value {
    const { document } = this.writer;
    let node: Dictionary | null = annotation;
    for (let i = 0; node && i < MAX_ABOVE; i += 1) {
      if (node.has(key)) return document.plain(node.get(key));
      node = document.dictionary(node.get("Parent"));
    }
    return null;
  }

  /** Is it ticked by its field's value alone? What is shown then differs from viewer to viewer. */
  private ticked(annotation: Dictionary, value: Value): boolean {
    const { document } = this.writer;
    const chosen = typeof value === "string" ? value : nameOf(value);
    const drawn = document.get(document.dictionary(annotation.get("AP"))?.get("N"));
    const possible = drawn.value === null || (!drawn.stream && drawn.value instanceof Map && (drawn.value as Dictionary).has(chosen));
    return chosen !== "" && chosen !== "Off" && possible;
  }

  /** Something was filled in that a viewer would draw by itself: it must not be lost unseen. */
  private refuseUndrawn(annotation: Dictionary, appearance: string): void {
    const kind = nameOf(this.field(annotation, "FT"));
    const value = this.field(annotation, "V");
    const filled = Array.isArray(value) ? value.length > 0 : value instanceof Map || (typeof value === "string" && value !== ""); // a long one is a stream
    if ((kind === "Tx" || kind === "Ch") && filled && (!appearance || this.stale)) throw new Unreadable("part");
    const state = this.state(annotation);
    if (kind === "Btn" && ((!appearance && state && state !== "Off") || (!state && this.ticked(annotation, value)))) throw new Unreadable("part");
  }
}
