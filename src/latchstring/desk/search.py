# SPDX-License-Identifier: AGPL-3.0-or-later
"""Search in the vault: an FTS5 table inside the same encrypted file, so that no word of a letter is anywhere else."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from sqlcipher3 import dbapi2

from latchstring.desk.answering import answered, read_answers, words_of
from latchstring.desk.outbox import waiting
from latchstring.desk.schema_search import TABLES, WORDS
from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.reply import ReplyBody

MOST_WORDS: Final = 16
_FIND: Final = (
    "SELECT rowid, snippet(words, 0, char(2), char(3), '…', 12) FROM words WHERE words MATCH ?"
    " ORDER BY rowid DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where the words stand. `kind`: "letter", "reply" or "note"; `snippet`: some words around, matches between the
    characters 0x02 and 0x03, else as the text has them: to be cleaned before it is shown."""

    thread: bytes = field(repr=False)
    kind: str
    snippet: str = field(repr=False)


def index_letter(vault: Vault, thread: bytes, msg_id: bytes, body: LetterBody) -> None:
    """Part of the transaction that keeps it, or its answers: its text, and what it answers."""
    rows = vault.rows("SELECT number, answers FROM letter WHERE thread = ? AND msg_id = ?", thread, msg_id)
    if rows:
        number, beside = rows[0]
        words = words_of(answered(vault, read_answers(beside) or body.answers))
        _index(vault, "letter", number, f"{body.text}\n{words}" if words else body.text)


def index_reply(vault: Vault, reply: bytes, cbor: bytes) -> None:
    """Part of the transaction that keeps a reply of ours or another member's; one in both tables counts once."""
    try:
        text = ReplyBody.parse(cbor).text
    except ProtocolError:
        return
    for table in ("reply", "shared_reply"):
        rows = vault.rows(f"SELECT rowid FROM {table} WHERE id = ?", reply)  # noqa: S608  # own constant
        if rows and not (table == "shared_reply" and vault.rows("SELECT 1 FROM reply WHERE id = ?", reply)):
            _index(vault, table, rows[0][0], text)


def index_note(vault: Vault, note: bytes, text: str) -> None:
    """Part of the transaction that keeps it."""
    rows = vault.rows("SELECT rowid FROM note WHERE id = ?", note)
    if rows:
        _index(vault, "note", rows[0][0], text)


def _index(vault: Vault, table: str, row: int, text: str) -> None:
    number = row * len(TABLES) + TABLES.index(table)
    vault.do("DELETE FROM words WHERE rowid = ?", number)
    vault.do("INSERT INTO words (rowid, text) VALUES (?, ?)", number, text)


def search(vault: Vault, typed: str, most: int = 50) -> tuple[Hit, ...]:
    """Where all the typed words stand together, each as a word or the beginning of one; newest first.

    Nothing typed is taken as an operator.
    """
    wanted = [word.replace('"', '""') for word in typed.replace("\x00", " ").split()[:MOST_WORDS]]
    if not wanted:
        return ()
    query = " ".join(f'"{word}"*' for word in wanted)
    told = (hit for number, snippet in vault.rows(_FIND, query, most) for hit in _hit(vault, number, snippet))
    return (*_not_told(vault, query), *told)[:most]


def _not_told(vault: Vault, query: str) -> list[Hit]:
    """Own notes that the log does not hold yet: a few facts in the outbox and no rows with which an index would go, so
    they are indexed anew each time, in memory."""
    notes = [
        (where, text)
        for item in waiting(vault, "note")
        for note, where, text in [(item.fact.get("id"), item.fact.get("thread"), item.fact.get("text"))]
        if isinstance(note, bytes) and isinstance(where, bytes) and isinstance(text, str)
        if not vault.rows("SELECT 1 FROM note WHERE id = ?", note)
    ]
    if not notes:
        return []
    with closing(dbapi2.connect(":memory:")) as index:
        index.execute(WORDS[0])
        index.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)", [(n, text) for n, (_, text) in enumerate(notes)]
        )
        return [Hit(notes[n][0], "note", snippet) for n, snippet in index.execute(_FIND, (query, len(notes)))]


def _hit(vault: Vault, number: int, snippet: str) -> Sequence[Hit]:
    row, position = divmod(number, len(TABLES))
    table = TABLES[position]
    found = vault.rows(f"SELECT thread FROM {table} WHERE rowid = ?", row)  # noqa: S608  # own constant
    return [Hit(thread, table.replace("shared_", ""), snippet) for (thread,) in found]


def rebuild(vault: Vault) -> None:
    """Part of a transaction: make the whole index anew from what is there; what only it still held is gone.

    For a vault of an older program, and after a deletion, together with the other tables (`scrub.py`).
    """
    vault.do("DROP TABLE IF EXISTS words")
    for statement in WORDS:
        vault.do(statement)
    after = -1
    while rows := vault.rows(
        "SELECT number, thread, msg_id, cbor FROM letter WHERE number > ? ORDER BY number LIMIT 500", after
    ):
        for _, thread, msg_id, cbor in rows:
            try:
                index_letter(vault, thread, msg_id, LetterBody.parse(cbor))
            except ProtocolError:
                continue  # of a later version: its words are not known
        after = rows[-1][0]
    for reply, cbor in vault.rows("SELECT id, cbor FROM reply UNION SELECT id, cbor FROM shared_reply"):
        index_reply(vault, reply, cbor)
    for note, text in vault.rows("SELECT id, text FROM note"):
        index_note(vault, note, text)


def ensure_index(vault: Vault) -> None:
    """Index what an older program left. Opens its own transaction, the first time only."""
    if vault.rows("SELECT 1 FROM words_owed"):
        with vault.transaction():
            rebuild(vault)
            vault.do("DELETE FROM words_owed")
