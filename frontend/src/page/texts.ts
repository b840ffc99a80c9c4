// SPDX-License-Identifier: AGPL-3.0-or-later
/** Every text that the script says, carried by the page from its catalogues; dates and numbers in its language. */

/** What the page carries, as site/pages/scripted.py gives it. `most`: bytes of one file, 0 when the door takes none. */
export interface Told {
  readonly language: string;
  readonly page: "write" | "return";
  readonly most: number;
  /** Asked any desk of the door something when the page was made? */
  readonly asks: boolean;
  readonly texts: Readonly<Record<string, string>>;
  readonly plurals: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

type Values = Readonly<Record<string, string>>;

/** Spans from the longest unit, in seconds; one that fills less than 1.2 of a unit is told in the next. */
const SPANS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const;
const SIZES = [["gigabyte", 1e9], ["megabyte", 1e6], ["kilobyte", 1e3], ["byte", 1]] as const;
/** "2026-11-26", and a time, and a zone. */
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d))?(?:\.\d+)?)? ?(UTC|Z|[+-]\d\d:?\d\d)?$/;

export class Texts {
  private readonly locale: string;
  private readonly rules: Intl.PluralRules;

  constructor(readonly told: Told) {
    this.locale = `${told.language}-u-nu-latn`; // the digits of the pages without a script; old browsers have others in Arabic
    this.rules = new Intl.PluralRules(this.locale);
  }

  /** The text of that name, its %(name)s filled. */
  say(name: string, values: Values = {}): string {
    return filled(this.told.texts[name] ?? name, values);
  }

  /** A text that depends on a number. */
  many(name: string, n: number): string {
    const forms = this.told.plurals[name] ?? {};
    return filled(forms[this.rules.select(n)] ?? forms["other"] ?? name, { n: this.number(n) });
  }

  number(value: number): string {
    return new Intl.NumberFormat(this.locale).format(value);
  }

  /** A moment (Unix seconds) in universal time, as the pages without a script have it. */
  when(at: number): string {
    const how = { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" } as const;
    return `${new Intl.DateTimeFormat(this.locale, how).format(at * 1000)} UTC`;
  }

  /** A date that a file has, by its own clock, in this language's way; null where it is spelled otherwise. */
  date(text: string): string | null {
    const [, day, time, second, zone] = DATE.exec(text) ?? [];
    const at = new Date(`${day}T${time ?? "00:00"}:${second ?? "00"}Z`);
    if (Number.isNaN(at.getTime()) || !at.toISOString().startsWith(`${day}T${time ?? ""}`)) return null; // 31 February
    const hour = time ? ({ timeStyle: second ? "medium" : "short" } as const) : {};
    const said = new Intl.DateTimeFormat(this.locale, { dateStyle: "medium", timeZone: "UTC", ...hour }).format(at);
    return time && zone ? `${said} UTC${zone.replace(/[A-Z]+/, "")}` : said; // a text that Arabic does not turn round
  }

  /** How long, roughly. */
  span(seconds: number): string {
    const whole = Math.max(1, Math.round(seconds));
    const [unit, each] = SPANS.find(([, size]) => whole >= size * 1.2) ?? ["second", 1];
    return this.unit(Math.round(whole / each), unit, "long");
  }

  /** So many bytes, roughly. */
  size(count: number): string {
    const [unit, each] = SIZES.find(([, size]) => count >= size * 0.99995) ?? ["byte", 1]; // what rounds to 1000 is 1
    return this.unit(Math.round((count / each) * 10) / 10, unit, "short");
  }

  /** "a, b or c", each in this language's quotes. */
  either(words: readonly string[]): string {
    return new Intl.ListFormat(this.told.language, { type: "disjunction" }).format(
      words.map((word) => this.say("quoted", { word })),
    );
  }

  /** "a, b and c". */
  all(names: readonly string[]): string {
    return new Intl.ListFormat(this.told.language, { type: "conjunction" }).format(names);
  }

  private unit(value: number, unit: string, unitDisplay: "long" | "short"): string {
    return new Intl.NumberFormat(this.locale, { style: "unit", unit, unitDisplay }).format(value);
  }
}

const filled = (text: string, values: Values): string =>
  text.replace(/%\(([a-z]+)\)s/g, (_, name: string) => values[name] ?? "");
