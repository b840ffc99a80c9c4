// SPDX-License-Identifier: AGPL-3.0-or-later
/** A pin, as client/pin.py: what a page remembers of a door's log while it is open, so that it cannot be shown an older or another one. */

import type { Bytes } from "../protocol/bytes.ts";

/**
 * Size and root of the log, the roots at the size rounded down to 256 and to 65,536, the newest directory's seq and hash,
 * the newest batch; how many root rotations there were and what the newest hashes to; whether the door is closed.
 */
export interface Pin {
  readonly size: number;
  readonly root: Bytes;
  readonly root256: Bytes;
  readonly root65536: Bytes;
  readonly seq: number;
  readonly directory: Bytes;
  readonly batch: number;
  readonly rotations: number;
  readonly head: Bytes;
  readonly closed: boolean;
}
