// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Before a file goes: what it says of the person, and whether it goes as it is or as a copy without that. What looks into
 * files is a bundle of its own; if it does not come or fails, that is said and the file can still go.
 */

import type { Fact, Facts, Refused } from "../meta/meta.ts";
import { bundle } from "./bundle.ts";
import type { Values } from "./fill.ts";
import { shownName } from "./lines.ts";
import type { Page } from "./page.ts";

const meta = bundle<typeof import("../meta/meta.ts")>("/static/meta.js");

/** What goes; `nameless`: under a number. */
export interface Going {
  readonly blob: Blob;
  readonly nameless: boolean;
}

/** What was seen of the file, or of the copy that was made. `why`: nothing can be removed. */
interface Seen {
  readonly facts: Facts;
  readonly copy: Blob | null;
  readonly why: Refused["why"] | null;
}

async function looked(file: File): Promise<Seen> {
  const { LIMIT, read } = await meta();
  const facts = await read(file);
  const why = file.size > LIMIT ? "too-large" : null;
  return { facts, copy: null, why: unseen(facts) ?? why };
}

async function cleaned(file: File): Promise<Seen> {
  const { read, remove } = await meta();
  const done = await remove(file);
  return "blob" in done ? { facts: done.left, copy: done.blob, why: null } : { facts: await read(file), copy: null, why: done.why };
}

/** Why nothing of it was looked at. */
const unseen = ({ format, unread }: Facts): Refused["why"] | null =>
  format === "unknown" ? (unread.find(({ inside }) => !inside)?.why ?? "unknown") : null;

const silent = ({ facts, unread }: Facts): boolean => !facts.length && !unread.length;

/** Enter on a box presses a form's first button: often the one that sends a file of which nothing was removed. */
function inertBoxes(main: HTMLElement): void {
  for (const box of main.querySelectorAll("input")) {
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
}

/** One after the other of the files that were chosen together. */
export class Looking {
  private rest: "as-it-is" | "clean" | "out" | null = null; // what was asked for all that follow
  private ticked = false;

  constructor(
    private readonly page: Page,
    private readonly count: number,
    private nameless: boolean,
  ) {}

  /** Show and ask; null to leave it out. `place`: the first is 1. */
  async next(file: File, name: string, place: number): Promise<Going | null> {
    const about = this.about(file, name, place);
    let button: string = this.rest === "clean" ? "remove" : (this.rest ?? "look");
    let work = button;
    for (let copy: Blob | null = null; ; ) {
      if (button === "as-it-is") return { blob: file, nameless: this.nameless };
      if (button === "clean" && copy) return { blob: copy, nameless: this.nameless };
      if (button === "out") return null;
      if (button !== "again") work = button;
      const seen: Seen | string | null = await this.meanwhile(about, work === "remove" ? cleaned(file) : looked(file));
      if (typeof seen === "string") button = seen;
      else {
        copy = seen?.copy ?? null;
        button = this.rest && copy && seen && silent(seen.facts) ? "clean" : await this.ask({ ...about, ...this.values(seen) });
      }
    }
  }

  private about(file: File, name: string, place: number): Values {
    const { texts } = this.page;
    const which = texts.say("file-of", { number: texts.number(place), count: texts.number(this.count) });
    return {
      name: shownName(name),
      size: texts.size(file.size),
      ...(this.count > 1 ? { which } : {}),
      ...(place < this.count && !this.rest ? { more: true } : {}),
    };
  }

  private async ask(values: Values): Promise<string> {
    const typed = new Map([["nameless", this.nameless ? "1" : ""], ["rest", this.ticked ? "1" : ""]]);
    const { button, fields } = await this.page.screen.ask("looked", values, typed, [], inertBoxes);
    this.note(fields);
    // once only: "as it is" for one that cannot be cleaned says nothing of the others
    if (this.ticked && button !== "again") this.rest ??= button === "remove" || button === "clean" ? "clean" : (button as "as-it-is" | "out");
    return button;
  }

  /** What is ticked holds for the files that follow. */
  private note(fields: ReadonlyMap<string, string>): void {
    this.nameless = fields.get("nameless") === "1";
    this.ticked = fields.get("rest") === "1";
  }

  /** What came of the work, null when it failed; or the button of somebody who did not wait for it. */
  private async meanwhile(about: Values, work: Promise<Seen>): Promise<Seen | string | null> {
    const waiting = this.ask({ ...about, first: true, looking: true });
    const done = await Promise.race([work.catch(() => null), waiting]);
    if (typeof done !== "string") this.note(this.page.screen.fields());
    return done;
  }

  private values(seen: Seen | null): Values {
    const { texts } = this.page;
    if (!seen) return { first: true, failed: true };
    const { facts, copy, why } = seen;
    const shown = copy ? { cleaned: true } : { first: true };
    const other = why === "photo" ? "instead-photo" : facts.format === "pdf" ? "instead-pdf" : "instead";
    const instead = why === "unreadable" ? "" : texts.say(other);
    const kept = why ? { reason: texts.say(`unread-${why}`), instead } : {};
    if (unseen(facts)) return { ...shown, ...kept, unseen: true };
    if (silent(facts)) return { ...shown, looked: true, nothing: true };
    return {
      ...shown,
      ...kept,
      ...(why ? { kept: true } : copy ? {} : { removable: true }),
      looked: true,
      facts: this.byKind(facts),
      unread: facts.unread.map(({ why, inside }) => ({ why: texts.say(`unread-${why}`), ...(inside ? { inside } : {}) })),
    };
  }

  private byKind({ facts }: Facts): Values[] {
    return [...new Set(facts.map(({ kind }) => kind))].map((kind) => ({
      kind: this.page.texts.say(`fact-${kind}`),
      values: facts
        .filter((fact) => fact.kind === kind)
        .map((fact) => ({ ...this.told(fact), ...(fact.inside ? { inside: fact.inside } : {}) })),
    }));
  }

  /** What the file has, as it has it; what is ours to say, in the person's language. */
  private told({ kind, value, count }: Fact): Values {
    const date = kind === "date" ? this.page.texts.date(value) : null;
    if (date !== null) return { said: date };
    return { ...(value ? { value } : {}), ...(count ? { said: this.counted(count) } : {}) };
  }

  private counted({ unit, n }: NonNullable<Fact["count"]>): string {
    const { texts } = this.page;
    if (unit === "bytes") return texts.size(n);
    return unit === "seconds" ? texts.say("worked", { span: texts.span(n) }) : texts.many(`count-${unit}`, n);
  }
}
