# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a witness saw last, on disk: whole and durable or not there; damaged files sign nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latchstring.log.cosignature import Cosigner
from latchstring.witness.errors import StateFailed, WitnessError
from latchstring.witness.state import NOTHING, FolderStates, Seen
from tests.witnesses import Log, witness_for

ONE, TWO = Seen(4, bytes([1]) * 32), Seen(9, bytes([2]) * 32)


def never(_seconds: float) -> None:
    """Nobody waits in a test."""


@pytest.fixture
def folder(tmp_path: Path) -> FolderStates:
    return FolderStates(tmp_path / "seen", never)


def test_what_was_kept_is_found_again(folder: FolderStates, tmp_path: Path) -> None:
    assert folder.get("log.example") == NOTHING
    folder.put("log.example", ONE)
    folder.put("other.example", TWO)
    folder.put("log.example", TWO)
    folder.put("other.example", ONE)
    folder.close()
    again = FolderStates(tmp_path / "seen", never)
    assert (again.get("log.example"), again.get("other.example")) == (TWO, ONE)


def test_one_folder_has_one_witness(folder: FolderStates, tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="Another witness"):
        FolderStates(tmp_path / "seen", never)
    folder.close()
    FolderStates(tmp_path / "seen", never)


def files(tmp_path: Path) -> list[Path]:
    return [p for p in (tmp_path / "seen").iterdir() if len(p.name) == 64]


@pytest.mark.parametrize("raw", [b"", b"\xa0", b"not a state"])
def test_a_damaged_file_is_no_empty_log(folder: FolderStates, tmp_path: Path, raw: bytes) -> None:
    """Else a torn disk would let the witness be led anywhere."""
    folder.put("log.example", ONE)
    files(tmp_path)[0].write_bytes(raw)
    with pytest.raises(StateFailed):
        folder.get("log.example")


def test_a_file_under_another_logs_name(folder: FolderStates, tmp_path: Path) -> None:
    folder.put("log.example", ONE)
    raw = files(tmp_path)[0].read_bytes()
    folder.put("other.example", TWO)
    for file in files(tmp_path):
        file.write_bytes(raw)
    with pytest.raises(StateFailed, match="another log"):
        folder.get("other.example")


@pytest.mark.parametrize(
    ("call", "stored"),
    [("open", False), ("fsync", False), ("replace", False), ("fsync folder", True)],
)
def test_a_write_that_fails(folder: FolderStates, monkeypatch: pytest.MonkeyPatch, call: str, stored: bool) -> None:
    """Whole old or whole new, whichever step fails; and it is said to have failed."""
    folder.put("log.example", ONE)
    syncs: list[int] = []
    real = os.fsync

    def fail(*_: Any) -> None:
        raise OSError("on purpose")

    def sync(handle: int) -> None:
        syncs.append(handle)
        if len(syncs) == (1 if call == "fsync" else 2):
            fail()
        real(handle)

    if call in ("fsync", "fsync folder"):
        monkeypatch.setattr(os, "fsync", sync)
    elif call == "replace":
        monkeypatch.setattr(os, "replace", fail)
    else:
        monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(StateFailed):
        folder.put("log.example", TWO)
    monkeypatch.undo()
    assert folder.get("log.example") == (TWO if stored else ONE)
    folder.put("log.example", TWO)
    assert folder.get("log.example") == TWO


def noting(order: list[str], word: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        order.append(word)
        return real(*arguments)

    return call


def test_the_cosignature_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order: file synced, renamed, folder synced; only then is anything signed."""
    order: list[str] = []
    log = Log()
    witness = witness_for(log, states=FolderStates(tmp_path / "seen", never))
    for module, name, word in ((os, "fsync", "fsync"), (os, "replace", "rename"), (Cosigner, "cosign", "sign")):
        monkeypatch.setattr(module, name, noting(order, word, getattr(module, name)))
    assert witness.add_checkpoint(log.ask(0, 4), 1).status == 200
    assert order == ["fsync", "rename", "fsync", "sign"]


def test_the_folder_itself_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash that takes the folder away again would take with it what was cosigned."""
    synced: list[str] = []
    monkeypatch.setattr("latchstring.witness.state._sync", lambda folder: synced.append(folder.name))
    FolderStates(tmp_path / "witness" / "seen", never).close()
    assert synced == ["witness"]
