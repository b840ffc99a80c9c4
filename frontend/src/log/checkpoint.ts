// SPDX-License-Identifier: AGPL-3.0-or-later
/** Checkpoints (c2sp.org/tlog-checkpoint), as log/checkpoint.py: origin, size and root of a log, as a signed note. */

import type { Bytes } from "../protocol/bytes.ts";
import { LogError } from "./errors.ts";
import { b64decode, type VerifierKey, verifiedText } from "./note.ts";

/** What the log's key signs. `root` is 32 bytes. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
}

/** LogError for anything but the three lines in their one spelling. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, end, ...more] = text.split("\n");
  if (end !== "" || more.length || root === undefined) throw new LogError("a checkpoint that is not three lines");
  if (!origin || !/^(?:0|[1-9][0-9]{0,17})$/.test(size ?? "") || !Number.isSafeInteger(Number(size))) {
    throw new LogError("a checkpoint whose size is not a plain number");
  }
  const digest = b64decode(root);
  if (digest.length !== 32) throw new LogError("a checkpoint whose root is not 32 bytes");
  return { origin, size: Number(size), root: digest };
}

/** The checkpoint, its signature checked; LogError otherwise. */
export function openCheckpoint(raw: Bytes, key: VerifierKey): Checkpoint {
  const checkpoint = parseCheckpoint(verifiedText(raw, key));
  if (checkpoint.origin !== key.name) throw new LogError("a checkpoint of another log");
  return checkpoint;
}
