// SPDX-License-Identifier: AGPL-3.0-or-later
/** Argon2id in a Worker of its own, made for one passphrase and ended after it, so that nothing of it stays in memory. */

import { NetworkFailed, Stopped } from "../client/transport.ts";
import type { Argon2 } from "../protocol/argon2.ts";
import type { Bytes } from "../protocol/bytes.ts";

export interface Asked {
  readonly secret: Bytes;
  readonly salt: Bytes;
}

export type Said = { readonly seed: Bytes } | { readonly failed: true };

/** What is used of a Worker. */
export interface Workerlike {
  onmessage: ((event: MessageEvent<Said>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null; // of a script that did not come it is a bare Event
  postMessage(asked: Asked): void;
  terminate(): void;
}

/** The device could not do it: most likely its memory is too full. */
export class NoSeed extends Error {
  override name = "NoSeed";
}

/**
 * Argon2id by Workers that `make` gives, as `() => new Worker("/static/argon2-worker.js")`. NoSeed, NetworkFailed when the
 * Worker's script does not come, Stopped by `signal`, which ends the Worker whatever it does.
 */
export const argon2InWorker =
  (make: () => Workerlike, signal: AbortSignal | null = null): Argon2 =>
  (secret, salt) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) throw new Stopped();
      const worker = make();
      const end = (): void => {
        signal?.removeEventListener("abort", stop);
        worker.terminate();
      };
      const stop = (): void => {
        end();
        reject(new Stopped());
      };
      signal?.addEventListener("abort", stop);
      worker.onmessage = ({ data }) => {
        end();
        if ("seed" in data) resolve(data.seed);
        else reject(new NoSeed());
      };
      worker.onerror = ({ message }) => {
        end();
        reject(message === undefined ? new NetworkFailed() : new NoSeed()); // a script that ran and failed has a message
      };
      worker.postMessage({ secret, salt });
    });
