# SPDX-License-Identifier: AGPL-3.0-or-later
"""Erasing for good what was deleted.

SQLite overwrites a row that is deleted, but copies of it may lie in the gaps of pages that were rearranged while it
was there. So after a deletion all tables are written anew and the old ones dropped, which overwrites their pages
whole; then the journal is wiped. The mark that this is due is kept by the transaction that deletes, so that a crash
between the two leaves it for the next session.
"""

import re
from collections.abc import Callable

from latchstring.desk.search import rebuild
from latchstring.desk.vault import Vault

Step = Callable[[str, int, int], None]


def owe(vault: Vault) -> None:
    """Part of the transaction that deletes: traces are still to be erased."""
    vault.do("INSERT OR IGNORE INTO scrub (one) VALUES (1)")


def is_owed(vault: Vault) -> bool:
    """Was something deleted since the tables were last written anew?"""
    return bool(vault.rows("SELECT 1 FROM scrub"))


def scrub(vault: Vault, step: Step) -> bool:
    """Erase the traces of what was deleted, if anything was; False when there was nothing to do.

    Opens its own transaction. It takes as long as writing the whole vault twice, and room on the disk for as much.
    """
    if not is_owed(vault):
        return False
    names = _tables(vault)
    with vault.rebuilding():
        vault.do("DELETE FROM scrub")
        for position, name in enumerate(names, 1):
            _write_anew(vault, name)
            step("erasing", position, len(names))
        rebuild(vault)
    vault.wipe_journal()
    return True


def _tables(vault: Vault) -> tuple[str, ...]:
    rows = vault.rows(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    )
    return tuple(row[0] for row in rows)


def _write_anew(vault: Vault, name: str) -> None:
    """Into a spare table and back: SQLite reads its whole schema again for each table that is renamed, which takes
    longer than copying a table of the usual size twice."""
    (sql,) = vault.rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", name)[0]
    rest = vault.rows("SELECT sql FROM sqlite_master WHERE type <> 'table' AND tbl_name = ? AND sql IS NOT NULL", name)
    spare = f"{name}_spare"
    vault.do(re.sub(rf'\ACREATE TABLE\s+"?{name}"?', f'CREATE TABLE "{spare}"', sql, count=1))
    for source, target in ((name, spare), (spare, name)):
        vault.do(f'INSERT INTO "{target}" SELECT * FROM "{source}"')  # noqa: S608  # names of our own schema
        vault.do(f'DROP TABLE "{source}"')
        if source == name:
            vault.do(sql)
    for (statement,) in rest:  # indexes and triggers
        vault.do(statement)
