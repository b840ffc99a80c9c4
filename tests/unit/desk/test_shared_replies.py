# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies of an absent or removed member: who takes them over, when, and that only one does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.desk.arrival import letter_came
from latchstring.desk.facts import At, Reader, Told, apply_fact
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.letters import keep_letter
from latchstring.desk.opening import Opened
from latchstring.desk.outbox import waiting
from latchstring.desk.passing import letter_fact
from latchstring.desk.replies import replies
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import (
    adopt,
    placed_by_others,
    places_it,
    reply_fact,
    shared_replies,
    take_over,
)
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.memo import Fact
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

THREAD, REPLY, OURS = b"t" * 32, b"r" * 16, b"o" * 16
OUR_BODY = ReplyBody("what ben wrote")
MEMBERS = ("anna", "ben", "clara")
WEEK = 28 * 36


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "ben.vault", PASSPHRASE, Stream("ben"), CHEAP) as made:
        with made.transaction():
            made.do("INSERT INTO thread (id, seal_key, dh, psk) VALUES (?, x'00', x'00', x'00')", THREAD)
            made.do(
                "INSERT INTO letter (thread, msg_id, day, batch, verified, cbor) VALUES (?, x'01', 0, 80, 1, x'00')",
                THREAD,
            )
        hear(made, 100, "anna", reply_fact(REPLY, THREAD, ReplyBody("on my way"), 5, 90))
        hear(made, 100, "anna", {"kind": "seen", "batch": 99, "gaps": []}, place=1)
        yield made


def hear(vault: Vault, batch: int, by: str, fact: Fact, place: int = 0) -> None:
    reader = Reader(Door(b"d" * 32), "news", "ben")
    with vault.transaction():
        assert apply_fact(vault, FACT_KINDS, Told(At(batch, place, 0), by, reader), fact).applied


def test_a_reply_is_taken_over_once_its_member_is_absent_for_seven_days(vault: Vault) -> None:
    assert take_over(vault, "ben", MEMBERS, 100 + WEEK) == 0
    assert take_over(vault, "ben", MEMBERS, 101 + WEEK) == 1
    assert take_over(vault, "ben", MEMBERS, 101 + WEEK) == 0, "it is asked for already"
    assert [w.fact for w in waiting(vault, "take")] == [{"kind": "take", "what": REPLY, "turn": 1}]
    assert adopt(vault, "ben") == 0, "nobody has it before the log says so"
    hear(vault, 2000, "ben", {"kind": "take", "what": REPLY, "turn": 1})
    assert adopt(vault, "ben") == 1
    assert adopt(vault, "ben") == 0
    (ours,) = replies(vault)
    assert (ours.id, ours.body.text, ours.wants_a_place) == (REPLY, "on my way", True)
    assert placed_by_others(vault, "ben") == frozenset()


def test_none_of_a_deleted_thread_becomes_ours(vault: Vault) -> None:
    """Its keys may still be here, for letters under words that were changed; what is placed is published."""
    hear(vault, 2000, "ben", {"kind": "take", "what": REPLY, "turn": 1})
    with vault.transaction():
        vault.do("DELETE FROM letter")
    assert (adopt(vault, "ben"), replies(vault)) == (0, ())


def test_of_two_who_take_it_the_first_in_the_log_has_it(vault: Vault) -> None:
    hear(vault, 2000, "ben", {"kind": "take", "what": REPLY, "turn": 1})
    assert adopt(vault, "ben") == 1
    hear(vault, 1999, "clara", {"kind": "take", "what": REPLY, "turn": 1})  # its pack came late
    assert places_it(vault, REPLY, "anna") == "clara"
    assert placed_by_others(vault, "ben") == {REPLY}, "ours no more, and not placed by us"
    hear(vault, 5000, "ben", {"kind": "take", "what": REPLY, "turn": 2})  # clara went away too
    assert placed_by_others(vault, "ben") == frozenset()


def test_of_a_removed_member_at_once(vault: Vault) -> None:
    assert take_over(vault, "ben", ("ben", "clara"), 110) == 1


@pytest.mark.parametrize(("sheet", "batch", "taken"), [(3, 59 * 36, 0), (3, 60 * 36, 1)])
def test_a_published_one_when_it_is_due_again(vault: Vault, sheet: int, batch: int, taken: int) -> None:
    hear(vault, 110, "anna", {"kind": "placed", "reply": REPLY, "sheet": sheet})
    assert take_over(vault, "ben", MEMBERS, batch) == taken


ELSE = reply_fact(OURS, THREAD, ReplyBody("what mallory wrote"), 5, 90)
ELSEWHERE = reply_fact(OURS, b"u" * 32, OUR_BODY, 5, 90)
READ = LetterBody("en", "client", "thank you", (OURS,)).encode()


def earlier(by: str, fact: Fact) -> Fact:
    """As if told at a place before that of our own word."""
    return {"kind": "again", "by": by, "at": At(1980, 0, 0).number, "fact": fact}


LIES: dict[str, list[Fact]] = {
    "out already": [{"kind": "placed", "reply": OURS, "sheet": sheet} for sheet in range(26)],
    "out lately": [{"kind": "placed", "reply": OURS, "sheet": 55}],
    "taken over": [{"kind": "take", "what": OURS, "turn": turn} for turn in (1, 2, 3)],
    "read": [letter_fact(THREAD, b"m" * 16, 1995, 3, 13, True, READ)],
    "of another author": [
        earlier("mallory", ELSE),
        {"kind": "take", "what": OURS, "turn": 1},
        *({"kind": "placed", "reply": OURS, "sheet": sheet} for sheet in range(26)),
    ],
    "of another text": [earlier("ben", ELSE)],
    "of another thread": [earlier("ben", ELSEWHERE)],
}


@pytest.mark.parametrize("lie", LIES)
def test_no_word_of_another_member_keeps_what_we_wrote_from_being_placed(vault: Vault, lie: str) -> None:
    """Neither that it is out nor that they place it; our own look at the sheets counts, and the source's letter."""
    keep_identity(vault, new_identity("door", "news", "ben", (), Stream("ben")))
    with vault.transaction():
        vault.do("INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, 5)", OURS, THREAD, OUR_BODY.encode())
    hear(vault, 1990, "ben", reply_fact(OURS, THREAD, OUR_BODY, 5, 90))
    for place, fact in enumerate(LIES[lie]):
        hear(vault, 2000, "mallory", fact, place)
    (ours,) = replies(vault)
    assert (ours.wants_a_place, ours.published, ours.last) == (True, 0, None)
    assert placed_by_others(vault, "ben") == frozenset()
    assert [(r.author, r.thread, r.body, r.read) for r in shared_replies(vault) if r.id == OURS] == [
        ("ben", THREAD, OUR_BODY, None)
    ]
    with vault.transaction():
        vault.do(
            "INSERT INTO placement (sheet, page, version, slot, reply, published) VALUES (56, 0, 1, 0, ?, 1)", OURS
        )
    assert [(r.published, r.last) for r in replies(vault)] == [(1, 56)]


def test_of_another_s_reply_that_we_place_their_word_counts(vault: Vault) -> None:
    keep_identity(vault, new_identity("door", "news", "ben", (), Stream("ben")))
    hear(vault, 2000, "ben", {"kind": "take", "what": REPLY, "turn": 1})
    assert adopt(vault, "ben") == 1
    hear(vault, 2100, "anna", {"kind": "placed", "reply": REPLY, "sheet": 57})
    assert [(r.published, r.last) for r in replies(vault)] == [(1, 57)]


def test_one_that_was_read_is_left_alone(vault: Vault) -> None:
    with vault.transaction():
        vault.do("UPDATE shared_reply SET read = 300")
    assert take_over(vault, "ben", MEMBERS, 101 + WEEK) == 0


def test_what_we_wrote_and_its_source_names_as_read_is_read(vault: Vault) -> None:
    """By a letter that this vault opened itself, in the place of the one that was passed on."""
    keep_identity(vault, new_identity("door", "news", "ben", (), Stream("ben")))
    with vault.transaction():
        vault.do("INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, 5)", OURS, THREAD, OUR_BODY.encode())
    hear(vault, 1990, "ben", reply_fact(OURS, THREAD, OUR_BODY, 5, 90))
    hear(vault, 2000, "anna", letter_fact(THREAD, b"m" * 16, 1995, 3, 13, True, READ))
    assert replies(vault)[0].read is None
    opened = Opened(True, 13, THREAD, b"m" * 16, b"", b"", b"", READ)
    with vault.transaction():
        assert keep_letter(vault, opened, 1995, 3)
        letter_came(vault, THREAD, b"m" * 16, 1995, True, READ)
    assert replies(vault)[0].read == 1995


def test_another_s_that_we_place_is_read_when_a_letter_passed_on_says_so(vault: Vault) -> None:
    keep_identity(vault, new_identity("door", "news", "ben", (), Stream("ben")))
    hear(vault, 1900, "ben", {"kind": "take", "what": REPLY, "turn": 1})
    assert adopt(vault, "ben") == 1
    body = LetterBody("en", "client", "thank you", (REPLY,)).encode()
    hear(vault, 2000, "anna", letter_fact(THREAD, b"m" * 16, 1995, 3, 13, True, body))
    assert replies(vault)[0].read == 1995
