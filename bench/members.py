# SPDX-License-Identifier: AGPL-3.0-or-later
"""members: what a month at a desk of five costs each of its members: bytes on the line and time, in the world of one
process.

Every member synchronises twice a day, ten sources write a day and are answered, memos and dummies go out by their
schedule; a batch closes every ten minutes, for thirty days. Three weeks go before that are not counted, in which the
desk comes by once a day: from then on a /visit has all its sheets, and a vault the keys of as many days as ever.
"""

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from bench.figure import Figure, number
from latchstring.desk.letters import threads
from latchstring.protocol.constants import SHEETS_KEPT, TICKS_PER_DAY, TICKS_PER_SHEET
from latchstring.server.api import Answer, Api, Request
from tests.world.world import Desk, Source, World, open_team

MEMBERS, LETTERS, LETTERS_A_DAY, MONTH, WEEK = 5, 16, 10, 30, 7
_HOURS = (9, 17)  # of the sessions


class _Timed(Api):
    """`seconds`: processor time in which the server answered."""

    seconds = 0.0

    def handle(self, request: Request, authority: str, now: int) -> Answer:
        begun = time.process_time()
        answer = super().handle(request, authority, now)
        self.seconds += time.process_time() - begun
        return answer


class _Spent:
    """What crossed the network, up and down by who, and each member's processor time by day, without the server's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server = world.api = _Timed(world.core.intake, world.core.shelves)
        self.up: defaultdict[str, int] = defaultdict(int)
        self.down: defaultdict[str, int] = defaultdict(int)
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.served = 0.0

    def session(self, member: Desk) -> None:
        begun, served = time.process_time(), self._server.seconds
        member.sync()
        served = self._server.seconds - served
        self.seconds[member.member][-1] += time.process_time() - begun - served
        self.served += served

    def count(self) -> None:
        """Add up what crossed, and forget it."""
        for crossing in self._world.traffic:
            self.up[crossing.who] += len(crossing.sent)
            self.down[crossing.who] += len(crossing.answer)
        self._world.traffic.clear()

    def line(self, member: Desk) -> tuple[int, int]:
        """Bytes of the signed sessions and of the memos, which go by ways of their own."""
        names = (f"desk {member.name} {member.member}", f"memo of {member.member}")
        return sum(self.up[name] for name in names), sum(self.down[name] for name in names)


def _before(world: World, team: dict[str, Desk]) -> None:
    """Three weeks in which every sheet comes out, and nobody writes."""
    for sheet in range(1, SHEETS_KEPT + 1):
        world.close(sheet * TICKS_PER_SHEET)
        if world.batch % TICKS_PER_DAY == 0:
            for member in team.values():
                member.sync()
        world.traffic.clear()


def _day(world: World, team: dict[str, Desk], sources: list[Source], spent: _Spent) -> None:
    members = list(team.values())
    written = 0
    for member in members:
        spent.seconds[member.member].append(0.0)
    for tick in range(TICKS_PER_DAY):
        world.tick()
        if written < LETTERS_A_DAY and tick % (TICKS_PER_DAY // LETTERS_A_DAY) == 0:
            sources[written].write(f"What I saw on day {world.batch // TICKS_PER_DAY}.", tell=False)
            written += 1
        for place, member in enumerate(members):
            if tick - place in [hour * 6 for hour in _HOURS]:
                spent.session(member)
        spent.count()
    for number_of, source in enumerate(sources):
        answering = members[number_of % MEMBERS]
        if answering.thread(source) in threads(answering.vault):
            answering.show(source)
            answering.answer(source, "Thank you. We read every word of it.")


def run(quick: bool) -> Figure:
    """Five members; a month, or with `quick` a week."""
    days = WEEK if quick else MONTH
    with tempfile.TemporaryDirectory() as folder:
        world, team = open_team(Path(folder), MEMBERS, letters=LETTERS, queue=2304, slots=2)
        _before(world, team)
        for member in team.values():
            member.memos = True
        sources = [Source(world, f"source {i}") for i in range(LETTERS_A_DAY)]
        spent = _Spent(world)
        for _ in range(days):
            _day(world, team, sources, spent)
        rows = []
        for name, member in team.items():
            up, down = spent.line(member)
            seconds = spent.seconds[name]
            rows.append(
                (
                    name,
                    f"{up / 1e6:,.1f} MB",
                    f"{down / 1e6:,.0f} MB",
                    f"{sum(seconds):,.0f} s",
                    f"{sum(seconds[:WEEK]):,.0f} s",
                    f"{sum(seconds[-WEEK:]):,.0f} s",
                    f"{member.path.stat().st_size / 1e6:.1f} MB",
                )
            )
            member.vault.close()
        visit = len(world.core.public.get("visit")) / 1e6
    packs = LETTERS * 4096 * TICKS_PER_DAY * days / 1e6
    return Figure(
        f"members: {days} days at a desk of {MEMBERS}, two sessions a day, {LETTERS_A_DAY} letters a day",
        ("Member", "Sent", "Fetched", "CPU", "of it, first week", "last week", "Vault afterwards"),
        tuple(rows),
        (),
        (
            f"Letters of these days, filler among them, are {packs:,.0f} MB, which every member fetches whole; the "
            f"rest is /visit ({number(visit)} MB), with each session and each memo.",
            f"The server took {spent.served:,.0f} s more to answer these sessions and memos.",
        ),
    )
