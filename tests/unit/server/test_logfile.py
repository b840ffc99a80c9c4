# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's lines in files that stay small."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from latchstring.server import logfile
from latchstring.server.logfile import open_log, output_to
from latchstring.store.sql import StoreError


def test_what_this_and_other_processes_say_is_there_with_the_time(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with output_to(file):
        os.write(2, b"from here, 100 %s\n")
        os.write(2, b"from below \xff\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    lines = file.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["from here, 100 %s", "from below \ufffd", "from a child"]
    assert all(len(line.split(" ")[0]) == len("2026-01-01T00:00:00Z") for line in lines)
    assert file.stat().st_mode & 0o077 == 0
    os.write(2, b"no longer there\n")
    assert len(file.read_text().splitlines()) == 3


def test_it_never_grows_beyond_a_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "open_log", lambda file: open_log(file, 1000))
    with output_to(tmp_path / "log"):
        for i in range(2000):
            os.write(2, b"a line of the server, number %d\n" % i)
        os.write(2, b"x" * 100_000 + b"\n")
    files = sorted(tmp_path.iterdir())
    assert [p.name for p in files] == ["log", "log.1", "log.2", "log.3", "log.4"]
    assert sum(p.stat().st_size for p in files) < 5 * 1000 + logfile._LINE + 100


TALKS = """
import os, pathlib, sys
from latchstring.server.logfile import output_to
with output_to(pathlib.Path(sys.argv[1])):
    for i in range(5000):
        os.write(2, b"a line of the server, number %d\\n" % i)
print("went on")
"""


def test_a_full_disk_stops_nobody_who_writes() -> None:
    """More lines than a pipe holds."""
    run = [sys.executable, "-c", TALKS, "/dev/full"]
    assert subprocess.run(run, capture_output=True, timeout=60, check=True).stdout == b"went on\n"


def test_once_it_can_be_written_again_it_says_how_many_lines_are_missing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    log.line("one")
    true, broken = log.stream, io.TextIOWrapper(io.BytesIO())
    broken.close()  # every write fails
    log.stream = broken
    log.line("two")
    log.line("three")
    log.stream = true
    log.line("four")
    log.line("five")
    log.close()
    lines = [line.split(" ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert lines == ["one", "The log could not be written: up to 2 lines are missing here.", "four", "five"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="log file cannot be written"), output_to(tmp_path / "none" / "log"):
        pytest.fail("it went on")
