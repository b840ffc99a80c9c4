# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members of one desk share what they do by memos through the log: each at their own time, with everything in between
that a server and a network can do."""

from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note, assign, assignments, notes, readers
from latchstring.desk.outbox import waiting
from latchstring.desk.promises import evidence, sealings
from latchstring.desk.shared_replies import shared_replies
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import Receipt, open_receipt
from latchstring.server.api import Answer, Request
from tests.world.world import Desk, Source, World, open_team

Team = dict[str, Desk]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Team]:
    """A desk of three, opened once for all tests of this module: that takes longest."""
    return open_team(tmp_path_factory.mktemp("team"), 3, letters=16, queue=288)


def team_of(opened: tuple[World, Team], folder: Path) -> tuple[World, Team]:
    """A copy of it whose members send memos."""
    world = opened[0].copy()
    team = {name: desk.copy(world, folder) for name, desk in opened[1].items()}
    for desk in team.values():
        desk.memos = True
        desk.sync()  # draws when the first memo is due
    return world, team


def rounds(world: World, desks: list[Desk], count: int = 6, ticks: int = 36) -> None:
    """Time passes; everybody comes in turn, then the batches with what they sent close."""
    for _ in range(count):
        world.close(world.batch + ticks)
        for desk in desks:
            desk.sync()
        world.close()
    for desk in desks:
        desk.sync()


def shared_state(desk: Desk) -> list[object]:
    """All that the members of a desk share, as one vault has it."""
    tables = ("shared_reply", "placed_by", "turn", "assignment", "note", "letter_read", "member_seen", "filled")
    rows = [desk.vault.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608  # own names
    return [
        rows,
        [(x.thread, x.msg_id, x.verified, x.acked) for x in sorted(letters(desk.vault), key=lambda x: x.msg_id)],
    ]


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


def test_what_one_member_does_the_others_see(opened: tuple[World, Team], tmp_path: Path) -> None:
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
    source = Source(world, "a")
    source.write("hello")
    world.close()
    anna.sync()
    ben.sync()
    thread = anna.thread(source)
    anna.show(source)
    written = anna.answer(source, "thank you")
    assign(anna.vault, thread, ben.member)
    add_note(anna.vault, thread, "ask about the date", world.now, anna.random)

    mine = assignments(anna.vault, anna.member)[thread]
    assert (mine.member, mine.pending) == (ben.member, True)
    assert [n.pending for n in notes(anna.vault, thread, anna.member)] == [True]
    assert assignments(ben.vault, ben.member) == {}

    rounds(world, [anna, ben], 3)
    for desk in (anna, ben):
        got = assignments(desk.vault, desk.member)[thread]
        assert (got.member, got.by, got.pending) == (ben.member, anna.member, False)
        assert [(n.text, n.author, n.pending) for n in notes(desk.vault, thread, desk.member)] == [
            ("ask about the date", anna.member, False)
        ]
        (reply,) = shared_replies(desk.vault)
        assert (reply.id, reply.author, reply.body.text) == (written.id, anna.member, "thank you")
        assert len(reply.sheets) == 1
        (letter,) = letters(desk.vault)
        assert letter.acked, "acknowledged by anna's reply, for everybody"
        assert readers(desk.vault, thread)[letter.mark] == (anna.member,)
    assert waiting(anna.vault) == () or {w.kind for w in waiting(anna.vault)} <= {"seen"}
    assert shared_state(anna) == shared_state(ben)
    assert source.heard() == ["thank you"]


def test_a_memo_whose_epoch_ran_out_before_it_was_logged_is_sealed_anew(
    opened: tuple[World, Team], tmp_path: Path
) -> None:
    """Nobody takes the late one in; the same memo sealed to a live epoch is."""
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
    source = Source(world, "a")
    source.write("hello")
    world.close()
    anna.sync()
    add_note(anna.vault, anna.thread(source), "late", world.now, anna.random)
    sent: list[bytes] = []
    for _ in range(20):
        world.close(world.batch + 6)
        anna.sync()
        carrying = {w.memo for w in waiting(anna.vault, "note")} - {None}
        if carrying:
            sent = [s.msg_id for s in sealings(anna.vault) if s.msg_id in carrying]
            break
    assert len(sent) == 1
    world.close(world.batch + 4 * 144)  # the server stood still: the memo is logged too late
    ben.sync()
    anna.sync()
    assert [w.memo for w in waiting(anna.vault, "note")] == sent
    assert notes(ben.vault, anna.thread(source), ben.member) == ()
    rounds(world, [anna, ben], 3)
    assert [n.text for n in notes(ben.vault, anna.thread(source), ben.member)] == ["late"]
    assert waiting(anna.vault, "note") == ()


@pytest.mark.parametrize("broken", [False, True])
def test_a_server_that_loses_a_letter_is_caught_by_a_receipt(
    opened: tuple[World, Team], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """P6: it promises a member's letter like any other and then loses one in three. Without the audit nobody knew."""
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
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
