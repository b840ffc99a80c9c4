# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make chaos`: kill servers, count what is left. Exit status 0 only if everything held.

Example: python -m tests.chaos --rounds 200 --json
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from latchstring.store.sql import StoreError
from tests.chaos.examine import Outcome
from tests.chaos.live import live
from tests.chaos.writes import Trap, one, template

NEXT, AFTER = (35, 36), (37, 38, 39, 40)  # batch 36 closes a sheet; the last ones keep every receipt's promise
BACK = (33, 32, 41)  # the clock is set back, then forwards


def writes(folder: Path, most: int, until: float) -> tuple[int, int, Outcome]:
    """Die at write 1, 2, 3... of a tick's work, before and after it is kept; then full disks and clocks that jump.

    Rounds, deaths, and what was left.
    """
    base = template(folder / "base")
    rounds = deaths = at = 0
    total, going = Outcome(), True
    while going and rounds < most and time.monotonic() < until:
        at += 1
        for stored in (False, True):
            died, left = one(base, folder / "round", Trap(at, stored), NEXT, AFTER)
            rounds, deaths, total, going = rounds + 1, deaths + died, total + left, died
    for start in range(1, 14, 3):
        if rounds < most and time.monotonic() < until:
            _, left = one(base, folder / "round", Trap(start, False, full=40), NEXT, AFTER)
            rounds, total = rounds + 1, total + left
    if rounds < most:
        died, left = one(base, folder / "round", Trap(7, True), BACK, (*AFTER, 42, 43, 44))
        rounds, deaths, total = rounds + 1, deaths + died, total + left
    return rounds, deaths, total


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="rounds in all; about half of them with a real server")
    parser.add_argument("--seconds", type=float, default=900, help="start no new round after so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    until = started + asked.seconds

    def step(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\rreal server: kill {done}  ", end="", file=sys.stderr, flush=True)

    try:
        with tempfile.TemporaryDirectory() as folder:
            rounds, deaths, total = writes(Path(folder) / "writes", asked.rounds // 2, started + asked.seconds / 2)
            kills, left = live(Path(folder) / "live", asked.rounds - rounds, until, asked.seed, step)
    except StoreError as error:
        print(f"The test did not start: {error}", file=sys.stderr)
        return 1
    total = total + left
    found = {"rounds": rounds + kills, "killed at a write": deaths, "killed at random": kills}
    found |= {"letters acknowledged": total.letters, "lost": total.lost, "doubled": total.doubled, "late": total.late}
    found |= {"packs wrong": total.packs, "forks": total.forks, "faults": len(total.faults)}
    if asked.json:
        print(json.dumps({**asdict(total), **found, "ok": total.ok, "seconds": round(time.monotonic() - started)}))
    else:
        for name, value in found.items():
            print(f"{name:22}{value:>8}")
        for fault in sorted(set(total.faults)):
            print(f"FAULT: {fault}")
        print(f"{'outcome':22}{'all held' if total.ok else 'BROKEN':>8}  ({round(time.monotonic() - started)} s)")
    return 0 if total.ok else 1


if __name__ == "__main__":
    sys.exit(main())
