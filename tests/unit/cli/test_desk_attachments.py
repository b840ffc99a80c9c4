# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk attachments, as a member types it: what is listed, saved and said."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from latchstring.cli import ui
from latchstring.cli.desk_attachments import of_letter, read_cap, size, told
from latchstring.cli.main import run
from latchstring.desk.fetching import Fetched
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.letter import LetterBody, seal_letter
from latchstring.source.upload import Bytes, Upload
from tests.builders import Stream
from tests.desk_world import PASSPHRASE, Source
from tests.unit.cli.test_desk import Desk

NAME = "../\x1b[2Jscan\u202e.pdf"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, monkeypatch, capfd)
    made.open()
    return made


def write(desk: Desk, text: str, *files: tuple[str, bytes]) -> str:
    """A letter with attachments, from somebody; its mark."""
    source, random = Source(desk.world, "a"), Stream(text)
    sent = tuple(
        Upload(Bytes(data), name, random).run(desk.world.transport(), lambda _n: None, lambda _done, _of: None)
        for name, data in files
    )
    note = desk.world.visit().note("news")
    assert note is not None
    msg_id = random(16)
    desk.world.post(seal_letter(source.keys, note, msg_id, LetterBody("en", "client", text, (), sent)))
    desk.world.close()
    return msg_id[:8].hex()


def test_from_sync_to_a_file(desk: Desk, tmp_path: Path) -> None:
    assert "No letter here has an attachment" in desk.type("attachments")
    mark = write(desk, "look", (NAME, b"first"), ("b", b"second"))
    said = desk.type("sync")
    assert "Fetched 2 pieces of attachments" in said
    assert "2 here" in said
    listed = desk.type("attachments")
    for text in (listed, desk.type("show", mark[:8])):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<U+001B>[2Jscan<U+202E>.pdf" in text
    assert "5 bytes" in listed
    saved = desk.type("attachments", "save", mark[:8], "1", "--out", str(tmp_path / "out.pdf"))
    assert "where it can do no harm" in saved
    assert (tmp_path / "out.pdf").read_bytes() == b"first"
    assert (tmp_path / "out.pdf").stat().st_mode & 0o777 == 0o600
    again = desk.type("attachments", "save", mark[:8], "2", "--out", str(tmp_path / "out.pdf"), code=1)
    assert "was not touched" in again
    assert (tmp_path / "out.pdf").read_bytes() == b"first"
    assert "no attachment of that number" in desk.type(
        "attachments", "save", mark[:8], "3", "--out", str(tmp_path / "x"), code=1
    )
    assert not (tmp_path / "x").exists()


SAVING = """
import sys, time
from contextlib import contextmanager, nullcontext
from functools import partial
from latchstring.cli import desk_attachments, ui, vaults
from latchstring.desk.vault import open_vault
from tests.desk_world import CHEAP

@contextmanager
def downloading(_what):
    yield lambda *_: print("half", flush=True) or time.sleep(60)

vaults.open_vault, ui.downloading = partial(open_vault, cost=CHEAP), downloading
if sys.argv.pop(1) == "broken":
    desk_attachments.unwinding = nullcontext
from latchstring.__main__ import main
main()
"""


def stopped(desk: Desk, mark: str, out: Path, number: signal.Signals, broken: bool) -> tuple[int, list[bytes]]:
    """A save in a process of its own, ended by a signal when half of the file is written: its exit status, and what
    lies in the folder then. `broken`: the program does not listen for signals."""
    out.parent.mkdir()
    way = "broken" if broken else "whole"
    typed = ["desk", "attachments", "save", mark, "1", "--out", str(out), "--vault", str(desk.vault)]
    process = subprocess.Popen(
        [sys.executable, "-c", SAVING, way, *typed, "--passphrase-fd", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "LATCHSTRING_DEBUG": "1"},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(PASSPHRASE.encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"half\n"
        (part,) = out.parent.iterdir()
        assert part.read_bytes().startswith(b"secret")
        process.send_signal(number)
        status = process.wait(30)
    return status, [left.read_bytes()[:6] for left in out.parent.iterdir()]


def test_a_save_that_a_signal_ends_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    mark = write(desk, "look", ("a", b"secret" * 50_000))
    desk.type("sync")
    ends = {signal.SIGTERM: 143, signal.SIGHUP: 129}
    for number, status in ends.items():
        assert stopped(desk, mark, tmp_path / number.name / "out", number, False) == (status, [])
    term = signal.SIGTERM
    assert stopped(desk, mark, tmp_path / "broken" / "out", term, True) == (-term, [b"secret"])


def test_json_says_the_same(desk: Desk, tmp_path: Path) -> None:
    mark = write(desk, "look", ("a", b"first"))
    assert desk.values("sync")["attachments"] == {
        "new": 1, "beyond": 0, "withheld": 0, "removed": 0, "here": 1, "coming": 0, "wrong": 0, "dropped": 0,
        "trouble": "",
    }  # fmt: skip
    (item,) = json.loads(desk.type("attachments", "--json"))
    assert item == {
        "letter": mark, "number": 1, "name": "a", "bytes": 5, "state": "here", "chunks": 1, "missing": 0,
    }  # fmt: skip


def test_a_cap_of_nothing_fetches_nothing(desk: Desk) -> None:
    write(desk, "look", ("a", b"first"))
    desk.type("sync", "--attachments-cap", "0")
    assert not any(path.startswith("/v1/attachments") and m == "GET" for m, path, _ in desk.transport.requests[-3:])
    assert "still coming: 0 %" in desk.type("attachments")
    assert "That is not a size" in desk.type("sync", "--attachments-cap", "many", code=2)
    assert "1 here" in desk.type("sync", "--attachments-cap", "262144")


def test_a_cut_is_told_and_the_session_counts(desk: Desk) -> None:
    write(desk, "look", ("a", b"first"))

    def cut(method: str, path: str) -> None:
        if path == "/v1/attachments":
            desk.transport.fail = 0

    desk.transport.before_request = cut
    said = desk.type("sync")
    assert "New letters: 1" in said
    assert "the next sync goes on" in said
    desk.transport.before_request, desk.transport.fail = lambda _m, _p: None, None
    assert "1 here" in desk.type("sync")


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("17", 17), ("5k", 5000), ("500M", 500 * 10**6), ("20G", 20 * 10**9), ("1T", 10**12)]
)
def test_caps(text: str, count: int) -> None:
    assert read_cap(text) == count


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "5X", "٣", "1" * 20])
def test_caps_that_are_none(text: str) -> None:
    with pytest.raises(ui.CliError):
        read_cap(text)


def test_sentences_for_what_is_not_as_it_should_be() -> None:
    said, amiss = told(Fetched(new=3, beyond=8, withheld=1, here=1, coming=2, wrong=1, dropped=1, trouble="Cut."))
    assert len(said) == 2
    assert [any(word in line for line in amiss) for word in ("2.1 MB more", "does not hand out", "server dropped")] == [
        True
    ] * 3
    assert told(Fetched()) == ([], [])
    assert [size(n) for n in (5, 1500, 2 * 10**6, 5 * 10**9)] == ["5 bytes", "1.5 kB", "2.0 MB", "5.0 GB"]


def test_a_letter_s_attachments_below_its_text() -> None:
    one = Attachment(bytes(16), bytes(32), 7, bytes(32), "a\nb")
    assert of_letter(LetterBody("en", "c", "", attachments=(one,))) == ["  Attachment 1: a b (7 bytes)"]
    assert "more attachments" in of_letter(LetterBody("en", "c", "", listed=one))[0]
    assert of_letter(LetterBody("en", "c", "")) == []


def test_help_has_an_example(capfd: pytest.CaptureFixture[str]) -> None:
    for words in (("attachments",), ("attachments", "save")):
        assert run(["desk", *words, "--help"]) == 0
        assert "Example" in capfd.readouterr().out
