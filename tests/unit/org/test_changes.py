# SPDX-License-Identifier: AGPL-3.0-or-later
"""What whoever signs is told: every difference between two directories, and what may be a mistake."""

from dataclasses import fields, replace

import pytest

from latchstring.org.changes import changes, warnings
from latchstring.protocol.directory import Desk, Directory, Member, Policy
from latchstring.protocol.site_key import SiteKey
from tests.asked import ASKED, MORE, WHAT, WHEN, WHERE
from tests.builders import STARTED, Stream, found

OLD = found(desks=("news", "ombudsman")).directory
NEWS, OMBUDSMAN = OLD.desks
BEA = Member("bea", Stream("bea sign")(32), Stream("bea request")(32))


def with_news(**changed: object) -> Directory:
    """The same directory with another 'news'."""
    return replace(OLD, desks=(replace(NEWS, **changed), OMBUDSMAN))  # type: ignore[arg-type]  # a test's shorthand


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (OLD, ["Nothing changes but the date until which it is good."]),
        (with_news(members=(*NEWS.members, BEA)), ["Desk 'news': member 'bea' is added."]),
        (
            with_news(members=(BEA,), gen=2),
            [
                "Desk 'news': member 'bea' is added.",
                "Desk 'news': member 'news-1' is removed.",
                "Desk 'news' makes new keys because of that (gen 2); it takes no letters until they are logged.",
            ],
        ),
        (with_news(members=(replace(BEA, id="news-1"),)), ["Desk 'news': member 'news-1' has other keys."]),
        (
            with_news(titles={"en": "News", "uk": "Новини", "ru": "Новости"}),
            ["Desk 'news': the title changes (ru, uk)."],
        ),
        (with_news(greetings={}), ["Desk 'news': the greeting changes (en)."]),
        (replace(OLD, desks=(NEWS,)), ["Desk 'ombudsman' is closed."]),
        (
            replace(OLD, desks=(NEWS, OMBUDSMAN, Desk("new", 2, {"en": "x"}, {}, (BEA,)))),
            ["Desk 'new' is new (1 member)."],
        ),
        (
            replace(OLD, addresses=("http://a.onion",)),
            ["Address removed: http://127.0.0.1:8400", "Address added: http://a.onion"],
        ),
        (
            replace(OLD, policy=replace(OLD.policy, answer_days=3, queue=99)),
            ["letters that may wait: 64 becomes 99.", "days until an answer, as promised: 7 becomes 3."],
        ),
        (
            with_news(questions=ASKED[:2]),
            ["Desk 'news': question 'what' is added.", "Desk 'news': question 'who' is added."],
        ),
        (
            replace(OLD, site=SiteKey(bytes(range(32)), 3)),
            ["The door's pages are signed by the key 0001020304050607, from number 3 on."],
        ),
        (replace(OLD, receipt_key=bytes(32)), ["The server has a new key for receipts."]),
        (replace(OLD, request_key=bytes(32)), ["The server has a new key for members' requests."]),
    ],
)
def test_each_difference_is_said(new: Directory, lines: list[str]) -> None:
    assert changes(OLD, new) == lines


def test_the_order_of_addresses_is_a_difference() -> None:
    a, b = (replace(OLD, addresses=pair) for pair in (("http://a", "http://b"), ("http://b", "http://a")))
    assert changes(a, b) == ["The addresses stand in another order."]


def test_the_first_directory_says_its_desks() -> None:
    assert changes(None, OLD) == [
        "This is the door's first directory. Desks: 'news' (1 member), 'ombudsman' (1 member)."
    ]


def test_no_figure_of_the_policy_changes_unsaid() -> None:
    """A figure that is added to the policy later is said as well, by its own name at least."""
    for figure in fields(Policy):
        new = replace(OLD, policy=replace(OLD.policy, **{figure.name: getattr(OLD.policy, figure.name) + 1}))
        assert len(changes(OLD, new)) == 1
        assert "becomes" in changes(OLD, new)[0]


def about(words: str, old: Directory | None, new: Directory, now: int = STARTED) -> list[str]:
    """The warnings with `words` in them."""
    return [line for line in warnings(old, new, now) if words in line]


def test_a_short_life_is_warned_of() -> None:
    assert about("good for 13 days only", None, replace(OLD, expires=13 * 144))
    assert about("good for 1 day only", None, replace(OLD, expires=144))
    assert not about("only", None, replace(OLD, expires=14 * 144))


def test_a_directory_that_ran_out_is_warned_of() -> None:
    new = replace(OLD, expires=120 * 144)
    before, after = (STARTED + 600 * n for n in (OLD.expires - 1, OLD.expires))
    assert not about("has run out", OLD, new, before)
    assert about("has run out", OLD, new, after)


def test_a_promise_that_grows_longer_is_warned_of() -> None:
    slow, quick = (replace(OLD, policy=replace(OLD.policy, answer_days=days)) for days in (8, 6))
    assert about("was promised an answer within 7 days", OLD, slow)
    assert not about("promised", OLD, quick)


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("http://door.example.org", True),
        ("http://door.example.org:8400/x", True),
        ("https://door.example.org", False),
        ("http://abcdef.onion", False),
        ("http://127.0.0.1:8400", False),
        ("http://[::1]:8400", False),
        ("http://[", False),
    ],
)
def test_an_address_in_the_clear_is_warned_of(address: str, bare: bool) -> None:
    assert bool(about("not encrypted", None, replace(OLD, addresses=(address,)))) == bare


def test_no_address_a_lone_member_and_a_closed_desk_are_warned_of() -> None:
    assert about("names no address", None, replace(OLD, addresses=()))
    assert about("'news' has one member", None, OLD)
    assert not about("'news' has one member", None, with_news(members=(*NEWS.members, BEA)))
    assert about("'ombudsman' is closed", OLD, replace(OLD, desks=(NEWS,)))


def test_questions_that_change_go_or_move_are_named() -> None:
    asked = tuple(replace(q, step=1) for q in (WHEN, WHERE, MORE))
    old, new = with_news(questions=asked), with_news(questions=(asked[2], replace(asked[0], needed=True)))
    assert changes(old, new) == [
        "Desk 'news': question 'where' is removed.",
        "Desk 'news': question 'when' changes.",
        "Desk 'news': the questions stand in another order.",
    ]


def test_questions_that_some_readers_cannot_read_and_those_that_keep_people_out_are_thought_of() -> None:
    told = warnings(OLD, with_news(questions=ASKED), STARTED)
    assert any("title in 'uk'" in line and "'who', 'rank'" in line for line in told)
    assert any("insists on answers" in line for line in told)
    assert not any("title in 'en'" in line for line in told)
    asking = with_news(questions=ASKED)
    assert not any("insists" in line or "title in" in line for line in warnings(asking, asking, STARTED))
    assert not any("insists" in line for line in warnings(OLD, with_news(questions=(WHAT_OPTIONAL,)), STARTED))


WHAT_OPTIONAL = replace(WHAT, needed=False)


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        (None, None, "Nothing changes but"),
        (SiteKey(b"1" * 32), None, "cannot be checked from the outside"),
        (SiteKey(b"1" * 32), SiteKey(b"2" * 32), "by another key (3232323232323232)"),
        (SiteKey(b"1" * 32, 2), SiteKey(b"1" * 32, 5), "count from number 5 on, not 2"),
    ],
)
def test_who_signs_the_pages_is_said(was: SiteKey | None, becomes: SiteKey | None, line: str) -> None:
    (told,) = changes(replace(OLD, site=was), replace(OLD, site=becomes))
    assert line in told
