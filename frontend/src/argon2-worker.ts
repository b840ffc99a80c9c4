// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * The Worker that turns a passphrase into a seed. It is sent {secret, salt} and answers once, {seed}; whoever made it
 * then ends it, and its memory is gone.
 */

import { argon2 } from "./protocol/argon2.ts";
import type { Bytes } from "./protocol/bytes.ts";

interface Asked {
  secret: Bytes;
  salt: Bytes;
}

self.onmessage = async ({ data }: MessageEvent<Asked>): Promise<void> => {
  const seed = await argon2(data.secret, data.salt);
  self.postMessage({ seed });
};
