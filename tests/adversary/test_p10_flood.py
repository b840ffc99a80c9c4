# SPDX-License-Identifier: AGPL-3.0-or-later
"""P10: under flooding, a source the desk has marked as known still gets through; and what flooders learn by it.

| Attacker             | Holds                                        | Tries                                          |
|----------------------|----------------------------------------------|------------------------------------------------|
| outsider             | all that is public, epoch notes too          | to guess a knock; to keep the known out        |
| listener on the line | a knock that was sent                        | the same knock for another letter              |
| the source itself    | knocks of other days, desks and gens         | to use those, to use one twice                 |
| thief of the disk    | all lists, all that was spent                | to knock with what is in the lists             |
| member of the desk   | the desk's keys, the right to post lists     | to have the reserve alone, to shut others out  |
| who counts           | receipts for letters of their own            | how many letters of others wait                |
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from latchstring.client.transport import Response
from latchstring.desk.identity import identity
from latchstring.desk.known import mark_known
from latchstring.desk.line import Line
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol import constants as c
from latchstring.protocol import knock as knock_module
from latchstring.protocol.directory import Policy
from latchstring.protocol.encoding import encode_cbor, h
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.knock import HEADER, Knock, KnockList, dummy, entry_of, knocks_of
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.receipt import open_receipt
from latchstring.server import accept as accept_module
from latchstring.server import knocking as knocking_module
from latchstring.server import spending as spending_module
from latchstring.server.api import Request
from latchstring.source.acts import CannotWrite
from latchstring.store import knocks as stored
from latchstring.store import tip
from tests.adversary.tools import Stage
from tests.builders import Stream
from tests.faults import letter
from tests.world.world import Source, World


def post(world: World, number: int, knock: Knock | None = None) -> Response:
    headers = {HEADER: knock.header()} if knock else {}
    return world.answer(Request("POST", "/v1/letters", "", headers, letter(number)))


def fill(world: World) -> None:
    """Until the lottery lets nobody in."""
    for number in range(100_000, 100_008):
        post(world, number)
    assert post(world, 100_008).status == 503


def note_of(stage: Stage, desk: str = "news") -> EpochNote:
    note = stage.source.look().note(desk)
    assert note is not None
    return note


def marked(stage: Stage) -> tuple[Knock, ...]:
    """The desk marks the source and posts its lists; the source's knocks. The door is flooded then."""
    mark_known(stage.desk.vault, stage.desk.thread(stage.source), True)
    stage.desk.sync()
    fill(stage.world)
    return knocks_of(pair_of_source(stage.source.keys(), note_of(stage)))


# --- getting in without one's own knock ------------------------------------------------------------


def test_knocks_cannot_be_guessed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    marked(stage)
    random, note = Stream("guess"), note_of(stage).hash
    assert {post(stage.world, i, Knock(note, random(32))).status for i in range(200)} == {409}
    monkeypatch.setattr(spending_module, "_holds", lambda *_: True)
    assert post(stage.world, 1, Knock(note, random(32))).status == 201


def test_a_knock_is_good_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener repeats what the source sent; a source sends two letters with one."""
    knock = marked(stage)[0]
    assert post(stage.world, 1, knock).status == 201
    assert post(stage.world, 2, knock).status == 409
    assert post(stage.world, 1, knock).status == 201, "the same letter again is the same letter"
    monkeypatch.setattr(stored, "spend", lambda *_: True)
    assert post(stage.world, 2, knock).status == 201


@pytest.mark.parametrize("broken", [False, True])
def test_a_knock_twice_in_one_moment_lets_one_letter_in(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    knock, world = marked(stage)[0], stage.world
    if broken:  # what is spent is looked at as it was before all of them
        monkeypatch.setattr(stored, "spend", lambda *_: True)
    bodies = [letter(i) for i in range(3)]
    answers = world.api.letters(bodies, world.now, [knock] * 3)
    assert sorted(answer.status for answer in answers) == ([201] * 3 if broken else [201, 409, 409])


def test_what_lies_on_the_server_s_disk_lets_nobody_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    knock, world = marked(stage)[0], stage.world
    assert post(world, 50, knock).status == 201
    note = note_of(stage).hash

    def thief() -> set[int]:
        with world.core.sql.read() as connection:
            held = stored.of_note(connection, note)
            spent = connection.exec_driver_sql("SELECT knock FROM spent_knocks").scalars().all()
        assert held is not None
        entries = KnockList(note, held.version, held.salt, held.entries).each()
        found = [*entries, *spent, *(h(entry) for entry in entries[:4])]
        return {post(world, 1000 + i, Knock(note, value)).status for i, value in enumerate(found)}

    assert thief() == {409}
    for module in (knock_module, spending_module):  # lists that hold the knocks themselves
        monkeypatch.setattr(module, "entry_of", lambda _salt, value: value)
    world.close()
    stage.desk.sync()
    fill(world)
    assert 201 in thief()


@pytest.mark.parametrize("days", [2, 3])
def test_a_knock_of_days_ago_does_not_count(stage: Stage, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    knock, world = marked(stage)[0], stage.world
    day = world.policy.batch_at(world.now) // 144
    world.now = world.policy.closes_at((day + 1) * 144)
    assert post(world, 1, knock).status == 201, "the next day it does"
    other = knocks_of(pair_of_source(stage.source.keys(), note_of(stage)))[1]
    world.now = world.policy.closes_at((day + days) * 144)
    assert post(world, 2, other).status == 409
    monkeypatch.setattr(c, "KNOCK_DAYS", 9)
    assert post(world, 2, other).status == 201


def test_a_knock_of_another_desk_or_day_does_not_count(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = marked(stage)[0]
    for desk in stage.desks.values():
        desk.sync()
    legal = note_of(stage, "legal")
    theirs = knocks_of(pair_of_source(stage.source.keys("legal"), legal))[0]
    moved = replace(mine, note=legal.hash)
    assert post(stage.world, 1, theirs).status == 409, "the other desk does not know this source"
    assert post(stage.world, 1, moved).status == 409
    tomorrow = next(s for s in epoch_secrets(stage.desk.vault) if s.day == note_of(stage).day + 1)
    early = dummy(tomorrow.open(), 0)
    assert post(stage.world, 1, early).status == 409, "in a list, but not of today"
    assert post(stage.world, 1, mine).status == 201

    today, real = note_of(stage).day, stored.of_note

    def of_any_day(connection: object, note: bytes) -> object:
        held = real(connection, note)  # type: ignore[arg-type]  # passed on as it came
        return replace(held, day=today) if held else None

    monkeypatch.setattr(stored, "of_note", of_any_day)
    assert post(stage.world, 2, early).status == 201
    monkeypatch.setattr(spending_module, "_holds", lambda *_: True)  # and whoever's list it is
    assert [post(stage.world, 3, theirs).status, post(stage.world, 4, moved).status] == [201, 201]


def test_a_knock_of_a_former_gen_does_not_count(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removed member knows all dummies and all known threads of then."""
    one, two, *_ = marked(stage)
    world = stage.world
    desks = tuple(replace(d, gen=2) if d.id == "news" else d for d in world.founding.directory.desks)
    assert post(world, 1, one).status == 201
    world.renew(desks=desks)
    world.close()
    fill(world)
    assert post(world, 2, two).status == 409
    real = stored.of_note

    def of_any_gen(connection: object, note: bytes) -> object:
        held = real(connection, note)  # type: ignore[arg-type]  # passed on as it came
        return replace(held, gen=2) if held else None

    monkeypatch.setattr(stored, "of_note", of_any_gen)
    assert post(world, 2, two).status == 201


# --- keeping the known out ---------------------------------------------------------------------------


def always(_odds: float, _random: Callable[[int], bytes]) -> bool:
    """A flooder who wins every draw that can be won."""
    return _odds > 0.0


def test_the_luckiest_flooder_cannot_take_the_reserve(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    knock = marked(stage)[0]
    monkeypatch.setattr(accept_module, "drawn", always)
    for number in range(500):
        post(stage.world, number)
    assert post(stage.world, 1000, knock).status == 201


def test_without_the_reserve_the_known_stay_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    knock = marked(stage)[0]
    monkeypatch.setattr(accept_module, "drawn", always)
    monkeypatch.setattr("latchstring.server.lottery.reserve", lambda _limit: 0)
    for number in range(500):
        post(stage.world, number)
    assert post(stage.world, 1000, knock).status == 503


def test_a_whole_flood_and_the_source_gets_in_as_the_program_does_it(stage: Stage) -> None:
    marked(stage)
    stage.desk.show(stage.source)
    stage.desk.answer(stage.source, "We know you.")
    stage.desk.sync()
    stage.world.close(180, 181)
    assert [reply.known for reply in stage.source.read()] == [True]
    fill(stage.world)
    assert stage.source.write("through the flood", tries=1)
    with pytest.raises(CannotWrite):
        Source(stage.world, "stranger").write("let me in", tries=1)


# --- a member with bad intent ------------------------------------------------------------------------


def post_lists(stage: Stage, *lists: KnockList, desk: str = "news") -> int:
    at = stage.desks[desk]
    line = Line.of(at.wire, at.clock, at.random, identity(at.vault), stage.world.founding.directory)
    return line.signed("POST", "/v1/knocks", "", encode_cbor([made.raw for made in lists])).status


def own_list(note: bytes, values: list[bytes], version: int) -> KnockList:
    return KnockList(note, version, bytes(32), b"".join(sorted(entry_of(bytes(32), value) for value in values)))


def test_what_a_member_s_own_list_can_do_and_what_it_cannot(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the desk's sources out until another session of the desk, spends as many knocks as a list holds, and
    touches no other desk."""
    one, two, three, *_ = marked(stage)
    world, note = stage.world, note_of(stage)
    values = [Stream(f"mine {i}")(32) for i in range(c.KNOCK_LIST)]
    assert post_lists(stage, own_list(note.hash, values, world.batch)) == 201
    assert post(world, 1, one).status == 409
    world.close()
    stage.desk.sync()
    fill(world)
    assert post(world, 1, one).status == 201
    for_legal = own_list(note_of(stage, "legal").hash, values, world.batch)
    ahead = own_list(note.hash, values, world.batch + 99)
    assert post_lists(stage, for_legal) == 403
    for list_ahead in (own_list(note.hash, values, world.batch + 1), ahead):
        assert post_lists(stage, list_ahead) == 409, "for ever the highest"
    assert post(world, 2, two).status == 201

    keep, reached = knocking_module._keep, tip.read
    with monkeypatch.context() as patch:  # a server that does not look whose keys a list is for
        patch.setattr(
            knocking_module,
            "_keep",
            lambda connection, directory, _desk, *rest: keep(connection, directory, "legal", *rest),
        )
        assert post_lists(stage, for_legal) == 201
    assert post(world, 3, Knock(for_legal.note, values[0])).status == 201

    def later(connection: Connection) -> tip.Tip | None:
        at = reached(connection)
        return at and replace(at, batch=ahead.version)

    with monkeypatch.context() as patch:  # nor how high its version is
        patch.setattr(tip, "read", later)
        assert post_lists(stage, ahead) == 201
    world.close()
    stage.desk.sync()
    fill(world)
    assert post(world, 4, three).status == 409, "whatever the desk posts after it"


# --- who counts ---------------------------------------------------------------------------------------


def promises(world: World, first: int) -> list[int]:
    """What the receipts of two letters of one's own say."""
    answers = [post(world, first + i) for i in range(2)]
    assert {answer.status for answer in answers} == {201}
    return [open_receipt(answer.body, world.core.keys.receipt_public).publish_by for answer in answers]


def test_receipts_do_not_count_the_letters_of_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a letter of somebody else, and without it. As it was, the receipts told the two apart."""
    lone, together = stage.world, stage.world.copy()
    post(together, 1)
    assert promises(lone, 7_000) == promises(together, 7_000)
    waiting = 0

    def as_it_was(present: int, policy: Policy) -> int:
        nonlocal waiting
        waiting += 1
        return present + 2 + (waiting - 1) // policy.letters

    for world in (lone, together):
        world.close()
        world.close()
    monkeypatch.setattr(accept_module, "promised_batch", as_it_was)
    alone, waiting = promises(lone, 8_000), 0
    post(together, 2)
    assert alone != promises(together, 8_000)


def test_who_overfills_a_batch_counts_and_that_is_stated(stage: Stage) -> None:
    """Which of one's own letters come a batch later tells how many others came before: letters or memos, nobody knows.

    Nothing here holds it off; `docs/threat-model.md` says so, and this test that it is true.
    """
    late = []
    for others in (0, 1):
        world = stage.world.copy()
        for number in range(others):
            post(world, number)
        for number in range(2):  # as many as a batch takes
            post(world, 7_000 + number)
        world.close()
        pack = world.core.private.get(f"packs/{world.batch}")
        late.append(sum(letter(7_000 + number) not in pack for number in range(2)))
    assert late == [0, 1]
