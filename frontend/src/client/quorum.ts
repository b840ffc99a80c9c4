// SPDX-License-Identifier: AGPL-3.0-or-later
/** The quorum of the directory's witnesses, as client/quorum.py: who cosigned a checkpoint, and how long ago. */

import { type Witnessed, witnessed } from "../log/cosignature.ts";
import type { Bytes } from "../protocol/bytes.ts";
import { VISIT_FRESH_TICKS } from "../protocol/constants.ts";
import type { Directory } from "../protocol/directory.ts";
import { ProtocolError } from "../protocol/encoding.ts";

/** Who of the directory's witnesses cosigned; ProtocolError when they are fewer than its quorum, LogError for a bad line. */
export function quorumOf(checkpoint: Bytes, directory: Directory): Witnessed[] {
  const seen = witnessed(checkpoint, directory.witnesses);
  if (seen.length < directory.quorum) {
    throw new ProtocolError(`cosigned by ${seen.length} of the log's witnesses, and it must be ${directory.quorum}`);
  }
  return seen;
}

/**
 * ProtocolError unless a quorum cosigned within the last 24 h (144 ticks), and not in the future.
 *
 * At a door that is closed for good: within 24 h before the newest batch, or after it. `closedAt`: when that batch
 * closed, as `now` in Unix seconds; `ahead`: by how many clocks may differ.
 */
export function checkFresh(seen: readonly Witnessed[], d: Directory, closedAt: number, now: number, ahead: number): void {
  const { tick } = d.policy;
  const since = d.closed === null ? now : Math.min(now, closedAt);
  const oldest = since - Math.max(VISIT_FRESH_TICKS * tick, ahead);
  const newest = now + ahead + 2 * tick;
  if (seen.filter(({ time }) => oldest <= time && time <= newest).length < d.quorum) {
    throw new ProtocolError("no quorum of witnesses has cosigned it within a day");
  }
}
