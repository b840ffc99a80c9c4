# SPDX-License-Identifier: AGPL-3.0-or-later
"""P10 in one process: a flood at a hundred times what batches carry away. Sources that the desk marked get in, others
with the chance that the documentation gives, every receipt holds, and the queue is bounded."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latchstring.desk.identity import identity
from latchstring.desk.knocks import lists
from latchstring.desk.known import mark_known
from latchstring.desk.progress import followed
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol.constants import KNOCK_LIST, KNOWN_THREADS, TICKS_PER_SHEET
from latchstring.protocol.encoding import decode_cbor, h
from latchstring.protocol.knock import HEADER, NO_KNOCK, KnockList, dummy
from latchstring.server.lottery import reserve
from latchstring.source.acts import CannotWrite
from latchstring.store import letters
from tests.builders import Stream
from tests.faults import check_published
from tests.world.world import Crossing, Desk, Source, World, open_door

LETTERS, QUEUE, TIMES = 4, 96, 100
NAMES = ("anna", "boris", "chiara")


@dataclass
class Flooded:
    """A door whose desk knows three sources, and a flooder who posts a hundred times what batches carry away."""

    world: World
    desk: Desk
    known: list[Source]
    number: int = 10_000
    taken: int = 0
    sent: int = 0

    @classmethod
    def make(cls, folder: Path) -> "Flooded":
        world, desks = open_door(folder, letters=LETTERS, queue=QUEUE, slots=4)
        desk, known = desks["news"], [Source(world, name) for name in NAMES]
        for source in known:
            source.write(f"first of {source.name}")
        world.close()
        desk.sync()
        for source in known:
            desk.show(source)
            desk.answer(source, "We know you now.")
            assert mark_known(desk.vault, desk.thread(source), True)
        desk.sync()
        world.close(TICKS_PER_SHEET)
        return cls(world, desk, known)

    def copy(self, folder: Path) -> "Flooded":
        """The same, for one test."""
        world = self.world.copy()
        world.traffic.clear()
        sources = [Source(world, source.name) for source in self.known]
        for source in sources:
            source.random = Stream(f"again {source.name}")
        return Flooded(world, self.desk.copy(world, folder), sources)

    def flood(self, letters_sent: int) -> None:
        numbers = range(self.number, self.number + letters_sent)
        self.number += letters_sent
        outcomes = self.world.core.send(self.world.policy.batch_at(self.world.now), *numbers)
        self.taken += sum(isinstance(outcome, bytes) for outcome in outcomes)
        self.sent += letters_sent

    def waiting(self) -> int:
        with self.world.core.sql.read() as connection:
            return letters.waiting(connection)

    def posts(self, source: Source) -> list[Crossing]:
        return [x for x in self.world.traffic if x.who == f"source {source.name}" and x.method == "POST"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Flooded:
    return Flooded.make(tmp_path_factory.mktemp("flood"))


@pytest.fixture
def flooded(first: Flooded, tmp_path: Path) -> Flooded:
    return first.copy(tmp_path)


def test_marked_sources_get_in_at_once_and_all_receipts_hold(flooded: Flooded) -> None:
    world, stranger = flooded.world, Source(flooded.world, "stranger")
    refused = 0
    for tick in range(24):
        flooded.flood(TIMES * LETTERS // 2)
        if tick == 8:
            with pytest.raises(CannotWrite, match="was not taken"):
                stranger.write("let me in", tries=1)
        if tick % 6 == 5:  # a thread has four knocks a day
            for source in flooded.known:
                before = len(flooded.posts(source))
                source.write(f"tick {tick} of {source.name}", tries=1)
                first, *rest = [x.status for x in flooded.posts(source)][before:]
                assert [first, *rest] == [201] or (first, rest[-1]) == (503, 201)
                assert set(rest[:-1]) <= {409}, "knocks that were spent today"
                assert len(rest) <= 4
                refused += first == 503
        flooded.flood(TIMES * LETTERS // 2)
        assert flooded.waiting() <= QUEUE
        world.tick()
    assert refused >= 8, "it was a flood"
    assert flooded.taken < flooded.sent // 20
    while flooded.waiting():
        world.tick()
    world.tick(2)
    flooded.desk.sync()
    assert {f"tick 23 of {name}" for name in NAMES} <= set(flooded.desk.texts())
    check_published(world.core)


def test_an_unmarked_letter_has_its_share_at_any_moment(flooded: Flooded) -> None:
    """The flood lets in what batches carry away, whatever its size: one attempt in a hundred."""
    for _ in range(12):  # it settles
        flooded.flood(TIMES * LETTERS)
        flooded.world.tick()
    flooded.taken = flooded.sent = 0
    for _ in range(25):
        for _ in range(4):
            flooded.flood(TIMES * LETTERS // 4)
        flooded.world.tick()
    assert flooded.taken / flooded.sent == pytest.approx(1 / TIMES, rel=0.25)


def test_no_reserve_and_no_lottery_and_the_known_stay_out(flooded: Flooded, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: first come, first served, until the queue is full."""
    monkeypatch.setattr("latchstring.server.accept.chance", lambda waiting, limit: float(waiting < limit))
    flooded.flood(TIMES * LETTERS)
    assert flooded.waiting() == QUEUE
    for source in flooded.known:
        with pytest.raises(CannotWrite, match="was not taken"):
            source.write("let me in", tries=3)


# --- what the line and the server see ----------------------------------------------------------------


def test_a_knock_is_sent_only_after_a_refusal_and_all_requests_have_one_size(flooded: Flooded) -> None:
    source = flooded.known[0]
    source.write("in quiet times")
    flooded.flood(TIMES * LETTERS)
    source.write("in the flood")
    heads = [dict(x.headers)[HEADER] for x in flooded.posts(source)]
    statuses = [x.status for x in flooded.posts(source)]
    assert statuses == [201, 503, 201]
    assert heads[:2] == [NO_KNOCK] * 2
    assert heads[2] != NO_KNOCK
    assert len({len(x.sent) for x in flooded.posts(source)}) == 1
    assert heads[2] not in "".join(x.path + x.query for x in flooded.posts(source))


def posted(world: World) -> list[list[KnockList]]:
    found = []
    for crossing in world.traffic:
        if crossing.path == "/v1/knocks":
            items = decode_cbor(crossing.body)
            assert isinstance(items, list)
            assert crossing.status == 201
            found.append([KnockList.parse(raw) for raw in items if isinstance(raw, bytes)])
    return found


def test_lists_look_alike_whatever_is_marked_and_no_two_versions_share_an_entry(tmp_path: Path) -> None:
    sizes = []
    for mark in (False, True):
        world, desks = open_door(tmp_path / str(mark))
        desk, source = desks["news"], Source(world, "a")
        source.write("hello")
        world.close()
        desk.sync()
        if mark:
            mark_known(desk.vault, desk.thread(source), True)
        world.close()
        desk.sync()
        sizes.append([(x.shape, x.status) for x in world.traffic if x.path == "/v1/knocks"])
        entries = [entry for session in posted(world)[-2:] for made in session for entry in made.each()]
        assert len(entries) == len(set(entries))
    assert sizes[0] == sizes[1]


def test_lists_are_there_for_the_seven_days_ahead_and_come_from_whoever_syncs(flooded: Flooded) -> None:
    desk = flooded.desk
    flooded.world.close()
    desk.sync()
    at = followed(desk.vault)
    who = identity(desk.vault)
    made = lists(desk.vault, who, at.state, at.batch)
    assert len(made) == 8  # day 0 and the seven after it
    assert made == lists(desk.vault, who, at.state, at.batch)
    newest = posted(flooded.world)[-1]
    assert tuple(newest) == made
    values = {dummy(secret.open(), i).value for secret in epoch_secrets(desk.vault) for i in range(KNOCK_LIST)}
    with flooded.world.core.sql.read() as connection:
        rows = connection.exec_driver_sql("SELECT entries, version FROM knock_lists").all()
    assert {version for _, version in rows} == {at.batch}
    assert not any(value in entries or h(value) in entries for value in values for entries, _ in rows)


def test_a_source_learns_that_it_is_known_and_that_it_is_not(flooded: Flooded) -> None:
    source = flooded.known[0]
    assert [reply.known for reply in source.read()] == [True]
    mark_known(flooded.desk.vault, flooded.desk.thread(source), False)
    flooded.desk.answer(source, "Again.")
    flooded.desk.sync()
    flooded.world.close(2 * TICKS_PER_SHEET)
    assert [reply.known for reply in source.read()] == [True, False]
    flooded.flood(TIMES * LETTERS)
    with pytest.raises(CannotWrite):
        source.write("let me in", tries=1)
    assert [x.status for x in flooded.posts(source)][-1:] == [503], "and no knock was tried"


def test_forty_eight_marks_fit_and_the_reserve_holds_their_knocks() -> None:
    assert KNOWN_THREADS * 4 < KNOCK_LIST
    assert reserve(2304) > 2 * KNOCK_LIST * 2


def test_what_the_server_refuses_is_a_warning_and_the_session_goes_on(flooded: Flooded) -> None:
    flooded.desk.wire.meddle = lambda request, answer: (
        replace(answer, status=403) if request.path == "/v1/knocks" else answer
    )
    flooded.world.close()
    report = flooded.desk.sync()
    assert any("lists of knocks" in warning for warning in report.warnings)
    assert report.placed.pages
