# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a member could not open, passed on by another: threads, letters, and facts told again at their own place.

Facts: {"kind": "thread", "seal", "dh", "psk"}; {"kind": "letter", "thread", "msg_id", "batch", "place", "day",
"verified", "cbor"}; {"kind": "again", "by", "at", "fact"}: a fact as `by` told it at place `at`; {"kind": "filled",
"for": member, "key", "first", "last"}: all of these batches was passed on to the member with this Ed25519 key (one who
joins again under the same name, with another vault, begins with nothing). Who passes on to a member takes the turn of
b"pass:" and the member's name.
Members can forge each other's memos: a letter passed on is shown as passed on by whom, and our own opening comes first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.desk.arrival import letter_came
from latchstring.desk.changes import moved_to, thread_now
from latchstring.desk.facts import Apply, At, FactKinds, Told, apply_fact
from latchstring.desk.gone import is_gone
from latchstring.desk.identity import is_own_key
from latchstring.desk.outbox import tell
from latchstring.desk.progress import missing_packs
from latchstring.desk.seen import ABSENT_TICKS, Gap, close_gap, is_absent, own_gaps, seen, without
from latchstring.desk.turns import PASSING, holder, take, taken_in
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ED25519_PUBLIC, HASH_SIZE, LETTER_CBOR_MAX, MSG_ID, day_of
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.memo import Fact
from latchstring.protocol.names import is_name
from latchstring.protocol.source_keys import ThreadKeys

Again = Callable[[Vault, int, int], list[tuple[int, str, Fact]]]
"""Facts of some kinds that were told from one place of the log to another: place, who told it, the fact."""

Item = tuple[int, list[Fact]]
"""A place in the log, and what passes on what stands there."""

AHEAD: Final = 48  # items made ready together: some two days of memos
LAST_PLACE: Final = (1 << 24) - 1  # within a batch, as `At.number` counts


# --- taking facts in -----------------------------------------------------------------------------


def apply_thread(vault: Vault, told: Told, fields: Fields) -> None:
    """A thread's keys; its id follows from them, so that nobody can give it others. Keys that a change of the
    passphrase has taken away do not come back."""
    keys = ThreadKeys.parse(fields.raw("seal"), fields.raw("dh"), fields.raw("psk", 32))
    fields.done()
    thread = keys.thread(told.reader.door, told.reader.desk)
    if moved_to(vault, thread) is not None:
        return  # told by somebody who had not followed the change yet
    vault.do(
        "INSERT OR IGNORE INTO thread (id, seal_key, dh, psk) VALUES (?, ?, ?, ?)",
        thread,
        keys.seal_key.raw,
        keys.dh,
        keys.psk,
    )
    rows = vault.rows("SELECT raw, by, at FROM letter_apart WHERE thread = ? ORDER BY at", thread)
    vault.do("DELETE FROM letter_apart WHERE thread = ?", thread)
    for raw, by, at in rows:
        fact = decode_cbor(raw)
        if isinstance(fact, dict):
            apply_fact(vault, {"letter": apply_letter}, Told(At.of(at), by, told.reader), fact)


def apply_letter(vault: Vault, told: Told, fields: Fields) -> None:
    """A letter as another member opened it; it waits apart until the keys of its thread are there."""
    thread, msg_id = thread_now(vault, fields.raw("thread", HASH_SIZE)), fields.raw("msg_id", MSG_ID)
    batch, place = fields.count("batch", 0, 1 << 38), fields.count("place", 0, 4095)
    day, verified, cbor = fields.count("day", 0, 1 << 38), fields.flag("verified"), fields.raw("cbor")
    fields.done()
    if is_gone(vault, msg_id):
        return
    if batch > told.at.batch:
        raise ProtocolError("letter: of a batch that was not closed yet")
    if len(cbor) > LETTER_CBOR_MAX:  # no letter held it, and whoever passes it on may have no room for it in a memo
        raise ProtocolError("letter: longer than a letter can be")
    _lies_in_a_memo(vault, msg_id, told)
    if not vault.rows("SELECT 1 FROM thread WHERE id = ?", thread):
        vault.do(
            "INSERT INTO letter_apart (thread, msg_id, raw, by, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " raw = excluded.raw, by = excluded.by, at = excluded.at WHERE excluded.at < letter_apart.at",
            thread,
            msg_id,
            encode_cbor(letter_fact(thread, msg_id, batch, place, day, verified, cbor)),
            told.by,
            told.at.number,
        )
        return
    found = vault.rows("SELECT passed_at FROM letter WHERE thread = ? AND msg_id = ?", thread, msg_id)
    if found:
        if found[0][0] is None or found[0][0] <= told.at.number:
            return  # opened by this vault, or passed on before
        vault.do("DELETE FROM letter WHERE thread = ? AND msg_id = ?", thread, msg_id)
    vault.do(
        "INSERT INTO letter (thread, msg_id, day, batch, place, verified, cbor, passed_on_by, passed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        thread,
        msg_id,
        day,
        batch,
        place,
        int(verified),
        cbor,
        told.by,
        told.at.number,
    )
    letter_came(vault, thread, msg_id, batch, verified, cbor)


def letter_fact(thread: bytes, msg_id: bytes, batch: int, place: int, day: int, verified: bool, cbor: bytes) -> Fact:
    """What passes a letter on."""
    return {
        "kind": "letter",
        "thread": thread,
        "msg_id": msg_id,
        "batch": batch,
        "place": place,
        "day": day,
        "verified": verified,
        "cbor": cbor,
    }


def _lies_in_a_memo(vault: Vault, id: bytes, told: Told) -> None:
    """A letter, or a reply or note told again: under the keys of that day too, which `last_key_day` asks for."""
    vault.do(
        "INSERT INTO letter_told (msg_id, day) VALUES (?, ?) ON CONFLICT DO UPDATE SET day = max(day, excluded.day)",
        id,
        day_of(told.at.batch),
    )


def apply_filled(vault: Vault, told: Told, fields: Fields) -> None:
    """To whom it is said, closes the gap; the others need not do it again."""
    member, key = fields.text("for", 32), fields.raw("key", ED25519_PUBLIC)
    first = fields.count("first", 0, 1 << 38)
    last = fields.count("last", first, 1 << 38)
    fields.done()
    if not is_name(member):
        raise ProtocolError("filled: 'for' is not the name of a member")
    if last > told.at.batch:
        raise ProtocolError("filled: up to a batch that was not closed yet")
    vault.do(
        "INSERT INTO filled (member, key, first, last, by, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " by = excluded.by, at = excluded.at WHERE excluded.at < filled.at",
        member,
        key,
        first,
        last,
        told.by,
        told.at.number,
    )
    if member == told.reader.member and told.by != member and is_own_key(vault, key):
        close_gap(vault, (first, last))


def again_of(kinds: FactKinds) -> Apply:
    """Takes in a fact that was told before, at its own place, as far as `kinds` know it."""

    def apply(vault: Vault, told: Told, fields: Fields) -> None:
        by, at, fact = fields.text("by", 32), At.of(fields.count("at", 0, told.at.number)), fields.take("fact")
        fields.done()
        if not is_name(by) or not isinstance(fact, dict) or at >= told.at:
            raise ProtocolError("again: not a fact that was told before")
        taken = apply_fact(vault, kinds, Told(at, by, told.reader, told.by), fact)
        if taken.malformed:
            raise ProtocolError("again: a fact that is not what its kind says")
        match fact:
            case {"kind": "reply" | "note", "id": bytes(said)} if not is_gone(vault, said):
                _lies_in_a_memo(vault, said, told)

    return apply


def again_filled(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """What was said to be passed on, from place `first` to `last`."""
    rows = vault.rows("SELECT at, by, member, key, first, last FROM filled WHERE at BETWEEN ? AND ?", first, last)
    return [(at, by, filled_fact(member, key, (a, b))) for at, by, member, key, a, b in rows]


def filled_fact(member: str, key: bytes, span: Gap) -> Fact:
    """What says that all of a span was passed on."""
    return {"kind": "filled", "for": member, "key": key, "first": span[0], "last": span[1]}


# --- passing on ----------------------------------------------------------------------------------


def duty(member: str) -> bytes:
    """The turn of whoever passes on to this member."""
    return PASSING + member.encode("ascii")


def open_gaps(vault: Vault, member: str, key: bytes) -> tuple[Gap, ...]:
    """What the member said they miss, less what was passed on since to whoever holds `key`."""
    said = seen(vault).get(member)
    if said is None:
        return ()
    filled = vault.rows("SELECT first, last FROM filled WHERE member = ? AND key = ? AND by <> ?", member, key, member)
    return without(said.gaps, tuple((first, last) for first, last in filled))


@dataclass(frozen=True, slots=True)
class _Last:
    """Who told of the newest batches that were passed on to a member, in which batch; nobody, in -1."""

    by: str | None = None
    batch: int = -1


def _passed_last(vault: Vault, member: str, key: bytes) -> _Last:
    rows = vault.rows(
        "SELECT by, at FROM filled WHERE member = ? AND key = ? AND by <> ? ORDER BY at DESC LIMIT 1",
        member,
        key,
        member,
    )
    return _Last(rows[0][0], At.of(rows[0][1]).batch) if rows else _Last()


def pass_on(vault: Vault, me: str, members: Mapping[str, bytes], batch: int, again: Sequence[Again]) -> int:
    """Make ready what goes to members who missed something, after our own acts; how many facts. One member at a time,
    oldest first; what is ready is told before more is made. Opens its own transaction. `members`: with their Ed25519
    keys.

    The turn says who does it. Whoever has it and misses the same, or did nothing for seven days, loses it to the next
    who asks; who passed on last goes on, whoever took the turn since; and when nothing came for two weeks, it goes
    round, a member a week: nobody keeps another from the history by taking turns.
    """
    if vault.rows("SELECT 1 FROM fact_waiting WHERE later LIMIT 1"):
        return 0
    said, ours = seen(vault), (*own_gaps(vault), *((p.batch, p.batch) for p in missing_packs(vault)))
    for member, key in sorted(members.items()):
        missing = without(open_gaps(vault, member, key), ours)  # what we miss too, another has to tell
        if member == me or not missing or is_absent(said.get(member), batch):
            continue
        who, turn = holder(vault, duty(member), None)
        last = _passed_last(vault, member, key)
        quiet = batch - max(missing[0][1], last.batch)
        there = [m for m in sorted(members) if m != member and (m == me or not is_absent(said.get(m), batch))]
        my_week = quiet > 2 * ABSENT_TICKS and there[batch // ABSENT_TICKS % len(there)] == me
        if who != me and not my_week and not (last.by == me and last.batch >= batch - ABSENT_TICKS):
            idle = quiet > ABSENT_TICKS and taken_in(vault, duty(member), turn) < batch - ABSENT_TICKS
            if (
                idle
                or who is None
                or who not in members
                or is_absent(said.get(who), batch)
                or not without(missing[:1], open_gaps(vault, who, members[who]))  # they miss it too
            ):
                with vault.transaction():
                    take(vault, duty(member), turn + 1)
            continue
        with vault.transaction():
            return _make_ready(vault, (member, key), missing[0], again)
    return 0


def _make_ready(vault: Vault, member: tuple[str, bytes], span: Gap, again: Sequence[Again]) -> int:
    """The next items of one span of batches, and the word how far they go: whole batches, one at least."""
    first, last = span
    items, upto, width = list[Item](), last, 64
    while True:
        upto = min(last, first + width - 1)
        items = _items(vault, first, upto, again)
        if upto == last or len(items) > AHEAD:
            break
        width *= 2
    for count, item in enumerate(items):
        batch = At.of(item[0]).batch
        if count > AHEAD and batch > At.of(items[count - 1][0]).batch:
            upto = batch - 1
            items = items[:count]
            break
    facts = [fact for _, told in sorted(items, key=lambda item: item[0]) for fact in told]
    for fact in (*facts, filled_fact(*member, (first, upto))):
        tell(vault, fact, later=True)
    return len(facts) + 1


def _items(vault: Vault, first: int, last: int, again: Sequence[Again]) -> list[Item]:
    """Letters and facts of these batches, each at its place, in their order. Before the first letter of each thread go
    its keys: a member who has the thread may have it under words that were changed while they were away."""
    items: list[Item] = []
    brought = set[bytes]()
    for thread, msg_id, batch, place, day, verified, cbor in vault.rows(
        "SELECT thread, msg_id, batch, place, day, verified, cbor FROM letter WHERE batch BETWEEN ? AND ?"
        " ORDER BY batch, place",
        first,
        last,
    ):
        told: list[Fact] = [letter_fact(thread, msg_id, batch, place, day, bool(verified), cbor)]
        if thread not in brought:
            brought.add(thread)
            seal_key, dh, psk = vault.rows("SELECT seal_key, dh, psk FROM thread WHERE id = ?", thread)[0]
            told.insert(0, {"kind": "thread", "seal": seal_key, "dh": dh, "psk": psk})
        items.append((At(batch, place, 0).number, told))
    low, high = At(first, 0, 0).number, At(last, 0, 0).number | LAST_PLACE
    for tell_again in again:
        for at, by, fact in tell_again(vault, low, high):
            items.append((at, [{"kind": "again", "by": by, "at": at, "fact": dict(fact)}]))
    return sorted(items, key=lambda item: item[0])
