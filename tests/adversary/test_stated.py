# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is stated and not promised: each attack succeeds, as the documentation says, and goes no further.

| Attacker              | Holds                                      | Does                                         |
|-----------------------|--------------------------------------------|----------------------------------------------|
| whoever hoarded what  | every `/visit` of then; later the words    | opens the answers of then, and no letter     |
| was public            |                                            |                                              |
| server that lies      | its store                                  | says that it is full, and learns from knocks |
| server that is silent | nothing, for weeks                         | keeps a desk's old keys alive                |
| server that watches   | the times of requests                      | tells a member's memo by the session beside  |

Files of their own have what falls with a live epoch key (`test_live_epoch.py`) and the pages without JavaScript
(`test_stated_pages.py`).
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from latchstring.client.transport import NetworkFailed, Response
from latchstring.client.visit import VerifiedVisit
from latchstring.desk.identity import identity
from latchstring.desk.known import mark_known
from latchstring.desk.memos import next_due, send_due
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol import constants as c
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.knock import HEADER, NO_KNOCK, entry_of
from latchstring.protocol.letter import LetterBody, letter_info
from latchstring.protocol.source_keys import SourceKeys
from latchstring.server.api import Request
from latchstring.source.acts import CannotWrite, read_thread
from latchstring.store import knocks as stored
from tests.adversary.tools import Stage
from tests.world.world import Crossing, Source, TeamStage

REPLY, AFTER = "the bench by the river", "for the new words alone"

# --- answers that somebody kept --------------------------------------------------------------------


def answered(stage: Stage, source: Source, text: str) -> VerifiedVisit:
    """The desk answers, and the sheet with it is out: `/visit` of then, as anybody may keep it."""
    stage.desk.show(source)
    stage.desk.answer(source, text)
    stage.desk.sync()
    stage.world.close((stage.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
    return source.look()


def letters_opened(stage: Stage, words: Source, notes: list[EpochNote]) -> int:
    """How many of all letters that ever crossed the line the words' own private key opens."""
    found, key = 0, words.keys().open_key
    for crossing in stage.world.traffic:
        for note in notes if crossing.path == "/v1/letters" else ():
            with suppress(NotOurs):
                key.open(crossing.body, letter_info(note))
                found += 1
    return found


def sealed_to_oneself(visit: VerifiedVisit, keys: SourceKeys, _body: LetterBody, _msg_id: bytes) -> bytes:
    """The broken program: a copy for the source's own words."""
    note = visit.note("news")
    assert note is not None
    return keys.thread_keys.seal_key.seal(bytes(c.LETTER_PLAIN), letter_info(note))


@pytest.mark.parametrize("broken", [False, True])
def test_who_hoarded_answers_and_learns_the_words_opens_those_and_nothing_else(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years later, under pressure: the source has new words by then. `broken`: letters are sealed to the source too."""
    kept = answered(stage, stage.source, REPLY)
    stage.source.write("read it")
    if broken:
        with monkeypatch.context() as patch:
            patch.setattr("tests.world.world.seal", sealed_to_oneself)
            stage.source.write("read it")
    stage.world.close()
    stage.desk.sync()
    new = Source(stage.world, "new words")
    stage.source.change(new)
    stage.world.close()
    stage.desk.sync()
    later = answered(stage, new, AFTER)
    assert [reply.text for reply in read_thread(kept, stage.source.keys())] == [REPLY]
    assert AFTER in [reply.text for reply in read_thread(later, new.keys())]
    assert AFTER not in [reply.text for reply in read_thread(later, stage.source.keys())]
    notes = [*kept.notes.values(), *later.notes.values()]
    assert bool(letters_opened(stage, stage.source, notes)) is broken


def test_who_hoarded_answers_and_learns_other_words_opens_none(stage: Stage) -> None:
    kept = answered(stage, stage.source, REPLY)
    assert read_thread(kept, Source(stage.world, "somebody else").keys()) == ()


# --- a server that says it is full -----------------------------------------------------------------


def lying(request: Request, answer: Response) -> Response:
    """Every letter is refused as if the door were full, every knock as if it were spent."""
    if request.path != "/v1/letters":
        return answer
    return Response(503 if request.headers[HEADER] == NO_KNOCK else 409, b"The door is full.\n")


def knocks_of(stage: Stage, source: Source) -> list[str]:
    """What the server gets from one who writes while it lies."""
    source.wire.meddle = lying
    with pytest.raises(CannotWrite):
        source.write("let me in", tries=1)
    source.wire.meddle = lambda _request, answer: answer
    posts = [x for x in stage.world.traffic if x.who == f"source {source.name}" and x.path == "/v1/letters"]
    return [head for x in posts if (head := dict(x.headers)[HEADER]) != NO_KNOCK]


def learned(stage: Stage, head: str) -> tuple[str, bool]:
    """What the server finds with a knock and its own store: which desk it is for, and whether its list has it."""
    note, value = bytes.fromhex(head[:64]), bytes.fromhex(head[64:])
    desk = next(x.desk for x in stage.source.look().notes.values() if x.hash == note)
    with stage.world.core.sql.read() as connection:
        held = stored.of_note(connection, note)
    if held is None:
        return desk, False
    entries = {held.entries[i : i + 32] for i in range(0, len(held.entries), 32)}
    return desk, entry_of(held.salt, value) in entries


@pytest.mark.parametrize("known", [True, False])
def test_a_server_that_lies_gets_knocks_of_who_comes_back_and_learns_if_they_are_known(
    stage: Stage, known: bool
) -> None:
    if known:
        mark_known(stage.desk.vault, stage.desk.thread(stage.source), True)
    stage.desk.sync()
    answered(stage, stage.source, REPLY)
    heads = knocks_of(stage, stage.source)
    if known:
        assert {learned(stage, head) for head in heads} == {("news", True)}
        assert len(heads) == c.KNOCKS_A_THREAD
    else:
        assert heads == [], "the newest answer says that the thread is not known"


@pytest.mark.parametrize("broken", [False, True])
def test_of_who_writes_for_the_first_time_it_gets_none(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken:  # the program knocks whatever the thread says: then the server learns who it is for
        monkeypatch.setattr("tests.world.world.may_knock", lambda *_: True)
    heads = knocks_of(stage, Source(stage.world, "somebody new"))
    assert {learned(stage, head)[0] for head in heads} == ({"news"} if broken else set())


# --- a server that is silent -----------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
def test_a_server_that_is_wholly_silent_keeps_keys_alive_until_it_is_heard_again(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the desk it looks like a clock that is wrong: by such a clock nothing is erased. One answer that verifies
    ends it. A server that answers and fails does not get so far: `tests/world/test_hostile.py`."""
    world, desk = stage.world, stage.desk
    if broken:  # what fell due meanwhile is not made up for
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())

    def days() -> set[int]:
        return {secret.day for secret in epoch_secrets(desk.vault)}

    before = days()
    world.up = False
    for _ in range(3):
        world.pass_time(10 * c.TICKS_PER_DAY)
        with pytest.raises(NetworkFailed):
            desk.sync()
        assert days() == before
    world.up = True
    world.close(world.policy.batch_at(world.now))
    assert max(before) <= c.day_of(world.batch) - c.LONE_ERASE_DAYS, "all of them are due"
    desk.sync()
    assert (before & days()) == (before if broken else set())


# --- a session and a memo --------------------------------------------------------------------------


def beside(traffic: list[Crossing], member: str) -> Iterator[bool]:
    """For each memo of a member: was there a signed request of theirs in the same second?"""
    sessions = {x.at for x in traffic if x.who == f"desk news {member}" and x.path.startswith("/v1/")}
    for crossing in traffic:
        if crossing.who == f"memo of {member}" and crossing.path == "/v1/letters":
            yield crossing.at in sessions


def no_step(_what: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("all_day", [False, True])
def test_who_syncs_now_and_then_sends_memos_beside_the_session(three: TeamStage, all_day: bool) -> None:
    """What is stated of `desk sync` without `--every`: the times tell which letters are memos. `all_day`: a program
    that runs on sends each at its own time, and then they do not."""
    world, (desk, *_) = three.world, three.team.values()
    desk.wire._who = f"desk news {desk.member}"
    desk.memos = True
    for start in range(world.batch, world.batch + 4 * 30, 30):
        for batch in range(start + 1, start + 30):
            due = next_due(desk.vault)
            if all_day and due is not None and due <= world.policy.closes_at(batch):
                world.close(batch)
                send_due(desk.vault, desk.fresh, identity(desk.vault), desk.clock, desk.random, no_step)
        world.close(start + 30)
        desk.sync()
    found = list(beside(world.traffic, desk.member))
    assert len(found) > 4
    assert all(found) is not all_day
