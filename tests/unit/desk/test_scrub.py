# SPDX-License-Identifier: AGPL-3.0-or-later
"""Erasing for good what was deleted: whatever the gaps of old pages hold, it is gone; nothing else is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.desk import schema
from latchstring.desk.errors import VaultError
from latchstring.desk.scrub import is_owed, owe, scrub
from latchstring.desk.vault import Vault, create_vault, open_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE
from tests.unit.desk.test_erasure import journal_bytes, vault_bytes

STEPS: list[tuple[str, int, int]] = []


def step(what: str, done: int, of: int) -> None:
    STEPS.append((what, done, of))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "desk.vault", PASSPHRASE, os.urandom, CHEAP) as made:
        yield made


def fill(vault: Vault) -> list[bytes]:
    """A thread with forty replies, on a few pages; their bodies."""
    random = Stream("scrub")
    thread, bodies = random(32), [random(200 + n) for n in range(40)]
    with vault.transaction():
        vault.do("INSERT INTO thread (id, seal_key, dh, psk) VALUES (?, ?, ?, ?)", thread, random(1216), b"a", b"p")
        for body in bodies:
            vault.do("INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, 0)", random(16), thread, body)
    return bodies


def delete_leaving_traces(vault: Vault) -> None:
    """Every fourth, as if they had been copied about before: they stay in the gaps of pages that others still use."""
    vault._db.execute("PRAGMA secure_delete = OFF")
    with vault.transaction():
        vault.do("DELETE FROM reply WHERE number % 4 = 0")
        owe(vault)
    vault._db.execute("PRAGMA secure_delete = ON")


def traces(vault: Vault, bodies: list[bytes]) -> int:
    """How many of these bodies can still be found in part, in the file or the journal."""
    raw = vault_bytes(vault._path) + journal_bytes(vault._path)
    return sum(any(body[at : at + 24] in raw for at in range(0, len(body) - 24, 12)) for body in bodies)


def test_what_was_deleted_is_nowhere_and_the_rest_is_as_it_was(vault: Vault) -> None:
    bodies = fill(vault)
    before = vault.rows("SELECT * FROM reply WHERE number % 4 > 0")
    layout = vault.rows("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name")
    delete_leaving_traces(vault)
    assert traces(vault, bodies[3::4]) == 10  # the broken variant: deleted, not erased
    assert scrub(vault, step)
    assert traces(vault, bodies[3::4]) == 0
    assert traces(vault, bodies[2::4]) == 10
    assert vault.rows("SELECT * FROM reply") == before
    assert vault.rows("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name") == layout
    assert STEPS[-1][1] == STEPS[-1][2]
    assert not is_owed(vault)
    assert not scrub(vault, step)


def test_a_vault_written_anew_is_the_vault_of_the_schema(vault: Vault) -> None:
    """Constraints, references and indexes are still there."""
    fill(vault)
    delete_leaving_traces(vault)
    scrub(vault, step)
    for statement in ("INSERT INTO reply (id, thread, cbor, written) VALUES (x'', x'00', x'', 0)",):
        with pytest.raises(Exception, match="FOREIGN KEY"), vault.transaction():
            vault.do(statement)
    assert vault.rows("PRAGMA foreign_keys") == [(1,)]
    assert vault.rows("PRAGMA legacy_alter_table") == [(0,)]
    assert vault.rows("SELECT 1 FROM sqlite_master WHERE name = 'placement_of_reply'")
    fresh = vault._path.with_name("fresh.vault")
    columns = "SELECT t.name, c.name, c.type, c.[notnull], c.pk FROM sqlite_master t, pragma_table_info(t.name) c"
    with create_vault(fresh, PASSPHRASE, os.urandom, CHEAP) as other:
        assert sorted(vault.rows(columns)) == sorted(other.rows(columns))
        said = other.rows("SELECT name, [unique] FROM pragma_index_list('letter')")
    assert vault.rows("SELECT name, [unique] FROM pragma_index_list('letter')") == said


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    armed = False
    stored = False

    def _commit(self) -> None:
        if not self.armed:
            return super()._commit()
        self.armed = False
        if self.stored:
            super()._commit()
        raise VaultError("The disk with the vault is full.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
def test_a_scrub_that_fails_is_done_by_the_next(vault: Vault, stored: bool) -> None:
    bodies = fill(vault)
    delete_leaving_traces(vault)
    vault.__class__ = Failing
    assert isinstance(vault, Failing)
    vault.armed, vault.stored = True, stored
    with pytest.raises(VaultError):
        scrub(vault, step)
    path = vault._path
    vault.close()
    with open_vault(path, PASSPHRASE, CHEAP) as again:
        assert is_owed(again) is not stored
        scrub(again, step)
        again.wipe_journal()  # as every session does: the crash may have come between
        assert traces(again, bodies[3::4]) == 0
        assert again.rows("SELECT count(*) FROM reply") == [(30,)]


def test_every_column_that_names_a_thread_is_called_so() -> None:
    """A change of the passphrase renames threads by that; `thread.id` is the one name that others refer to."""
    for table in schema.TABLES:
        for line in table.split("\n"):
            if "REFERENCES thread" in line:
                assert line.strip().startswith("thread BLOB"), line
