# SPDX-License-Identifier: AGPL-3.0-or-later
"""Deleting letters, and whole threads with their replies and notes, on every machine of the desk, for good.

Fact: {"kind": "delete", "gone": [marks of 32 bytes, see `gone.py`]}. Marks that the log told stay for ever, others for
as long as the same letter could come again: from the server's packs, or in another member's memo. The traces in the
vault's file go with the next `scrub`. A thread without a letter has nothing left: its replies, its keys and all that
members noted about it go too.

What members said of a deleted thread itself, `forgetting.py` ends by a fact of its own; what comes of it afterwards,
without a letter, goes in `sweep`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.desk.changes import awaited, columns_naming_threads, first_owed, former_ids
from latchstring.desk.facts import At, Told
from latchstring.desk.forgetting import MARKS, SAID, marks_in, tell_forgotten
from latchstring.desk.gone import KIND, forgotten_in, is_gone, mark_forgotten, mark_gone, mark_of
from latchstring.desk.letters import Letter
from latchstring.desk.outbox import Waiting, tell, waiting
from latchstring.desk.scrub import owe
from latchstring.desk.seen import own_gaps
from latchstring.desk.turns import PASSING
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY, day_of
from latchstring.protocol.encoding import Fields
from latchstring.protocol.memo import Fact


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went. `threads`: of which nothing is left."""

    letters: int = 0
    replies: int = 0
    threads: int = 0

    def plus(self, other: "Deleted") -> "Deleted":
        """Both together."""
        return Deleted(self.letters + other.letters, self.replies + other.replies, self.threads + other.threads)


def last_key_day(vault: Vault, letters: Iterable[Letter], batch: int) -> int | None:
    """The newest day whose keys open one of these, or a reply or note that goes along with the last letter of its
    thread: a letter's own, or that of a memo in which a member told or passed on any of them. Ask it before they are
    deleted. `batch`: how far the log was followed.
    """
    days, asked = list[int](), tuple(letters)
    going = {letter.msg_id for letter in asked}
    for thread in {letter.thread for letter in asked}:
        if all(i in going for (i,) in vault.rows("SELECT msg_id FROM letter WHERE thread = ?", thread)):
            days += _days_said(vault, thread, batch)
    for letter in asked:
        days.append(letter.day)
        days += [day for (day,) in vault.rows("SELECT day FROM letter_told WHERE msg_id = ?", letter.msg_id)]
        for item in waiting(vault, "letter"):
            if item.memo is not None and item.fact.get("msg_id") == letter.msg_id:
                days += _days_sent(vault, item.memo, batch)
    return max(days, default=None)


def _days_said(vault: Vault, thread: bytes, batch: int) -> list[int]:
    """Of the memos that hold its replies and notes."""
    rows = vault.rows(
        "SELECT at FROM note WHERE thread = ?1 UNION SELECT at FROM shared_reply WHERE thread = ?1", thread
    )
    days = [day_of(At.of(at).batch) for (at,) in rows]
    said = {*_said_in(vault, thread)}
    days += [day for i in said for (day,) in vault.rows("SELECT day FROM letter_told WHERE msg_id = ?", i)]
    for item in waiting(vault):
        if item.memo is not None and _inner(item).get("id") in said:
            days += _days_sent(vault, item.memo, batch)
    return days


def _days_sent(vault: Vault, memo: bytes, batch: int) -> list[int]:
    """Of a memo that is on its way, or not answered yet."""
    return [day_of(batch), *(day for (day,) in vault.rows(_SEALED_ON, memo))]


_SEALED_ON: Final = "SELECT n.day FROM memo_sent m JOIN epoch_note n ON n.hash = m.note WHERE m.msg_id = ?"


def delete_letters(vault: Vault, ids: Iterable[bytes], batch: int) -> Deleted:
    """Delete letters (by msg_id) here, and have it told to the others. Opens its own transaction.

    `batch`: how far the log was followed. A thread that loses its last letter goes whole.
    """
    wanted = tuple(dict.fromkeys(ids))
    with vault.transaction():
        found = {i: t for i in wanted for (t,) in vault.rows("SELECT thread FROM letter WHERE msg_id = ?", i)}
        left = {
            thread
            for thread in set(found.values())
            for (i,) in vault.rows("SELECT msg_id FROM letter WHERE thread = ?", thread)
            if i not in found
        }
        whole = sorted(set(found.values()) - left)
        said = [i for thread in whole for i in _said_in(vault, thread)]
        return _delete_and_tell(vault, (*found, *said), whole, batch)


def delete_thread(vault: Vault, thread: bytes, batch: int, *, told: bool = True) -> Deleted:
    """Delete all of a thread here and, unless every machine does it by itself, have it told to the others.

    Opens its own transaction.
    """
    with vault.transaction():
        letters = [i for (i,) in vault.rows("SELECT msg_id FROM letter WHERE thread = ? ORDER BY number", thread)]
        ids = (*letters, *_said_in(vault, thread))
        if told:
            return _delete_and_tell(vault, ids, [thread], batch)
        deleted = _delete(vault, [mark_of(i) for i in ids], batch, None, None, by_word=False)
        _unsay(vault, thread)
        return deleted


def _said_in(vault: Vault, thread: bytes) -> list[bytes]:
    """Replies and notes: all that holds text beside letters. Named one by one, they go on a machine too that never had
    a letter of the thread, or hears of them later: from a memo that is on its way, say."""
    notes = {i for (i,) in vault.rows("SELECT id FROM note WHERE thread = ?", thread)}
    for item in waiting(vault, "note"):
        match item.fact:
            case {"id": bytes(note), "thread": where} if where == thread and item.memo is not None:
                notes.add(note)
    return [*_replies_of(vault, thread), *sorted(notes)]


def _replies_of(vault: Vault, thread: bytes) -> list[bytes]:
    """Our own and those of other members."""
    rows = vault.rows(
        "SELECT id FROM reply WHERE thread = ?1 UNION SELECT id FROM shared_reply WHERE thread = ?1 ORDER BY id", thread
    )
    return [row[0] for row in rows]


def _delete_and_tell(vault: Vault, ids: Sequence[bytes], whole: Sequence[bytes], batch: int) -> Deleted:
    """`whole`: threads of which nothing is left then. That they are forgotten is told first: whoever hears of the
    letters has nothing left of the threads to wait for."""
    marks = [mark_of(i) for i in ids]
    ids_of_threads = [i for thread in whole for i in (thread, *former_ids(vault, thread))]
    deleted = _delete(vault, marks, batch, None, None)
    for thread in whole:
        _unsay(vault, thread)
    tell_forgotten(vault, ids_of_threads)
    for start in range(0, len(marks), MARKS):
        tell(vault, {"kind": KIND, "gone": marks[start : start + MARKS]})
    return deleted


def apply_delete(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: a member deleted these. The order does not matter: what is gone stays gone."""
    _delete(vault, marks_in(fields, "gone"), told.at.batch, told.at.number, told.by)


def _delete(
    vault: Vault, marks: Sequence[bytes], batch: int, at: int | None, by: str | None, *, by_word: bool = True
) -> Deleted:
    """`by_word`: of a member; otherwise every machine does it by itself, and nothing is told of threads either."""
    for mark in marks:
        mark_gone(vault, mark, batch, at, by)
    wanted, deleted = frozenset(marks), Deleted()
    _untell_named(vault, wanted)
    touched = set[bytes]()
    for thread, i in vault.rows("SELECT thread, msg_id FROM letter"):
        if mark_of(i) in wanted:
            touched.add(thread)
            deleted = deleted.plus(Deleted(letters=_delete_letter(vault, i)))
    for thread, i in vault.rows("SELECT thread, id FROM reply UNION SELECT thread, id FROM shared_reply"):
        if mark_of(i) in wanted:
            touched.add(thread)
            _delete_reply(vault, i)
            deleted = deleted.plus(Deleted(replies=1))
    for table, column in (("note", "id"), ("placed_by", "reply"), ("turn", "what")):  # heard of before what they are of
        for (i,) in vault.rows(f"SELECT DISTINCT {column} FROM {table}"):  # noqa: S608  # own constants
            if mark_of(i) in wanted and not (table == "turn" and i.startswith(PASSING)):
                vault.do(f"DELETE FROM {table} WHERE {column} = ?", i)  # noqa: S608  # own constants
                owe(vault)
    for (i,) in vault.rows("SELECT msg_id FROM letter_apart"):
        if mark_of(i) in wanted:
            vault.do("DELETE FROM letter_apart WHERE msg_id = ?", i)
            owe(vault)
    for (i,) in vault.rows("SELECT msg_id FROM letter_told"):
        if mark_of(i) in wanted:
            vault.do("DELETE FROM letter_told WHERE msg_id = ?", i)
            owe(vault)
    for thread in sorted(touched):
        owe(vault)
        if not vault.rows("SELECT 1 FROM letter WHERE thread = ?", thread):
            deleted = deleted.plus(Deleted(replies=_forget(vault, thread, batch), threads=1))
            if by_word:
                mark_forgotten(vault, mark_of(thread), batch, None, None)
            else:
                mark_gone(vault, mark_of(thread), batch, None, None)
    return deleted


def _delete_letter(vault: Vault, msg_id: bytes) -> int:
    return vault.do("DELETE FROM letter WHERE msg_id = ?", msg_id)


def _delete_reply(vault: Vault, reply: bytes) -> None:
    for table, column in (
        ("placement", "reply"),
        ("placed_by", "reply"),
        ("turn", "what"),
        ("shared_reply", "id"),
        ("reply", "id"),
    ):
        vault.do(f"DELETE FROM {table} WHERE {column} = ?", reply)  # noqa: S608  # own constants


def _untell_named(vault: Vault, wanted: frozenset[bytes]) -> None:
    """Letters, replies and notes with these marks that wait in the outbox, said here or passed on, are told no more."""
    for item in waiting(vault):
        fact = _inner(item)
        if any(isinstance(i, bytes) and mark_of(i) in wanted for i in (fact.get("id"), fact.get("msg_id"))):
            vault.do("DELETE FROM fact_waiting WHERE number = ?", item.number)
            owe(vault)


def _untell_thread(vault: Vault, thread: bytes) -> None:
    """Nor what waits of a whole thread, its keys among it. What a memo carries already is the log's matter: it is told,
    and nothing as soon as the log has the thread forgotten."""
    psks = [psk for (psk,) in vault.rows("SELECT psk FROM thread WHERE id = ?", thread)]
    for item in waiting(vault):
        fact = _inner(item)
        names = thread in (fact.get("thread"), fact.get("a"), fact.get("b")) and item.memo is None
        if names or fact.get("psk") in psks:
            vault.do("DELETE FROM fact_waiting WHERE number = ?", item.number)
            owe(vault)


def _inner(item: Waiting) -> Fact:
    """What it tells, at first hand or again."""
    match item.fact:
        case {"kind": "again", "fact": dict(inner)}:
            return inner
    return item.fact


def _forget(vault: Vault, thread: bytes, batch: int) -> int:
    """The keys of a thread without letters, and all that only this machine holds; how many own replies went with it.
    What the log says of it stays until the log, or `sweep`, ends it."""
    _untell_thread(vault, thread)
    own = vault.rows("SELECT id FROM reply WHERE thread = ?", thread)
    for (reply,) in own:
        _untell_named(vault, frozenset({mark_of(reply)}))
        vault.do("DELETE FROM placement WHERE reply = ?", reply)
        vault.do("DELETE FROM reply WHERE id = ?", reply)
    for old in former_ids(vault, thread):
        mark_gone(vault, mark_of(old), batch, None, None)
    waits = thread in awaited(vault)
    for table, column in columns_naming_threads(vault):
        if (table, column) not in _LOG_SAYS and not (waits and table == "moved_thread"):
            vault.do(f'DELETE FROM "{table}" WHERE "{column}" = ?', thread)  # noqa: S608  # names of our own schema
    if not waits:
        vault.do("DELETE FROM thread WHERE id = ?", thread)
    owe(vault)
    return len(own)


def _unsay(vault: Vault, thread: bytes) -> None:
    """What the log says of a thread that went by an act of this machine."""
    for reply in _replies_of(vault, thread):
        _delete_reply(vault, reply)
    for table, column in _LOG_SAYS:
        vault.do(f"DELETE FROM {table} WHERE {column} = ?", thread)  # noqa: S608  # own constants
    owe(vault)


_LOG_SAYS: Final = (*SAID, ("note", "thread"), ("shared_reply", "thread"))


def sweep(vault: Vault, batch: int) -> int:
    """Forget what is there of deleted threads without a letter: keys that were passed on to this machine, what a member
    told before hearing of it; how many threads.

    What members said is ended on all machines, by a word of ours: one of them may have a newer letter by now. While a
    letter that we miss may still come, which it may be about, it waits, for 35 days at most; then it goes here alone.
    Opens its own transaction, when there is something to forget.
    """
    waits = awaited(vault)  # their keys stay, and nothing else
    named = {thread for (thread,) in vault.rows("SELECT id FROM thread") if thread not in waits}
    for table, column in columns_naming_threads(vault):
        if table == "moved_thread":
            continue
        named |= {thread for (thread,) in vault.rows(f'SELECT DISTINCT "{column}" FROM "{table}"')}  # noqa: S608  # names of our own schema
    live = {thread for (thread,) in vault.rows("SELECT thread FROM letter UNION SELECT thread FROM letter_apart")}
    back = sorted(t for t in named - live if is_gone(vault, t) or forgotten_in(vault, t) is not None)
    misses = first_owed(vault) is not None or bool(own_gaps(vault))
    count = 0
    for thread in back:
        word = forgotten_in(vault, thread)
        if misses and word is not None and word >= batch - BODY_DAYS * TICKS_PER_DAY and _is_said(vault, thread):
            continue
        with vault.transaction():
            if word is not None and not misses and _is_said(vault, thread):
                _delete_and_tell(vault, _said_in(vault, thread), [thread], batch)
            _forget(vault, thread, batch)
            _unsay(vault, thread)
        count += 1
    return count


def _is_said(vault: Vault, thread: bytes) -> bool:
    return any(vault.rows(f"SELECT 1 FROM {table} WHERE {column} = ?", thread) for table, column in _LOG_SAYS)  # noqa: S608  # own constants
