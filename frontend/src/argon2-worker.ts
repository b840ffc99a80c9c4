// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * The Worker that turns a passphrase into a seed. It is sent {secret, salt} and answers once, {seed} or {failed}; whoever
 * made it then ends it, and its memory is gone: see source/worker.ts.
 */

import { argon2 } from "./protocol/argon2.ts";
import type { Asked, Said } from "./source/worker.ts";

self.onmessage = async ({ data }: MessageEvent<Asked>): Promise<void> => {
  let said: Said;
  try {
    said = { seed: await argon2(data.secret, data.salt) };
  } catch {
    said = { failed: true }; // there is no room for 64 MiB
  }
  self.postMessage(said);
};
