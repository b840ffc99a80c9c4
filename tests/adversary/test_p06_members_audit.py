# SPDX-License-Identifier: AGPL-3.0-or-later
"""P6 and the cover of memos.

The server cannot tell a member's memo from a source's letter: one that loses letters loses memos too, and its own
receipts prove it. What it sees of memos tells how long programs ran, not what they had to say.
"""

from pathlib import Path

import pytest

from latchstring.desk import memos
from latchstring.desk.marks import add_note
from latchstring.desk.outbox import waiting
from latchstring.desk.promises import evidence
from latchstring.desk.schedule import Pace, next_gap
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import Receipt, open_receipt
from latchstring.server.api import Answer, Request
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_team

pytestmark = pytest.mark.usefixtures("short_sessions")

Team = tuple[World, dict[str, Desk]]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A desk of two, opened once."""
    return open_team(tmp_path_factory.mktemp("team"), 2, letters=4, queue=72)


def team_of(opened: Team, folder: Path) -> tuple[World, list[Desk]]:
    """A copy of it whose members send memos."""
    world = opened[0].copy()
    team = [desk.copy(world, folder) for desk in opened[1].values()]
    for desk in team:
        desk.memos = True
    return world, team


class Lossy:
    """The server's endpoints, except that one letter in so many gets its receipt and is thrown away."""

    def __init__(self, world: World, one_in: int) -> None:
        self._world, self._honest, self.one_in = world, world.api, one_in
        self.lost: set[bytes] = set()
        self._count = 0
        world.api = self  # type: ignore[assignment]  # stands in for the honest one

    def handle(self, request: Request, authority: str, now: int) -> Answer:
        if request.path == "/v1/letters":
            self._count += 1
            if self.one_in and self._count % self.one_in == 0:
                leaf = entry(Kind.LETTER, request.body)
                self.lost.add(leaf)
                receipt = Receipt(self._world.founding.directory.origin, leaf, self._world.batch + 2)
                return Answer(201, receipt.sign(ed25519_key(self._world.founding.receipt_seed)))
        return self._honest.handle(request, authority, now)


@pytest.mark.parametrize("broken", [False, True])
def test_a_server_that_loses_a_letter_is_caught_by_a_receipt(
    opened: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """P6: it promises a member's letter like any other and then loses one in three. Without the audit nobody knew."""
    world, team = team_of(opened, tmp_path)
    anna, ben = team
    if broken:
        monkeypatch.setattr("latchstring.desk.follow.overdue", lambda _vault, _batch: ())
    faults: list[str] = []
    server = Lossy(world, 3)
    for _ in range(8):
        world.close(world.batch + 17)
        for desk in (anna, ben):
            faults += desk.sync().faults
    server.one_in = 0
    world.close(world.batch + 3)
    faults += anna.sync().faults + ben.sync().faults
    assert len(server.lost) > 2
    proofs = [p for desk in (anna, ben) for p in evidence(desk.vault)]
    if broken:
        assert (faults, proofs) == ([], [])
        return
    assert len(proofs) == len(faults)
    receipts = [open_receipt(proof.receipt, world.founding.directory.receipt_key) for proof in proofs]
    assert {r.leaf for r in receipts} == server.lost
    assert all(p.publish_by == r.publish_by <= p.noticed for p, r in zip(proofs, receipts, strict=True))


def test_a_memo_crosses_the_line_as_a_source_s_letter_does(opened: Team, tmp_path: Path) -> None:
    world, (anna, _) = team_of(opened, tmp_path)
    anna.sync()
    world.close(world.batch + 30)
    world.traffic.clear()
    anna.sync()
    Source(world, "a").write("hello")
    letter = [c for c in world.traffic if c.who == "source a"]
    memo = [c for c in world.traffic if c.who.startswith("memo")][: len(letter)]
    assert [(c.shape, c.query, c.headers, c.status) for c in memo] == [
        (c.shape, c.query, c.headers, c.status) for c in letter
    ]


def _hurried(vault: object, pace: Pace, random: Stream) -> int:
    """The broken variant: whoever has something to say sends the next memo sooner."""
    return next_gap(Pace(pace.mean // 4, pace.back, pace.day) if waiting(vault) else pace, random)  # type: ignore[arg-type]  # a vault


@pytest.mark.parametrize("broken", [False, True])
def test_a_busy_member_s_memos_are_an_idle_one_s(
    opened: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The attacker sees every post with its time and size. The same draws, once with much to tell, once with nothing:
    the very same traffic. When what there is to say has a say in the times, it shows."""
    seen = []
    for busy in (False, True):
        folder = tmp_path / f"busy-{busy}"
        folder.mkdir()
        world, (anna, _) = team_of(opened, folder)
        if broken:
            monkeypatch.setattr(memos, "next_gap", lambda pace, random, v=anna.vault: _hurried(v, pace, random))
        acts = Stream("acts")
        anna.sync()
        world.traffic.clear()
        for _ in range(4):
            if busy:
                for n in range(12):
                    add_note(anna.vault, acts(32), f"{n} " + "x" * 300, world.now, acts)
            world.close(world.batch + 30)
            anna.sync()
        posts = [c for c in world.traffic if c.who.startswith("memo")]
        assert len(posts) > 8
        seen.append([(c.at, c.shape, c.query, c.headers, c.status) for c in posts])
        assert (anna.vault.rows("SELECT count(*) FROM note")[0][0] > 12) is busy
    assert (seen[0] == seen[1]) is not broken
