# SPDX-License-Identifier: AGPL-3.0-or-later
"""When key notes of a desk of several are logged: wraps and signatures after their note, a coming gen's with its
directory, nothing for days that are past.
"""

from dataclasses import replace

import pytest

from latchstring.protocol.encoding import ProtocolError, decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.keystate import KeyState, Note, next_state
from latchstring.server.accept import MAX_NOTES_A_DAY, accept_directory, accept_key_notes
from latchstring.store import notes
from tests.builders import Stream, found, successor
from tests.faults import Core, cbor_notes, check_published


def opened(each: int = 3) -> Core:
    core = Core.make()
    core.founding = found("door", ("news",), 10, each, letters=2, slots=1, queue=8)
    core.restart()
    core.publisher.start()
    core.post_directory(30)
    core.close(30)
    return core


def wrap_for(core: Core, epoch: OpenEpoch, member: str) -> Wrap:
    keys = core.founding.keys_of(member)
    key = OpenKey.from_secret(Stream(member)(32)).seal_key()
    note = TransportNote.make(core.founding.door, "news", member, epoch.note.day, key, keys.sign_seed)
    return Wrap.make(epoch, note)


def notes_of(core: Core, epoch: OpenEpoch, *signers: str) -> list[Note]:
    out: list[Note] = [(Kind.EPOCH, epoch.note.raw)]
    for member in signers:
        seed = core.founding.keys_of(member).sign_seed
        out.append((Kind.SIGNATURE, EpochSignature.make(epoch.note.hash, member, seed).raw))
        out.append((Kind.WRAP, wrap_for(core, epoch, member).raw))
    return out


def post(core: Core, member: str, posted: list[Note], batch: int) -> int:
    return accept_key_notes(core.intake, member, cbor_notes(posted), core.at(batch))


def logged(core: Core, batch: int) -> list[Kind]:
    try:
        items = decode_cbor(core.public.get(f"keynotes/{batch}"))
    except KeyError:
        return []
    assert isinstance(items, list)
    return [Kind(kind) for kind, _ in items]


def test_a_signature_or_wrap_waits_for_its_note() -> None:
    core = opened()
    epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", 1, 1, 0)
    note, *rest = notes_of(core, epoch, "news-1")
    post(core, "news-1", rest, 31)
    core.close(31)
    assert logged(core, 31) == []
    post(core, "news-2", [note], 32)
    core.close(32)
    assert logged(core, 32) == [Kind.EPOCH]  # order of arrival: what waits for it comes with the next
    core.close(33)
    assert logged(core, 33) == [Kind.SIGNATURE, Kind.WRAP]
    check_published(core)


def test_two_signatures_open_a_desk_of_three() -> None:
    core = opened()
    epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", 1, 1, 0)
    post(core, "news-1", notes_of(core, epoch, "news-1"), 31)
    core.close(31)
    assert core.publisher._memory.state.named(31) == ()
    post(core, "news-3", notes_of(core, epoch, "news-3")[1:2], 32)
    core.close(32)
    assert core.publisher._memory.state.named(32) == (("news", epoch.note.hash),)


def test_notes_of_a_coming_gen_wait_for_its_directory_and_are_logged_with_it() -> None:
    core = opened(2)
    epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", 1, 1, 0)
    post(core, "news-1", notes_of(core, epoch, "news-1"), 31)
    core.close(31)
    coming = OpenEpoch.make(bytes([1]) * 32, core.founding.door, "news", 2, 1, 0)
    post(core, "news-1", notes_of(core, coming, "news-1"), 32)
    for batch in (32, 33):
        core.close(batch)
        assert logged(core, batch) == []
    desk = core.founding.directory.desks[0]
    left = replace(desk, gen=2, members=desk.members[:1])
    core.founding = successor(core.founding, desks=(left,), pages=core.founding.directory.pages[:1])
    accept_directory(core.intake, core.founding.signed, core.at(34))
    core.close(34)
    assert logged(core, 34) == [Kind.DIRECTORY, Kind.EPOCH, Kind.SIGNATURE, Kind.WRAP]
    assert core.publisher._memory.state.named(34) == (("news", coming.note.hash),)
    core.restart()
    core.publisher.start()
    check_published(core)


def test_a_log_with_a_note_of_a_coming_gen_or_a_wrap_of_nothing_is_refused() -> None:
    """The rule that everyone computes, not the server's word."""
    core = opened(2)
    state = next_state(KeyState(), 0, [(Kind.DIRECTORY, core.founding.signed)], core.founding.door)
    coming = OpenEpoch.make(bytes(32), core.founding.door, "news", 2, 1, 0)
    with pytest.raises(ProtocolError, match="gen"):
        next_state(state, 1, [(Kind.EPOCH, coming.note.raw)], core.founding.door)
    with pytest.raises(ProtocolError, match="wrap"):
        next_state(state, 1, [(Kind.WRAP, wrap_for(core, coming, "news-1").raw)], core.founding.door)


def test_a_wrap_for_an_epoch_to_which_no_letter_counts_any_more_is_never_logged() -> None:
    core = opened(3)
    epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", 1, 1, 0)
    post(core, "news-1", notes_of(core, epoch, "news-1"), 31)
    core.close(31)
    in_time: list[Note] = [(Kind.WRAP, wrap_for(core, epoch, "news-3").raw)]
    post(core, "news-2", in_time, 431)
    core.publisher.close(431, core.random)
    assert logged(core, 431) == [Kind.WRAP]
    late: list[Note] = [(Kind.WRAP, wrap_for(core, epoch, "news-2").raw)]
    post(core, "news-1", late, 432)
    for batch in (432, 433, 576):
        core.publisher.close(batch, core.random)
        assert logged(core, batch) == []
    with core.sql.read() as connection:
        assert notes.waiting(connection) == []


def test_a_desk_of_sixteen_fits_into_a_member_s_day() -> None:
    """29 transport keys, 15 notes with a signature and 16 wraps, 3 signatures and 15 late wraps for each of 15 days."""
    assert MAX_NOTES_A_DAY // 2 >= 29 + 15 * (2 + 16) + 15 * (3 + 15)
