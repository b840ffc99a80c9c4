# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make chaos`: kill a server at every change that it makes and at random under load, fill and tear disks, set clocks,
and count what is left. Exit status 0 only if everything held and there were as many kills as asked for; 2 when what was
tried held, and time ran out before the rest.

Example: python -m tests.chaos --kills 200 --json
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from latchstring.store.sql import StoreError
from tests.chaos import backups, disks
from tests.chaos.disks import Tally
from tests.chaos.live import live
from tests.chaos.traps import Trap
from tests.chaos.writes import Scene, Site, moments, one, scenes, template

NEXT, AFTER = (35, 36), (37, 38, 39, 40)  # batch 36 closes a sheet; the last ones keep every receipt's promise
WHOLE = 200  # kills of a whole run: a shorter one tries its share of every other fault too

CUT_SHORT = 2  # the exit status when there were fewer kills than asked for
AT_A_CHANGE = "killed at a change"
Round = Callable[[], None]


def kills(base: Site, folder: Path, most: int | None, tally: Tally) -> list[Round]:
    """A round for each moment at which a server may be killed in its work; `most`: so many of them, from throughout."""

    def kill(scene: Scene, at: int) -> None:
        died, left = one(scene, folder / "round", Trap(at))
        tally.add(AT_A_CHANGE, left if died else replace(left, faults=(*left.faults, "a server that was not killed")))

    every = [
        partial(kill, scene, at)
        for scene in scenes(folder / "scenes", base)
        for at in range(1, 1 + moments(scene, folder / "counted"))
    ]
    count = len(every) if most is None else min(most, len(every))
    return [every[i * len(every) // count] for i in range(count)]


def others(base: Site, folder: Path, seed: int, tally: Tally) -> list[list[Round]]:
    """Every other kind of round that needs no real server, in a fixed order."""
    chance = random.Random(seed)
    after = (*AFTER, 41)

    def failing(at: int) -> None:
        tally.add("failing writes", one(Scene(base, NEXT, AFTER), folder / "round", Trap(at, full=40))[1])

    def clock() -> None:
        batches = disks.jumping(chance)
        after = tuple(range(max(batches), max(batches) + 5))
        _, left = one(Scene(base, batches, after), folder / "round", Trap(chance.randrange(9, 150)))
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

    def backup(at: int) -> None:
        tally.add("killed backups", backups.killed(saved, folder / "backup", at)[1])

    saved = backups.template(folder / "saved")
    no_mount = disks.mounts(folder / "probe")
    if no_mount:
        tally.reason(f"no disk could be mounted ({no_mount}): a limit on file sizes stands for the full disk")
        tally.reason("read-only disks were not tried for the same reason")
    return [
        [partial(failing, at) for at in range(1, 40, 8)],
        [clock] * 15,
        [partial(full, left) for left in disks.LEFT],
        [] if no_mount else [partial(unwritable, part) for part in ("", "public", "private")],
        [partial(torn, at) for at in range(3, 63, 6)],
        [partial(liar, name) for name in disks.TORN * 2],
        [partial(backup, at) for at in backups.MOMENTS],
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=WHOLE, help="of servers, half of them under load")
    parser.add_argument("--seconds", type=float, default=2400, help="start no new round after so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    until = started + asked.seconds

    def step(what: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{what}: {done} of {of}  ", end="", file=sys.stderr, flush=True)

    def play(what: str, rounds: Sequence[Round], until: float) -> None:
        for done, act in enumerate(rounds, 1):
            if time.monotonic() >= until:
                return
            act()
            step(what, done, len(rounds))

    tally = Tally()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            base = template(folder / "base")
            half = None if asked.kills >= WHOLE else asked.kills // 2
            play("killed at a change", kills(base, folder, half, tally), started + asked.seconds * 0.4)
            at_changes = tally.rounds.get(AT_A_CHANGE, 0)
            under_load = max(asked.kills - at_changes, asked.kills // 2)
            share = [
                rounds[:: max(1, WHOLE // asked.kills)] if asked.kills < WHOLE else rounds
                for rounds in others(base, folder, asked.seed, tally)
            ]
            play("other faults", [act for rounds in share for act in rounds], started + asked.seconds * 0.6)
            witnessed = under_load // 2
            alone = live(
                folder / "live",
                under_load - witnessed,
                (time.monotonic() + until) / 2 if witnessed else until,
                asked.seed,
                partial(step, "killed under load"),
            )
            beside = live(
                folder / "witnessed",
                witnessed,
                until,
                asked.seed + 1,
                partial(step, "killed under load, with witnesses"),
                witnesses=2,
            )
    except StoreError as error:
        print(f"The test did not start: {error}", file=sys.stderr)
        return 1
    total = tally.left + alone.left + beside.left
    killed = at_changes + alone.kills + beside.kills
    found: dict[str, int] = {"kills": killed, AT_A_CHANGE: at_changes, "killed under load": alone.kills}
    found |= {"beside witnesses": beside.kills, "witnesses killed": beside.witnesses}
    tried = {kind: count for kind, count in tally.rounds.items() if kind != AT_A_CHANGE}
    found |= {"other faults": sum(tried.values()), **tried, "backups under load": alone.backups + beside.backups}
    found |= {"refused in words": tally.refused, "letters acknowledged": total.letters, "lost": total.lost}
    found |= {"doubled": total.doubled, "late": total.late, "packs wrong": total.packs, "forks": total.forks}
    found |= {"uncosigned": total.uncosigned}
    found |= {"faults": len(total.faults)}
    seconds = round(time.monotonic() - started)
    short = killed < asked.kills
    if asked.json:
        value: dict[str, object] = {
            **asdict(total),
            **found,
            "asked": asked.kills,
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
        outcome = "BROKEN" if not total.ok else f"CUT SHORT after {killed} of {asked.kills} kills, which held"
        print(f"{'outcome':22}{'all held' if total.ok and not short else outcome:>8}  ({seconds} s)")
    return 1 if not total.ok else CUT_SHORT if short else 0


if __name__ == "__main__":
    sys.exit(main())
