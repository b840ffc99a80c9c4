# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups and restores of a log with witnesses: nothing is published before they have cosigned it, and they are the
second line against a fork.
"""

from pathlib import Path

import pytest

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.verify import verify_log
from latchstring.server import restore as restoring
from latchstring.server.backup import take_backup
from latchstring.server.backup_check import check_backup
from latchstring.server.config import load_config
from latchstring.server.mirrors import Mirror
from latchstring.server.restore import Request, restore
from latchstring.server.watch import Watch
from latchstring.store.sql import StoreError
from tests.builders import Stream
from tests.sites import ServerSite, no_step
from tests.witnessed import Network, with_witnesses


class Witnessed:
    """A server with two witnesses, both needed; batches 30 to 33 are published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = ServerSite.make(folder / "data", "witnessed")
        self.site.founding = with_witnesses(self.site.founding, 2, 2)
        self.network = Network(self.site.keys.verifier(self.site.founding.directory.origin), 2)
        self.site.post_directory()
        assert self.close(self.site, 30, 31, 32, 33) == [True] * 4

    def close(self, site: ServerSite, *batches: int) -> list[bool]:
        """Close batches and ask the witnesses after each; was it published?"""
        with site.parts() as parts:
            publisher = parts.publisher()
            publisher.start()
            released = []
            for batch in batches:
                publisher.run_due(site.at(batch), Stream(f"witnessed {batch} {site.config.data.name}"))
                released.append(self.network.release(publisher, site.at(batch)))
        return released

    def backup(self) -> None:
        take_backup(self.site.config, self.folder / "backup", True, no_step)

    def restore(self, adopt: bool = False) -> ServerSite:
        published = self.site.published
        mirror = Mirror("published", lambda path: (published / path).read_bytes())
        asked = Request(self.folder / "backup", self.folder / "new", mirrors=(mirror,), adopt=mirror if adopt else None)
        restore(asked, no_step)
        return ServerSite(load_config(self.folder / "new" / "server.toml"), self.site.founding)

    def size(self, site: ServerSite) -> int:
        return open_checkpoint(site.read("checkpoint"), self.network.key).size


@pytest.fixture
def door(tmp_path: Path) -> Witnessed:
    return Witnessed(tmp_path)


def test_a_restored_log_is_published_once_its_witnesses_have_cosigned(door: Witnessed) -> None:
    door.backup()
    assert check_backup(door.folder / "backup", door.site.keys, no_step).list.batch == 33
    again = door.restore()
    assert not (again.published / "checkpoint").exists()
    assert not (again.published / "visit").exists()
    assert door.close(again, 34, 35) == [True, True]
    report = verify_log(again.read, door.network.key)
    assert report.ok, report.fault
    assert len(report.cosigned) == 2


def test_a_backup_ahead_of_what_is_published_loses_nothing(door: Witnessed) -> None:
    door.network.down = {"w1.example"}
    assert door.close(door.site, 34) == [False]
    door.backup()
    assert check_backup(door.folder / "backup", None, no_step).list.batch == 34
    again = door.restore()
    door.network.down = set()
    assert door.close(again, 35) == [True]
    assert door.size(again) > door.size(door.site)


def test_monitoring_sees_what_witnesses_hold_back(door: Witnessed) -> None:
    file = door.folder / "watched.prom"
    seen = []
    with door.site.parts() as parts:
        looking = Watch(parts, file, print, lambda _: 10**12)
        for batch, down in ((34, False), (35, True), (36, True), (37, False), (38, False)):
            door.network.down = {"w1.example"} if down else set()
            publisher = parts.publisher()
            publisher.start()
            publisher.run_due(door.site.at(batch), Stream(f"watched {batch}"))
            looking.look(door.site.at(batch))  # as in the server: before the witnesses have answered
            seen.append("\nlatchstring_held_back 1\n" in file.read_text())
            door.network.release(publisher, door.site.at(batch))
    assert seen == [False, False, True, True, False]


def test_adopting_takes_the_log_without_the_mirror_s_cosignatures_and_asks_anew(door: Witnessed) -> None:
    door.backup()
    assert door.close(door.site, 34, 35) == [True, True]
    with pytest.raises(StoreError, match="would fork"):
        door.restore()
    again = door.restore(adopt=True)
    assert door.close(again, 36) == [True]
    report = verify_log(again.read, door.network.key)
    assert report.ok, report.fault
    assert (report.newest, len(report.cosigned)) == (36, 2)


def test_witnesses_refuse_a_fork_that_a_restore_would_have_made(
    door: Witnessed, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.backup()
    assert door.close(door.site, 34, 35) == [True, True]
    monkeypatch.setattr(restoring, "_chosen", lambda *_: None)
    again = door.restore()
    assert door.close(again, 34, 35, 36) == [False, False, False]
    assert not (again.published / "checkpoint").exists()
