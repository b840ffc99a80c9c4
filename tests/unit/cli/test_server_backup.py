# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring server backup, as an operator types it."""

import json
import shlex
from pathlib import Path

import pytest

from latchstring.cli import backup as cli
from latchstring.cli.main import run
from latchstring.store.sql import StoreFailed
from tests.sites import ServerSite


@pytest.fixture
def site(tmp_path: Path) -> ServerSite:
    return ServerSite.opened(tmp_path / "data")


def typed(capfd: pytest.CaptureFixture[str], *args: object, code: int = 0) -> str:
    status = run(["server", "backup", *map(str, args)])
    printed = capfd.readouterr()
    assert status == code, printed
    assert "Traceback" not in printed.err
    return printed.out + printed.err


def test_take_and_verify(site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = typed(capfd, "--config", site.file, "--to", tmp_path / "b")
    assert "Backed up to batch 33, and checked" in said
    assert "keys.cbor is not in it" in said
    said = typed(capfd, "--verify", tmp_path / "b")
    assert "The backup is whole" in said
    assert "add --keys" in said
    assert "add --keys" not in typed(capfd, "--verify", tmp_path / "b", "--keys", site.config.keys_file)
    value = json.loads(typed(capfd, "--config", site.file, "--to", tmp_path / "b", "--with-keys", "--json"))
    assert value["with_keys"]
    assert value["batch"] == 33
    value = json.loads(typed(capfd, "--verify", tmp_path / "b", "--keys", site.config.keys_file, "--json"))
    assert value["ok"]
    assert value["compared_with_keys"]


def test_what_is_wrong_is_said(site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    typed(capfd, "--config", site.file, "--to", tmp_path / "b")
    (tmp_path / "b" / "private" / "packs" / "32").unlink()
    assert "packs/32" in typed(capfd, "--verify", tmp_path / "b", code=3)
    assert json.loads(typed(capfd, "--verify", tmp_path / "b", "--json", code=3))["ok"] is False
    assert "no such folder" in typed(capfd, "--verify", tmp_path / "none", code=3)
    assert "Name one folder" in typed(capfd, code=2)
    assert "Name one folder" in typed(capfd, "--to", tmp_path / "b", "--verify", tmp_path / "b", code=2)
    assert "server init" in typed(capfd, "--config", tmp_path / "none.toml", "--to", tmp_path / "c", code=1)
    assert not (tmp_path / "c").exists()


def test_a_pack_that_the_server_lost_is_said(
    site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (site.config.private / "packs" / "32").unlink()
    assert "no letters of these batches any more: 32." in typed(capfd, "--config", site.file, "--to", tmp_path / "b")


def test_a_full_disk_is_said(
    site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFailed("the disk did not take a file")

    monkeypatch.setattr(cli, "take_backup", full)
    said = typed(capfd, "--config", site.file, "--to", tmp_path / "b", code=1)
    assert "not finished" in said
    assert "earlier backup in that folder is as it was" in said


def test_a_disk_without_room_to_look_at_a_backup_does_not_make_it_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFailed("the disk has no room")

    monkeypatch.setattr(cli, "check_backup", full)
    said = typed(capfd, "--verify", tmp_path, code=1)
    assert "could not be checked: the disk has no room." in said
    assert "WRONG" not in said


def restored(capfd: pytest.CaptureFixture[str], *args: object, code: int = 0) -> str:
    status = run(["server", "restore", *map(str, args)])
    printed = capfd.readouterr()
    assert status == code, printed
    assert "Traceback" not in printed.err
    return printed.out + printed.err


@pytest.mark.parametrize("batches_since", [0, 1, 3])
def test_the_guide_s_drill_holds_as_it_is_typed(
    site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str], batches_since: int
) -> None:
    """A backup now and then, a mirror at every tick: the mirror is ahead when the drill is played."""
    text = (Path(__file__).parents[3] / "docs" / "guides" / "operator.md").read_text("utf-8")
    drill = text.partition("## 8. Restore")[2].split("```")[1].replace("\\\n", " ")
    for there, here in (
        ("/var/backups/latchstring", tmp_path / "b"),
        ("/srv/latchstring-mirror", tmp_path / "mirror"),
        ("/tmp/drill", tmp_path / "drill"),  # noqa: S108  # the guide's word
        ("keys.cbor", site.config.keys_file),
    ):
        assert there in drill
        drill = drill.replace(there, str(here))
    typed(capfd, "--config", site.file, "--to", tmp_path / "b")
    for batch in range(34, 34 + batches_since):
        site.close(batch)
    assert run(["log", "mirror", str(site.published), str(tmp_path / "mirror")]) == 0
    lines = [shlex.split(line) for line in drill.strip().splitlines()]
    assert [line[0] for line in lines] == ["latchstring", "latchstring", "rm"]
    for line in lines[:2]:
        assert run(line[1:]) == 0, capfd.readouterr()


def test_restore_and_adopt(site: ServerSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    typed(capfd, "--config", site.file, "--to", tmp_path / "b")
    asked = ("--from", tmp_path / "b", "--keys", site.config.keys_file, "--data", tmp_path / "new")
    assert "Name at least one copy" in restored(capfd, *asked, code=1)
    assert "no folder" in restored(capfd, *asked, "--published-at", tmp_path / "none", code=1)
    assert "not an address" in restored(capfd, *asked, "--published-at", "ftp://x", code=1)
    assert "--tor" in restored(capfd, *asked, "--published-at", "http://abc.onion", code=1)
    dead = restored(capfd, *asked, "--published-at", "http://127.0.0.1:9", code=1)
    assert "gives no checkpoint" in dead
    said = restored(capfd, *asked, "--no-mirror-to-compare")
    assert "Nothing newer was compared" in said
    assert "Lost: letters that were acknowledged after the backup" in said
    (tmp_path / "new").rename(tmp_path / "first")
    said = restored(capfd, *asked, "--published-at", site.published)
    assert "This log ends at 20" in said
    (tmp_path / "new").rename(tmp_path / "other")
    value = json.loads(restored(capfd, *asked, "--published-at", site.published, "--json"))
    assert (value["batch"], value["compared"], value["adopted_batches"]) == (33, 1, 0)
    (tmp_path / "new").rename(tmp_path / "second")
    site.close(34)
    assert "would fork the log" in restored(capfd, *asked, "--published-at", site.published, code=1)
    assert not (tmp_path / "new").exists()
    said = restored(capfd, *asked, "--adopt", site.published)
    assert "From the public log: 1 batches. Of the backup's letters 2 are in them, 1 wait" in said
    assert "any more: 34." in said
