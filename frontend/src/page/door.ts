// SPDX-License-Identifier: AGPL-3.0-or-later
/** The door as this page knows it: `/visit`, fetched and checked once and kept while the page is open, with its pin. */

import type { Pin } from "../client/pin.ts";
import { hex } from "../protocol/bytes.ts";
import { FetchTransport, fetchVisit, tooOldToSeal, type VerifiedVisit } from "../source/session.ts";

export type Got = (got: number, total: number | null) => void;

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export class Door {
  private held: VerifiedVisit | null = null;
  private pin: Pin | null = null;
  private underWay: { readonly coming: Promise<VerifiedVisit>; readonly control: AbortController } | null = null;
  private got: Got = () => undefined;

  /** `door`: in 64 digits; what another door published is refused. */
  constructor(private readonly door: string) {}

  /** What has come, if letters can still be sealed by it. */
  get known(): VerifiedVisit | null {
    return this.held && !tooOldToSeal(this.held, nowSeconds()) ? this.held : null;
  }

  /** Forget what has come: the next `visit` fetches anew. The pin stays. */
  again(): void {
    this.held = null;
  }

  /**
   * What is known, or what comes; one fetch at a time, which `signal` stops. NetworkFailed, VisitRefused, ClockOff, or
   * Stopped.
   */
  visit(got: Got, signal: AbortSignal | null = null): Promise<VerifiedVisit> {
    if (this.known) return Promise.resolve(this.known);
    this.got = got;
    this.underWay ??= this.begin();
    const { coming, control } = this.underWay;
    signal?.addEventListener("abort", () => control.abort());
    return coming;
  }

  private begin(): { coming: Promise<VerifiedVisit>; control: AbortController } {
    const control = new AbortController();
    const coming = this.fetch(new FetchTransport("", control.signal)).finally(() => {
      this.underWay = null;
    });
    return { coming, control };
  }

  private async fetch(transport: FetchTransport): Promise<VerifiedVisit> {
    this.held = await fetchVisit(transport, {
      isDoor: (shown) => hex(shown) === this.door,
      now: nowSeconds,
      pin: this.pin,
      progress: (got, total) => this.got(got, total),
      breathe: () => new Promise((resolve) => setTimeout(resolve)),
    });
    this.pin = this.held.pin;
    return this.held;
  }
}
