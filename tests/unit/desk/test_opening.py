# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opening letters: which epochs are tried, what counts, and the same outcome in one process and in several."""

import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.desk import opening
from latchstring.desk.errors import DeskError
from latchstring.desk.opening import CHUNK, Job, Malformed, Opened, Opener, in_window
from latchstring.desk.secrets import EpochSecret
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.encoding import lp
from latchstring.protocol.letter import LetterBody, filler_letter, letter_info, seal_letter
from latchstring.protocol.source_keys import source_keys
from tests.builders import Stream, found, make_epoch

FOUNDING = found()
RANDOM = Stream("opening")
EPOCHS = [make_epoch(FOUNDING, "news", day, RANDOM)[0] for day in (5, 4, 3)]
SECRETS = tuple(EpochSecret(e.note.hash, 1, e.note.day, e.note.raw, e.secret) for e in EPOCHS)
SOURCE = source_keys(RANDOM(32), FOUNDING.door, "news")


def letter(position: int, text: str = "hello") -> bytes:
    return seal_letter(SOURCE, EPOCHS[position].note, RANDOM(16), LetterBody("en", "client", text))


def filler() -> bytes:
    return filler_letter(RANDOM(32), RANDOM(2960))


def test_a_letter_to_an_epoch_that_counts_is_verified() -> None:
    with Opener(SECRETS) as opener:
        (outcome,) = opener.open_many([Job(letter(1), (0, 1), (2,))])
    assert isinstance(outcome, Opened)
    assert (outcome.verified, outcome.day) == (True, 4)
    assert outcome.thread == SOURCE.thread_keys.thread(FOUNDING.door, "news")
    assert LetterBody.parse(outcome.cbor).text == "hello"


def test_a_letter_to_another_live_epoch_is_unverified() -> None:
    with Opener(SECRETS) as opener:
        (outcome,) = opener.open_many([Job(letter(2), (0, 1), (2,))])
    assert isinstance(outcome, Opened)
    assert (outcome.verified, outcome.day) == (False, 3)


def test_what_is_not_ours_is_nothing() -> None:
    other, _ = make_epoch(FOUNDING, "news", 4, RANDOM)
    foreign = seal_letter(SOURCE, other.note, RANDOM(16), LetterBody("en", "client", "x"))
    with Opener(SECRETS) as opener:
        assert opener.open_many([Job(x, (0, 1), (2,)) for x in (filler(), foreign, bytes(4096))]) == [None] * 3


@pytest.mark.parametrize(
    "plain",
    [
        bytes(2960),
        b"\xff" * 2960,
        b"",
        b"short",
        lp("letter-body", b"m" * 16, b"p" * 1216, b"a" * 32, b"s" * 32, b"").ljust(2960, b"\0"),
        lp("letter-body", b"m" * 15, b"p" * 1216, b"a" * 32, b"s" * 32, b"").ljust(2960, b"\0"),
    ],
)
def test_a_letter_with_a_bad_inside_is_counted_and_never_raises(plain: bytes) -> None:
    note = EPOCHS[0].note
    sealed = note.seal_key.seal(plain, letter_info(note)).ljust(LETTER_SIZE, b"\0")[:LETTER_SIZE]
    with Opener(SECRETS) as opener:
        (outcome,) = opener.open_many([Job(sealed, (0, 1), (2,))])
    assert outcome == (Malformed() if len(plain) == 2960 else None)


@given(st.binary(max_size=2960))
def test_arbitrary_insides_never_raise(plain: bytes) -> None:
    note = EPOCHS[0].note
    sealed = note.seal_key.seal(plain.ljust(2960, b"\0"), letter_info(note))
    with Opener(SECRETS) as opener:
        assert opener.open_many([Job(sealed, (0,), ())]) == [Malformed()]


def test_several_processes_give_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = [letter(i % 3) if i % 4 == 0 else filler() for i in range(200)]
    jobs = [Job(x, (0, 1), (2,)) for x in sealed]
    with Opener(SECRETS) as one:
        expected = one.open_many(jobs)
    monkeypatch.setattr(opening, "WORTH_A_POOL", 1)
    with Opener(SECRETS, workers=2) as two:
        assert two.open_many(jobs) == expected
        assert two.open_many(jobs[:3]) == expected[:3]
        assert two._pool is not None
    assert sum(isinstance(o, Opened) for o in expected) == 50


def until_the_kill(opener: Opener, jobs: list[Job]) -> None:
    while True:
        opener.open_many(jobs)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_worker_that_is_killed_is_said_and_the_next_try_goes_on(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WORTH_A_POOL", 1)
    sealed = filler()
    jobs = [Job(sealed, (0, 1), (2,))] * (CHUNK * 12)
    with Opener(SECRETS, workers=2) as two:
        two.open_many(jobs[:2])
        assert two._pool is not None
        victim = two._pool.pids[0]
        if when == "before":
            os.kill(victim, signal.SIGKILL)
        else:
            threading.Timer(0.01, os.kill, (victim, signal.SIGKILL)).start()
        with pytest.raises(DeskError, match="Nothing is lost"):
            until_the_kill(two, jobs)
        assert two.open_many(jobs[:3]) == [None, None, None]


def test_few_letters_start_no_process() -> None:
    with Opener(SECRETS, workers=2) as opener:
        opener.open_many([Job(filler(), (0,), ())])
        assert opener._pool is None


def test_secrets_are_not_in_repr() -> None:
    text = repr(SECRETS) + repr(Job(letter(0), (0,), ()))
    assert not any(repr(e.secret)[2:-1] in text for e in EPOCHS)
    with Opener(SECRETS) as opener:
        assert "psk" not in repr(opener.open_many([Job(letter(0), (0,), ())]))


@pytest.mark.parametrize(
    ("batch", "inside"), [(144 * 5 - 1, False), (144 * 5, True), (144 * 8 - 1, True), (144 * 8, False)]
)
def test_a_letter_counts_for_72_hours_from_the_start_of_its_epoch_s_day(batch: int, inside: bool) -> None:
    assert in_window(5, batch) is inside
