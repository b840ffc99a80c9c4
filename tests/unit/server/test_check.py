# SPDX-License-Identifier: AGPL-3.0-or-later
"""`server check`: each thing that can be wrong is said in a sentence, and a sound store gets none."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latchstring.server.accept import accept_directory
from latchstring.server.check import check
from latchstring.server.config import Config, format_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.server.setup import Parts, open_parts
from latchstring.store import steps
from tests.builders import Founding, Stream, found


@dataclass
class Store:
    """A server's folder with one closed batch."""

    folder: Path
    founding: Founding
    config: Config

    @property
    def file(self) -> Path:
        return self.folder / "server.toml"

    def at(self, batch: int) -> int:
        return self.founding.directory.policy.closes_at(batch)

    def parts(self) -> Parts:
        return open_parts(self.config)

    def wrong(self, batch: int = 1) -> list[str]:
        return [finding.text for finding in check(self.file, self.at(batch), free=lambda _: 10**12) if not finding.ok]

    def close(self, *batches: int) -> None:
        parts = self.parts()
        publisher = parts.publisher()
        publisher.start()
        for batch in batches:
            publisher.close(batch, Stream("check"))
        parts.sql.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    founding = found("check", letters=1, slots=1)
    config = Config(tmp_path / "data", founding.door, founding.directory.origin)
    config.data.mkdir()
    save_keys(config.keys_file, ServerKeys(founding.log_seed, founding.receipt_seed, founding.request_seed))
    (tmp_path / "server.toml").write_text(format_config(config))
    return Store(tmp_path, founding, config)


@pytest.fixture
def running(store: Store) -> Store:
    post(store, store.founding)
    store.close(0, 1)
    return store


def post(store: Store, founding: Founding, batch: int = 0) -> None:
    parts = store.parts()
    accept_directory(parts.intake, founding.signed, store.at(batch))
    parts.sql.close()


def test_a_sound_store(running: Store) -> None:
    found_all = check(running.file, running.at(1))
    assert [f.text for f in found_all if not f.ok] == []
    assert any("Batch 1 is the newest" in f.text for f in found_all)


def test_from_nothing_to_the_first_batch(store: Store) -> None:
    assert any("No directory was posted" in text for text in store.wrong())
    post(store, store.founding)
    assert store.wrong() == []
    assert any("No batch was closed yet" in f.text for f in check(store.file, store.at(0)))


def no_file(store: Store) -> None:
    store.file.unlink()


def no_keys(store: Store) -> None:
    store.config.keys_file.unlink()


def damaged_keys(store: Store) -> None:
    store.config.keys_file.write_bytes(b"keys")


def readable_keys(store: Store) -> None:
    store.config.keys_file.chmod(0o644)


def other_keys(store: Store) -> None:
    store.config.keys_file.unlink()
    save_keys(store.config.keys_file, ServerKeys.make(Stream("other")))


def other_origin(store: Store) -> None:
    store.file.write_text(format_config(replace(store.config, origin="other.example/log")))


def other_door(store: Store) -> None:
    store.file.write_text(format_config(replace(store.config, door=found("other").door)))


def long_queue(store: Store) -> None:
    store.file.write_text(format_config(replace(store.config, queue_limit=65)))


def damaged_database(store: Store) -> None:
    store.config.database.write_bytes(b"not a database" * 1000)


def no_checkpoint(store: Store) -> None:
    (store.config.published / "checkpoint").unlink()


def old_checkpoint(store: Store) -> None:
    kept = (store.config.published / "checkpoint").read_bytes()
    store.close(2)
    (store.config.published / "checkpoint").write_bytes(kept)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_file, "server init"),
        (no_keys, "keys are missing"),
        (damaged_keys, "key file is damaged"),
        (readable_keys, "chmod 600"),
        (other_keys, "other keys than this server's"),
        (other_origin, "the configuration's is not"),
        (other_door, "cannot be read"),
        (long_queue, "more than the directory's 64"),
        (damaged_database, "database"),
        (no_checkpoint, "published files are missing"),
        (old_checkpoint, "not the database's"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_said(running: Store, spoil: Callable[[Store], None], said: str) -> None:
    spoil(running)
    wrong = running.wrong(2 if spoil is old_checkpoint else 1)
    assert any(said in text for text in wrong), wrong
    for text in wrong:
        assert text.endswith((".", "cbor", "ADDRESS"))
        assert str(running.folder) not in text


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (0, "clock is behind"),
        (5, "4 ticks old"),
        (60 * 144, "has run out"),
        (30 * 144, "runs out in 30 days"),
    ],
)
def test_the_clock_and_the_expiry(running: Store, batch: int, said: str) -> None:
    wrong = running.wrong(batch)
    assert any(said in text for text in wrong), wrong


def test_a_batch_that_a_crash_left_unfinished_is_no_fault(running: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is there, the copying out was cut: the next start does it, and nothing is wrong."""
    parts = running.parts()
    publisher = parts.publisher()
    publisher.start()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publisher, "_copy_out", cut)
    with pytest.raises(KeyboardInterrupt):
        publisher.close(2, Stream("cut"))
    parts.sql.close()
    assert running.wrong(2) == []
    assert any("the next start finishes it" in f.text for f in check(running.file, running.at(2)))
    running.close(3)
    assert running.wrong(3) == []


def test_checking_changes_nothing(running: Store) -> None:
    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(running.config.published.rglob("*")) if p.is_file()}

    before, database = files(), running.config.database.read_bytes()
    running.wrong()
    assert files() == before
    assert running.config.database.read_bytes() == database


def test_a_newer_program_that_checks_leaves_the_store_to_the_one_that_runs(
    running: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the operator's guide upgrades: the new program looks while the old one is still at work."""
    before, old = running.config.database.read_bytes(), steps.STEPS
    monkeypatch.setattr(steps, "STEPS", (*old, lambda _connection: None))
    said = check(running.file, running.at(1), free=lambda _: 10**12)
    assert [finding.text for finding in said if not finding.ok] == []
    assert any("an earlier program's" in finding.text for finding in said)
    assert any("Batch 1 is the newest" in finding.text for finding in said)
    assert running.config.database.read_bytes() == before
    monkeypatch.setattr(steps, "STEPS", old)
    running.close(2)
