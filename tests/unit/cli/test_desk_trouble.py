# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk, where the disk, the program or the door is not as it should be: it is said, and nothing is lost."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from sqlcipher3 import dbapi2

from latchstring.cli import vaults
from latchstring.desk.alone import LOCK
from latchstring.desk.vault import Vault, open_vault
from tests.desk_world import CHEAP, PASSPHRASE, Source
from tests.unit.cli.test_desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, monkeypatch, capfd)
    made.open()
    return made


def letter(desk: Desk, text: str) -> str:
    """Somebody writes; the letter's mark."""
    msg_id = desk.world.write(Source(desk.world, "a"), text)
    desk.world.close()
    return msg_id[:8].hex()


def full(_vault: Vault) -> NoReturn:
    error = dbapi2.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    raise error


def opening(desk: Desk, patch: pytest.MonkeyPatch, prepare: Callable[[Vault], object]) -> None:
    """What is done to each vault that a command opens."""

    def opened(path: Path, passphrase: str) -> Vault:
        vault = open_vault(path, passphrase, CHEAP)
        prepare(vault)
        return vault

    patch.setattr(vaults, "open_vault", opened)


def test_a_full_disk_keeps_nobody_from_reading_and_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    letter(desk, "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "_commit", full)
        said = desk.type("sync", code=1)
        assert "disk with the vault is full" in said
        assert "Make room" in said
    assert "New letters: 1" in desk.type("sync")
    mark = letter(desk, "more")
    desk.type("sync")
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "_commit", full)
        shown = desk.type("show", mark)
        assert "  more" in shown
        assert "That they were opened could not be kept. The disk with the vault is full" in shown
        assert "Make room" in desk.type("reply", mark, said="an answer", code=1)
    assert "2 new" in desk.type("inbox")
    assert "could not be kept" not in desk.type("show", mark)
    assert "new" not in desk.type("inbox")


@pytest.mark.parametrize("command", ["reply", "note"])
def test_nobody_types_in_vain_into_a_vault_that_cannot_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    mark = letter(desk, "hello")
    desk.type("sync")
    with monkeypatch.context() as patch:
        opening(desk, patch, lambda vault: vault._db.execute("PRAGMA query_only = ON").fetchall())
        assert "The vault cannot be written here" in desk.type(command, mark, said="an answer", code=1)
        assert sys.stdin.buffer.tell() == 0
        assert "  hello" in desk.type("show", mark)
        assert "hello" in desk.type("inbox")
        assert "cannot be written" in desk.type("sync", code=1)


@pytest.mark.parametrize("command", [("inbox",), ("sync",), ("show", "1eb569dc"), ("card",)])
def test_a_vault_of_a_newer_program_is_left_as_it_is(desk: Desk, command: tuple[str, ...]) -> None:
    with open_vault(desk.vault, PASSPHRASE, CHEAP) as vault:
        vault._db.execute("PRAGMA user_version = 999").fetchall()
    before = desk.vault.read_bytes()
    said = desk.type(*command, code=1)
    assert "written by a newer version of this program" in said
    assert "Bring the program up to date" in said
    assert desk.vault.read_bytes() == before


def test_an_expired_directory_is_said_and_letters_of_before_are_still_read(desk: Desk) -> None:
    desk.world.renew(expires=desk.world.batch + 3)
    letter(desk, "hello")
    for _ in range(4):
        desk.world.close()
    said = desk.type("sync")
    assert "New letters: 1" in said
    assert "has run out" in said
    desk.world.renew()
    desk.world.close()
    assert "has run out" not in desk.type("sync")


def test_a_session_s_file_that_a_crash_left_holds_up_nothing(desk: Desk) -> None:
    left = desk.vault.with_name(desk.vault.name + LOCK)
    assert left.read_bytes() == b""
    assert left.stat().st_mode & 0o777 == 0o600
    left.write_bytes(b"4711\n")
    desk.type("sync")
    left.unlink()
    desk.type("sync")
