# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make chaos`: kill servers and backups, fill and tear disks, set clocks, and count what is left. Exit status 0 only
if everything held in all rounds that were asked for; 2 when what was tried held, and time ran out before the rest.

Example: python -m tests.chaos --rounds 200 --json
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from latchstring.store.sql import StoreError
from tests.chaos import backups, disks
from tests.chaos.disks import Tally
from tests.chaos.live import live
from tests.chaos.writes import Site, Trap, one, template

NEXT, AFTER = (35, 36), (37, 38, 39, 40)  # batch 36 closes a sheet; the last ones keep every receipt's promise
BACK = (33, 32, 41)  # the clock is set back, then forwards

CUT_SHORT = 2  # the exit status when not all rounds were tried
Round = Callable[[], bool | None]
"""False: there is nothing more to do of this kind."""


def plan(base: Site, folder: Path, seed: int, tally: Tally) -> list[tuple[str, list[Round]]]:
    """Every kind of round that needs no real server, in a fixed order. A kind ends when a round of it says False."""
    chance = random.Random(seed)
    after = (*AFTER, 41)

    def write(at: int, stored: bool) -> bool:
        died, left = one(base, folder / "round", Trap(at, stored), NEXT, AFTER)
        tally.add("killed at a write", left)
        return died  # the work was done before write number `at`

    def failing(at: int) -> None:
        tally.add("failing writes", one(base, folder / "round", Trap(at, False, full=40), NEXT, AFTER)[1])

    def clock() -> None:
        batches = disks.jumping(chance)
        after = tuple(range(max(batches), max(batches) + 5))
        _, left = one(base, folder / "round", Trap(chance.randrange(5, 60), True), batches, after)
        tally.add("clocks that jump", left)

    def full(left: int) -> None:
        act = disks.full_by_limit if no_mount else disks.full_disk
        tally.add("full disks", act(base, folder / "full", left, NEXT, after))

    def unwritable(part: str) -> None:
        tally.add("read-only disks", disks.unwritable(base, folder / "unwritable", part, NEXT, after))

    def torn(at: int) -> None:
        tally.add("torn ends", disks.torn_by_power(base, folder / "torn", chance, at, after))

    def liar(name: str) -> None:
        left, refused = disks.torn_by_a_liar(base, folder / "liar", chance, name, after)
        tally.add("torn files", left, refused)

    def backup(at: int, stored: bool) -> bool:
        died, left = backups.killed(saved, folder / "backup", at, stored)
        tally.add("killed backups", left)
        return died

    saved = backups.template(folder / "saved")
    no_mount = disks.mounts(folder / "probe")
    if no_mount:
        tally.reason(f"no disk could be mounted ({no_mount}): a limit on file sizes stands for the full disk")
        tally.reason("read-only disks were not tried for the same reason")
    return [
        ("writes", [partial(write, at, stored) for at in range(1, 36) for stored in (False, True)]),
        ("failing", [partial(failing, at) for at in range(1, 14, 3)]),
        ("clocks", [clock] * 15),
        ("full", [partial(full, left) for left in disks.LEFT]),
        ("read-only", [] if no_mount else [partial(unwritable, part) for part in ("", "public", "private")]),
        ("torn", [partial(torn, at) for at in range(2, 22, 2)]),
        ("liar", [partial(liar, name) for name in disks.TORN * 2]),
        ("backup", [partial(backup, at, stored) for at in range(1, 20, 3) for stored in (False, True)]),
    ]


def apart(folder: Path, most: int, until: float, seed: int, tally: Tally, step: Callable[[int], None]) -> int:
    """So many rounds of the plan at most, of each kind its share; how many there were."""
    base = template(folder / "base")
    kinds = plan(base, folder, seed, tally)
    every = sum(len(rounds) for _, rounds in kinds)
    done = 0
    for _, rounds in kinds:
        share = len(rounds) if every <= most else max(1, len(rounds) * most // every)
        stride = max(1, len(rounds) // share)
        for act in rounds[::stride][:share]:
            if done >= most or time.monotonic() >= until:
                return done
            going = act()
            done += 1
            step(done)
            if going is False:
                break
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="rounds in all; a quarter of them with a real server")
    parser.add_argument("--seconds", type=float, default=2400, help="start no new round after so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    until = started + asked.seconds

    def step(done: int) -> None:
        if sys.stderr.isatty():
            took = time.monotonic() - started
            left = took / done * (asked.rounds - done)
            print(f"\rround {done} of {asked.rounds}, {round(left)} s left  ", end="", file=sys.stderr, flush=True)

    tally = Tally()
    try:
        with tempfile.TemporaryDirectory() as folder:
            apart_most = asked.rounds * 3 // 4
            rounds = apart(Path(folder), apart_most, started + asked.seconds * 0.7, asked.seed, tally, step)
            witnessed = (asked.rounds - rounds) // 2
            alone = live(
                Path(folder) / "live",
                asked.rounds - rounds - witnessed,
                (time.monotonic() + until) / 2 if witnessed else until,
                asked.seed,
                lambda done: step(rounds + done),
            )
            rounds += alone.kills
            beside = live(
                Path(folder) / "witnessed",
                witnessed,
                until,
                asked.seed + 1,
                lambda done: step(rounds + done),
                witnesses=2,
            )
            rounds += beside.kills
    except StoreError as error:
        print(f"The test did not start: {error}", file=sys.stderr)
        return 1
    total = tally.left + alone.left + beside.left
    found: dict[str, int] = {"rounds": rounds, **tally.rounds, "killed at random": alone.kills}
    found |= {"with witnesses": beside.kills, "witnesses killed": beside.witnesses}
    found |= {"backups among them": alone.backups + beside.backups}
    found |= {"refused in words": tally.refused, "letters acknowledged": total.letters, "lost": total.lost}
    found |= {"doubled": total.doubled, "late": total.late, "packs wrong": total.packs, "forks": total.forks}
    found |= {"uncosigned": total.uncosigned}
    found |= {"faults": len(total.faults)}
    seconds = round(time.monotonic() - started)
    short = rounds < asked.rounds
    if asked.json:
        value: dict[str, object] = {
            **asdict(total),
            **found,
            "asked": asked.rounds,
            "reasons": tally.reasons,
            "ok": total.ok and not short,
            "seconds": seconds,
        }
        print(json.dumps(value))
    else:
        for name, count in found.items():
            print(f"{name:22}{count:>8}")
        for reason in tally.reasons:
            print(f"NOTE: {reason}")
        for fault in sorted(set(total.faults)):
            print(f"FAULT: {fault}")
        outcome = "BROKEN" if not total.ok else f"CUT SHORT after {rounds} of {asked.rounds} rounds, which held"
        print(f"{'outcome':22}{'all held' if total.ok and not short else outcome:>8}  ({seconds} s)")
    return 1 if not total.ok else CUT_SHORT if short else 0


if __name__ == "__main__":
    sys.exit(main())
