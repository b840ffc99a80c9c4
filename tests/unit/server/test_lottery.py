# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lottery's arithmetic, and that a flood leaves each attempt its share, whoever makes it and whenever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.server.lottery import at_least_once, attempts_needed, chance, drawn, reserve
from tests.builders import Stream

QUEUE, BATCH = c.DEFAULT_QUEUE, c.DEFAULT_LETTERS_PER_BATCH
ROOM = QUEUE - reserve(QUEUE)


def test_the_lower_half_of_the_room_is_open_to_all_and_the_reserve_to_nobody() -> None:
    assert [chance(w, QUEUE) for w in (0, 1, ROOM // 2)] == [1.0, 1.0, 1.0]
    assert chance(ROOM // 2 + 1, QUEUE) < 1.0
    assert [chance(w, QUEUE) for w in (ROOM, ROOM + 1, QUEUE)] == [0.0, 0.0, 0.0]
    assert chance(ROOM - 1, QUEUE) == pytest.approx(2.0**-16, rel=0.5)


@given(limit=st.integers(1, 10_000), waiting=st.integers(0, 10_000))
def test_the_chance_falls_and_never_reaches_the_reserve(limit: int, waiting: int) -> None:
    odds = chance(waiting, limit)
    assert 0.0 <= chance(waiting + 1, limit) <= odds <= 1.0
    assert (odds > 0.0) == (waiting < limit - reserve(limit))


def test_the_draw_has_the_chance_it_is_given() -> None:
    random = Stream("draws")
    for odds in (0.0, 0.001, 0.25, 1.0):
        hits = sum(drawn(odds, random) for _ in range(20_000))
        assert hits == pytest.approx(20_000 * odds, abs=4 * (20_000 * odds * (1 - odds)) ** 0.5 + 0.01)
    assert drawn(1.0, lambda size: b"\xff" * size)
    assert not drawn(0.0, lambda size: bytes(size))


def flooded(times: int, ticks: int, burst: bool, seed: str) -> tuple[float, float, int]:
    """A queue flooded at `times` what batches carry away: the chance of a letter at any moment and of one just before
    a close, over `ticks` batches once it has settled, and the most that ever waited. `burst`: the whole flood of a
    batch comes in its first moment."""
    random, waiting, most = Stream(seed), QUEUE // 4, 0
    anywhere, before_close = list[float](), list[float]()
    for tick in range(ticks + 40):
        arrivals = times * BATCH
        for i in range(arrivals):
            if tick >= 40 and i % 16 == 0 and not burst:
                anywhere.append(chance(waiting, QUEUE))
            waiting += drawn(chance(waiting, QUEUE), random)
        most = max(most, waiting)
        if tick >= 40:
            before_close.append(chance(waiting, QUEUE))
            if burst:
                anywhere.append(chance(waiting, QUEUE))
        waiting = max(0, waiting - BATCH)
    return sum(anywhere) / len(anywhere), sum(before_close) / len(before_close), most


@pytest.mark.parametrize("times", [4, 10, 100])
def test_under_a_steady_flood_each_attempt_has_its_share(times: int) -> None:
    anywhere, before_close, most = flooded(times, 12, False, f"flood {times}")
    assert anywhere == pytest.approx(1 / times, rel=0.15)
    assert before_close > 0.6 / times
    assert most <= ROOM


def test_a_flood_that_comes_in_bursts_takes_little_more_than_its_share() -> None:
    """All of it in the first moment after a close; a person comes at any other time."""
    anywhere, _, most = flooded(100, 12, True, "burst")
    assert anywhere > 0.6 / 100
    assert most <= ROOM


def test_a_chance_that_depended_on_the_place_in_line_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """First come, first served: whoever floods right after a close leaves nothing for others."""
    monkeypatch.setitem(globals(), "chance", lambda waiting, _limit: float(waiting < ROOM))
    assert flooded(100, 12, True, "burst")[0] < 0.6 / 100


@pytest.mark.parametrize(
    ("odds", "sure", "attempts"), [(1.0, 0.99, 1), (0.1, 0.5, 7), (0.1, 0.99, 44), (0.01, 0.5, 69), (0.01, 0.99, 459)]
)
def test_how_many_attempts_it_takes(odds: float, sure: float, attempts: int) -> None:
    assert attempts_needed(odds, sure) == attempts
    assert at_least_once(odds, attempts) >= sure > at_least_once(odds, attempts - 1) or attempts == 1
