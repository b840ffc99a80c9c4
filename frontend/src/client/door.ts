// SPDX-License-Identifier: AGPL-3.0-or-later
/** Fetching `/visit` and checking it, as client/door.py. */

import type { Pin } from "./pin.ts";
import { NetworkFailed, type Progress, type Transport, WHOLE_SECONDS } from "./transport.ts";
import { checkVisitSlowly, type DoorCheck, type VerifiedVisit } from "./visit.ts";

export interface Look {
  readonly isDoor: DoorCheck;
  /** Unix seconds by this device, asked once the file has come. */
  readonly now: () => number;
  readonly pin?: Pin | null;
  readonly progress?: Progress;
  /** Lets the page draw between steps of the check. */
  readonly breathe?: () => Promise<void>;
}

/** Download the whole file and verify it. NetworkFailed, VisitRefused or ClockOff otherwise. */
export async function fetchVisit(transport: Transport, look: Look): Promise<VerifiedVisit> {
  const silence = WHOLE_SECONDS; // it does not go on where it broke: who is patient comes to its end
  const answer = await transport.request("GET", "/visit", { silence, ...(look.progress ? { progress: look.progress } : {}) });
  if (answer.status !== 200) throw new NetworkFailed();
  const breathe = look.breathe ?? (() => Promise.resolve());
  return checkVisitSlowly(answer.body, look.isDoor, look.now(), look.pin ?? null, breathe);
}
