// SPDX-License-Identifier: AGPL-3.0-or-later
/** What a file says beside what it shows: kinds and values, for a catalogue to put in words. */

import { isPrintable } from "../protocol/bytes.ts";

/** What kind of thing is said. */
export type Kind =
  | "place" // "50.45010, 30.52340": latitude and longitude in degrees (WGS 84), north and east positive
  | "place-name" // a city, a country, an address
  | "device" // a camera, a telephone, a lens, a scanner
  | "serial" // a number that one device alone has
  | "printer"
  | "person" // an author, an owner, whoever changed it last
  | "contact" // an address of a person: mail, telephone, account
  | "organisation"
  | "date" // "2026-11-26 10:11:12", with the time zone where the file has it ("+03:00", "UTC"); or as the file spells it
  | "program" // that made or changed it, the system it ran on
  | "title"
  | "comment" // a description, keywords, notes
  | "path" // of a folder or file on somebody's machine: often has their name
  | "id" // a number by which copies or versions of one file can be told to belong together
  | "thumbnail" // a small picture, perhaps of how it looked before it was cut
  | "embedded" // another file inside, by its name
  | "words" // behind text or a picture, for reading aloud, searching or copying: alternative texts, languages
  | "unseen" // content that is not shown: hidden layers, sheets, slides, text
  | "cropped" // what is shown in part, and is there wholly
  | "review" // comments or tracked changes, with names and times
  | "history" // earlier versions inside
  | "signature"
  | "profile" // the colours of one screen or scanner
  | "trailing" // bytes after the end of the file proper
  | "other"; // something else, as the file names it

/** What is counted where it cannot be quoted. */
export type Unit =
  | "bytes"
  | "seconds" // of work on it
  | "versions"
  | "insertions"
  | "deletions"
  | "changes" // other ones
  | "comments"
  | "names" // beside comments or changes
  | "sessions" // marks of when it was worked on
  | "saves"
  | "pictures"
  | "pages"
  | "pieces" // of text
  | "layers" // of a PDF
  | "sheets" // of a table
  | "lines" // rows and columns of a table
  | "slides"
  | "notes"; // for whoever shows the slides

/** One thing that is said. */
export interface Fact {
  readonly kind: Kind;
  /** At most 200 printable characters, as the file has them or as the kind says; "" where all is counted. Never markup:
   *  show it as text. */
  readonly value: string;
  /** How many of what; null where nothing is counted. */
  readonly count: { readonly unit: Unit; readonly n: number } | null;
  /** The picture or file inside that says it; "" for the file itself. */
  readonly inside: string;
}

/** Why something was not looked at. */
export type Why =
  | "unknown" // no kind of file that is known here
  | "photo" // a picture, film, sound or Office file of a kind that is not read here: what such files usually say is known
  | "film"
  | "sound"
  | "old-office"
  | "damaged" // cut off, or not built as its kind is
  | "too-large" // beyond `LIMIT`, or a part that unpacks to too much
  | "too-much" // more facts, parts or layers than are listed here
  | "encrypted" // under a password
  | "part" // a part of a kind that is not known here
  | "unreadable"; // the browser could not read the file: moved, changed, or no longer allowed

/** What was not looked at: the part's name, "" for the file or its rest. */
export interface Unread {
  readonly why: Why;
  readonly inside: string;
}

/** A kind of file, decided by its bytes; `odf` are OpenDocument's texts, tables and slides. */
export type Format = "jpeg" | "png" | "webp" | "pdf" | "docx" | "xlsx" | "pptx" | "odf";

/** Nothing was found only where `facts` and `unread` are both empty. */
export interface Facts {
  readonly format: Format | "unknown";
  readonly facts: readonly Fact[];
  readonly unread: readonly Unread[];
}

/** A file up to this size is read wholly where its kind asks for it, and can be cleaned: 256 MiB. */
export const LIMIT = 1 << 28;

const MAX_FACTS = 300;
const MAX_VALUE = 200; // characters

/** Something could not be read. The only error that leaves the readers of this folder. */
export class Unreadable extends Error {
  override name = "Unreadable";

  constructor(readonly why: Why) {
    super(why);
  }
}

/** As a page may show it: on one line, without signs that turn or hide others. */
export function shown(text: string): string {
  const start = text.slice(0, 4 * MAX_VALUE).replace(/\s+/g, " ");
  const clean = isPrintable(start) ? start : [...start].filter(isPrintable).join("");
  return [...clean.trim()].slice(0, MAX_VALUE).join("");
}

/** Gathers what is found, each thing once. */
export class Found {
  private readonly facts = new Map<string, Fact>();
  private readonly unread = new Map<string, Unread>();

  /** `inside`: as in Fact, for all that is added. */
  constructor(private readonly inside = "") {}

  add(kind: Kind, value: string): void {
    this.keep({ kind, value: shown(value), count: null, inside: this.inside });
  }

  /** `value`: of what, where that is the file's own word. */
  count(kind: Kind, unit: Unit, n: number, value = ""): void {
    this.keep({ kind, value: shown(value), count: { unit, n }, inside: this.inside });
  }

  miss(why: Why, inside = this.inside): void {
    const one = { why, inside: shown(inside) };
    if (this.unread.size < MAX_FACTS) this.unread.set(`${why} ${one.inside}`, one);
    else this.unread.set("", { why: "too-much", inside: "" });
  }

  /** For a part of that name; what it gathers lands here too. */
  within(inside: string): Found {
    const part = new Found(shown(this.inside ? `${this.inside}: ${inside}` : inside));
    part.keep = (fact) => this.keep(fact);
    part.miss = (why, where = part.inside) => this.miss(why, where);
    return part;
  }

  /** Run `look`; what it could not read is noted. */
  async trying(look: () => Promise<void> | void): Promise<void> {
    try {
      await look();
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.miss(error.why);
    }
  }

  private keep(fact: Fact): void {
    const { kind, value, count, inside } = fact;
    if (!value && !count) return;
    if (this.facts.size >= MAX_FACTS) this.miss("too-much", "");
    else this.facts.set(`${kind} ${count?.unit} ${count?.n} ${inside} ${value}`, fact);
  }

  result(format: Format | "unknown"): Facts {
    return { format, facts: [...this.facts.values()], unread: [...this.unread.values()] };
  }
}
