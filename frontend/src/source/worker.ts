// SPDX-License-Identifier: AGPL-3.0-or-later
/** Argon2id in a Worker of its own, made for one passphrase and ended after it, so that nothing of it stays in memory. */

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
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(asked: Asked): void;
  terminate(): void;
}

/** The device could not do it: most likely its memory is too full. */
export class NoSeed extends Error {
  override name = "NoSeed";
}

/** Argon2id by Workers that `make` gives, as `() => new Worker("/static/argon2-worker.js")`. Rejects with NoSeed. */
export const argon2InWorker =
  (make: () => Workerlike): Argon2 =>
  (secret, salt) =>
    new Promise((resolve, reject) => {
      const worker = make();
      worker.onmessage = ({ data }) => {
        worker.terminate();
        if ("seed" in data) resolve(data.seed);
        else reject(new NoSeed());
      };
      worker.onerror = () => {
        worker.terminate();
        reject(new NoSeed());
      };
      worker.postMessage({ secret, salt });
    });
