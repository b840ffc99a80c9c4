# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments from a source to a desk: fetched by everyone, matched and verified by the one who holds the letter."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import Response
from latchstring.desk.attachments import Item, State, find_item, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.errors import DeskError, VaultError
from latchstring.desk.letters import letters
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment, encode_names
from latchstring.protocol.encoding import encode_cbor
from latchstring.server.api import Request
from latchstring.server.attachments import drop_old
from tests.attached import bring, listed, saved, upload, write_naming, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_door

pytestmark = pytest.mark.usefixtures("short_sessions")

TWO = Stream("two chunks")(c.ATTACHMENT_PLAIN + 7)
FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails, not stored", "fails, but stored"])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Desk]]:
    return open_door(tmp_path_factory.mktemp("door"), "legal", "news")


class Scene:
    """An open door of two desks, and a source who writes to the one of them."""

    def __init__(self, world: World, desks: dict[str, Desk], folder: Path) -> None:
        self.world = world.copy()
        self.news = desks["news"].copy(self.world, folder)
        self.legal = desks["legal"].copy(self.world, folder)
        self.source = Source(self.world, "a")
        self.out = folder / "out.bin"

    def deliver(self) -> None:
        self.world.close()
        self.news.sync()

    def drop(self, day: int) -> None:
        while drop_old(self.world.core.sql, self.world.core.private, 144 * day):
            pass

    def gets(self, who: str) -> list[str]:
        """Which chunks somebody asked for."""
        return [x.path for x in self.world.traffic if x.who == who and x.path.startswith("/v1/attachments/")]

    def states(self) -> list[State]:
        return [item.state for item in listed(self.news)]


@pytest.fixture
def scene(first: tuple[World, dict[str, Desk]], tmp_path: Path) -> Scene:
    return Scene(*first, tmp_path)


def test_a_letter_with_attachments_goes_through(scene: Scene) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO), ("note.txt", b"short"))
    scene.deliver()
    fetched = bring(scene.news)
    assert (fetched.new, fetched.here, fetched.trouble) == (3, 2, "")
    found = listed(scene.news)
    assert [(i.number, i.attachment.name, i.attachment.size) for i in found] == [
        (1, "scan.pdf", len(TWO)), (2, "note.txt", 5),
    ]  # fmt: skip
    assert [saved(scene.news, item, scene.out) for item in found] == [TWO, b"short"]
    assert bring(scene.news).new == 0


def test_everyone_fetches_all_and_only_one_can_tell(scene: Scene) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO))
    scene.deliver()
    scene.legal.sync()
    assert bring(scene.legal).new == bring(scene.news).new == 2
    assert (listed(scene.legal), scene.states()) == ((), [State.HERE])
    assert scene.gets("desk legal") == scene.gets("desk news")


def test_chunks_may_come_before_their_letter(scene: Scene) -> None:
    attachment = upload(scene.source, "scan.pdf", TWO)
    scene.news.sync()
    assert bring(scene.news).new == 2
    write_naming(scene.source, "look", (attachment,))
    scene.deliver()
    assert scene.states() == [State.COMING]
    assert bring(scene.news).new == 0
    assert scene.states() == [State.HERE]


@pytest.mark.parametrize(("at", "fate"), [(0, "drop"), (1, "cut"), (2, "drop"), (3, "cut")])
def test_a_cut_while_fetching_is_gone_on_from(scene: Scene, at: int, fate: str) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO), ("b", b"b"))
    scene.deliver()
    scene.news.wire.fates = [*["pass"] * at, fate]  # type: ignore[list-item]
    fetched = bring(scene.news)
    assert fetched.trouble
    got = fetched.new
    assert fetched.here < 2
    assert bring(scene.news).new == 3 - got
    assert scene.states() == [State.HERE, State.HERE]


def test_a_list_names_more_than_a_letter_can(scene: Scene) -> None:
    files = tuple((f"{n}.txt", b"%d" % n) for n in range(30))
    write_with(scene.source, "all of it", *files, by_list=True)
    scene.deliver()
    assert [(i.number, i.state) for i in listed(scene.news)] == [(0, State.COMING)]
    with pytest.raises(DeskError, match="list of this letter's attachments is not here"):
        saved(scene.news, replace(listed(scene.news)[0], number=3), scene.out)
    assert bring(scene.news).here == 30
    found = listed(scene.news)
    assert [i.number for i in found] == list(range(1, 31))
    assert saved(scene.news, found[17], scene.out) == b"17"


def test_a_list_that_is_none_is_said_and_the_letter_can_be_read(scene: Scene) -> None:
    write_naming(scene.source, "hello", listed=upload(scene.source, "list", b"not a list"))
    scene.deliver()
    bring(scene.news)
    assert [(i.number, i.state) for i in listed(scene.news)] == [(0, State.WRONG)]
    assert scene.news.texts() == ["hello"]


@pytest.mark.parametrize("file_first", [True, False])
def test_one_attachment_may_be_good_as_a_file_and_none_as_a_list(scene: Scene, file_first: bool) -> None:
    """What is found out of it as the one must not be said of it as the other."""
    one = upload(scene.source, "a", TWO)
    for as_file in (file_first, not file_first):
        write_naming(scene.source, "hello", (one,) if as_file else (), None if as_file else one)
    scene.deliver()
    for _ in range(2):
        bring(scene.news)
        assert {i.number: i.state for i in listed(scene.news)} == {1: State.HERE, 0: State.WRONG}
    (file,) = (item for item in listed(scene.news) if item.number == 1)
    assert saved(scene.news, file, scene.out) == TWO


def test_ten_thousand_attachments_in_a_list_are_refused_in_peace(scene: Scene) -> None:
    """A list longer than the protocol allows, by a source with another program."""
    items = [[n.to_bytes(16, "big"), bytes(32), 1, bytes(32), "x"] for n in range(10_000)]
    write_naming(scene.source, "hello", listed=upload(scene.source, "list", encode_cbor(items)))
    scene.deliver()
    bring(scene.news)
    assert scene.states() == [State.WRONG]
    assert scene.news.texts() == ["hello"]


@pytest.mark.parametrize("size", [0, 1, c.ATTACHMENT_PLAIN])
def test_sizes_at_the_edges(scene: Scene, size: int) -> None:
    write_with(scene.source, "look", ("x", bytes(size)))
    scene.deliver()
    bring(scene.news)
    assert saved(scene.news, listed(scene.news)[0], scene.out) == bytes(size)


# --- what does not come --------------------------------------------------------------------------


def test_what_the_server_dropped_is_said(scene: Scene) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO))
    scene.drop(15)
    scene.deliver()
    assert bring(scene.news).dropped == 1
    with pytest.raises(DeskError, match="dropped it before"):
        saved(scene.news, listed(scene.news)[0], scene.out)
    assert not scene.out.exists()


def test_what_is_here_stays_when_the_server_drops_it(scene: Scene) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO))
    scene.deliver()
    bring(scene.news)
    scene.drop(15)
    scene.world.close(144 * 40)
    scene.news.sync()
    assert bring(scene.news).removed == 0
    assert saved(scene.news, listed(scene.news)[0], scene.out) == TWO


def test_nobody_s_chunks_are_removed_when_no_letter_can_come_any_more(scene: Scene) -> None:
    scene.world.close(144)
    write_with(scene.source, "look", ("scan.pdf", TWO))
    scene.deliver()
    scene.legal.sync()
    bring(scene.legal)
    folder = ChunkFolder.of(scene.legal.vault)
    for day, kept in ((15, 2), (17, 2), (20, 0)):  # still listed; not listed, and not long enough; gone
        if day == 17:
            scene.drop(17)
        scene.world.close(144 * day)
        scene.legal.sync()
        bring(scene.legal)
        assert len(list(folder.kept())) == kept, day
    assert scene.gets("desk legal") == sorted(set(scene.gets("desk legal")), key=scene.gets("desk legal").index)


def test_a_deleted_letter_s_chunks_become_nobody_s(scene: Scene) -> None:
    write_with(scene.source, "look", ("scan.pdf", TWO))
    scene.deliver()
    bring(scene.news)
    with scene.news.vault.transaction():
        scene.news.vault.do("DELETE FROM letter")
    scene.drop(15)
    scene.world.close(144 * 19)
    scene.news.sync()
    assert bring(scene.news).removed == 2
    assert scene.news.vault.rows("SELECT count(*) FROM attachment_state") == [(0,)]


def test_the_cap_counts_what_is_listed_oldest_first(scene: Scene) -> None:
    write_with(scene.source, "look", ("a", TWO), ("b", TWO))
    scene.deliver()
    fetched = bring(scene.news, cap=3 * c.ATTACHMENT_CHUNK)
    assert (fetched.new, fetched.beyond) == (3, 1)
    assert scene.states() == [State.HERE, State.COMING]
    assert bring(scene.news, cap=3 * c.ATTACHMENT_CHUNK).new == 0
    assert bring(scene.news).new == 1
    assert scene.states() == [State.HERE, State.HERE]


def test_a_disk_that_is_nearly_full_stops_the_fetching_in_words(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    with monkeypatch.context() as patch:
        patch.setattr(ChunkFolder, "free", lambda _self: 10**9 - 1)
        assert "nearly full" in bring(scene.news).trouble
    assert bring(scene.news).here == 1


# --- a server that misbehaves --------------------------------------------------------------------


def _answer(scene: Scene, of: str, body: bytes | None, status: int = 200) -> None:
    def meddle(request: Request, answer: Response) -> Response:
        if request.path == of:
            return Response(status, answer.body if body is None else body)
        return answer

    scene.news.wire.meddle = meddle


@pytest.mark.parametrize("raw", [b"", b"nonsense", encode_names(0, [bytes(32)]), bytes(10**6)])
def test_a_list_of_names_that_is_none(scene: Scene, raw: bytes) -> None:
    write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    _answer(scene, "/v1/attachments", raw)
    assert "tell the organisation" in bring(scene.news).trouble
    assert scene.states() == [State.COMING]


def test_a_list_without_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.fetching.MOST_NAMES", 50)
    scene.deliver()
    last = [0]

    def meddle(request: Request, answer: Response) -> Response:
        last[0] += 1
        return Response(200, encode_names(last[0], [Stream(f"{last[0]} {n}")(32) for n in range(10)]))

    scene.news.wire.meddle = meddle
    assert "no end" in bring(scene.news).trouble


@pytest.mark.parametrize("body", [b"", bytes(c.ATTACHMENT_CHUNK - 1), bytes(c.ATTACHMENT_CHUNK + 1)])
def test_a_piece_of_another_length_is_not_kept(scene: Scene, body: bytes) -> None:
    (attachment,) = write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    _answer(scene, f"/v1/attachments/{attachment.chunk_names()[0].hex()}", body)
    fetched = bring(scene.news)
    assert (fetched.new, fetched.withheld, fetched.coming) == (1, 1, 1)
    scene.news.wire.meddle = lambda _request, answer: answer
    assert bring(scene.news).here == 1


# --- saving --------------------------------------------------------------------------------------


def test_saving_never_overwrites_and_leaves_nothing_half_written(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    write_with(scene.source, "look", ("../../etc/passwd", TWO))
    scene.deliver()
    bring(scene.news)
    (item,) = listed(scene.news)
    before = {p for p in scene.out.parent.rglob("*")}
    scene.out.write_bytes(b"mine")
    with pytest.raises(DeskError, match="was not touched"):
        saved(scene.news, item, scene.out)
    assert scene.out.read_bytes() == b"mine"
    scene.out.unlink()
    scene.out.symlink_to(scene.out.parent / "elsewhere")
    with pytest.raises(DeskError, match="was not touched"):
        saved(scene.news, item, scene.out)
    scene.out.unlink()
    with pytest.raises(DeskError, match="cannot be made there"):
        saved(scene.news, item, scene.out.parent / "no such folder" / "x")

    def full(_fd: int) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DeskError, match="did not take the whole file"):
            saved(scene.news, item, scene.out)
    for at in (1, 2):  # cut off after a piece, even after the last: no part of it may pass for the file

        def cut(done: int, _of: int | None, at: int = at) -> None:
            assert not scene.out.exists()
            if done == at * c.ATTACHMENT_CHUNK:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            save(item, ChunkFolder.of(scene.news.vault), scene.out, cut)
    assert {p for p in scene.out.parent.rglob("*")} == before
    assert saved(scene.news, item, scene.out) == TWO


@pytest.mark.parametrize("which", [0, 1])
def test_a_chunk_changed_on_our_own_disk_is_noticed_and_no_file_is_left(scene: Scene, which: int) -> None:
    (attachment,) = write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    bring(scene.news)
    name = attachment.chunk_names()[which]
    folder = ChunkFolder.of(scene.news.vault)
    chunk = bytearray(folder.get(name) or b"")
    chunk[1000] ^= 1
    folder.put(name, bytes(chunk), 0)
    with pytest.raises(DeskError, match="not what the letter names"):
        saved(scene.news, listed(scene.news)[0], scene.out)
    assert not scene.out.exists()


def test_which_attachment_is_meant(scene: Scene) -> None:
    write_with(scene.source, "look", ("a", b"a"))
    scene.deliver()
    bring(scene.news)
    (item,) = listed(scene.news)

    def ask(mark: str, number: int) -> Item:
        return find_item(listed(scene.news), mark, number)

    mark = item.letter.mark.hex()
    assert ask(mark[:6].upper(), 1) == item
    for wrong, number, said in ((mark[:3], 1, "too short"), ("ffff" * 4, 1, "No letter"), (mark, 2, "no attachment")):
        with pytest.raises(DeskError, match=said):
            ask(wrong, number)


# --- writes that fail ----------------------------------------------------------------------------


@FATES
@pytest.mark.parametrize("at", [1, 2])
def test_a_piece_that_the_disk_does_not_take(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, at: int, stored: bool
) -> None:
    write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    count, real = [0], ChunkFolder.put

    def put(self: ChunkFolder, name: bytes, chunk: bytes, when: int) -> None:
        count[0] += 1
        if count[0] == at and not stored:
            raise DeskError("The disk is full.", "")
        real(self, name, chunk, when)
        if count[0] == at:
            raise DeskError("The answer of the disk was lost.", "")

    with monkeypatch.context() as patch:
        patch.setattr(ChunkFolder, "put", put)
        assert "disk" in bring(scene.news).trouble
    bring(scene.news)
    assert saved(scene.news, listed(scene.news)[0], scene.out) == TWO
    assert len(scene.gets("desk news")) == (3 if not stored else 2)


def test_a_file_that_a_crash_left_half_written_is_fetched_again(scene: Scene) -> None:
    (attachment,) = write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    bring(scene.news)
    root = scene.news.path.with_name(scene.news.path.name + ".attachments")
    hexed = attachment.chunk_names()[1].hex()
    with (root / hexed[:2] / hexed).open("r+b") as file:
        file.truncate(100)
    (root / hexed[:2] / ".new-0011").write_bytes(b"half")
    assert scene.states() == [State.COMING]
    assert bring(scene.news).new == 1
    assert scene.states() == [State.HERE]
    assert not list(root.rglob(".new-*"))
    assert root.stat().st_mode & 0o777 == 0o700


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    armed = True
    stored = False

    def _commit(self) -> None:
        if self.armed and not self.stored:
            raise VaultError("The disk with the vault is full.", "")
        super()._commit()
        if self.armed:
            raise VaultError("The answer of the disk was lost.", "")


@FATES
def test_a_state_that_the_vault_does_not_take(scene: Scene, stored: bool) -> None:
    write_with(scene.source, "look", ("a", TWO))
    scene.deliver()
    vault = scene.news.vault
    vault.__class__ = Failing
    assert isinstance(vault, Failing)
    vault.stored = stored
    with pytest.raises(VaultError):
        bring(scene.news)
    vault.armed = False
    assert scene.states() == [State.HERE if stored else State.COMING]
    assert bring(scene.news).here == 1
    assert len(letters(vault)) == 1


def test_an_attachment_of_another_s_letter_is_a_name_like_any(scene: Scene) -> None:
    """Two letters name the same chunks, one of them wrongly: each is judged by what it says."""
    (attachment,) = write_with(scene.source, "mine", ("a", TWO))
    other = Source(scene.world, "b")
    write_naming(other, "mine too", (replace(attachment, hash=bytes(32), name="stolen"),))
    write_naming(other, "not so large", (Attachment(attachment.id, attachment.key, 5, attachment.hash, "n"),))
    scene.world.close()
    scene.deliver()
    bring(scene.news)
    states = {item.attachment.name: item.state for item in listed(scene.news)}
    assert states["a"] is State.HERE
    assert states["stolen"] is State.WRONG
    assert states["n"] is State.WRONG
