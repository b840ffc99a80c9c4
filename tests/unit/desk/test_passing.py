# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who passes on what a member missed, and what a word that it was done is worth."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.desk.deletion import last_key_day
from latchstring.desk.facts import At, Reader, Taken, Told, apply_fact, apply_kept
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.letters import Letter
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.passing import duty, filled_fact, letter_fact, open_gaps, pass_on
from latchstring.desk.seen import ABSENT_TICKS, add_gap, own_gaps, seen
from latchstring.desk.shared import AGAIN, FACT_KINDS
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.constants import day_of
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.memo import Fact
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

READER = Reader(Door(b"d" * 32), "news", "clara")
CLARA = new_identity("door", "news", "clara", (), Stream("clara"))
MEMBERS = {"anna": b"a" * 32, "ben": b"b" * 32, "clara": CLARA.sign_public}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """Clara's."""
    with create_vault(tmp_path / "clara.vault", PASSPHRASE, Stream("vault"), CHEAP) as made:
        keep_identity(made, CLARA)
        yield made


def hear(vault: Vault, batch: int, by: str, fact: Fact, place: int = 0) -> Taken:
    with vault.transaction():
        return apply_fact(vault, FACT_KINDS, Told(At(batch, place, 0), by, READER), fact)


def says_gap(vault: Vault, member: str, first: int, last: int, batch: int = 2200) -> None:
    assert hear(vault, batch, member, {"kind": "seen", "batch": batch - 1, "gaps": [[first, last]]}).applied


def test_what_was_passed_on_to_other_keys_of_the_name_closes_nothing(vault: Vault) -> None:
    with vault.transaction():
        add_gap(vault, 1999, 2000)
    assert hear(vault, 2100, "anna", filled_fact("clara", b"former" + bytes(26), (0, 2050))).applied
    assert own_gaps(vault) == ((2000, 2000),)
    assert hear(vault, 2100, "anna", filled_fact("clara", CLARA.sign_public, (0, 2050)), 1).applied
    assert own_gaps(vault) == ()
    says_gap(vault, "ben", 2000, 2000)
    assert hear(vault, 2100, "anna", filled_fact("ben", b"former" + bytes(26), (0, 2050)), 2).applied
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ((2000, 2000),)
    assert hear(vault, 2100, "anna", filled_fact("ben", MEMBERS["ben"], (0, 2050)), 3).applied
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ()


def test_nothing_was_passed_on_of_batches_to_come(vault: Vault) -> None:
    """One lie, told in advance, would close every gap there ever will be."""
    says_gap(vault, "ben", 2000, 2100)
    for last in (2151, (1 << 38) - 1):
        assert hear(vault, 2150, "mallory", filled_fact("ben", MEMBERS["ben"], (0, last))).malformed
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ((2000, 2100),)
    assert hear(vault, 2150, "anna", filled_fact("ben", MEMBERS["ben"], (2000, 2150))).applied
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ()


def test_a_lie_that_all_was_passed_on_is_believed_and_another_vault_shows_it(vault: Vault) -> None:
    """What is stated of members among each other: nobody passes it on any more, and the gap stays in what was said."""
    is_there(vault, RETURN)
    pass_on(vault, "clara", MEMBERS, RETURN, AGAIN)
    assert [w.fact for w in waiting(vault)] == [{"kind": "take", "what": duty("ben"), "turn": 1}]
    with vault.transaction():
        vault.do("DELETE FROM fact_waiting")
    assert hear(vault, RETURN, "anna", filled_fact("ben", MEMBERS["ben"], (2000, LAST)), 2).applied
    pass_on(vault, "clara", MEMBERS, RETURN + 1, AGAIN)
    assert waiting(vault) == ()
    assert seen(vault)["ben"].gaps == ((2000, LAST),), "ben never heard of it, and has said so"


# --- whose turn it is ----------------------------------------------------------------------------

RETURN, LAST = 2200, 2100  # ben is back; the last batch that he misses


@pytest.fixture
def idle(vault: Vault) -> Vault:
    """Clara's vault: ben misses something; anna has the turn to pass it on, is there, and does nothing."""
    turn(vault, "anna", 1, 500)
    is_there(vault, RETURN)
    return vault


def turn(vault: Vault, by: str, number: int, batch: int, member: str = "ben") -> None:
    assert hear(vault, batch, by, {"kind": "take", "what": duty(member), "turn": number}).applied


def is_there(vault: Vault, batch: int) -> None:
    says_gap(vault, "ben", 2000, LAST, batch)
    assert hear(vault, batch, "anna", {"kind": "seen", "batch": batch - 1, "gaps": []}, 1).applied


def passes_on(vault: Vault, batch: int) -> list[str]:
    """What clara's session makes ready, by kind; it is as if it had not been then."""
    is_there(vault, batch)
    pass_on(vault, "clara", MEMBERS, batch, AGAIN)
    kinds = [w.kind for w in waiting(vault)]
    with vault.transaction():
        vault.do("DELETE FROM fact_waiting")
    return kinds


def test_a_turn_of_who_does_nothing_lapses_after_seven_days(idle: Vault) -> None:
    assert passes_on(idle, LAST + ABSENT_TICKS) == []
    assert passes_on(idle, LAST + ABSENT_TICKS + 1) == ["take"]
    turn(idle, "clara", 2, LAST + ABSENT_TICKS + 10)
    assert passes_on(idle, LAST + ABSENT_TICKS + 11) == ["filled"]


def test_a_turn_of_who_is_at_work_does_not(idle: Vault) -> None:
    """Neither while they pass something on, nor just after they took it."""
    hear(idle, LAST + 500, "anna", filled_fact("ben", MEMBERS["ben"], (2000, 2050)))
    assert passes_on(idle, LAST + 500 + ABSENT_TICKS) == []
    assert passes_on(idle, LAST + 500 + ABSENT_TICKS + 1) == ["take"]
    turn(idle, "anna", 2, LAST + 600)
    assert passes_on(idle, LAST + 600 + ABSENT_TICKS) == []
    assert passes_on(idle, LAST + 600 + ABSENT_TICKS + 1) == ["take"]


def test_whoever_passes_on_goes_on_whoever_takes_the_turn_since(idle: Vault) -> None:
    at = LAST + ABSENT_TICKS + 10
    turn(idle, "clara", 2, at)
    hear(idle, at + 5, "clara", filled_fact("ben", MEMBERS["ben"], (2000, 2050)))
    for number in range(3, 9):
        turn(idle, "anna", number, at + number)
    assert passes_on(idle, at + 5 + ABSENT_TICKS) == ["filled"]
    assert passes_on(idle, at + 6 + ABSENT_TICKS) == [], "she stopped: the turn is anna's"


def test_who_takes_turn_after_turn_keeps_nobody_from_the_history(idle: Vault) -> None:
    """Nothing came for two weeks: then it goes round, a member a week, whoever has the turn."""
    turn(idle, "anna", 2, LAST + ABSENT_TICKS)
    assert passes_on(idle, LAST + 2 * ABSENT_TICKS) == []
    weeks = []
    for week in (2, 3, 4, 5):
        turn(idle, "anna", week + 1, LAST + week * ABSENT_TICKS)
        weeks.append(passes_on(idle, LAST + week * ABSENT_TICKS + 1))
    assert sorted(weeks) == [[], [], ["filled"], ["filled"]]


def test_two_who_hold_each_other_s_turn_and_miss_the_same(vault: Vault) -> None:
    """Neither can pass on to the other; whoever can takes the turn at once."""
    turn(vault, "anna", 1, 500, "ben")
    turn(vault, "ben", 1, 600, "anna")
    for place, who in enumerate(("anna", "ben")):
        hear(vault, RETURN, who, {"kind": "seen", "batch": RETURN - 1, "gaps": [[2000, LAST]]}, place)
    pass_on(vault, "clara", MEMBERS, RETURN, AGAIN)
    assert [w.fact.get("what") for w in waiting(vault, "take")] == [duty("anna"), duty("ben")]
    turn(vault, "clara", 2, RETURN + 1, "anna")
    turn(vault, "clara", 2, RETURN + 2, "ben")
    with vault.transaction():
        vault.do("DELETE FROM fact_waiting")
    pass_on(vault, "clara", MEMBERS, RETURN + 3, AGAIN)
    assert [(w.kind, w.fact.get("for")) for w in waiting(vault)] == [("filled", "anna")]


def test_a_holder_who_misses_something_else_keeps_the_turn(idle: Vault) -> None:
    hear(idle, RETURN + 1, "anna", {"kind": "seen", "batch": RETURN, "gaps": [[1500, 1999]]})
    pass_on(idle, "clara", MEMBERS, RETURN + 2, AGAIN)
    assert [w.fact.get("what") for w in waiting(idle)] == [duty("anna")]


def test_a_batch_whose_letters_the_server_owes_us_is_not_said_to_be_passed_on(vault: Vault) -> None:
    turn(vault, "clara", 1, 500)
    is_there(vault, RETURN)
    with vault.transaction():
        vault.do("INSERT INTO missing_pack (batch, pack, gen) VALUES (2050, x'00', 1)")
    for first, last in ((2000, 2049), (2051, LAST)):
        pass_on(vault, "clara", MEMBERS, RETURN, AGAIN)
        assert [w.fact for w in waiting(vault)] == [filled_fact("ben", MEMBERS["ben"], (first, last))]
        assert hear(vault, RETURN, "clara", waiting(vault)[0].fact, first).applied
        with vault.transaction():
            vault.do("DELETE FROM fact_waiting")
    pass_on(vault, "clara", MEMBERS, RETURN, AGAIN)
    assert waiting(vault) == ()
    with vault.transaction():
        vault.do("DELETE FROM missing_pack")
    pass_on(vault, "clara", MEMBERS, RETURN, AGAIN)
    assert [w.fact for w in waiting(vault)] == [filled_fact("ben", MEMBERS["ben"], (2050, 2050))]


# --- how long it can be recovered ----------------------------------------------------------------


@pytest.mark.parametrize("batches", [(2000, 2500), (2500, 2000)])
def test_a_letter_passed_on_twice_lies_in_the_later_memo_longest(vault: Vault, batches: tuple[int, int]) -> None:
    """Whichever is heard first; what `desk delete` promises counts from that day."""
    for batch in batches:
        assert hear(vault, batch, "anna", NEVER_AGAIN["letter"]).applied
    assert vault.rows("SELECT day FROM letter_told") == [(day_of(2500),)]


def test_one_on_its_way_counts_from_the_day_it_was_sealed_for_or_today(vault: Vault) -> None:
    """A memo that waits for its answer may be sealed to a day that this vault has not followed the log to."""
    fact, memo = NEVER_AGAIN["letter"], bytes(16)
    with vault.transaction():
        tell(vault, fact, later=True)
    letter = Letter(1, THREAD, b"m" * 16, 13, 1900, True, False, False, False, None, None)
    assert day_of(RETURN) > letter.day
    assert last_key_day(vault, [letter], RETURN) == letter.day, "it waits, and was sent to nobody"
    with vault.transaction():
        vault.do("UPDATE fact_waiting SET memo = ?", memo)
    assert last_key_day(vault, [letter], RETURN) == day_of(RETURN)
    with vault.transaction():
        vault.do("INSERT INTO epoch_note (hash, gen, day, raw) VALUES (x'01', 1, ?, x'')", day_of(RETURN) + 1)
        vault.do("INSERT INTO memo_sent (leaf, msg_id, note, sealed) VALUES (x'02', ?, x'01', x'')", memo)
    assert last_key_day(vault, [letter], RETURN) == day_of(RETURN) + 1


# --- told again ----------------------------------------------------------------------------------

THREAD = b"t" * 32
NEVER_AGAIN: dict[str, Fact] = {
    "letter": letter_fact(THREAD, b"m" * 16, 1900, 0, 13, True, LetterBody("en", "client", "x", ()).encode()),
    "thread": {"kind": "thread", "seal": bytes(1216), "dh": bytes(32), "psk": bytes(32)},
    "again": {"kind": "again", "by": "anna", "at": 0, "fact": {"kind": "assign", "thread": THREAD, "to": "ben"}},
}


@pytest.mark.parametrize("kind", NEVER_AGAIN)
def test_nobody_tells_that_another_passed_something_on(vault: Vault, kind: str) -> None:
    """Neither at once nor in the next session, as if an older program had kept it."""
    fact: Fact = {"kind": "again", "by": "anna", "at": At(1980, 0, 0).number, "fact": NEVER_AGAIN[kind]}
    assert hear(vault, 2000, "mallory", fact).malformed
    assert not vault.rows("SELECT 1 FROM fact_kept")
    with vault.transaction():
        vault.do(
            "INSERT INTO fact_kept (at, by, passed_on_by, kind, raw) VALUES (1, 'anna', 'mallory', ?, ?)",
            kind,
            encode_cbor(dict(NEVER_AGAIN[kind])),
        )
    assert apply_kept(vault, FACT_KINDS, READER).malformed == 1
    for table in ("letter", "letter_apart", "thread", "assignment", "fact_kept"):
        assert not vault.rows(f"SELECT 1 FROM {table}")  # noqa: S608  # own names
