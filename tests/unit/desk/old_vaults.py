# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vaults as each earlier version left them, with rows in every table that it had."""

from pathlib import Path
from typing import Final

import pytest

from latchstring.desk import schema
from latchstring.desk.vault import Vault, create_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

FIRST: Final = tuple((Path(__file__).parent / "vault_v1.sql").read_text("utf-8").split(";")[:-1])
INDEX: Final = "words"  # the index of words and what it keeps its own rows in; it is made anew from the texts

Rows = dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]]
"""table -> its columns when its rows were written, and the rows in the order of the first column."""


def old_vault(path: Path, version: int) -> Rows:
    """A vault of `version`, with rows in every table, written when its step had made it."""
    written: Rows = {}
    with pytest.MonkeyPatch.context() as then:
        then.setattr(schema, "TABLES", FIRST)
        then.setattr(schema, "VERSION", version)
        made = create_vault(path, PASSPHRASE, Stream("old"), CHEAP)
    with made, made.transaction():
        _fill(made, written)
        for step in range(1, version):
            for statement in schema.STEPS[step]:
                made.do(statement)
            if step == 14:
                del written["filled"]  # by design: what it said holds for nobody without a key
            _fill(made, written)
    return written


def table_names(vault: Vault) -> list[str]:
    """All but the index of words and SQLite's own, in the order in which they were made."""
    rows = vault.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [row[0] for row in rows if row[0] == "words_owed" or not row[0].startswith((INDEX, "sqlite_"))]


def _fill(vault: Vault, written: Rows) -> None:
    for name in table_names(vault):
        if name in written:
            continue
        columns = [(row[1], row[2]) for row in vault.rows(f"PRAGMA table_info({name})")]
        alone = columns[0][0] == "one"
        rows = [tuple(_some(column, kind, n) for column, kind in columns) for n in ((1,) if alone else (1, 2))]
        vault.do(f"DELETE FROM {name}")  # noqa: S608  # names of our own tables; `words_owed` has its row from its step
        for row in rows:
            vault.do(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", *row)  # noqa: S608  # as above
        written[name] = (tuple(column for column, _ in columns), list(rows))


def _some(column: str, kind: str, number: int) -> bytes | int | str:
    """A value that a column takes; another for each number. Equal in all tables, so that what refers finds what it
    means."""
    if kind == "INTEGER":
        return number
    if kind == "TEXT":
        return "anna" if column in ("member", "author") and number == 1 else f"text {number}"
    return bytes([number]) * 32


def read_rows(vault: Vault, written: Rows) -> Rows:
    """What stands in those columns of those tables now."""
    return {
        name: (columns, vault.rows(f"SELECT {', '.join(columns)} FROM {name} ORDER BY rowid"))  # noqa: S608  # as above
        for name, (columns, _) in written.items()
    }
