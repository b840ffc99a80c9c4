// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Something that takes a while: the step "sending", with what is being done, how much of it, and buttons to pause, go on
 * and stop. What breaks off goes on by itself.
 */

import {
  argon2InWorker, Cut, CannotWrite, FetchTransport, hasWasm, NetworkFailed, openSource, type Passphrase,
  type Pause, pauseBefore, secureRandom, type Source, Stopped, type Transport, type VerifiedVisit,
} from "../source/session.ts";
import type { Answer, Ask } from "../client/transport.ts";
import { type Door, type Got } from "./door.ts";
import type { Values } from "./fill.ts";
import type { Page } from "./page.ts";
import type { Screen } from "./screen.ts";
import type { Texts } from "./texts.ts";
import { Left } from "./why.ts";

const ALOUD = 30_000; // ms between two times that a wait is told anew
const SOON = 500; // ms: what is there by then needs no step of its own
const FETCHES = 3; // of /visit or the worker, before the person is asked

/** What `work` gives; where that takes a while, a step says so in which it can be stopped. `kind`: its heading. Left. */
export async function meanwhile<T>(page: Page, kind: Values, work: () => Promise<T>): Promise<T> {
  const coming = work();
  const soon = await Promise.race([coming.then(() => true), new Promise((resolve) => setTimeout(resolve, SOON))]);
  return soon ? coming : new Journey(page.screen, page.texts, { other: true, ...kind }).wait(work);
}

const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Stopped())));

export class Journey {
  private control = new AbortController();
  private goOn: (() => void) | null = null;
  private stopped = false;
  private paused = false;
  private unsure = false;
  private status = 0;
  private doing = "";
  private done = "";

  /** `kind`: which heading and buttons, as the step has them. */
  constructor(
    private readonly screen: Screen,
    private readonly texts: Texts,
    kind: Values,
  ) {
    screen.show("sending", { doing: "", amount: "", slow: false, running: true, paused: false, ...kind });
    screen.onPress((button) => this.pressed(button));
  }

  /** The newest `/visit`. NetworkFailed after some tries, VisitRefused, ClockOff, Left. */
  visit(door: Door): Promise<VerifiedVisit> {
    this.say("fetching");
    const got: Got = (count, total) => this.amount(count, total);
    return this.over(() => door.visit(got, this.control.signal), FETCHES);
  }

  /** The source behind ten words; NoSeed when the device cannot, NetworkFailed after some tries, Left. */
  async keys(words: Passphrase, cameBack: boolean, visit: VerifiedVisit): Promise<Source> {
    this.say("keys");
    const source = await this.over(() => {
      this.screen.update({ slow: !hasWasm() });
      const argon2 = argon2InWorker(() => new Worker("/static/argon2-worker.js"), this.control.signal);
      return openSource(words, cameBack, visit.directory.door, argon2);
    }, FETCHES);
    this.screen.update({ slow: false });
    this.leave();
    return source;
  }

  /** What `work` gives, which a pause or stop does not wait for; it is begun again after a pause. Left. */
  wait<T>(work: () => Promise<T>): Promise<T> {
    this.say("fetching");
    return this.over(() => Promise.race([work(), stopped(this.control.signal)]), 1);
  }

  /** What is being done now. */
  say(name: string, values: Readonly<Record<string, string>> = {}): void {
    this.doing = this.texts.say(name, values);
    this.done = "";
    this.screen.update({ doing: this.doing, amount: "" });
    this.bar(null);
  }

  /** How many bytes of it are done. Said again after a pause. */
  amount(done: number, all: number | null): void {
    const { texts } = this;
    this.done = all
      ? texts.say("of", { done: texts.size(done), all: texts.size(all) })
      : texts.say("got", { done: texts.size(done) });
    this.screen.update({ amount: this.done });
    this.bar(all && done ? done / all : null); // one that stands at nothing looks dead
  }

  /**
   * Do `work`, which may be called again after a pause or when the line broke, and then goes on where it was. After
   * `fetches` failures in a row NetworkFailed is thrown; null: never.
   */
  async over<T>(work: (transport: Transport) => Promise<T>, fetches: number | null = null): Promise<T> {
    this.unsure = false;
    for (let failed = 0; ; ) {
      try {
        this.leave();
        return await work(this.transport());
      } catch (error) {
        if (error instanceof CannotWrite && error.why === "stopped-unsure") this.unsure = true;
        const broke = error instanceof Cut || error instanceof NetworkFailed;
        if (!this.control.signal.aborted) {
          failed += 1;
          if (!broke || failed === fetches) throw error;
          this.status = 0;
        }
        await this.pause(failed).catch(() => undefined);
        await this.resumed();
      }
    }
  }

  /** Waits before the next try, saying how long. Stopped when the person paused or stopped it. */
  readonly pause: Pause = async (attempt) => {
    const until = Date.now() + pauseBefore(Math.max(1, attempt), secureRandom) * 1000;
    let said = Infinity; // by the sentence that is read aloud: not each second
    for (let left = until - Date.now(); left > 0; left = until - Date.now()) {
      if (this.control.signal.aborted) throw new Stopped();
      const span = this.texts.span(left / 1000);
      if (said - left >= ALOUD) {
        said = left;
        this.screen.update({ doing: this.texts.say(this.status === 503 ? "full" : "cut", { span }) });
      }
      this.screen.update({ amount: span });
      await this.second();
    }
    this.screen.update({ doing: this.doing, amount: this.done });
  };

  /** Was what was done last stopped when an answer may have been lost? */
  get lost(): boolean {
    return this.unsure;
  }

  private transport(): Transport {
    const line = new FetchTransport("", this.control.signal);
    return {
      request: async (method, path, ask?: Ask): Promise<Answer> => {
        this.status = 0;
        const answer = await line.request(method, path, ask);
        this.status = answer.status;
        return answer;
      },
    };
  }

  private leave(): void {
    if (this.stopped) throw new Left(this.unsure);
  }

  private async resumed(): Promise<void> {
    this.leave();
    while (this.paused) {
      this.screen.update({ doing: this.texts.say("paused"), running: false, paused: true });
      await new Promise<void>((resolve) => (this.goOn = resolve));
      this.leave();
    }
    if (this.control.signal.aborted) this.control = new AbortController();
    this.screen.update({ doing: this.doing, running: true, paused: false });
  }

  private second(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.control.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private pressed(button: string): void {
    if (button === "stop") this.stopped = true;
    if (button === "pause") {
      this.paused = true;
      this.screen.update({ doing: this.texts.say("paused"), running: false, paused: true });
    }
    if (button === "resume") {
      this.paused = false;
      this.screen.update({ running: true, paused: false });
    }
    if (button === "pause") this.screen.focus("resume"); // the button that was pressed is hidden now
    if (button === "resume") this.screen.focus("pause");
    if (button === "pause" || button === "stop") this.control.abort();
    else this.goOn?.();
    if (button === "stop") this.goOn?.();
  }

  private bar(part: number | null): void {
    const bar = this.screen.part<HTMLProgressElement>("progress");
    if (part === null) bar?.removeAttribute("value");
    else if (bar) bar.value = Math.round(Math.min(1, part) * 1000);
  }
}
