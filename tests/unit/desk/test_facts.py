# SPDX-License-Identifier: AGPL-3.0-or-later
"""Facts: taken in each whole or not at all, kept when unknown, and nothing that a memo holds stops the rest."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.desk.facts import At, FactKinds, Reader, Told, apply_facts, apply_kept
from latchstring.desk.keeping import forget_seen, keep_outcomes
from latchstring.desk.opening import Job, Malformed, MemoCame, Opener
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.secrets import EpochSecret
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.tally import Tally
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.constants import LETTER_PLAIN
from latchstring.protocol.encoding import Fields, ProtocolError, encode_cbor, lp
from latchstring.protocol.letter import letter_info
from latchstring.protocol.memo import MemoBody, frame_memo, seal_memo
from latchstring.protocol.root import Door
from tests.builders import Stream, found, make_epoch
from tests.desk_world import CHEAP, PASSPHRASE

READER = Reader(Door(b"d" * 32), "news", "ben")
FOUNDING = found()
EPOCH, _ = make_epoch(FOUNDING, "news", 3, Stream("facts"))
OPENER = (EpochSecret(EPOCH.note.hash, 1, 3, EPOCH.note.raw, EPOCH.secret),)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "facts.vault", PASSPHRASE, Stream("vault"), CHEAP) as made:
        with made.transaction():
            made.do("CREATE TABLE said (at INTEGER NOT NULL, by TEXT NOT NULL, text TEXT NOT NULL UNIQUE) STRICT")
        yield made


def _say(vault: Vault, told: Told, fields: Fields) -> None:
    for text in fields.items("texts", 10):
        if not isinstance(text, str):
            raise ProtocolError("not a text")
        vault.do("INSERT INTO said (at, by, text) VALUES (?, ?, ?)", told.at.number, told.by, text)
    fields.done()


def _count(vault: Vault, told: Told, fields: Fields) -> None:
    n = fields.take("n")
    assert isinstance(n, int)
    vault.do("INSERT INTO said (at, by, text) VALUES (?, ?, '')", n, told.by)


KINDS: FactKinds = {"say": _say, "count": _count}


def said(vault: Vault) -> list[str]:
    return [row[0] for row in vault.rows("SELECT text FROM said ORDER BY at, text")]


def take(vault: Vault, *facts: dict[str, object], kinds: FactKinds = KINDS) -> tuple[int, int, int]:
    with vault.transaction():
        taken = apply_facts(vault, kinds, READER, MemoBody("anna", facts), 40, 2)
    return taken.applied, taken.unknown, taken.malformed


def test_a_malformed_fact_leaves_no_trace_and_stops_nothing(vault: Vault) -> None:
    facts: list[dict[str, object]] = [
        {"kind": "say", "texts": ["one"]},
        {"kind": "say", "texts": ["half", 7]},  # the first was written when the second was found
        {"kind": "say"},
        {"kind": "say", "texts": ["one"]},  # against the table's own rules
        {"kind": "count", "n": 2**63},  # more than the database holds
        {"kind": "say", "texts": ["two"], "more": 1},
        {"kind": "say", "texts": ["three"]},
    ]
    assert take(vault, *facts) == (2, 0, 5)
    assert said(vault) == ["one", "three"]


def test_facts_of_unknown_kinds_are_kept_for_a_program_that_knows_them(vault: Vault) -> None:
    assert take(vault, {"kind": "say", "texts": ["later"]}, {"kind": "other"}, kinds={}) == (0, 2, 0)
    assert apply_kept(vault, {}, READER).applied == 0
    assert said(vault) == []
    assert apply_kept(vault, KINDS, READER).applied == 1
    assert apply_kept(vault, KINDS, READER).applied == 0
    assert said(vault) == ["later"]
    assert vault.rows("SELECT at, by FROM said") == [(At(40, 2, 0).number, "anna")]
    assert vault.rows("SELECT kind FROM fact_kept") == [("other",)]


@given(st.tuples(*[st.tuples(st.integers(0, 1 << 38), st.integers(0, 4095), st.integers(0, 4095))] * 2))
def test_places_in_the_log_keep_their_order_as_one_number(pair: tuple[tuple[int, int, int], ...]) -> None:
    a, b = (At(*place) for place in pair)
    assert (a < b) is (a.number < b.number)
    assert At.of(a.number) == a
    assert a.number < 2**63


# --- memos as they come out of a pack ----------------------------------------------------------------


def came(vault: Vault, sealed: bytes, batch: int = 3 * 144, *, counts: bool = True) -> Tally:
    with Opener(OPENER) as opener:
        outcomes = opener.open_many([Job(sealed, (0,) if counts else (), () if counts else (0,))])
    with vault.transaction():
        return keep_outcomes(vault, KINDS, READER, batch, outcomes)


def memo(text: str, msg_id: bytes = b"\x01" * 16, member: str = "anna") -> bytes:
    return seal_memo(EPOCH, msg_id, MemoBody(member, ({"kind": "say", "texts": [text]},)))


def test_a_memo_is_taken_in_once(vault: Vault) -> None:
    assert came(vault, memo("hello")) == Tally(memos=1, facts=1)
    assert came(vault, memo("hello again"), 3 * 144 + 7) == Tally()
    assert came(vault, memo("hello, by ben", member="ben")) == Tally(memos=1, facts=1)
    assert said(vault) == ["hello", "hello, by ben"]


def test_a_memo_outside_its_epoch_s_days_is_nothing(vault: Vault) -> None:
    """A former member keeps what they held: epochs of an older gen, or days gone by. Neither counts."""
    assert came(vault, memo("late"), counts=False) == Tally()
    assert said(vault) == []
    assert came(vault, memo("late")) == Tally(memos=1, facts=1)  # its sender sealed it anew


def test_a_memo_of_a_stranger_is_malformed(vault: Vault) -> None:
    stranger, _ = make_epoch(FOUNDING, "news", 3, Stream("stranger"))
    plain = frame_memo(stranger, b"\x01" * 16, MemoBody("anna", ({"kind": "say", "texts": ["x"]},)).encode())
    assert came(vault, EPOCH.note.seal_key.seal(plain, letter_info(EPOCH.note))) == Tally(malformed=1)
    assert said(vault) == []


def test_any_member_can_write_in_another_s_name(vault: Vault) -> None:
    """Stated, not promised: the MAC says that a member of the desk wrote it, not which."""
    assert came(vault, memo("I resign", member="ben")) == Tally(memos=1, facts=1)
    assert vault.rows("SELECT by FROM said") == [("ben",)]


def test_a_memo_of_a_later_version_is_kept_whole(vault: Vault) -> None:
    raw = encode_cbor({"v": 2, "from": "anna", "facts": []})
    sealed = EPOCH.note.seal_key.seal(frame_memo(EPOCH, b"\x01" * 16, raw), letter_info(EPOCH.note))
    assert came(vault, sealed) == Tally(memos=1, facts_unknown=1)
    assert vault.rows("SELECT cbor FROM memo_kept") == [(raw,)]


def test_a_memo_that_cannot_come_again_is_forgotten(vault: Vault) -> None:
    came(vault, memo("hello"), 3 * 144)
    with vault.transaction():
        forget_seen(vault, 3 * 144 + 35 * 144)
    assert len(vault.rows("SELECT * FROM memo_seen")) == 1
    with vault.transaction():
        forget_seen(vault, 3 * 144 + 35 * 144 + 1)
    assert vault.rows("SELECT * FROM memo_seen") == []


@given(st.binary(max_size=LETTER_PLAIN - 50))
def test_arbitrary_bytes_under_a_memo_s_label_never_raise(rest: bytes) -> None:
    plain = (lp("memo-body") + rest).ljust(LETTER_PLAIN, b"\0")
    sealed = EPOCH.note.seal_key.seal(plain, letter_info(EPOCH.note))
    with Opener(OPENER) as opener:
        assert opener.open_many([Job(sealed, (0,), ())]) == [Malformed()]


def test_memos_and_letters_are_told_apart(vault: Vault) -> None:
    with Opener(OPENER) as opener:
        (outcome,) = opener.open_many([Job(memo("brave"), (0,), ())])
    assert isinstance(outcome, MemoCame)
    assert "brave" not in repr(outcome)


def test_what_is_to_be_told_waits_in_order(vault: Vault) -> None:
    with vault.transaction():
        tell(vault, {"kind": "say", "texts": ["a"]})
        tell(vault, {"kind": "other"})
        tell(vault, {"kind": "say", "texts": ["b"]})
    assert [w.fact["texts"] for w in waiting(vault, "say")] == [["a"], ["b"]]
    assert [w.kind for w in waiting(vault)] == ["say", "other", "say"]
    with vault.transaction(), pytest.raises(ProtocolError):
        tell(vault, {"text": "no kind"})


# --- the document --------------------------------------------------------------------------------


def described(document: str) -> set[str]:
    """The kinds of facts of which `docs/protocol.md` says what they hold."""
    members = document[document.index("Members' own **memos**") : document.index("## 7. Replies")]
    listed = next(line for line in members.splitlines() if line.startswith("Facts, each by the first"))
    return {*re.findall(r'`\{kind: "(\w+)"', members), *re.findall(r"`(\w+)` \(", listed)}


def test_the_protocol_describes_every_kind_and_no_other() -> None:
    document = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
    assert described(document) == set(FACT_KINDS)
    assert described(document.replace('`{kind: "known"', '`{kind: "other"')) != set(FACT_KINDS)
