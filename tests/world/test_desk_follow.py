# SPDX-License-Identifier: AGPL-3.0-or-later
"""Following the log: letters found, repeats dropped, what the server hides or changes noticed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed, Response
from latchstring.client.visit import VisitRefused
from latchstring.desk.errors import DeskError, ServerFault
from latchstring.desk.follow import counting, fetch_pack
from latchstring.desk.letters import letters, mark_opened, threads
from latchstring.desk.line import Line
from latchstring.desk.progress import decode_state, encode_state, followed, missing_packs
from latchstring.desk.replies import replies, write_reply
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, h
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.keystate import KeyState, Note, next_state
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info, seal_letter
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.root import Door
from tests.builders import found
from tests.desk_world import DeskAt, Source, World, open_desk


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> DeskAt:
    """Made once: founding a door takes a second."""
    return open_desk(World(), tmp_path_factory.mktemp("first"))


@pytest.fixture
def at(first: DeskAt, tmp_path: Path) -> DeskAt:
    return first.copy(first.world.copy(), tmp_path)


@pytest.fixture
def world(at: DeskAt) -> World:
    return at.world


def texts(at: DeskAt) -> list[str]:
    return [x.body.text for x in letters(at.vault) if x.body is not None]


def swap(path: str, change: Callable[[bytes], Response]) -> Callable[[str, str, Response], Response]:
    """A server that answers one path otherwise."""
    return lambda _method, asked, answer: change(answer.body) if asked == path else answer


# --- honest server -------------------------------------------------------------------------------


def test_letters_of_many_batches_come_once_and_in_order(world: World, at: DeskAt) -> None:
    a, b = Source(world, "a"), Source(world, "b")
    sent = []
    for number in range(40):
        sent.append(f"letter {number}")
        world.write(a if number % 3 else b, sent[-1])
        world.close()
    report = at.sync()
    assert (report.tally.batches, report.tally.new, report.tally.repeated) == (40, 40, 0)
    assert report.faults == ()
    assert texts(at) == sent
    assert len(threads(at.vault)) == 2
    assert at.sync().tally.new == 0


def test_a_session_fetches_the_same_whatever_there_is(tmp_path: Path) -> None:
    """The server sees one shape: with letters and replies or without."""
    shapes = []
    for name, busy in (("idle", False), ("busy", True)):
        world = World()
        at = open_desk(world, tmp_path / name)
        if busy:
            source = Source(world, "a")
            world.write(source, "a letter")
        world.close(4, 5)
        at.sync()
        if busy:
            thread = threads(at.vault)[0]
            mark_opened(at.vault, tuple(x.number for x in letters(at.vault)))
            write_reply(at.vault, thread, "an answer", world.now, at.random)
        world.close(6, 40)
        at.transport.requests.clear()
        at.sync()
        world.close(41)
        at.sync()
        shapes.append([(m, p, size) for m, p, size in at.transport.requests])
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 60


def test_a_repeated_letter_is_dropped(world: World, at: DeskAt) -> None:
    source = Source(world, "a")
    world.write(source, "first", msg_id=b"m" * 16)
    world.write(source, "the same id again", msg_id=b"m" * 16)
    world.write(Source(world, "b"), "another thread may have that id", msg_id=b"m" * 16)
    world.close()
    report = at.sync()
    assert (report.tally.new, report.tally.repeated) == (2, 1)


def test_a_letter_outside_its_72_hours_is_unverified_and_marks_nothing_read(world: World, at: DeskAt) -> None:
    """Whoever seized day 0's key can write such a letter in the thread's name."""
    source = Source(world, "a")
    world.write(source, "in time")
    note = world.visit().note("news")
    assert note is not None
    world.close()
    at.sync()
    thread = threads(at.vault)[0]
    reply = write_reply(at.vault, thread, "hello", world.now, at.random)
    body = LetterBody("en", "client", "forged", (reply.id,))
    late = seal_letter(source.keys, note, b"l" * 16, body)
    world.close(431)
    at.sync()
    world.post(late)
    world.close(432)
    report = at.sync()
    assert (report.tally.new, report.tally.unverified, report.tally.read) == (1, 1, 0)
    assert [x.verified for x in letters(at.vault, thread)] == [True, False]
    assert replies(at.vault)[0].read is None


def test_a_letter_to_the_keys_of_a_day_that_has_not_begun_is_nothing(world: World, at: DeskAt) -> None:
    """No client names one. The vault holds those keys; to try them on every letter would be most of the work."""
    coming = next(s.open().note for s in epoch_secrets(at.vault) if s.day == 1)
    world.post(seal_letter(Source(world, "a").keys, coming, b"l" * 16, LetterBody("en", "client", "from tomorrow")))
    world.close()
    assert at.sync().tally.new == 0
    assert letters(at.vault) == ()


def test_the_last_batch_of_the_72_hours_still_counts(world: World, at: DeskAt) -> None:
    source = Source(world, "a")
    note = world.visit().note("news")
    assert note is not None
    world.post(seal_letter(source.keys, note, b"l" * 16, LetterBody("en", "client", "just in time")))
    world.close(431)
    assert at.sync().tally.unverified == 0


def test_a_verified_letter_takes_the_place_of_an_unverified_one(world: World, at: DeskAt) -> None:
    source = Source(world, "a")
    note = world.visit().note("news")
    assert note is not None
    world.close(431)
    world.post(seal_letter(source.keys, note, b"e" * 16, LetterBody("en", "client", "too late")))
    world.close(432)
    assert at.sync().tally.unverified == 1
    world.write(source, "now in time", msg_id=b"e" * 16)
    world.close()
    assert at.sync().tally.new == 1
    assert texts(at) == ["now in time"]
    assert [x.verified for x in letters(at.vault)] == [True]


def test_letters_under_an_older_gen_are_unverified(world: World, at: DeskAt) -> None:
    """A removed member knows the old epochs."""
    source = Source(world, "a")
    old = world.visit().note("news")
    assert old is not None
    world.renew(desks=(replace(world.founding.directory.desks[0], gen=2),))
    world.post(seal_letter(source.keys, old, b"o" * 16, LetterBody("en", "client", "old gen")))
    world.close()
    report = at.sync()
    assert (report.tally.new, report.tally.unverified) == (1, 1)


def test_malformed_insides_are_counted_and_unknown_bodies_kept(world: World, at: DeskAt) -> None:
    source = Source(world, "a")
    note = world.visit().note("news")
    assert note is not None
    world.post(note.seal_key.seal(bytes(2960), letter_info(note)))
    framed = frame_letter(pair_of_source(source.keys, note), b"n" * 16, encode_cbor({"kind": "poem"}))
    world.post(note.seal_key.seal(framed, letter_info(note)))
    world.close()
    report = at.sync()
    assert (report.tally.malformed, report.tally.new, report.tally.unreadable) == (1, 1, 1)
    assert [x.body for x in letters(at.vault)] == [None]


def test_a_letter_names_replies_of_its_own_thread_only(world: World, at: DeskAt) -> None:
    a, b = Source(world, "a"), Source(world, "b")
    world.write(a, "from a")
    world.write(b, "from b")
    world.close()
    at.sync()
    thread = a.keys.thread_keys.thread(world.founding.door, "news")
    reply = write_reply(at.vault, thread, "to a", world.now, at.random)
    world.write(b, "b says that a's reply is read", read=(reply.id,))
    world.close()
    assert at.sync().tally.read == 0
    world.write(a, "a has read it", read=(reply.id, b"?" * 16))
    world.close()
    assert at.sync().tally.read == 1
    assert replies(at.vault)[0].read == world.batch
    world.write(a, "and again", read=(reply.id,))
    world.close()
    assert at.sync().tally.read == 0


def test_a_vault_put_back_from_a_copy_gets_letters_and_epochs_again(world: World, at: DeskAt, tmp_path: Path) -> None:
    """Epochs made since the copy are opened again from the log's wraps, by the transport keys of the copy."""
    world.close(144)
    at.sync()
    copy = at.path.read_bytes()
    for day in (2, 3, 4):
        world.close(144 * day)
        at.sync()
    days = {s.day for s in epoch_secrets(at.vault)}
    world.write(Source(world, "a"), "came meanwhile")
    world.close()
    at.sync()
    at.vault.close()
    world.close()
    at.path.write_bytes(copy)
    at.path.with_name(at.path.name + "-journal").unlink()
    at.vault = at.reopen()
    report = at.sync()
    assert report.warnings == ()
    assert texts(at) == ["came meanwhile"]
    assert {s.day for s in epoch_secrets(at.vault)} >= days
    assert report.placed.pages == 28  # its versions are above those that the copy had forgotten


# --- a server that hides, changes, delays --------------------------------------------------------


def test_a_pack_that_is_withheld_is_reported_and_asked_for_again(world: World, at: DeskAt) -> None:
    world.write(Source(world, "a"), "withheld")
    world.close(3, 4)
    at.transport.meddle = swap("/v1/packs/3", lambda _: Response(404, b""))
    report = at.sync()
    assert report.tally.missing == (3,)
    assert "batch 3" in report.faults[0]
    assert report.tally.new == 0
    assert len(at.sync().faults) == 1
    at.transport.meddle = lambda _m, _p, answer: answer
    report = at.sync()
    assert (report.tally.new, report.tally.missing, report.faults) == (1, (), ())
    assert missing_packs(at.vault) == ()
    assert [x.verified for x in letters(at.vault)] == [True]


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: bytes([b[0] ^ 1]) + b[1:], lambda _: b""]
)
def test_a_changed_pack_is_not_believed(world: World, at: DeskAt, change: Callable[[bytes], bytes]) -> None:
    world.write(Source(world, "a"), "changed on the way")
    world.close()
    at.transport.meddle = swap(f"/v1/packs/{world.batch}", lambda body: Response(200, change(body)))
    report = at.sync()
    assert report.tally.missing == (world.batch,)
    assert report.tally.new == 0


def test_packs_older_than_35_days_are_lost_and_said_so(world: World, at: DeskAt) -> None:
    world.write(Source(world, "a"), "nobody came in time")
    world.close(3)
    for day in range(1, 38):
        world.close(144 * day)
    report = at.sync()
    assert 3 in report.tally.lost
    assert any("35 days" in w for w in report.warnings)
    assert report.faults == ()
    assert missing_packs(at.vault) == ()


def test_an_owed_pack_is_given_up_after_35_days(world: World, at: DeskAt) -> None:
    world.close(3)
    at.transport.meddle = swap("/v1/packs/3", lambda _: Response(404, b""))
    at.sync()
    for day in (10, 20, 30, 38):
        world.close(144 * day)
        at.sync()
    assert at.sync().tally.lost == (3,)
    assert missing_packs(at.vault) == ()


def test_withholding_a_pack_does_not_keep_keys_alive(world: World, at: DeskAt) -> None:
    world.close(3)
    at.transport.meddle = swap("/v1/packs/3", lambda _: Response(404, b""))
    at.sync()
    world.close(144 * 14)
    assert 0 in at.sync().erased


@pytest.mark.parametrize(
    "change", [lambda b: Response(404, b""), lambda b: Response(200, b[:-1]), lambda b: Response(200, b"")]
)
def test_a_manifest_that_is_hidden_or_changed_stops_the_session(
    world: World, at: DeskAt, change: Callable[[bytes], Response]
) -> None:
    world.close(3, 4, 5)
    at.transport.meddle = swap("/manifests/4", change)
    with pytest.raises(ServerFault):
        at.sync()
    assert followed(at.vault).batch == 2
    at.transport.meddle = lambda _m, _p, answer: answer
    assert at.sync().tally.batches == 3


def test_key_notes_that_are_hidden_or_changed_stop_the_session(tmp_path: Path) -> None:
    world = World()
    at = DeskAt(world, tmp_path)
    world.close()
    at.sync()
    world.close()
    real = world.shelves.public.get("keynotes/1")
    items = encode_cbor([])
    for body in (b"", items, real[:-1], real + b"x"):
        at.transport.meddle = swap("/keynotes/1", lambda _, body=body: Response(200, body))  # type: ignore[misc]  # bound now
        with pytest.raises(ServerFault, match="key notes of batch 1"):
            at.sync()
    at.transport.meddle = swap("/keynotes/1", lambda _: Response(404, b""))
    with pytest.raises(ServerFault):
        at.sync()
    assert followed(at.vault).batch == 0


def test_key_notes_in_another_order_are_noticed(tmp_path: Path) -> None:
    world = World()
    at = DeskAt(world, tmp_path)
    world.close()
    at.sync()
    world.close()
    items = decode_cbor(world.shelves.public.get("keynotes/1"))
    assert isinstance(items, list)
    at.transport.meddle = swap("/keynotes/1", lambda _: Response(200, encode_cbor(items[::-1])))
    with pytest.raises(ServerFault):
        at.sync()


def test_a_log_that_forgets_is_refused(world: World, at: DeskAt) -> None:
    """An older /visit, as a mirror that stands still would serve it, or a server put back from a backup."""
    older = world.shelves.public.get("visit")
    world.close()
    at.sync()
    at.transport.meddle = swap("/visit", lambda _: Response(200, older))
    with pytest.raises(VisitRefused):
        at.sync()


def test_a_fork_below_what_was_opened_is_refused(world: World, at: DeskAt) -> None:
    """The vault remembers the hash of the last manifest it opened, and the pin the log's root."""
    world.close(3)
    at.sync()
    with at.vault.transaction():
        at.vault.do("UPDATE followed SET manifest = ?", bytes(32))
    world.close(4)
    with pytest.raises(ServerFault, match="was opened here"):
        at.sync()


def test_a_manifest_naming_another_epoch_than_the_rule_is_reported(
    world: World, at: DeskAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk logs a second note for a day that is fixed already; a bent server names that one."""
    who = at.who
    second = OpenEpoch.make(b"\x05" * 32, world.founding.door, "news", 1, 9, 1)
    signature = EpochSignature.make(second.note.hash, who.member, who.sign_seed)
    line = Line.of(at.transport, lambda: world.now, at.random, who, world.visit().directory)
    body = encode_cbor([[Kind.EPOCH.value, second.note.raw], [Kind.SIGNATURE.value, signature.raw]])
    assert line.signed("POST", "/v1/keynotes", "", body).status == 201
    world.close(144)

    def bent(state: KeyState, n: int, notes: Sequence[Note], door: Door | None) -> KeyState:
        after = next_state(state, n, notes, door)
        return replace(after, fixed={**after.fixed, ("news", 1, 1): second.note.hash})

    with monkeypatch.context() as attack:
        attack.setattr("latchstring.server.batch.next_state", bent)
        world.close(145)
    report = at.sync()
    assert any("batch 145 names other desk keys" in fault for fault in report.faults)
    assert not any("batch 144" in fault for fault in report.faults)


def test_a_server_in_trouble_is_a_matter_of_trying_again(world: World, at: DeskAt) -> None:
    world.close()
    for path in ("/visit", f"/v1/packs/{world.batch}"):
        at.transport.meddle = swap(path, lambda _: Response(503, b"busy"))
        with pytest.raises(NetworkFailed):
            at.sync()


def test_a_server_that_does_not_know_the_member_is_said(world: World, at: DeskAt) -> None:
    world.close()
    at.transport.meddle = swap(f"/v1/packs/{world.batch}", lambda _: Response(401, b""))
    with pytest.raises(DeskError, match="signed requests"):
        at.sync()


def test_a_member_who_is_not_in_the_directory_is_told_what_to_do(tmp_path: Path) -> None:
    world = World()
    at = DeskAt(world, tmp_path)
    with pytest.raises(NetworkFailed):
        at.sync()  # no batch yet
    world.close()
    with at.vault.transaction():
        at.vault.do("UPDATE me SET member = 'nobody'")
    with pytest.raises(DeskError, match="does not name member"):
        at.sync()
    with at.vault.transaction():
        at.vault.do("UPDATE me SET member = ?, sign_seed = ?", at.who.member, bytes(32))
    with pytest.raises(DeskError, match="other keys"):
        at.sync()


def test_another_door_at_the_address_is_refused(world: World, at: DeskAt, tmp_path: Path) -> None:
    other = World(found("another"))
    other.close()
    at.transport.meddle = swap("/visit", lambda _: Response(200, other.shelves.public.get("visit")))
    with pytest.raises(VisitRefused):
        at.sync()


# --- pieces --------------------------------------------------------------------------------------


def test_the_key_state_survives_the_vault(world: World, at: DeskAt) -> None:
    state = followed(at.vault).state
    assert encode_state(decode_state(encode_state(state), world.founding.door)) == encode_state(state)
    again = decode_state(encode_state(state), world.founding.door)
    assert again.fixed == state.fixed
    assert again.named(world.batch) == state.named(world.batch)


def test_a_key_state_with_any_other_bytes_is_refused(world: World, at: DeskAt) -> None:
    raw = encode_state(followed(at.vault).state)
    for changed in (b"", raw[:-1], raw + b"\0", encode_cbor({}), encode_cbor([1])):
        with pytest.raises(ProtocolError):
            decode_state(changed, world.founding.door)


def test_what_counts_is_what_was_fixed(world: World, at: DeskAt) -> None:
    state = followed(at.vault).state
    fixed = state.fixed
    assert counting(state, "news", 1, 2) == {fixed[("news", 1, 0)]: 0}
    assert counting(state, "news", 1, 3 * 144 - 1) == {fixed[("news", 1, d)]: d for d in (0, 1, 2)}
    assert counting(state, "news", 1, 3 * 144) == {fixed[("news", 1, d)]: d for d in (1, 2, 3)}
    assert counting(state, "news", 2, 2) == {}


def test_a_pack_is_checked_against_its_hash(world: World, at: DeskAt) -> None:
    line = Line.of(at.transport, lambda: world.now, at.random, at.who, world.visit().directory)
    pack = world.shelves.private.get("packs/1")
    assert fetch_pack(line, 1, h(pack)) == pack
    assert fetch_pack(line, 1, bytes(32)) is None
    assert fetch_pack(line, 999, h(pack)) is None
