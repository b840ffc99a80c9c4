# SPDX-License-Identifier: AGPL-3.0-or-later
"""flood: what a refused letter costs beside one that is taken, and what a flood leaves to everybody else."""

import secrets
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.figure import Figure, Goal, cpu_best, number
from bench.world import found_door
from latchstring.protocol.constants import DEFAULT_LETTERS_PER_BATCH, DEFAULT_QUEUE
from latchstring.protocol.knock import Knock
from latchstring.server.accept import DirectoryCache, Intake, accept_letters
from latchstring.server.lottery import attempts_needed, chance, drawn
from latchstring.source.sending import LONGEST_PAUSE
from latchstring.store import letters

GROUP = 64  # letters in one transaction, as they come together under load
FLOODS = (1, 10, 100)


def _cost(intake: Intake, groups: int, now: int, knock: Knock | None, taken: bool) -> float:
    """Seconds of CPU a letter."""
    cache = DirectoryCache()

    def act() -> None:
        for _ in range(groups):
            bodies = [secrets.token_bytes(4096) for _ in range(GROUP)]
            outcomes = accept_letters(intake, cache, bodies, now, [knock] * GROUP)
            assert all(isinstance(outcome, bytes) == taken for outcome in outcomes)

    return cpu_best(act) / (groups * GROUP)


def settled(times: int, ticks: int = 60) -> float:
    """The mean chance of an attempt under a flood of `times` what batches carry away, once the queue has settled."""
    waiting, seen = 0, list[float]()
    for tick in range(2 * ticks):
        for _ in range(times * DEFAULT_LETTERS_PER_BATCH):
            odds = chance(waiting, DEFAULT_QUEUE)
            waiting += drawn(odds, secrets.token_bytes)
            if tick >= ticks:
                seen.append(odds)
        waiting = max(0, waiting - DEFAULT_LETTERS_PER_BATCH)
    return sum(seen) / len(seen)


def _hours(attempts: int) -> str:
    return "a moment" if attempts == 1 else f"{number(attempts * LONGEST_PAUSE / 3600)} h"


def run(quick: bool) -> Figure:
    """On the disk, in this process: without HTTP, which costs both the same."""
    groups = 5 if quick else 40
    with tempfile.TemporaryDirectory() as name:
        now = int(time.time())
        intake = found_door(Path(name), now).intake
        full = replace(intake, queue_limit=1)
        taken = _cost(intake, groups, now, None, True)
        refused = _cost(full, groups, now, None, False)
        with intake.sql.read() as connection:
            waiting = letters.waiting(connection)
        guess = Knock(bytes(32), bytes(32))
        knocked = _cost(replace(intake, queue_limit=2 * waiting), groups, now, guess, False)
    rows = [
        ("a letter taken", f"{taken * 1e6:,.0f} µs", "1"),
        ("a letter refused", f"{refused * 1e6:,.0f} µs", number(refused / taken)),
        ("a letter refused with a knock that is guessed", f"{knocked * 1e6:,.0f} µs", number(knocked / taken)),
    ]
    for times in FLOODS:
        odds = settled(times)
        even, sure = attempts_needed(odds, 0.5), attempts_needed(odds, 0.99)
        rows.append(
            (
                f"flood of {times} times the capacity",
                f"chance {odds:.3f}",
                f"{even} tries for an even chance, {sure} for 99 in 100 ({_hours(sure)})",
            )
        )
    return Figure(
        "flood: what a refusal costs, and what a flood leaves",
        ("What", "each", "beside the first, or what it takes"),
        tuple(rows),
        (Goal("a refusal's CPU, of that of a letter taken", refused / taken, 1.0, False),),
        (
            f"{GROUP} letters a transaction; hours at a try every {LONGEST_PAUSE:.0f} s, as the program tries.",
            "A known source gets in at the second try, by a knock right after the refusal.",
        ),
    )
