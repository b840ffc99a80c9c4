# SPDX-License-Identifier: AGPL-3.0-or-later
"""Search finds what is there, takes nothing typed as an order, and leaves no word of what was deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchstring.desk.arrival import letter_came
from latchstring.desk.marks import add_note
from latchstring.desk.outbox import waiting
from latchstring.desk.schema_search import WORDS
from latchstring.desk.scrub import owe, scrub
from latchstring.desk.search import ensure_index, index_note, index_reply, rebuild, search
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.reply import ReplyBody
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE
from tests.unit.desk.test_erasure import journal_bytes, vault_bytes

THREAD = b"t" * 32
RANDOM = Stream("search")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "search.vault", PASSPHRASE, RANDOM, CHEAP) as made:
        with made.transaction():
            made.do("INSERT INTO thread (id, seal_key, dh, psk) VALUES (?, x'00', x'00', x'00')", THREAD)
        yield made


def keep(vault: Vault, text: str) -> bytes:
    msg_id, cbor = RANDOM(16), LetterBody("en", "client", text).encode()
    with vault.transaction():
        vault.do(
            "INSERT INTO letter (thread, msg_id, day, batch, verified, cbor) VALUES (?, ?, 0, 0, 1, ?)",
            THREAD,
            msg_id,
            cbor,
        )
        letter_came(vault, THREAD, msg_id, 0, True, cbor)
    return msg_id


def keep_reply(vault: Vault, text: str) -> None:
    reply, cbor = RANDOM(16), ReplyBody(text).encode()
    with vault.transaction():
        vault.do("INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, 0)", reply, THREAD, cbor)
        vault.do("INSERT INTO shared_reply VALUES (?, ?, 'anna', ?, 0, 0, NULL, 0)", reply, THREAD, cbor)
        index_reply(vault, reply, cbor)


def keep_note(vault: Vault, text: str) -> None:
    note = RANDOM(16)
    with vault.transaction():
        vault.do("INSERT INTO note VALUES (?, ?, 'anna', ?, 0, 0)", note, THREAD, text)
        index_note(vault, note, text)


def found(vault: Vault, typed: str) -> list[str]:
    return [hit.kind for hit in search(vault, typed)]


def test_words_are_found_wherever_they_stand(vault: Vault) -> None:
    keep(vault, "The INVOICE of the mayor's brother, café Élan")
    keep_reply(vault, "Please send the invoice")
    keep_note(vault, "the invoice is forged")
    keep(vault, "Мене ніхто не змушував")
    assert sorted(found(vault, "invoice")) == ["letter", "note", "reply"]
    assert found(vault, "invo FORG") == ["note"]
    assert found(vault, "cafe elan") == ["letter"]
    assert found(vault, "змуш") == ["letter"]
    assert found(vault, "invoice nothing") == []
    (hit,) = search(vault, "змушував")
    assert hit.thread == THREAD
    assert "\x02змушував\x03" in hit.snippet


def test_a_note_is_found_before_the_log_holds_it_and_once_afterwards(vault: Vault) -> None:
    keep_note(vault, "the older invoice")
    add_note(vault, THREAD, "an invoice, café", 5, RANDOM)
    add_note(vault, THREAD, "another invoice", 6, RANDOM)
    hits = search(vault, "invoi")
    assert [hit.snippet.replace("\x02", "").replace("\x03", "") for hit in hits] == [
        "another invoice", "an invoice, café", "the older invoice",
    ]  # fmt: skip
    assert {(hit.kind, hit.thread) for hit in hits} == {("note", THREAD)}
    assert found(vault, "CAFE") == ["note"]
    assert len(search(vault, "invoice", 2)) == 2
    assert found(vault, "zebra") == []
    with vault.transaction():  # the memo came back from the log; its fact is still there for a moment
        for item in waiting(vault, "note"):
            note, text = item.fact["id"], item.fact["text"]
            assert isinstance(note, bytes)
            assert isinstance(text, str)
            vault.do("INSERT INTO note VALUES (?, ?, 'me', ?, 0, 0)", note, THREAD, text)
            index_note(vault, note, text)
    assert found(vault, "cafe") == ["note"]


@pytest.mark.parametrize(
    "typed", ["", "  ", "\x00", '"', "a OR b", "NEAR(", "text : x", "-x", "^x", "*", "(((", "a" * 5000]
)
def test_nothing_typed_is_an_order(vault: Vault, typed: str) -> None:
    keep(vault, "plain words")
    add_note(vault, THREAD, "plain words", 5, RANDOM)
    assert search(vault, typed) == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(typed=st.text(max_size=40))
def test_anything_may_be_typed(vault: Vault, typed: str) -> None:
    if not vault.rows("SELECT 1 FROM fact_waiting"):
        add_note(vault, THREAD, "plain words", 5, RANDOM)
    search(vault, typed)


@pytest.mark.parametrize("careless", [False, True])
def test_no_word_of_what_was_deleted_is_left(vault: Vault, careless: bool) -> None:
    """P2: the attacker decrypts every page of the vault. An index that only marks rows as deleted would show them."""
    if careless:
        with vault.transaction():
            vault.do("INSERT INTO words (words, rank) VALUES ('secure-delete', 0)")
    gone = [keep(vault, f"filler{n} and the giraffe {n}") for n in range(60)][20:40:4]
    for n in range(60):
        keep(vault, f"other{n} words {n}")
    assert len(search(vault, "giraffe", 100)) == 60
    with vault.transaction():
        for msg_id in gone:
            vault.do("DELETE FROM letter WHERE msg_id = ?", msg_id)
    vault.wipe_journal()
    assert len(search(vault, "giraffe", 100)) == 55
    raw = vault_bytes(vault._path) + journal_bytes(vault._path)
    assert b"other33" in raw  # what the attacker does find
    left = sum(f"filler{n}".encode() in raw or f"iller{n}".encode() in raw for n in range(20, 40, 4))
    assert (left > 0) is careless


def test_an_erasure_makes_the_index_anew(vault: Vault) -> None:
    gone = keep(vault, "the giraffe")
    keep(vault, "the zebra")
    keep_reply(vault, "about the zebra")
    with vault.transaction():
        vault.do("DELETE FROM letter WHERE msg_id = ?", gone)
        owe(vault)
    assert scrub(vault, lambda *_: None)
    assert found(vault, "giraffe") == []
    assert sorted(found(vault, "zebra")) == ["letter", "reply"]


def test_a_vault_of_an_older_program_is_indexed_once(vault: Vault) -> None:
    keep(vault, "from before")
    with vault.transaction():
        vault.do("DROP TABLE words")
        for statement in WORDS:
            vault.do(statement)
        vault.do("INSERT INTO words_owed (one) VALUES (1)")
    assert found(vault, "before") == []
    ensure_index(vault)
    assert found(vault, "before") == ["letter"]
    assert vault.rows("SELECT * FROM words_owed") == []
    ensure_index(vault)
    with vault.transaction():
        rebuild(vault)
    assert found(vault, "before") == ["letter"]
