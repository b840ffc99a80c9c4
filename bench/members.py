# SPDX-License-Identifier: AGPL-3.0-or-later
"""members: what a desk of five costs each of its members: bytes on the line and time, in the world of one process.

Every member synchronises twice a day, ten sources write a day and are answered, memos and dummies go out by their
schedule. A week is played (a day with --quick) and a day's mean taken thirty times: every day has the same shape on the
line. A whole month takes more than twenty minutes.
"""

import tempfile
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from bench.figure import Figure, number
from latchstring.desk.letters import threads
from latchstring.protocol.constants import SHEETS_KEPT, TICKS_PER_DAY
from latchstring.protocol.visit import parse_visit
from tests.world.world import Desk, Source, World, open_team

MEMBERS, LETTERS_A_DAY, MONTH = 5, 10, 30
_HOURS = (9, 17)  # of the sessions


class _Line:
    """What crossed the network, added up as it is forgotten: up and down, by who.

    A young door's /visit is small: the sheets that it lacks are added, as if it were three weeks old.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.up: defaultdict[str, int] = defaultdict(int)
        self.down: defaultdict[str, int] = defaultdict(int)

    def count(self) -> None:
        for crossing in self._world.traffic:
            self.up[crossing.who] += len(crossing.sent)
            self.down[crossing.who] += len(crossing.answer)
            if crossing.path == "/visit":
                self.down[crossing.who] += _lacking(crossing.answer)
        self._world.traffic.clear()

    def of(self, member: Desk) -> tuple[int, int]:
        """Of the signed sessions and of the memos, which go by ways of their own."""
        names = (f"desk {member.name} {member.member}", f"memo of {member.member}")
        return sum(self.up[name] for name in names), sum(self.down[name] for name in names)


@lru_cache(maxsize=4)
def _lacking(raw: bytes) -> int:
    """Bytes of the sheets that this /visit has not yet."""
    sheets = parse_visit(raw).sheets
    return (SHEETS_KEPT - len(sheets)) * (len(sheets[-1]) if sheets else 0)


def _day(world: World, team: dict[str, Desk], sources: list[Source], line: _Line, spent: dict[str, float]) -> None:
    members = list(team.values())
    written = 0
    for tick in range(TICKS_PER_DAY):
        world.tick()
        if written < LETTERS_A_DAY and tick % (TICKS_PER_DAY // LETTERS_A_DAY) == 0:
            sources[written].write(f"What I saw on day {world.batch // TICKS_PER_DAY}.", tell=False)
            written += 1
        for place, member in enumerate(members):
            if tick - place in [hour * 6 for hour in _HOURS]:
                begun = time.process_time()
                member.sync()
                spent[member.member] += time.process_time() - begun
        line.count()
    for number_of, source in enumerate(sources):
        answering = members[number_of % MEMBERS]
        if answering.thread(source) in threads(answering.vault):
            answering.show(source)
            answering.answer(source, "Thank you. We read every word of it.")


def run(quick: bool) -> Figure:
    """Five members; a week, or with `quick` a day."""
    days = 1 if quick else 7
    with tempfile.TemporaryDirectory() as folder:
        world, team = open_team(Path(folder), MEMBERS, letters=16, queue=2304, slots=2)
        for member in team.values():
            member.memos = True
        sources = [Source(world, f"source {i}") for i in range(LETTERS_A_DAY)]
        line, spent = _Line(world), dict.fromkeys(team, 0.0)
        line.count()
        line.up.clear()
        line.down.clear()
        for _ in range(days):
            _day(world, team, sources, line, spent)
        rows = []
        for name, member in team.items():
            up, down = line.of(member)
            rows.append(
                (
                    name,
                    f"{up / days * MONTH / 1e6:,.0f} MB",
                    f"{down / days * MONTH / 1e6:,.0f} MB",
                    f"{spent[name] / days * MONTH:,.0f} s",
                    f"{member.path.stat().st_size / 1e6:.1f} MB",
                )
            )
            member.vault.close()
    packs = 16 * 4096 * TICKS_PER_DAY * MONTH / 1e6
    return Figure(
        f"members: a month at a desk of {MEMBERS}, two sessions a day, {LETTERS_A_DAY} letters a day",
        ("Member", "Sent", "Fetched", "CPU", f"Vault after {days} days"),
        tuple(rows),
        (),
        (
            f"Measured over {days} days, taken {number(MONTH / days)} times, with the bytes of a /visit as it is after "
            "three weeks. Processor time is a young door's, and rises from day to day.",
            f"Letters of a month, filler among them, are {packs:,.0f} MB, which every member fetches whole; the rest "
            "is /visit, with each session and each memo.",
        ),
    )
