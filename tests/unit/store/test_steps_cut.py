# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store whose upgrade is cut off anywhere goes on when it is opened again, with all it holds."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
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

old, how, *cuts = sys.argv[1:]
for left in map(int, cuts):
    path = Path(f"{old}-{left}")
    path.write_bytes(Path(old).read_bytes())
    pid = os.fork()
    if not pid:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
else:
    sys.exit()
begun = False

def count(connection, cursor, statement, *_):
    global left, begun
    begun = begun or statement.startswith(("CREATE", "DROP", "INSERT", "DELETE"))
    if begun:
        if left == 0:
            os._exit(9)
        left -= 1

event.listen(Engine, "before_cursor_execute", count)
if how != "whole":
    sql._on_begin = lambda connection: None  # each statement by itself
sql.open_sqlite(path).close()
os._exit(0)
"""


def dies(old: Path, cuts: Sequence[int], how: str = "whole") -> dict[int, bool]:
    """Open a copy of the store, OLD-N, in another process, which is gone N statements after the first that writes.
    False: it went through."""
    done = subprocess.run([sys.executable, "-c", DIES, old, how, *map(str, cuts)], capture_output=True, text=True)
    codes = [int(line) for line in done.stdout.split()]
    assert set(codes) <= {0, 9}, done.stderr
    return {cut: code == 9 for cut, code in zip(cuts, codes, strict=True)}


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
    for after, died in dies(tmp_path / "old", range(0, 100, 5)).items():
        path = tmp_path / f"old-{after}"
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
    assert dies(tmp_path / "db", [12], "in parts") == {12: True}
    with pytest.raises(StoreError):
        open_sqlite(tmp_path / "db-12")
