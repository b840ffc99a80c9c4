// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * How bytes get to the door and back: `Transport` is all that the session knows of it; `FetchTransport` is the browser's.
 * Nothing that names the sender: no cookies, no cache, no referrer.
 */

import { type Bytes, concat } from "../protocol/bytes.ts";
import { MAX_VISIT } from "../protocol/visit.ts";

/** No whole answer came. */
export class NetworkFailed extends Error {
  override name = "NetworkFailed";
}

/** The person stopped it. */
export class Stopped extends Error {
  override name = "Stopped";
}

/** An answer: status and whole body. */
export interface Answer {
  readonly status: number;
  readonly body: Bytes;
}

/** What came so far, in bytes, of how many; null when the server did not say. */
export type Progress = (got: number, total: number | null) => void;

export interface Ask {
  readonly body?: Bytes;
  readonly headers?: Readonly<Record<string, string>>;
  readonly progress?: Progress;
  /** Seconds between two signs of life after which the line has broken; SILENCE if nothing is said. */
  readonly silence?: number;
}

/** One way to one door. */
export interface Transport {
  /** Ask once; NetworkFailed when there is no whole answer, Stopped when the person stopped it. */
  request(method: "GET" | "POST" | "PUT" | "HEAD", path: string, ask?: Ask): Promise<Answer>;
}

export const WHOLE_SECONDS = 1800; // for one whole answer: /visit comes in half of that at 3 KB a second
// Of what goes up no progress is seen: all of it is one silence. The door waits 120 s for a body, in which a chunk of 256 KB
// comes at 2.2 KB a second; a minute more for the way there and back.
const SILENCE = 180;

/** By the browser's fetch, to the door at `base` (empty: where the page came from). `signal` stops what is under way. */
export class FetchTransport implements Transport {
  constructor(
    private readonly base = "",
    private readonly signal: AbortSignal | null = null,
    private readonly fetcher: typeof fetch = (...a) => fetch(...a),
  ) {}

  async request(method: "GET" | "POST" | "PUT" | "HEAD", path: string, ask: Ask = {}): Promise<Answer> {
    const control = new AbortController();
    const stop = (): void => control.abort();
    const timer = setTimeout(stop, WHOLE_SECONDS * 1000);
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const lives = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(stop, (ask.silence ?? SILENCE) * 1000);
    };
    this.signal?.addEventListener("abort", stop);
    try {
      if (this.signal?.aborted) throw new Stopped();
      lives();
      const answer = await this.fetcher(this.base + path, {
        method,
        body: (ask.body as Uint8Array<ArrayBuffer> | undefined) ?? null,
        headers: { ...(ask.body ? { "content-type": "application/octet-stream" } : {}), ...ask.headers },
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: control.signal,
      });
      lives();
      const progress: Progress = (got, total) => {
        lives();
        ask.progress?.(got, total);
      };
      return { status: answer.status, body: await wholeBody(answer, progress) };
    } catch {
      stop(); // what would still come of it is not waited for
      if (this.signal?.aborted) throw new Stopped();
      throw new NetworkFailed();
    } finally {
      clearTimeout(timer);
      clearTimeout(quiet);
      this.signal?.removeEventListener("abort", stop);
    }
  }
}

async function wholeBody(answer: Response, progress: Progress): Promise<Bytes> {
  const said = answer.headers.get("content-length") ?? "";
  const total = /^[0-9]{1,15}$/.test(said) ? Number(said) : null;
  const reader = answer.body?.getReader();
  const parts: Bytes[] = [];
  let got = 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    got += part.value.length;
    if (got > MAX_VISIT) throw new NetworkFailed(); // more than any door would send
    progress(got, total);
  }
  return concat(...parts);
}
