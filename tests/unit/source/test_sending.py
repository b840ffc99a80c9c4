# SPDX-License-Identifier: AGPL-3.0-or-later
"""Knocks after a refusal, pauses that are never in step, and what is said of a letter when it is stopped."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchstring.client.transport import NetworkFailed, Response
from latchstring.protocol.knock import HEADER, NO_KNOCK, Knock, knocks_of
from latchstring.protocol.pair import pair_of_source
from latchstring.source.sending import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    CannotWrite,
    EnoughTries,
    Sent,
    StoppedSending,
    knocks_for,
    may_knock,
    pause_before,
    send,
)
from latchstring.source.thread import Reply
from tests.builders import Stream
from tests.unit.source.test_acts import KEYS, LETTER, MSG, VISIT, receipt

NOTE = VISIT.note("news")
assert NOTE is not None
KNOCKS = knocks_for(KEYS, NOTE, Stream("order"))
FULL, SPENT, TAKEN = Response(503, b"The door is full."), Response(409, b"No."), Response(201, receipt())
Answer = Response | NetworkFailed | KeyboardInterrupt


class Heads:
    """Answers in turn; remembers the knock of each request, by its place among KNOCKS."""

    authority = "door.example"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.heads: list[int | None] = []

    def request(
        self,
        _method: str,
        _path: str,
        query: str = "",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        progress: object = None,
    ) -> Response:
        assert body == LETTER
        assert headers is not None
        named = [knock.header() for knock in KNOCKS]
        head = headers[HEADER]
        assert len(head) == len(NO_KNOCK), "all requests have one size"
        self.heads.append(None if head == NO_KNOCK else named.index(head))
        answer = self.answers.pop(0)
        if isinstance(answer, Response):
            return answer
        raise answer


def sending(
    *answers: Answer, knocks: tuple[Knock, ...] = KNOCKS, pause: Callable[[int], None] | None = None
) -> tuple[Heads, list[int], Sent]:
    line, pauses = Heads(*answers), list[int]()
    return line, pauses, send(line, VISIT, LETTER, MSG, pause or pauses.append, knocks)  # type: ignore[arg-type]  # a part of one


def test_no_knock_is_sent_before_the_door_says_that_it_is_full() -> None:
    assert sending(TAKEN)[0].heads == [None]
    assert sending(NetworkFailed("cut"), TAKEN)[0].heads == [None, None]
    assert sending(Response(500, b"?"), TAKEN)[0].heads == [None, None]


def test_after_a_refusal_the_knocks_in_turn_without_a_pause() -> None:
    line, pauses, _ = sending(FULL, SPENT, SPENT, TAKEN)
    assert (line.heads, pauses) == ([None, 0, 1, 2], [])


def test_when_all_are_spent_it_goes_on_like_everybody() -> None:
    line, pauses, _ = sending(FULL, SPENT, SPENT, SPENT, SPENT, FULL, TAKEN)
    assert (line.heads, pauses) == ([None, 0, 1, 2, 3, None, None], [1, 2])


def test_a_knock_that_was_not_looked_at_is_kept() -> None:
    """The whole queue is full, or the answer was lost: the same again, since the same bytes are taken once."""
    line, pauses, _ = sending(FULL, FULL, NetworkFailed("cut"), TAKEN)
    assert (line.heads, pauses) == ([None, 0, 0, 0], [1, 2])


def test_without_knocks_a_409_is_the_end() -> None:
    with pytest.raises(CannotWrite, match="was not taken"):
        sending(SPENT, knocks=())


def test_the_order_of_knocks_is_random_and_all_are_there() -> None:
    assert NOTE is not None
    orders = {knocks_for(KEYS, NOTE, Stream(f"order {i}")) for i in range(40)}
    assert len(orders) > 10
    assert {frozenset(order) for order in orders} == {frozenset(knocks_of(pair_of_source(KEYS, NOTE)))}


def reply(known: bool) -> Reply:
    return Reply(bytes(16), 0, "text", (), known)


@pytest.mark.parametrize(
    ("replies", "back", "may"),
    [((), False, False), ((), True, True), ((reply(True),), False, True), ((reply(True), reply(False)), True, False)],
)
def test_who_knocks(replies: tuple[Reply, ...], back: bool, may: bool) -> None:
    assert may_knock(replies, back) is may


def test_pauses_grow_and_are_never_in_step() -> None:
    random = Stream("pauses")
    for attempt in (1, 2, 3, 4, 5, 50, 10_000):
        mean = min(FIRST_PAUSE * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE)
        pauses = [pause_before(attempt, random) for _ in range(200)]
        assert mean / 2 <= min(pauses) < 0.6 * mean
        assert 1.4 * mean < max(pauses) <= 1.5 * mean
        assert len(set(pauses)) == 200


def test_patience_lasts_as_long_as_the_pauses_let_it_and_silence_does_not() -> None:
    tried = list[int]()

    def pause(attempt: int) -> None:
        tried.append(attempt)
        if attempt == 30:
            raise EnoughTries

    with pytest.raises(CannotWrite, match="was not taken"):
        send(Heads(*[FULL] * 31), VISIT, LETTER, MSG, pause, (), None)  # type: ignore[arg-type]  # a part of one
    assert tried == list(range(1, 31))
    with pytest.raises(CannotWrite, match="not sure"):
        send(Heads(*[NetworkFailed("no")] * 31), VISIT, LETTER, MSG, tried.append, (), None)  # type: ignore[arg-type]  # a part of one
    assert tried[30:] == [1, 2, 3]


def stop(_attempt: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("answers", "unsure"),
    [
        ((FULL, FULL), False),
        ((KeyboardInterrupt(),), True),
        ((FULL, SPENT, KeyboardInterrupt()), True),
        ((NetworkFailed("cut"),), True),
        ((Response(500, b"?"),), True),
        ((FULL, SPENT, SPENT, SPENT, SPENT), False),
    ],
    ids=["in a pause", "while asking", "while knocking", "after silence", "after a fault", "all spent, in a pause"],
)
def test_ctrl_c_says_whether_the_letter_is_in(answers: tuple[Answer, ...], unsure: bool) -> None:
    with pytest.raises(StoppedSending) as stopped:
        sending(*answers, pause=stop)
    assert stopped.value.unsure is unsure
    assert ("not sure" in str(stopped.value)) is unsure
    assert ("nothing of it was kept" in str(stopped.value)) is not unsure


def test_a_bad_epoch_gives_no_knocks() -> None:
    assert NOTE is not None
    assert knocks_for(KEYS, replace(NOTE, dh=bytes(32)), Stream("x")) == ()
