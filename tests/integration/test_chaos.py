# SPDX-License-Identifier: AGPL-3.0-or-later
"""A short run of `make chaos`, and broken servers that its checks must catch."""

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from latchstring.log.checkpoint import open_checkpoint
from latchstring.server import publisher as publishing
from latchstring.server import restore as restoring
from latchstring.server.accept import DirectoryCache, Intake, Refusal, accept_letters
from latchstring.server.batch import Built
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import open_sqlite
from latchstring.store.tip import Tip
from latchstring.witness.state import NOTHING, Seen
from tests.chaos import __main__ as command
from tests.chaos import backups, beside, disks
from tests.chaos import writes as core
from tests.chaos.examine import examine_cosigned
from tests.chaos.live import live
from tests.chaos.traps import Trap
from tests.chaos.writes import Scene, Site, moments, one, scenes, template
from tests.witnessed import cosign, names, with_witnesses


@pytest.fixture(autouse=True)
def _short_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine batches, of which the last is waited for at the end, where `make chaos` has 33."""
    monkeypatch.setattr("tests.chaos.live.QUEUE", 128)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return template(tmp_path_factory.mktemp("chaos") / "base")


def two_batches(base: Site) -> Scene:
    return Scene(base, command.NEXT, command.AFTER)


def test_a_round_of_each_kind(capfd: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--kills", "8", "--json"]) == 0
    value = json.loads(capfd.readouterr().out)
    others = ("failing writes", "clocks that jump", "full disks", "torn ends", "torn files", "killed backups")
    for kind in others:
        assert value[kind] >= 1, kind
    assert value["kills"] >= 8
    assert value["killed at a change"] == 4
    assert min(value["killed under load"], value["beside witnesses"]) >= 2
    assert value["witnesses killed"] >= 1
    assert value["other faults"] == sum(value[kind] for kind in others) + value.get("read-only disks", 0)
    assert value["read-only disks"] == 1 or "read-only" in " ".join(value["reasons"])


def test_a_run_that_time_cuts_short_says_so_and_does_not_pass(capfd: pytest.CaptureFixture[str]) -> None:
    """No kill at all is not 'all held'."""
    assert command.main(["--kills", "8", "--seconds", "0"]) == command.CUT_SHORT
    said = capfd.readouterr().out
    assert "CUT SHORT after 0 of 8 kills" in said
    assert "all held" not in said


def test_death_at_the_moments_of_what_is_sent_and_throughout_every_scene(base: Site, tmp_path: Path) -> None:
    """Some of each; all of them: `make chaos`."""
    founding, two, turn = scenes(tmp_path / "scenes", base)
    sent = range(8, 23)  # from the key notes' commit to that of the letters
    for scene, least, begun in ((founding, 40, 5), (two, 70, sent.stop), (turn, 40, 5)):
        every = moments(scene, tmp_path / "counted")
        assert every > least
        for at in (*(sent if scene is two else ()), *range(begun, every, 17)):
            died, left = one(scene, tmp_path / "round", Trap(at))
            assert died
            assert left.ok, left
            assert left.letters >= (2 if scene is founding else 8)
            assert not left.waiting
        assert not one(scene, tmp_path / "round", Trap(every + 1))[0], "there were more moments"


def test_a_page_and_a_chunk_acknowledged_before_they_are_durable_are_counted_as_lost(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(*sent: object) -> None:
        *_, acknowledged = sent
        for what in ("page", "chunk"):
            cast(Callable[[str], None], acknowledged)(what)

    monkeypatch.setattr(beside, "take", early)
    assert one(replace(two_batches(base), also="beside"), tmp_path / "round", Trap(9))[1].lost == 2


def test_an_attachment_that_is_not_dropped_is_a_fault(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = scenes(tmp_path / "scenes", base)[2]
    monkeypatch.setattr(beside, "drop", lambda *_: None)
    assert "an attachment was kept too long" in one(turn, tmp_path / "round", Trap(9))[1].faults


def test_letters_acknowledged_before_they_are_durable_are_counted_as_lost(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = accept_letters

    def early(intake: Intake, cache: DirectoryCache, bodies: Sequence[bytes], now: int) -> list[bytes | Refusal]:
        """The receipts come out of a store that is thrown away; the writing comes later."""
        folder = tmp_path / "elsewhere"
        if not folder.exists():
            folder.mkdir()
        aside = base.copy(folder / str(len(list(folder.iterdir()))))
        sql = open_sqlite(aside.folder / "db")
        outcomes = honest(Intake(sql, intake.keys, intake.door), DirectoryCache(), bodies, now)
        sql.close()
        for outcome in outcomes:
            if isinstance(outcome, bytes):
                core.note(tmp_path / "round" / "receipts", outcome)
        return honest(intake, cache, bodies, now)

    monkeypatch.setattr(core, "accept_letters", early)
    left = [one(two_batches(base), tmp_path / "round", Trap(at))[1] for at in range(6, 10)]
    assert sum(x.lost for x in left) > 0


def test_files_copied_out_before_the_commit_are_seen_as_a_fork(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = publishing.Publisher._commit

    def early(
        self: publishing.Publisher, connection: Connection, built: Built, before: Tip | None,
        letter_ids: list[int], note_ids: list[int],
    ) -> None:  # fmt: skip
        for path, body in built.files.items():
            self._shelves.of(path).put(path, body)
        self._shelves.public.put("checkpoint", built.tip.checkpoint)
        honest(self, connection, built, before, letter_ids, note_ids)

    monkeypatch.setattr(publishing.Publisher, "_commit", early)
    left = [one(two_batches(base), tmp_path / "round", Trap(at))[1] for at in range(4, 40, 3)]
    assert any(not x.ok for x in left)
    assert any(x.forks or x.faults for x in left)


def test_a_lost_pack_and_a_foreign_checkpoint_are_counted(base: Site, tmp_path: Path) -> None:
    site = base.copy(tmp_path / "site")
    (site.folder / "private" / "packs" / "33").unlink()
    core.note(site.seen, os.urandom(80))
    left = site.examine()
    assert (left.packs, left.forks) == (1, 1)
    assert not left.ok
    assert base.examine().ok


def test_a_server_that_goes_on_behind_what_it_published_is_seen_as_a_fork(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk lost the database's newest part, and the start does not compare it with what is published."""
    monkeypatch.setattr(publishing.Publisher, "_check_published", lambda *_: None)
    monkeypatch.setattr(publishing.Publisher, "_check_tiles", lambda *_: None)
    site = base.copy(tmp_path / "site")
    shutil.copy(site.folder / "db", tmp_path / "earlier")
    assert not core.in_child(lambda: core.work(site, Trap(0), command.NEXT, 100))
    shutil.copy(tmp_path / "earlier", site.folder / "db")
    core.in_child(lambda: core.work(site, Trap(0), (*command.NEXT, *command.AFTER), 200))
    assert site.forks() > 0


def test_a_restore_that_compares_nothing_is_seen_as_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = backups.template(tmp_path / "saved")
    died, left = backups.killed(saved, tmp_path / "round", 1)
    assert died
    assert left.ok, left
    monkeypatch.setattr(restoring, "_chosen", lambda *_: None)
    assert backups.killed(saved, tmp_path / "round", 1)[1].forks > 0


def test_a_server_that_a_full_disk_ends_without_words_is_a_fault(
    base: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := disks.mounts(tmp_path / "probe"):
        pytest.skip(f"no small disk can be mounted here: {reason}")

    def speechless(self: FolderObjects, path: str, data: bytes) -> None:
        (self._root / "unsafe").write_bytes(bytes(100_000))
        raise RuntimeError

    assert disks.full_disk(base, tmp_path / "full", 12, command.NEXT, (*command.AFTER, 41)).ok
    monkeypatch.setattr(FolderObjects, "put", speechless)
    assert not disks.full_disk(base, tmp_path / "full", 12, command.NEXT, (*command.AFTER, 41)).ok


HASTY = """
from latchstring.server.publisher import Publisher
honest = Publisher._copy_out
def hasty(self, at, files):
    honest(self, at, files)
    self._shelves.public.put("checkpoint", at.checkpoint)
Publisher._copy_out = hasty
"""


@pytest.mark.matrix
def test_a_server_that_publishes_before_its_witnesses_have_seen_it_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server in its processes, with one line of its own at their start."""
    (tmp_path / "hasty").mkdir()
    (tmp_path / "hasty" / "sitecustomize.py").write_text(HASTY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hasty"))
    lived = live(tmp_path / "live", 1, time.monotonic() + 60, 1, lambda *_: None, witnesses=2)
    assert lived.left.uncosigned > 0
    assert lived.left.forks == 0


def test_a_fork_that_a_witness_cosigned_and_what_it_has_not_are_counted(base: Site) -> None:
    public = FolderObjects(base.folder / "public").get
    log = base.keys.verifier(base.founding.directory.origin)
    directory = with_witnesses(base.founding, 2, 2).directory
    raw = public("checkpoint")
    ours = open_checkpoint(raw, log)
    true = Seen(ours.size, ours.root)

    def left(checkpoints: list[bytes], *seen: Seen) -> tuple[int, int]:
        found = examine_cosigned(public, log, directory, checkpoints, seen)
        assert found.ok is not bool(found.forks or found.uncosigned)
        return found.forks, found.uncosigned

    both, one = cosign(raw, names(2), 5), cosign(raw, names(1), 5)
    assert left([both], true, NOTHING) == (0, 0)
    assert left([both], true, Seen(ours.size, bytes(32))) == (1, 0)
    assert left([both], Seen(ours.size + 1, ours.root)) == (1, 0), "longer than the log came to be"
    assert left([both, one, raw], true) == (0, 2)
