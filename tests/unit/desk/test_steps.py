# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vaults of every earlier version go up with all they hold; one that is cut off on the way goes on when it is opened
again."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from latchstring.desk import schema
from latchstring.desk.errors import VaultDamaged
from latchstring.desk.schema import VERSION
from latchstring.desk.vault import Vault, _check_version, create_vault, open_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE
from tests.unit.desk.old_vaults import old_vault, read_rows, table_names

OLD = range(1, VERSION)


def shape(vault: Vault) -> object:
    """Tables with their columns, indexes and triggers."""
    names = vault.rows("SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name")
    return [
        (
            row,
            sorted(r[1:] for r in vault.rows(f"PRAGMA table_info({row[1]})")),
            vault.rows(f"PRAGMA index_info({row[1]})"),
        )
        for row in names
        if row[0] != "table" or row[1] in table_names(vault)
    ]


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> object:
    with create_vault(tmp_path_factory.mktemp("new") / "a.vault", PASSPHRASE, Stream("new"), CHEAP) as made:
        return shape(made)


@pytest.mark.parametrize("version", OLD)
def test_a_vault_of_each_version_goes_up_with_all_it_holds(version: int, tmp_path: Path, newest: object) -> None:
    path = tmp_path / "old.vault"
    written = old_vault(path, version)
    assert len(written) >= 11
    for _ in range(2):  # the second opening has nothing to do
        with open_vault(path, PASSPHRASE, CHEAP) as up:
            held = dict(written)
            if version <= 14 and "filled" in held:
                del held["filled"]
                assert up.rows("SELECT * FROM filled") == []  # what was passed on is passed on once more
            assert read_rows(up, held) == held
            assert shape(up) == newest
            assert up.rows("PRAGMA user_version") == [(VERSION,)]
            assert up.rows("PRAGMA foreign_key_check") == []
            assert up.rows("SELECT count(*) FROM words_owed") == [(1,)]  # the texts are still to be indexed


def test_two_programs_that_bring_one_vault_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is quicker between the other's look at the version and its lock: that one finds nothing left to do."""
    path = tmp_path / "old.vault"
    old_vault(path, VERSION - 1)
    looked: list[int] = []

    def look(db: dbapi2.Connection) -> int:
        looked.append(_check_version(db))
        if len(looked) == 1:
            open_vault(path, PASSPHRASE, CHEAP).close()
        return looked[0] if len(looked) == 1 else _check_version(db)

    monkeypatch.setattr("latchstring.desk.vault._check_version", look)
    with open_vault(path, PASSPHRASE, CHEAP) as up:
        assert up.rows("PRAGMA user_version") == [(VERSION,)]
    assert looked[0] == VERSION - 1


@pytest.mark.parametrize("version", [8, 15])
def test_replies_of_another_member_are_known_as_such_after_the_step(version: int, tmp_path: Path) -> None:
    path = tmp_path / "old.vault"
    old_vault(path, version)  # reply 1 is our own by the shared table, reply 2 somebody else's
    with open_vault(path, PASSPHRASE, CHEAP) as up:
        assert up.rows("SELECT member FROM me") == [("anna",)]
        assert up.rows("SELECT id, adopted FROM reply ORDER BY id") == [(b"\1" * 32, 0), (b"\2" * 32, 1)]


def test_a_step_that_loses_rows_would_be_noticed(
    tmp_path: Path, newest: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = (*schema.STEPS[12], "DELETE FROM retention_warned WHERE day = 2")
    monkeypatch.setattr(schema, "STEPS", {**schema.STEPS, 12: careless})
    with pytest.raises(AssertionError):
        test_a_vault_of_each_version_goes_up_with_all_it_holds(12, tmp_path, newest)


# --- cut off ---------------------------------------------------------------------------------------

DIES = """
import os, sys
from pathlib import Path
from sqlcipher3 import dbapi2
from latchstring.desk import vault

left, whole = int(sys.argv[2]), sys.argv[3] == "whole"

class Dying(dbapi2.Connection):
    begun = False

    def execute(self, sql, *values):
        global left
        if sql.startswith("BEGIN"):
            Dying.begun = True
            super().execute("PRAGMA cache_size = 1")  # so that pages reach the file before the end
        elif Dying.begun:
            if left == 0:
                os._exit(9)
            left -= 1
        if not whole and sql.split()[0] in ("BEGIN", "COMMIT"):
            return None
        return super().execute(sql, *values)

connect = dbapi2.connect
vault.dbapi2.connect = lambda *a, **k: connect(*a, factory=Dying, **k)
vault.open_vault(Path(sys.argv[1]), PASSPHRASE, vault.Cost(MEMORY, PASSES)).close()
"""
PROGRAM = DIES.replace("PASSPHRASE", repr(PASSPHRASE)).replace("MEMORY", str(CHEAP.memory_kib))
PROGRAM = PROGRAM.replace("PASSES", str(CHEAP.passes))
STATEMENTS = sum(len(schema.STEPS[step]) for step in OLD)


def die(path: Path, after: int, how: str = "whole") -> None:
    """Open the vault in another process, which is gone after so many statements of the upgrade."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, path, str(after), how], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


def is_hot(path: Path) -> bool:
    """Is there something in the journal that is to be taken back?"""
    journal = path.with_name(path.name + "-journal")
    return journal.exists() and journal.read_bytes()[:8] != bytes(8)


def test_an_upgrade_that_is_cut_off_anywhere_goes_on_when_the_vault_is_opened_again(
    tmp_path: Path, newest: object
) -> None:
    path, hot = tmp_path / "old.vault", 0
    written = old_vault(path, 1)
    before = path.read_bytes()
    for after in (*range(0, STATEMENTS, 3), STATEMENTS, STATEMENTS + 1):  # the last: before the end of the transaction
        path.write_bytes(before)
        path.with_name("old.vault-journal").unlink(missing_ok=True)
        die(path, after)
        hot += is_hot(path) and path.read_bytes() != before
        with open_vault(path, PASSPHRASE, CHEAP) as up:
            assert read_rows(up, written) == written
            assert shape(up) == newest
            assert up.rows("PRAGMA user_version") == [(VERSION,)]
    assert hot > 2, "no process died with half of an upgrade in the file"


def test_an_upgrade_that_is_not_one_transaction_would_be_noticed(tmp_path: Path) -> None:
    path = tmp_path / "old.vault"
    old_vault(path, 1)
    die(path, STATEMENTS // 2, "in parts")
    with pytest.raises(VaultDamaged):
        open_vault(path, PASSPHRASE, CHEAP)
