# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups: whole or not there, compared and not trusted, of one moment while the server works on."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import h
from latchstring.server import backup as making
from latchstring.server.backup import take_backup
from latchstring.server.backup_check import check_backup
from latchstring.server.backup_list import BackupList, Copied, holds, parse_list
from latchstring.server.keys import ServerKeys
from latchstring.store import snapshot
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import StoreError, StoreFailed
from tests.builders import Stream
from tests.sites import ServerSite, no_step, tree


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ServerSite:
    return ServerSite.opened(tmp_path_factory.mktemp("base") / "data")


@pytest.fixture
def site(base: ServerSite, tmp_path: Path) -> ServerSite:
    return base.copy(tmp_path / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def backup(site: ServerSite, folder: Path, with_keys: bool = False) -> making.Backup:
    return take_backup(site.config, folder, with_keys, no_step)


def test_everything_is_there_and_nothing_but_what_belongs(site: ServerSite, folder: Path) -> None:
    made = backup(site, folder)
    checked = check_backup(folder, site.keys, no_step)
    assert checked.authentic
    assert (checked.list.batch, checked.tip.batch, checked.no_pack) == (33, 33, ())
    there = tree(folder)
    assert set(there) - {"backup.list", ".lock"} == set(made.list.files)
    ours = tree(site.config.data)
    for path, raw in there.items():
        if path.startswith(("published/", "private/")):
            assert ours[path] == raw
    assert {p for p in ours if p.startswith(("published/", "private/"))} - set(there) == {
        "published/visit",
        "published/checkpoint",
        *(p for p in ours if ".p/" in p and p not in there),
    }
    assert len([p for p in there if p.startswith("published/tile")]) == 2  # one of each kind, of the newest size
    for file in folder.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_keys_lie_in_it_only_when_asked(site: ServerSite, folder: Path) -> None:
    backup(site, folder)
    for raw in tree(folder).values():
        for secret in (site.keys.log, site.keys.receipt, site.keys.request):
            assert secret not in raw
    assert backup(site, folder, with_keys=True).list.with_keys
    assert (folder / "keys.cbor").read_bytes() == site.config.keys_file.read_bytes()
    assert not backup(site, folder).list.with_keys
    assert not (folder / "keys.cbor").exists()


def test_a_second_run_adds_what_is_new_and_drops_what_has_gone(site: ServerSite, folder: Path) -> None:
    backup(site, folder)
    first = tree(folder)
    times = {p: (folder / p).stat().st_mtime_ns for p in first}
    site.send(8, batch=33)
    site.close(34, 36)
    made = backup(site, folder)
    after = tree(folder)
    check_backup(folder, site.keys, no_step)
    kept = [p for p in first if p.startswith(("published/manifests", "private/packs"))]
    assert kept
    assert all((folder / p).stat().st_mtime_ns == times[p] for p in kept)
    assert made.new_files < len(after) / 2
    assert len([p for p in after if p.startswith("store/")]) == 1
    assert len([p for p in after if ".p/" in p]) == 2
    assert "published/sheets/1" in after


def test_packs_past_their_retention_leave_the_backup_too(site: ServerSite, folder: Path) -> None:
    backup(site, folder)
    edge = 34 + c.BODY_DAYS * c.TICKS_PER_DAY
    site.close(edge, edge + c.TICKS_PER_DAY)
    backup(site, folder)
    assert "private/packs/32" not in tree(folder)
    assert check_backup(folder, site.keys, no_step).no_pack == ()


@pytest.mark.parametrize("path", ["published/manifests/32", "private/packs/32", "config"])
@pytest.mark.parametrize("spoil", ["changed", "cut", "gone", "same size and time"])
def test_what_is_there_is_compared_and_mended(site: ServerSite, folder: Path, path: str, spoil: str) -> None:
    made = backup(site, folder)
    path = made.list.config if path == "config" else path
    file, raw, was = folder / path, (folder / path).read_bytes(), (folder / path).stat()
    if spoil == "gone":
        file.unlink()
    else:
        file.write_bytes(raw[:-1] if spoil == "cut" else raw[:-1] + bytes([raw[-1] ^ 1]))
        if spoil == "same size and time":
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    with pytest.raises(StoreError, match=path.replace(".", r"\.")):
        check_backup(folder, site.keys, no_step)
    backup(site, folder)
    assert file.read_bytes() == raw
    check_backup(folder, site.keys, no_step)


def test_a_backup_that_trusts_sizes_and_times_would_be_noticed(
    site: ServerSite, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(site, folder)
    file = folder / "private" / "packs" / "32"
    file.write_bytes(bytes(file.stat().st_size))

    def trusting(shelf: FolderObjects, path: str, want: Copied) -> bool:
        return shelf.file(path).is_file() and shelf.file(path).stat().st_size == want.size

    monkeypatch.setattr(making, "same_file", trusting)
    monkeypatch.setattr(making, "check_contents", lambda *_: (None, ()))
    backup(site, folder)
    with pytest.raises(StoreError, match="packs/32"):
        check_backup(folder, site.keys, no_step)


def test_damage_on_the_server_does_not_reach_a_good_backup(site: ServerSite, folder: Path) -> None:
    backup(site, folder)
    before = tree(folder)
    pack = site.config.private / "packs" / "32"
    pack.write_bytes(bytes(pack.stat().st_size))
    with pytest.raises(StoreError, match="never changes"):
        backup(site, folder)
    left = tree(folder)
    assert {p: left[p] for p in before} == before
    assert check_backup(folder, site.keys, no_step).list.batch == 33


@pytest.mark.parametrize("path", ["private/packs/32", "published/manifests/32", "published/keynotes/31"])
def test_damage_on_the_server_is_no_first_backup(site: ServerSite, folder: Path, path: str) -> None:
    file = site.config.data / path
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(StoreError):
        backup(site, folder)
    with pytest.raises(StoreError, match="no finished backup"):
        check_backup(folder, site.keys, no_step)


def test_a_pack_that_the_server_lacks_is_said(site: ServerSite, folder: Path) -> None:
    (site.config.private / "packs" / "32").unlink()
    assert backup(site, folder).no_pack == (32,)
    assert check_backup(folder, None, no_step).no_pack == (32,)


# --- of one moment, while the server works on ------------------------------------------------------


def test_the_server_goes_on_while_the_backup_is_taken(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the database is copied, letters come and batches close until the copied edge's tiles are full and gone."""
    site = ServerSite.opened(tmp_path / "data", letters=16)
    honest = snapshot.take

    def busy(source: Path, target: Path) -> None:
        honest(source, target)
        site.send(*range(20, 40), batch=33)
        site.close(*range(34, 46))

    monkeypatch.setattr(snapshot, "take", busy)
    made = backup(site, folder)
    assert made.list.batch == 33
    assert check_backup(folder, site.keys, no_step).list.batch == 33
    assert not any(n > 33 for n in numbers(folder / "published" / "manifests"))
    assert not any(n > 33 for n in numbers(folder / "private" / "packs"))
    assert "published/tile/0/000" not in tree(folder)  # full by now; the copy is cut to what it was
    monkeypatch.undo()
    assert backup(site, folder).list.batch == 45
    check_backup(folder, site.keys, no_step)


def numbers(folder: Path) -> list[int]:
    return [int(p.name) for p in folder.iterdir()]


def test_files_that_are_not_copied_out_yet_are_in_it(
    site: ServerSite, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.parts() as parts:
        publisher = parts.publisher()
        publisher.start()

        def cut(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(publisher, "_copy_out", cut)
        with pytest.raises(KeyboardInterrupt):
            publisher.run_due(site.at(34), Stream("cut"))
        assert backup(site, folder).list.batch == 34
    check_backup(folder, site.keys, no_step)
    assert "private/packs/34" in tree(folder)


# --- never half of one -----------------------------------------------------------------------------


class Cut(Exception):
    """The process ends here."""


def cut_at(n: int, stored: bool, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]) -> None:
    """The n-th change of a file fails, before it is kept or after."""
    count = 0

    def wrap(name: str) -> None:
        honest = getattr(FolderObjects, name)

        def change(self: FolderObjects, *args: object) -> None:
            nonlocal count
            count += 1
            if count == n and not stored:
                raise failure("the disk is full")
            honest(self, *args)
            if count == n:
                raise failure("the disk is full")

        monkeypatch.setattr(FolderObjects, name, change)

    wrap("put")
    wrap("delete")


@pytest.mark.parametrize(("stored", "failure"), [(False, StoreFailed), (True, Cut)])
def test_cut_at_every_write_it_is_the_old_backup_or_the_new(
    site: ServerSite, folder: Path, stored: bool, failure: type[Exception], tmp_path: Path
) -> None:
    backup(site, folder)
    shutil.copytree(folder, tmp_path / "old")
    site.close(36)
    site.config = replace(site.config, port=8499)  # a configuration that changed since is no harm to the old backup
    finished = 0
    for n in range(1, 60):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "old", folder)
        with pytest.MonkeyPatch.context() as patch:
            cut_at(n, stored, patch, failure)
            try:
                backup(site, folder)
                finished += 1
            except failure:
                pass
        assert check_backup(folder, site.keys, no_step).list.batch in (33, 36)
        if n % 4 == 0:
            assert backup(site, folder).list.batch == 36  # the next run goes on from there
        if finished:
            break
    assert n > 10
    assert finished


def test_cut_during_the_first_it_is_none(site: ServerSite, folder: Path) -> None:
    for n in (1, 3, 9):
        with pytest.MonkeyPatch.context() as patch:
            cut_at(n, True, patch, Cut)
            with pytest.raises(Cut):
                backup(site, folder)
        with pytest.raises(StoreError, match="no finished backup"):
            check_backup(folder, site.keys, no_step)
    backup(site, folder)
    check_backup(folder, site.keys, no_step)


def test_a_list_that_is_written_first_would_be_noticed(site: ServerSite, folder: Path) -> None:
    """The broken variant: the new list before the files it names."""
    backup(site, folder)
    site.close(34, 36)
    with pytest.MonkeyPatch.context() as patch:
        honest = FolderObjects.put

        def eager(self: FolderObjects, path: str, data: bytes) -> None:
            if path.startswith("published/manifests"):
                files = {**parse_list((folder / "backup.list").read_bytes()).files, path: Copied(1, bytes(32))}
                old = parse_list((folder / "backup.list").read_bytes())
                early = BackupList(old.door, old.origin, 36, old.size, old.root, old.store, files)
                honest(self, "backup.list", early.encode(site.keys.backup_key))
                raise Cut
            honest(self, path, data)

        patch.setattr(FolderObjects, "put", eager)
        with pytest.raises(Cut):
            backup(site, folder)
    with pytest.raises(StoreError):
        check_backup(folder, site.keys, no_step)


# --- whom it believes ------------------------------------------------------------------------------


def forged(site: ServerSite, folder: Path, path: str, raw: bytes, key: bytes) -> None:
    """Somebody with the folder changes a file and makes the list fit."""
    old = parse_list((folder / "backup.list").read_bytes())
    (folder / path).write_bytes(raw)
    files = {**old.files, path: Copied(len(raw), h(raw))}
    new = BackupList(old.door, old.origin, old.batch, old.size, old.root, old.store, files)
    (folder / "backup.list").write_bytes(new.encode(key))


def test_a_list_made_to_fit_is_seen_with_the_keys(site: ServerSite, folder: Path) -> None:
    made = backup(site, folder)
    raw = (folder / made.list.store).read_bytes()
    forged(site, folder, made.list.config, b"[server]\n", bytes(32))
    with pytest.raises(StoreError, match="not made with these keys"):
        check_backup(folder, site.keys, no_step)
    assert check_backup(folder, None, no_step).authentic is None  # without the keys it cannot be told
    with pytest.raises(StoreError, match="not made with these keys"):
        check_backup(folder, ServerKeys.make(Stream("others")), no_step)
    forged(site, folder, made.list.config, b"[server]\n", site.keys.backup_key)
    assert check_backup(folder, site.keys, no_step).authentic  # the control: only the keys make the difference
    assert raw == (folder / made.list.store).read_bytes()


@pytest.mark.parametrize("path", ["private/packs/32", "published/manifests/33", "published/keynotes/30"])
def test_even_without_keys_a_changed_log_or_letter_is_seen(site: ServerSite, folder: Path, path: str) -> None:
    backup(site, folder)
    raw = (folder / path).read_bytes()
    forged(site, folder, path, raw[:-1] + bytes([raw[-1] ^ 1]), bytes(32))
    with pytest.raises(StoreError):
        check_backup(folder, None, no_step)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: raw[:-1],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b"backup 1", b"backup 2"),
        lambda raw: raw.replace(b"private/packs/32", b"private/packs/../../x"),
        lambda raw: raw.replace(b"\nbatch 33", b"\nbatch 033"),
        lambda raw: raw.replace(b"private/packs/32", b"private/packs/31"),
        lambda raw: b"\xff" + raw,
    ],
)
def test_a_damaged_list_is_refused_in_words(site: ServerSite, folder: Path, spoil: Callable[[bytes], bytes]) -> None:
    backup(site, folder)
    raw = (folder / "backup.list").read_bytes()
    assert holds(raw, site.keys.backup_key)
    assert parse_list(raw).encode(site.keys.backup_key) == raw
    (folder / "backup.list").write_bytes(spoil(raw))
    with pytest.raises(StoreError, match="list is damaged"):
        check_backup(folder, None, no_step)
    with pytest.raises(StoreError, match="not made with these keys"):
        check_backup(folder, site.keys, no_step)
    backup(site, folder)
    check_backup(folder, site.keys, no_step)


# --- where it may lie ------------------------------------------------------------------------------


def test_not_into_the_data_folder_nor_among_other_things(site: ServerSite, folder: Path) -> None:
    with pytest.raises(StoreError, match="own folder"):
        backup(site, site.config.data / "backup")
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(StoreError, match="other things"):
        backup(site, folder)
    assert list(tree(folder)) == ["holiday.jpg"]


def test_not_over_another_server_nor_over_a_longer_log(site: ServerSite, folder: Path, tmp_path: Path) -> None:
    other = ServerSite.opened(tmp_path / "other", "another")
    backup(other, folder)
    with pytest.raises(StoreError, match="another server"):
        backup(site, folder)
    shutil.rmtree(folder)
    shutil.copytree(site.config.data, tmp_path / "earlier")
    site.close(34)
    backup(site, folder)
    before = tree(folder)
    shutil.rmtree(site.config.data)
    shutil.copytree(tmp_path / "earlier", site.config.data)
    with pytest.raises(StoreError, match="longer log"):
        backup(site, folder)
    assert tree(folder) == before


def test_one_at_a_time(site: ServerSite, folder: Path) -> None:
    folder.mkdir()
    with making._alone(folder), pytest.raises(StoreError, match="under way"):
        backup(site, folder)
    backup(site, folder)


def test_nothing_to_back_up_yet(tmp_path: Path, folder: Path) -> None:
    new = ServerSite.make(tmp_path / "new")
    with pytest.raises(StoreError, match="no database"):
        backup(new, folder)
    new.post_directory()
    with pytest.raises(StoreError, match="No batch was closed"):
        backup(new, folder)
    assert not (folder / "backup.list").exists()
