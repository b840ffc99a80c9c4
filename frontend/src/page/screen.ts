// SPDX-License-Identifier: AGPL-3.0-or-later
/** One step at a time in the page's `main`: shown from what the page carries, then asked which button was pressed. */

import { fill, refill, type Values } from "./fill.ts";

/** What is wrong, and the id of the field where it can be mended. */
export interface Trouble {
  readonly at: string;
  readonly text: string;
}

/** A button (its value), and what stood in the fields by name; of radios and boxes those that are chosen. */
export interface Pressed {
  readonly button: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Wires what is more than buttons. `press` ends the step as a button does. */
export type Wire = (main: HTMLElement, press: (button: string) => void) => void;

export class Screen {
  private press: (button: string) => void = () => undefined;
  private shown = "";

  constructor(private readonly main: HTMLElement) {
    let clicked = "";
    main.addEventListener("click", (event) => {
      const target = event.target as Element;
      clicked = target.closest<HTMLButtonElement>("button")?.value ?? "";
      const link = target.closest<HTMLAnchorElement>('a[href^="#"]');
      if (link) {
        event.preventDefault(); // an address with what was wrong in it would stay in the history
        document.getElementById(link.hash.slice(1))?.focus();
      }
    });
    main.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = event.submitter as HTMLButtonElement | null;
      this.press(button ? button.value : clicked);
    });
  }

  /** The name of the step on screen; none as long as none could be shown. */
  get step(): string {
    return this.shown;
  }

  /** What stands in the fields now. */
  fields(): Map<string, string> {
    const out = new Map<string, string>();
    for (const field of this.main.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("input[name], textarea[name]")) {
      if ((field.type !== "radio" && field.type !== "checkbox") || (field as HTMLInputElement).checked) {
        out.set(field.name, field.value);
      }
    }
    return out;
  }

  /** Show a step, under its own title. The focus goes to what is wrong, else to the heading. */
  show(step: string, values: Values, typed: ReadonlyMap<string, string> = new Map(), troubles: readonly Trouble[] = []): void {
    const template = document.getElementById(`step-${step}`) as HTMLTemplateElement;
    const content = template.content.cloneNode(true) as DocumentFragment;
    fill(content, { ...values, troubles: troubles.map(({ at, text }) => ({ at, text })) });
    this.clear();
    this.main.appendChild(content);
    document.title = template.dataset[troubles.length ? "wrong" : "title"] ?? "";
    for (const [name, value] of typed) this.put(name, value);
    for (const { at, text } of [...troubles].reverse()) this.mark(at, text);
    const heading = this.main.querySelector<HTMLElement>("h1");
    if (heading) heading.tabIndex = -1;
    const first = troubles.length ? this.main.querySelector<HTMLElement>("#errors") : heading;
    window.scrollTo(0, 0);
    first?.focus({ preventScroll: true });
    this.shown = step;
  }

  /** Show a step and wait for a button. */
  ask(
    step: string,
    values: Values,
    typed?: ReadonlyMap<string, string>,
    troubles?: readonly Trouble[],
    wire: Wire = () => undefined,
  ): Promise<Pressed> {
    this.show(step, values, typed, troubles);
    return new Promise((resolve) => {
      this.press = (button) => {
        this.press = () => undefined; // once: a second press meanwhile does nothing
        resolve({ button, fields: this.fields() });
      };
      wire(this.main, (button) => this.press(button));
    });
  }

  /** Whoever presses a button of the step on screen, each time. */
  onPress(press: (button: string) => void): void {
    this.press = press;
  }

  /** Change what the step says. */
  update(values: Values): void {
    refill(this.main, values);
  }

  /** Lead to a button. */
  focus(button: string): void {
    this.main.querySelector<HTMLElement>(`button[value="${button}"]`)?.focus();
  }

  /** The part of the step with that id. */
  part<T extends HTMLElement>(id: string): T | null {
    return this.main.querySelector<T>(`#${id}`);
  }

  /** Take everything off the screen. */
  clear(): void {
    this.main.textContent = "";
  }

  private put(name: string, value: string): void {
    for (const field of this.main.querySelectorAll<HTMLInputElement>("input, textarea")) {
      if (field.name !== name) continue;
      if (field.type === "radio" || field.type === "checkbox") field.checked = field.value === value;
      else field.value = value;
    }
  }

  private mark(at: string, text: string): void {
    const said = this.part(`${at}-error`);
    if (said) {
      said.textContent = text;
      said.hidden = false;
    }
    const field = this.part(at);
    if (field && said) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", `${at}-error ${at}-hint`);
    }
  }
}
