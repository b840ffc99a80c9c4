# SPDX-License-Identifier: AGPL-3.0-or-later
"""A sheet keeps its size while members come and go, and everyone has a page while there are slots enough."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from latchstring.org.paging import page_slots, share_pages
from latchstring.protocol.directory import MAX_PAGES, PageOwner


def owners(*names: str) -> list[PageOwner]:
    return [PageOwner("news", name) for name in names]


def test_eight_slots_among_members() -> None:
    slots = [page_slots(8, n, None) for n in range(1, 11)]
    assert slots == [8, 4, 2, 2, 1, 1, 1, 1, 1, 1]
    assert page_slots(8, 3, 1) == 1  # kept: every sheet looks as before
    assert page_slots(8, 3, 4) == 2  # two pages are too few for three


def test_one_who_comes_gets_a_page_from_whoever_has_most() -> None:
    before = share_pages(4, owners("anna"), [])
    assert before == tuple(owners("anna") * 4)
    after = share_pages(4, owners("anna", "bea"), before)
    assert after == tuple(owners("anna", "anna", "anna", "bea"))


def test_pages_of_one_who_goes_are_shared_out_and_others_keep_theirs() -> None:
    before = owners("anna", "bea", "carl", "bea")
    after = share_pages(4, owners("anna", "carl"), before)
    assert (after[0], after[2]) == (before[0], before[2])
    assert Counter(o.member for o in after) == {"anna": 2, "carl": 2}


def test_more_members_than_slots_leave_the_last_without() -> None:
    assert share_pages(2, owners("anna", "bea", "carl"), owners("anna", "bea")) == tuple(owners("anna", "bea"))


@given(
    total=st.integers(1, 128),
    story=st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1), min_size=1, max_size=8),
)
def test_the_size_stays_and_everyone_has_a_page(total: int, story: list[set[str]]) -> None:
    slots: int | None = None
    pages: tuple[PageOwner, ...] = ()
    for names in story:
        members = owners(*sorted(names))
        before, slots = slots, page_slots(total, len(members), slots)
        count = min(total // slots, MAX_PAGES)
        pages = share_pages(count, members, pages)
        assert len(pages) == count
        assert set(pages) <= set(members)
        if total <= MAX_PAGES:  # else a prime number of slots may have no pages that fit
            assert slots * count == total
            assert len(set(pages)) == min(len(members), total)
        if total <= MAX_PAGES and before is not None and len(members) <= total // before:
            assert slots == before


def test_a_number_that_no_pages_divide_makes_a_smaller_sheet() -> None:
    slots = page_slots(127, 2, None)
    assert (slots, 127 // slots) == (2, 63)
