# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store whose upgrade is cut off anywhere goes on when it is opened again, with all it holds."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from latchstring.store import steps
from latchstring.store.sql import StoreError, open_sqlite
from tests.unit.store.test_steps import Rows, old_store, shape, shape_of_metadata

DIES = """
import os, sys
from pathlib import Path
from sqlalchemy import Engine, event
from latchstring.store import sql

left, begun = int(sys.argv[2]), False

def count(connection, cursor, statement, *_):
    global left, begun
    begun = begun or statement.startswith(("CREATE", "DROP", "INSERT", "DELETE"))
    if begun:
        if left == 0:
            os._exit(9)
        left -= 1

event.listen(Engine, "before_cursor_execute", count)
if sys.argv[3] != "whole":
    sql._on_begin = lambda connection: None  # each statement by itself
sql.open_sqlite(Path(sys.argv[1])).close()
"""


def dies(path: Path, after: int, how: str = "whole") -> bool:
    """Open the store in another process, which is gone so many statements after the first that writes. False: it went
    through."""
    done = subprocess.run([sys.executable, "-c", DIES, path, str(after), how], capture_output=True, text=True)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


def held(path: Path, written: Rows) -> Rows:
    """What stands in those columns now, sums that a step made left out."""
    plain = sqlite3.connect(path)
    found = {
        name: (columns, [tuple(row) for row in plain.execute(f"SELECT {','.join(columns)} FROM {name} ORDER BY 1")])  # noqa: S608  # names of our own tables
        for name, (columns, _) in written.items()
    }
    plain.close()
    return {
        name: (columns, [row for row in rows if not str(row[0]).startswith("attachments-")])
        for name, (columns, rows) in found.items()
    }


@pytest.mark.parametrize("version", range(1, len(steps.STEPS)))
def test_an_upgrade_that_is_cut_off_anywhere_goes_on(version: int, tmp_path: Path) -> None:
    written = old_store(tmp_path / "old", version)
    said, cuts = shape_of_metadata(tmp_path / "said"), 0
    for after in range(0, 100, 5):
        path = tmp_path / f"db{after}"
        path.write_bytes((tmp_path / "old").read_bytes())
        died = dies(path, after)
        cuts += died
        open_sqlite(path).close()
        assert held(path, written) == written
        assert shape(path) == said
        if not died:
            break
    else:
        pytest.fail("no upgrade went through")
    assert cuts >= 2


def test_an_upgrade_that_is_not_one_transaction_would_be_noticed(tmp_path: Path) -> None:
    old_store(tmp_path / "db", 1)
    assert dies(tmp_path / "db", 12, "in parts")
    with pytest.raises(StoreError):
        open_sqlite(tmp_path / "db")
