# SPDX-License-Identifier: AGPL-3.0-or-later
"""When memos go out: from randomness and the directory alone, with the bounds that the protocol says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.desk.schedule import Pace, first_due, may_send, next_gap, pace_of
from latchstring.protocol import constants as c
from tests.builders import Stream, found

PACE = Pace(3600, 6 * 3600, 86_400)


def test_all_members_together_leave_three_quarters_of_the_slots_to_sources() -> None:
    for members in (1, 3, 8, 24, 25, 60):
        directory = found("schedule", each=min(members, 8), letters=16, queue=288).directory
        desk = directory.desks[0]
        wide = replace(directory, desks=(replace(desk, members=desk.members * 8),)) if members > 8 else directory
        count = sum(len(d.members) for d in wide.desks)
        a_day = count * c.TICKS_PER_DAY * wide.policy.tick / pace_of(wide).mean
        assert a_day <= 16 * c.TICKS_PER_DAY / c.MEMO_SHARE
        assert pace_of(wide).mean >= c.MEMO_GAP_TICKS * wide.policy.tick


def test_gaps_have_their_mean_and_no_memory() -> None:
    random = Stream("gaps")
    gaps = [next_gap(PACE, random) for _ in range(20_000)]
    assert abs(sum(gaps) / len(gaps) / 3600 - 1) < 0.03
    assert abs(sum(g > 3600 for g in gaps) / len(gaps) - 0.3679) < 0.02  # e to the minus one
    longer = [g - 3600 for g in gaps if g > 3600]
    assert abs(sum(longer) / len(longer) / 3600 - 1) < 0.05


@given(st.binary(min_size=8, max_size=8))
def test_no_draw_is_without_end(raw: bytes) -> None:
    assert 1 <= next_gap(PACE, lambda _n: raw) <= 45 * 3600


@pytest.mark.parametrize("planned", [None, 10**12, 0])
def test_a_plan_that_no_clock_made_is_drawn_anew(planned: int | None) -> None:
    now = 1_700_000_000
    due = first_due(PACE, planned, now, Stream("plan"))
    assert now - PACE.back <= due <= now + 45 * 3600


def test_a_plan_that_stands_stays() -> None:
    now = 1_700_000_000
    for planned in (now - 60, now, now + 3600, now - PACE.back):
        assert first_due(PACE, planned, now, Stream("plan")) == planned


def test_never_more_than_48_in_24_hours() -> None:
    now = 1_700_000_000
    assert may_send(PACE, [now - n for n in range(47)], now)
    assert not may_send(PACE, [now - n for n in range(48)], now)
    assert may_send(PACE, [now - 86_400] * 48, now)
