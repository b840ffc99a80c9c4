# SPDX-License-Identifier: AGPL-3.0-or-later
"""Restoring: never behind the public log, nothing in place unless all of it was checked, and a way on when the newest
database is lost that is no fork.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.rooted import open_rooted
from latchstring.server import mirrors as comparing
from latchstring.server import restore as restoring
from latchstring.server.accept import accept_directory
from latchstring.server.backup import take_backup
from latchstring.server.config import load_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.server.mirrors import Forked, Mirror
from latchstring.server.restore import Request, Restored, restore
from latchstring.store import notes, pages, rebuild, tip
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import Sql, StoreError, StoreFailed
from tests.builders import Stream, make_epoch, rotated, successor
from tests.sites import ServerSite, no_step, tree


class Drill:
    """A server, its backup at batch 33 with three letters waiting, and where it is to be restored."""

    def __init__(self, site: ServerSite, folder: Path) -> None:
        self.site, self.folder, self.backup, self.new = site, folder, folder / "backup", folder / "new"

    def take(self) -> None:
        take_backup(self.site.config, self.backup, False, no_step)

    def mirror(self, name: str = "mirror", site: ServerSite | None = None) -> Mirror:
        """A copy of what is published now."""
        shutil.copytree((site or self.site).published, self.folder / name)
        return folder_mirror(self.folder / name)

    def restore(self, *mirrors: Mirror, **more: object) -> Restored:
        asked = Request(self.backup, self.new, self.site.config.keys_file, None, mirrors)
        return restore(replace(asked, **more), no_step)  # type: ignore[arg-type]  # a test's shorthand

    def refuses(self, words: str, *mirrors: Mirror, **more: object) -> None:
        """It says so, and nothing is there that could be started."""
        with pytest.raises((StoreError, StoreFailed), match=words):
            self.restore(*mirrors, **more)
        self.nothing()

    def nothing(self) -> None:
        assert not self.new.exists() or not any(self.new.iterdir())
        assert [p.name for p in self.folder.iterdir() if "restoring" in p.name] == []

    def restored(self) -> ServerSite:
        """The server in its new folder; clients still hold what they held."""
        config = load_config(self.new / "server.toml")
        assert config == replace(self.site.config, data=self.new)
        return ServerSite(config, self.site.founding, [*self.site.receipts], [*self.site.seen])

    def goes_on(self, *batches: int, lost: int = 0) -> ServerSite:
        """It starts, closes these batches, and everything holds but so many letters."""
        again = self.restored()
        again.close(*batches)
        left = again.examine()
        assert (left.lost, left.doubled, left.late, left.forks, left.faults) == (lost, 0, 0, 0, ()), left
        assert not left.waiting
        return again


def folder_mirror(folder: Path) -> Mirror:
    return Mirror(str(folder.name), lambda path: (folder / path).read_bytes())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ServerSite:
    return ServerSite.opened(tmp_path_factory.mktemp("base") / "data")


@pytest.fixture
def drill(base: ServerSite, tmp_path: Path) -> Drill:
    made = Drill(base.copy(tmp_path / "data"), tmp_path)
    made.take()
    return made


# --- a backup that is the newest -------------------------------------------------------------------


def test_restored_from_the_newest_backup_it_goes_on_as_if_nothing_had_been(drill: Drill) -> None:
    found = drill.restore(drill.mirror())
    assert (found.batch, found.ended, found.adopted, found.no_pack) == (33, 33, None, ())
    for file in drill.new.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    ours, theirs = tree(drill.new / "published"), tree(drill.site.published)
    for path in ("visit", "checkpoint"):
        assert ours[path] == theirs[path]
    again = drill.goes_on(34, 35, 36, 37)
    assert len(again.receipts) == 7


def test_without_any_copy_to_compare_with_it_must_be_said(drill: Drill) -> None:
    drill.refuses("at least one copy")
    drill.restore(unseen=True)
    drill.goes_on(34, 35, 36, 37)


def test_a_mirror_that_is_behind_shows_nothing(drill: Drill) -> None:
    """It would say as much if the log had gone on for weeks: then starting forks it."""
    behind = drill.mirror()
    drill.site.close(34)
    drill.take()
    drill.refuses("cannot tell whether the log went on", behind)
    drill.refuses("cannot tell whether the log went on", adopt=behind)
    found = drill.restore(behind, drill.mirror("fresh"))
    assert (found.batch, found.closed) == (34, drill.site.founding.directory.policy.closes_at(34))
    drill.goes_on(35, 36, 37)


def test_a_mirror_that_is_behind_when_there_is_no_other(drill: Drill) -> None:
    behind = drill.mirror()
    drill.site.close(34)
    drill.take()
    assert drill.restore(behind, unseen=True).batch == 34
    drill.goes_on(35, 36, 37)


def test_not_into_a_folder_with_something_in_it(drill: Drill) -> None:
    drill.new.mkdir()
    (drill.new / "old").write_bytes(b"old")
    with pytest.raises(StoreError, match="not empty"):
        drill.restore(drill.mirror())
    assert list(tree(drill.new)) == ["old"]
    (drill.new / "old").unlink()
    drill.restore(folder_mirror(drill.folder / "mirror"))
    drill.goes_on(34, 35, 36, 37)


# --- the public log is ahead -----------------------------------------------------------------------


def test_behind_the_public_log_it_refuses_and_says_what_to_do(drill: Drill) -> None:
    drill.site.send(8, batch=33)
    drill.site.close(34, 35)
    with pytest.raises(StoreError) as refused:
        drill.restore(drill.mirror())
    said = str(refused.value)
    for words in ("would fork the log", "store.sqlite", "--adopt mirror", "batch 33", "are lost"):
        assert words in said
    drill.nothing()


def test_that_start_would_have_been_a_fork(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: without the comparison the same restore starts, and clients see two logs."""
    drill.site.close(34, 35)
    monkeypatch.setattr(restoring, "_chosen", lambda *_: None)
    drill.restore(drill.mirror())
    again = drill.restored()
    again.close(34, 35, 36, 37)
    assert again.examine().forks > 0


def test_adopting_goes_on_from_the_public_log(drill: Drill) -> None:
    """Three letters wait in the backup; two come after it. One batch is public that the backup does not know."""
    drill.site.send(8, 9, batch=33)
    drill.site.close(34, 35)
    drill.site.close(36)  # closes a sheet
    ahead = drill.mirror()
    found = drill.restore(adopt=ahead)
    assert found.adopted is not None
    assert (found.batch, found.ended, found.adopted.batches) == (36, 33, 3)
    assert found.adopted.placed == 3  # letters 5 to 7 were placed in 34 and 35
    assert found.adopted.waiting == 0
    assert found.no_pack == (34, 35, 36)
    again = drill.restored()
    assert tree(again.published)["checkpoint"] == drill.site.read("checkpoint")
    again.close(37, 38, 39)
    left = again.examine()
    # 8 and 9 were placed in public batches: their leaves are in the log, their bodies with whoever fetched the packs
    assert (left.forks, left.doubled, left.late, left.faults) == (0, 0, 0, ())
    assert left.packs == 3


def test_adopting_loses_only_what_was_in_no_batch(drill: Drill) -> None:
    drill.site.send(8, 9, batch=33)
    drill.site.close(34)  # takes 5 and 6; 7, 8 and 9 wait when the server is lost
    ahead = drill.mirror()
    found = drill.restore(adopt=ahead)
    assert found.adopted is not None
    assert (found.adopted.placed, found.adopted.waiting) == (2, 1)
    shutil.copy(drill.site.config.private / "packs" / "34", drill.folder / "pack")
    again = drill.restored()
    FolderObjects(again.config.private).put("packs/34", (drill.folder / "pack").read_bytes())
    again.close(again.batch_end())
    left = again.examine()
    assert (left.letters, left.lost, left.doubled, left.late, left.forks) == (9, 2, 0, 0, 0)


def test_what_comes_next_is_what_the_lost_server_would_have_made(drill: Drill) -> None:
    """Notes, directories, chosen epochs, sheets and batches: an adopted store names what the lost one names."""
    drill.site.post_notes(1, 34)
    newer = rotated(drill.site.founding, addresses=("http://other.example",))
    posted = newer.posted
    with drill.site.parts() as parts:
        accept_directory(parts.intake, posted, drill.site.at(34))
    drill.site.close(34, 36, 72, 144)
    drill.restore(adopt=drill.mirror())
    again = drill.restored()

    def rows(site: ServerSite) -> list[object]:
        with site.parts() as parts, parts.sql.read() as connection:
            told = [(n.kind, n.body, n.batch) for n in notes.logged(connection)]
            index = tip.last_sheets(connection, 9999)
            return [told, notes.all_fixed(connection), index, tip.recent_first(connection)]

    assert rows(again) == rows(drill.site)
    with again.parts() as parts, parts.sql.read() as connection:
        newest = notes.newest(connection, "directory", in_log=False)
        assert newest is not None
        assert newest.body == open_rooted(posted, newer.door).signed.raw
    for site in (again, drill.site):
        site.close(145, 288)
    ours, theirs = (Manifest.parse(s.read("manifests/288")) for s in (again, drill.site))
    assert (ours.notes, ours.directory, ours.open) == (theirs.notes, theirs.directory, theirs.open)


def test_what_waits_in_the_backup_still_waits_after_it(drill: Drill) -> None:
    """Notes and pages of coming days, a directory that is in no batch yet."""
    drill.site.post_notes(3, 33)
    drill.take()
    drill.site.close(34)
    drill.restore(adopt=drill.mirror())
    again = drill.restored()
    with again.parts() as parts, parts.sql.read() as connection:
        assert len(notes.waiting(connection)) == 4
        assert pages.of_sheet(connection, 1) == {}
    again.close(35, 144)
    assert "keynotes/144" in tree(again.published)


def test_from_the_public_log_alone(drill: Drill) -> None:
    drill.site.close(34, 36)
    found = drill.restore(folder=None, config=drill.site.file, adopt=drill.mirror())
    assert (found.batch, found.ended) == (36, None)
    assert found.no_pack == tuple(range(30, 37))
    again = drill.restored()
    again.send(100, batch=36)
    again.close(37, 38, 39, 40)
    left = again.examine()
    assert (left.forks, left.faults, left.late, left.doubled) == (0, (), 0, 0)


@pytest.mark.parametrize("missing", ["config", "keys", "adopt"])
def test_the_public_log_alone_needs_all_three(drill: Drill, missing: str) -> None:
    asked: dict[str, object] = {"folder": None, "config": drill.site.file, "adopt": drill.mirror()}
    drill.refuses("all needed", **{**asked, missing: None}, unseen=True)


# --- mirrors that lie ------------------------------------------------------------------------------


def forged_checkpoint(drill: Drill, size: int, seed: bytes | None = None) -> bytes:
    origin = drill.site.founding.directory.origin
    return Checkpoint(origin, size, bytes(32)).sign(seed or drill.site.founding.log_seed)


def spoiled(drill: Drill, name: str, path: str, raw: bytes) -> Mirror:
    found = drill.mirror(name)
    (drill.folder / name / path).write_bytes(raw)
    return found


def test_a_mirror_without_an_answer_or_of_another_key_is_not_passed_over(drill: Drill) -> None:
    drill.refuses("gives no checkpoint", Mirror("dead", restoring._nothing))
    other = spoiled(drill, "other", "checkpoint", forged_checkpoint(drill, 5, Stream("x")(32)))
    drill.refuses("did not sign", other)
    drill.refuses("did not sign", drill.mirror(), spoiled(drill, "rubbish", "checkpoint", b"x"))


def test_a_mirror_that_shows_another_log_is_said_whatever_its_length(drill: Drill) -> None:
    at = open_checkpoint(drill.site.read("checkpoint"), drill.site.keys.verifier(drill.site.founding.directory.origin))
    for size in (1, at.size - 1, at.size):
        drill.refuses("do not show one log", spoiled(drill, f"m{size}", "checkpoint", forged_checkpoint(drill, size)))
    longer = spoiled(drill, "longer", "checkpoint", forged_checkpoint(drill, at.size + 5))
    drill.refuses("cannot be compared", longer)  # it has no tiles to prove it with
    drill.refuses("cannot be compared", adopt=longer)


def fork_of(drill: Drill) -> ServerSite:
    other = drill.site.copy(drill.folder / "fork")
    other.send(99, batch=33)
    return other


def test_two_mirrors_that_disagree(drill: Drill) -> None:
    other = fork_of(drill)
    drill.site.close(34, 35)
    other.close(34, 35, 36)
    ours, theirs = drill.mirror("ours"), drill.mirror("theirs", other)
    for asked in ({}, {"adopt": ours}, {"adopt": theirs}):
        with pytest.raises(Forked, match="do not show one log"):
            drill.restore(ours, theirs, **asked)
        drill.nothing()


def test_without_the_proofs_the_two_would_not_be_told_apart(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fork_of(drill)
    drill.site.close(34, 35)
    other.close(34, 35, 36)
    monkeypatch.setattr(comparing, "same_log", lambda *_: None)
    drill.restore(drill.mirror("ours"), adopt=drill.mirror("theirs", other))
    assert drill.restored().examine().forks > 0


def test_adopting_the_one_that_is_behind_another_is_refused(drill: Drill) -> None:
    drill.site.close(34)
    first = drill.mirror("first")
    drill.site.close(35)
    second = drill.mirror("second")
    drill.refuses("'second' is further on", second, adopt=first)
    drill.restore(first, adopt=second)


@pytest.mark.parametrize("path", ["manifests/34", "manifests/33", "keynotes/34", "sheets/1", "tile/entries/", "visit"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_an_adopted_log_is_verified_whole(drill: Drill, path: str, how: str) -> None:
    newer = successor(drill.site.founding, addresses=("http://other.example",))
    with drill.site.parts() as parts:
        accept_directory(parts.intake, newer.signed, drill.site.at(33))
    drill.site.close(34, 36)
    ahead = drill.mirror()
    folder = drill.folder / "mirror"
    size = open_checkpoint(
        drill.site.read("checkpoint"), drill.site.keys.verifier(drill.site.founding.directory.origin)
    ).size
    file = folder / (f"tile/entries/000.p/{size}" if path.endswith("/") else path)
    if how == "gone":
        file.unlink()
    else:
        raw = file.read_bytes()
        file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    if path == "manifests/33":  # the backup has it: what the mirror says of it is not asked for
        drill.restore(adopt=ahead)
    elif path == "visit" and how == "changed":  # its manifest is the log's; the rest of it is made anew
        drill.restore(adopt=ahead)
        assert drill.restored().read("visit") == drill.site.read("visit")
    else:
        drill.refuses("mirror|verify|damaged", adopt=ahead)


@pytest.mark.parametrize("junk", ["notes", "a kind that is none", "no list", "nothing"])
def test_a_file_of_notes_that_the_log_does_not_hold_is_not_taken(drill: Drill, junk: str) -> None:
    """Notes of a true member, made up by a mirror for a batch without any: they would decide a coming day's keys."""
    drill.site.close(34, 36)
    ahead = drill.mirror()
    founding = drill.site.founding
    made = make_epoch(founding, founding.directory.desks[0].id, 1, Stream("made up"))[1]
    whole = {
        "notes": [[kind.value, raw] for kind, raw in made],
        "a kind that is none": [["other", b""]],
        "no list": 1,
        "nothing": [],
    }
    (drill.folder / "mirror/keynotes/34").write_bytes(encode_cbor(whole[junk]))
    drill.restore(adopt=ahead)
    again = drill.restored()
    assert not (again.published / "keynotes/34").exists()
    again.close(37, 144)
    assert again.examine().faults == ()


def test_the_log_s_key_is_not_taken_from_the_mirror(drill: Drill) -> None:
    ahead = drill.mirror()
    (drill.folder / "mirror/log.vkey").write_bytes(b"another's\n")
    restore(Request(None, drill.new, drill.site.config.keys_file, drill.site.file, (), ahead), no_step)
    assert drill.restored().read("log.vkey") == drill.site.read("log.vkey")


def test_a_checkpoint_that_was_published_and_its_visit_not_yet(drill: Drill) -> None:
    """The lost server ended between the two: the checkpoint is what counts."""
    drill.site.close(34)
    kept = drill.site.read("visit")
    drill.site.close(36)
    drill.mirror()
    (drill.folder / "mirror" / "visit").write_bytes(kept)
    assert drill.restore(adopt=folder_mirror(drill.folder / "mirror")).batch == 36


def test_an_old_server_that_still_works_is_noticed(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    live = folder_mirror(drill.site.published)
    honest = restoring._try_start

    def meanwhile(*given: object) -> tuple[int, int, int]:
        drill.site.close(34)
        return honest(*given)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(restoring, "_try_start", meanwhile)
    drill.refuses("lacks tiles|moved on", live)


# --- backups that are damaged, keys that are not theirs --------------------------------------------


def gone_pack(drill: Drill) -> None:
    (drill.backup / "private" / "packs" / "32").unlink()


def changed_database(drill: Drill) -> None:
    file = next((drill.backup / "store").iterdir())
    raw = bytearray(file.read_bytes())
    raw[-100] ^= 1
    file.write_bytes(raw)


def no_list(drill: Drill) -> None:
    (drill.backup / "backup.list").unlink()


def other_config(drill: Drill) -> None:
    file = next((drill.backup / "config").iterdir())
    file.write_text(file.read_text().replace(drill.site.founding.door.hex(), "0" * 64))


@pytest.mark.parametrize("spoil", [gone_pack, changed_database, no_list, other_config])
def test_a_damaged_backup_is_not_restored(drill: Drill, spoil: Callable[[Drill], None]) -> None:
    spoil(drill)
    drill.refuses("backup", drill.mirror())


def test_the_keys_must_be_the_server_s(drill: Drill) -> None:
    drill.refuses("not in this backup", drill.mirror(), keys=None)
    other = drill.folder / "other.cbor"
    save_keys(other, ServerKeys.make(Stream("other")))
    drill.refuses("not made with these keys", folder_mirror(drill.folder / "mirror"), keys=other)
    mixed = drill.folder / "mixed.cbor"  # the log's key is right, the receipts' is not
    save_keys(mixed, replace(drill.site.keys, receipt=bytes(32)))
    drill.refuses("newest directory names", folder_mirror(drill.folder / "mirror"), keys=mixed)
    take_backup(drill.site.config, drill.backup, True, no_step)
    drill.restore(folder_mirror(drill.folder / "mirror"), keys=None)
    assert (drill.new / "keys.cbor").read_bytes() == drill.site.config.keys_file.read_bytes()


# --- cut off at every step -------------------------------------------------------------------------


class Cut(BaseException):
    """The process ends here: nothing after it runs, not even what tidies up."""


def cut_at(n: int, patch: pytest.MonkeyPatch) -> None:
    count = 0

    def step_over() -> None:
        nonlocal count
        count += 1
        if count == n:
            raise Cut

    honest_put, honest_write = FolderObjects.put, Sql.write

    def put(self: FolderObjects, path: str, data: bytes) -> None:
        step_over()
        honest_put(self, path, data)

    def write(self: Sql):  # type: ignore[no-untyped-def]  # a context manager passed through
        step_over()
        return honest_write(self)

    patch.setattr(FolderObjects, "put", put)
    patch.setattr(Sql, "write", write)
    patch.setattr(shutil, "rmtree", lambda *_, **__: None)


@pytest.mark.parametrize("ahead", [False, True])
def test_cut_off_at_any_write_nothing_can_start(drill: Drill, ahead: bool) -> None:
    if ahead:
        drill.site.close(34)
    mirror = drill.mirror()
    asked: dict[str, object] = {"adopt": mirror} if ahead else {"mirrors": (mirror,)}
    for n in range(1, 100):
        try:
            with pytest.MonkeyPatch.context() as patch:
                cut_at(n, patch)
                drill.restore(**asked)
        except Cut:
            assert not drill.new.exists()
            for left in drill.folder.glob(".new.restoring-*"):
                # not even a hand that starts what was left: its keys or its configuration are not there
                assert not ((left / "keys.cbor").exists() and (left / "server.toml").exists())
                shutil.rmtree(left)
            continue
        break
    assert n > 15
    assert not list(drill.folder.glob(".new.restoring-*"))
    drill.restored().close(35)


def test_a_full_disk_leaves_nothing(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreFailed("the disk did not take a file")

    mirror = drill.mirror()
    monkeypatch.setattr(restoring, "_put_in_place", full)
    drill.refuses("did not take", mirror)
    monkeypatch.undo()
    monkeypatch.setattr(FolderObjects, "put", full)
    drill.refuses("did not take", mirror)


def test_letters_of_the_backup_are_not_placed_twice(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: without marking what the newer log holds, letters would be logged again."""
    drill.site.close(34)
    monkeypatch.setattr(rebuild, "place_letters", lambda *_: 0)
    drill.restore(adopt=drill.mirror())
    again = drill.restored()
    again.close(35, 36, 37, 38)
    assert again.examine().doubled > 0
