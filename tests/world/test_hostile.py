# SPDX-License-Identifier: AGPL-3.0-or-later
"""One hostile letter, one hostile server: a desk goes on, says what is wrong, and its keys die on time."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.desk import follow, sync
from latchstring.desk.errors import DeskError, ServerFault
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.letter import filler_letter, frame_letter, letter_info
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.source_keys import ThreadKeys, source_keys
from latchstring.server import batch as batch_module
from latchstring.server.api import Request
from latchstring.store import notes
from tests.builders import Stream, unfolding
from tests.world.world import Desk, Source, Wire, World, open_door

pytestmark = pytest.mark.usefixtures("short_sessions")

DAY = 144


def kept(desk: Desk) -> list[int]:
    """Days whose epoch secrets are in the vault."""
    return [row[0] for row in desk.vault.rows("SELECT DISTINCT day FROM secret WHERE kind = 'epoch' ORDER BY day")]


def test_a_letter_that_unfolds_without_end_is_kept_unread_and_nothing_else_stops(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    source = Source(world, "outsider")
    keys = source.keys()
    note = source.look().note("news")
    assert note is not None
    plain = frame_letter(pair_of_source(keys, note), os.urandom(16), unfolding(14, 30))
    sealed = note.seal_key.seal(plain, letter_info(note))
    assert world.answer(Request("POST", "/v1/letters", body=sealed)).status == 201
    Source(world, "honest").write("hello")
    world.close()
    report = desks["news"].sync()
    assert (report.tally.new, report.tally.unreadable) == (2, 1)
    assert "hello" in desks["news"].texts()


def test_a_thread_whose_key_cannot_be_sealed_to_is_never_opened(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    source = Source(world, "outsider")
    note = source.look().note("news")
    assert note is not None
    honest = source_keys(os.urandom(32), world.door, "news")
    low = OpenKey.from_secret(os.urandom(32)).public[:-32] + bytes(32)
    with pytest.raises(ProtocolError, match="small order"):
        ThreadKeys.parse(low, honest.thread_keys.dh, honest.psk)
    # what the same outsider puts on the line with a program of their own
    pair = pair_of_source(honest, note)
    forged = replace(pair, thread_keys=replace(pair.thread_keys, seal_key=replace(pair.thread_keys.seal_key, raw=low)))
    plain = frame_letter(forged, os.urandom(16), encode_cbor({}))
    world.answer(Request("POST", "/v1/letters", body=note.seal_key.seal(plain, letter_info(note))))
    world.close()
    assert desks["news"].sync().tally.malformed == 1


def test_a_pack_without_a_letter_that_the_log_holds_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)
    _take_out(world, monkeypatch, "They will be at the bridge on Friday")
    report = desks["news"].sync()
    assert desks["news"].texts() == []
    assert any("one may have been taken out" in fault for fault in report.faults)


def test_a_desk_that_does_not_compare_leaves_would_not_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)
    _take_out(world, monkeypatch, "They will be at the bridge on Friday")
    monkeypatch.setattr(follow, "same_leaves", lambda _leaves, _letters: True)
    assert desks["news"].sync().faults == ()


def test_a_pack_that_comes_late_is_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)
    _take_out(world, monkeypatch, "They will be at the bridge on Friday")
    desks["news"].wire.meddle = lambda q, a: Response(404, b"") if q.path.startswith("/v1/packs/") else a
    assert all("does not hand out" in fault for fault in desks["news"].sync().faults)
    desks["news"].wire.meddle = lambda _q, a: a
    assert any("one may have been taken out" in fault for fault in desks["news"].sync().faults)


def test_an_old_pack_is_compared_with_the_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)
    _take_out(world, monkeypatch, "Ten days ago")
    for batch in range(world.batch + 1, world.batch + 421):  # its leaves have left /visit
        world.close(batch)
    world.close(DAY * 10)
    report = desks["news"].sync()
    assert any("one may have been taken out" in fault for fault in report.faults)


def test_tiles_that_are_not_the_log_s_are_refused(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    for batch in range(world.batch + 1, world.batch + 421):
        world.close(batch)
    desks["news"].wire.meddle = lambda q, a: Response(200, bytes(8192)) if q.path.startswith("/tile/0") else a
    with pytest.raises(ServerFault, match="hashes of its log"):
        desks["news"].sync()


def _take_out(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The server logs the leaf of a letter, so that its receipt holds, and hands the desk filler in its place."""
    honest_order, swapped = batch_module.shuffled, dict[bytes, bytes]()
    source = Source(world, "source")
    sent = source.write(text)

    def order(items: list[bytes], random: Stream) -> list[bytes]:
        out: list[bytes] = honest_order(items, random)
        for i, body in enumerate(out):
            if entry(Kind.LETTER, body) == sent.leaf:
                out[i] = filler_letter(os.urandom(32), os.urandom(2960))
                swapped[out[i]] = body
        return out

    monkeypatch.setattr(batch_module, "shuffled", order)

    def leaf(kind: Kind, body: bytes) -> bytes:
        return entry(kind, swapped.get(body, body))

    monkeypatch.setattr(batch_module, "entry", leaf)
    while not swapped:
        world.close()
    assert source.look().has_leaf(sent.leaf)
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("name", "method", "path", "status", "late"),
    [
        ("pages refused", "PUT", "/v1/pages/", 503, 0),
        ("key notes refused", "POST", "/v1/keynotes", 409, 0),
        ("packs never given", "GET", "/v1/packs/", 500, 7),
    ],
)
def test_a_server_that_fails_does_not_decide_how_long_keys_live(
    tmp_path: Path, name: str, method: str, path: str, status: int, late: int
) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    for day in range(1, 41):
        world.close(DAY * day)
        if day >= 2:
            desk.wire.meddle = lambda q, a: (
                Response(status, b"") if (q.method, q.path[: len(path)]) == (method, path) else a
            )
        try:
            desk.sync()
        except NetworkFailed:
            assert (method, path) != ("POST", "/v1/keynotes")
    assert [day for day in kept(desk) if day < 40 - 13 - late] == [], name


def test_erasing_only_after_a_whole_session_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)
    monkeypatch.setattr(sync, "ERASE_GRACE_DAYS", 10_000)
    desks["news"].wire.meddle = lambda q, a: Response(500, b"") if q.path.startswith("/v1/packs/") else a
    for day in range(1, 31):
        world.close(DAY * day)
        with pytest.raises(NetworkFailed):
            desks["news"].sync()
    assert min(kept(desks["news"])) == 0


def test_one_failed_session_after_a_long_absence_loses_nothing(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    Source(world, "source").write("waiting for you")
    world.close()
    world.close(DAY * 25)
    desks["news"].wire.meddle = lambda q, a: Response(500, b"") if q.path.startswith("/v1/packs/") else a
    with pytest.raises(NetworkFailed):
        desks["news"].sync()
    desks["news"].wire.meddle = lambda _q, a: a
    desks["news"].sync()
    assert desks["news"].texts() == ["waiting for you"]
    assert [day for day in kept(desks["news"]) if day < 25 - 13] == []


def test_failures_long_apart_do_not_add_up(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    honest = desk.wire.meddle
    for day in (2, 25):
        world.close(DAY * day)
        before = kept(desk)
        desk.wire.meddle = lambda q, a: Response(500, b"") if q.path.startswith("/v1/packs/") else a
        with pytest.raises(NetworkFailed):
            desk.sync()
        assert kept(desk) == before
        desk.wire.meddle = honest
        desk.sync()
    assert not [day for day in kept(desk) if day < 25 - 13]


def test_a_member_who_was_removed_keeps_no_keys(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path, "news", "legal")
    directory = world.founding.directory
    world.renew(
        desks=tuple(d for d in directory.desks if d.id != "news"),
        pages=tuple(p for p in directory.pages if p.desk != "news"),
    )
    world.close()
    for day in (53, 60):
        world.close(DAY * day)
        with pytest.raises(DeskError, match="does not name"):
            desks["news"].sync()
    assert kept(desks["news"]) == []


class LosesKeyNotes(Wire):
    """Whatever holds key notes is lost before the server hears it."""

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        if path == "/v1/keynotes":
            raise NetworkFailed("cut")
        return super().request(method, path, query, body, headers, progress)


def test_a_lost_post_of_key_notes_locks_nobody_out(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    world.close(DAY * 30)

    desk.wire = LosesKeyNotes(world, "desk news")
    with pytest.raises(NetworkFailed):
        desk.sync()
    desk.wire = Wire(world, "desk news")
    for batch in (DAY * 33, DAY * 33 + 1, DAY * 33 + 2):
        world.close(batch)
        report = desk.sync()
    assert report.desk_open
    assert not any("refused" in warning for warning in report.warnings)


def test_letters_a_batch_may_rise_while_a_desk_is_away(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    world.renew(policy=replace(world.policy, letters=4))
    world.close(DAY * 3)
    for day in (20, 30, 50):
        world.renew()
        world.close(DAY * day)
    assert desks["news"].sync().tally.lost
    assert Desk(world, tmp_path / "new").sync().tally.lost


def test_key_notes_that_are_kept_back_are_noticed_without_the_pack(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    world.renew()
    world.close(DAY * 3)
    hidden = world.batch
    world.renew()
    world.close(DAY * 50)
    gone = (f"/keynotes/{hidden}", f"/v1/packs/{hidden}")
    desks["news"].wire.meddle = lambda q, a: Response(404, b"") if q.path in gone else a
    with pytest.raises(ServerFault):
        desks["news"].sync()


def test_key_notes_that_nothing_else_names_are_missed_too(tmp_path: Path) -> None:
    """Without the letters, only their number tells that there were notes beside them."""
    world, desks = open_door(tmp_path)
    world.close(DAY)
    desks["news"].sync()
    world.close(DAY * 2)
    hidden = world.batch
    assert world.answer(Request("GET", f"/keynotes/{hidden}")).status == 200
    gone = (f"/keynotes/{hidden}", f"/v1/packs/{hidden}")
    desks["news"].wire.meddle = lambda q, a: Response(404, b"") if q.path in gone else a
    with pytest.raises(ServerFault, match=f"key notes of batch {hidden}"):
        desks["news"].sync()


def test_a_manifest_that_is_not_the_logged_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, desks = open_door(tmp_path)

    def leaf(kind: Kind, body: bytes) -> bytes:
        return entry(kind, body + b"x" if kind is Kind.MANIFEST else body)

    monkeypatch.setattr(batch_module, "entry", leaf)
    world.close()
    monkeypatch.undo()
    world.close()
    with pytest.raises(ServerFault, match="do not fit the log"):
        desks["news"].sync()


def test_letters_handed_out_after_their_keys_were_erased_are_reported(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    world.close(DAY)
    desk.sync()
    Source(world, "source").write("help")
    world.close(DAY + 1)
    held = f"/v1/packs/{world.batch}"
    desk.wire.meddle = lambda q, a: Response(404, b"") if q.path == held else a
    for day in range(2, 18):
        world.close(DAY * day)
        desk.sync()
    desk.wire.meddle = lambda _q, a: a
    world.close(DAY * 18)
    report = desk.sync()
    assert report.tally.closed_days == (1,)
    assert any("only after keys to them were erased" in fault for fault in report.faults)
    assert any("write again" in warning for warning in report.warnings)


@pytest.mark.parametrize("field", ["day", "v"])
def test_unsigned_notes_with_endless_counts_stop_nobody(tmp_path: Path, field: str) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    highest = (1 << 63) - 1
    v, day = (highest, 16) if field == "v" else (1, highest)
    epoch = OpenEpoch.make(os.urandom(32), world.door, "news", 1, v, day).note
    wrap = lp("wrapped", epoch.hash, world.founding.member("news").id, os.urandom(1168))
    with world.core.intake.sql.write() as connection:
        for kind, body in ((Kind.EPOCH, epoch.raw), (Kind.WRAP, wrap)):
            notes.add(connection, kind, entry(kind, body), body, "x", 1)
    for batch in (DAY * 2, DAY * 2 + 1, DAY * 20):
        world.close(batch)
        desk.sync()
    world.close()
    assert desk.sync().desk_open
