# SPDX-License-Identifier: AGPL-3.0-or-later
"""P4 at a desk of three, with attachments: a server that watches every member's sessions cannot tell who reads, saves
files and answers from who does nothing.

When memos go out is tried in `test_p06_members_audit.py`, a desk that spares empty pages in
`test_p04_reading_tells_nothing.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.desk import fetching
from latchstring.desk.marks import add_note, assign
from latchstring.desk.replies import write_reply
from tests.attached import bring, listed, saved, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage

Seen = tuple[str, str, int, int, tuple[str, ...], int, int]


@dataclass(frozen=True)
class Days:
    """What the server saw of three days, request by request in their order, and how many replies sources found."""

    seen: list[Seen]
    heard: int


def act(one: Desk, two: Desk, sources: Sequence[Source], day: int, folder: Path) -> None:
    """What people do at two of the three vaults; the third does nothing. Randomness of its own: sessions draw the same
    whether anybody acts or not."""
    acts = Stream(f"acts of day {day}")
    for desk, source in ((one, sources[0]), (two, sources[1]), (two, sources[0])):
        thread = desk.thread(source)
        desk.show(source)
        write_reply(desk.vault, thread, f"answer of day {day} " * 20, desk.world.now, acts)
        add_note(desk.vault, thread, "to be checked", desk.world.now, acts)
        assign(desk.vault, thread, two.member)
    for item in listed(two):
        assert saved(two, item, folder / "saved")


def days(three: TeamStage, folder: Path, busy: bool, fetch: Callable[[Desk], object] = bring) -> Days:
    """Three days of a desk with two sources, who send two files each; everybody synchronises once a day."""
    world, team = three.world, list(three.team.values())
    sources = [Source(world, name) for name in "ab"]
    for source in sources:
        write_with(source, "hello", ("paper", Stream(source.name)(300_000)), ("picture", bytes(1000)))
    for day in (1, 2, 3):
        for quarter in range(4):
            world.close(144 * day + 36 * quarter)
        for desk in team:
            desk.sync()
            fetch(desk)
        if busy and day < 3:
            act(team[0], team[1], sources, day, folder)
    seen = [
        (x.method, x.path, len(x.query), len(x.body), tuple(name for name, _ in x.headers), x.status, len(x.answer))
        for x in world.traffic
        if x.who == "desk news"
    ]
    for quarter in range(4):
        world.close(144 * 4 + 36 * quarter)
    return Days(seen, sum(len(source.heard()) for source in sources))


Make = Callable[[str], TeamStage]


@pytest.fixture
def again(first_team: TeamStage, tmp_path: Path) -> Make:
    """The same desk of three as often as wanted."""
    return lambda name: first_team.copy(tmp_path / name)


def test_a_desk_that_reads_and_answers_looks_like_one_that_does_not(again: Make, tmp_path: Path) -> None:
    quiet, busy = days(again("quiet"), tmp_path, False), days(again("busy"), tmp_path, True)
    assert (quiet.heard, busy.heard) == (0, 6)
    assert any(path.startswith("/v1/attachments/") for _, path, *_ in quiet.seen)
    assert busy.seen == quiet.seen


def test_a_desk_that_fetches_what_somebody_opened_is_told(again: Make, tmp_path: Path) -> None:
    """The broken variant: a member's program saves itself the files of letters that nobody at it has opened."""
    names = fetching.list_names

    def lazily(desk: Desk) -> None:
        opened = {n for item in listed(desk) if item.letter.opened for n in item.attachment.chunk_names()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fetching, "list_names", lambda line: tuple(n for n in names(line) if n in opened))
            bring(desk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.adversary.test_p04_members.saved", lambda *_: b"when it is here")
        quiet, busy = days(again("quiet"), tmp_path, False, lazily), days(again("busy"), tmp_path, True, lazily)
    assert busy.seen != quiet.seen
