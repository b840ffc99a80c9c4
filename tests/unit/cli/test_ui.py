# SPDX-License-Identifier: AGPL-3.0-or-later
"""Talking with a person: secrets are not echoed or kept, files are not written over, foreign text stays text."""

import errno
import getpass
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from latchstring.cli import ui
from latchstring.cli.ui import CliError


@contextmanager
def pipe(content: bytes) -> Iterator[int]:
    """A file descriptor to read `content` from."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    try:
        yield read
    finally:
        os.close(read)


class Typist:
    """Answers getpass in turn; keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str | type[Exception]) -> None:
        self.answers, self.asked = list(answers), [""][:0]
        monkeypatch.setattr(getpass, "getpass", self._type)
        monkeypatch.setattr(ui, "_terminal", lambda: True)

    def _type(self, prompt: str) -> str:
        self.asked.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"correct horse\n", "correct horse"),
        (b"correct horse\r\nsecond line\n", "correct horse"),
        (b"without an end", "without an end"),
        ("пароль\n".encode(), "пароль"),
        (b" kept as typed \n", " kept as typed "),
    ],
)
def test_a_secret_is_the_first_line_of_a_descriptor(content: bytes, secret: str) -> None:
    with pipe(content) as fd:
        assert ui.read_secret("Passphrase", fd) == secret


@pytest.mark.parametrize("content", [b"", b"\n", b"\nsecond", b"\xff\xfe\n"])
def test_a_descriptor_without_a_secret_is_refused(content: bytes) -> None:
    with pipe(content) as fd, pytest.raises(CliError):
        ui.read_secret("Passphrase", fd)


def test_a_descriptor_that_is_not_open_is_wrong_use() -> None:
    with pytest.raises(CliError) as refused:
        ui.read_secret("Passphrase", 973)
    assert refused.value.code == ui.USAGE


def test_the_rest_of_a_descriptor_is_left_for_others() -> None:
    with pipe(b"first\nsecond\n") as fd:
        assert (ui.read_secret("", fd), ui.read_secret("", fd)) == ("first", "second")


def test_without_a_terminal_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """getpass would read the passphrase from standard input, with echo where there is one."""
    monkeypatch.setattr(ui, "_terminal", lambda: False)
    monkeypatch.setattr(sys, "stdin", io.StringIO("from the pipe\n"))
    with pytest.raises(CliError, match="no terminal") as refused:
        ui.read_secret("Passphrase", None)
    assert "--passphrase-fd" in refused.value.next_step


@pytest.mark.parametrize("answer", [EOFError, "half \udc80 a letter"])
def test_what_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, answer: str | type[Exception]) -> None:
    Typist(monkeypatch, answer)
    with pytest.raises(CliError):
        ui.read_secret("Passphrase", None)


def test_a_new_passphrase_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typist = Typist(monkeypatch, "twelve chars", "twelve chars")
    assert ui.new_secret("New", None) == "twelve chars"
    assert len(typist.asked) == 2


@pytest.mark.parametrize(
    "answers",
    [
        ("twelve chars", "twelve charz"),
        ("eleven char",),
        ("",),
        (" " * 20,),
        ("eleven  char",),
        ("twelve  chars", "twelve chars"),
    ],
)
def test_a_new_passphrase_that_differs_or_is_short_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], answers: tuple[str, ...]
) -> None:
    Typist(monkeypatch, *answers)
    with pytest.raises(CliError) as refused:
        ui.new_secret("New", None)
    assert all(answer not in str(refused.value) for answer in answers if answer.strip())
    assert capfd.readouterr() == ("", "")


def test_enter_alone_makes_one_that_is_shown_once_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Typist(monkeypatch, "", "ten words are made")
    assert ui.new_secret("New", None, lambda: "ten words are made") == "ten words are made"
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("ten words are made") == 1


def test_a_made_one_must_be_typed_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    Typist(monkeypatch, "", "ten words were made")
    with pytest.raises(CliError, match="did not match"):
        ui.new_secret("New", None, lambda: "ten words are made")


def test_through_a_descriptor_it_is_asked_once() -> None:
    with pipe(b"twelve chars\n") as fd:
        assert ui.new_secret("New", fd, lambda: "unused") == "twelve chars"
    with pipe(b"short\n") as fd, pytest.raises(CliError):
        ui.new_secret("New", fd, lambda: "unused")


# --- text in and out -----------------------------------------------------------------------------


def test_text_comes_from_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letter").write_bytes("\ufeffПривіт".encode())
    assert ui.read_text(str(tmp_path / "letter"), "a letter") == "Привіт"
    for name in ("-", None):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Здравствуй".encode())))
        assert ui.read_text(name, "a letter") == "Здравствуй"
    (tmp_path / "letter").write_bytes(b"caf\xe9")
    with pytest.raises(CliError, match="not UTF-8"):
        ui.read_text(str(tmp_path / "letter"), "a letter")
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(CliError, match="cannot be read"):
            ui.read_text(str(missing), "a letter")


HOSTILE = "\x1b[2J\x1b]0;title\x07\rover\u202eback\x9b31m"


def test_foreign_text_cannot_act_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    ui.show(HOSTILE)
    ui.say(HOSTILE)
    ui.show_error(HOSTILE, HOSTILE)
    ui.table(HOSTILE, ("one",), ((HOSTILE,),))
    printed = capfd.readouterr()
    for stream in printed:
        assert "<U+001B>" in stream
        assert not set("\x1b\x07\r\u202e\x9b") & set(stream)


def test_markup_is_not_read_in_what_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    ui.show("[red]not red[/red] [link=http://a]b[/link]")
    ui.table("", ("one",), (("[bold]x[/bold]",),))
    printed = capfd.readouterr().out
    assert "[red]not red[/red] [link=http://a]b[/link]" in printed
    assert "[bold]x[/bold]" in printed


def test_json_is_one_document_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    value = {"text": f"Привіт {HOSTILE} \ud800"}
    ui.emit(True, value, lambda: pytest.fail("the human form"))
    printed = capfd.readouterr().out
    assert json.loads(printed) == value
    assert "Привіт" in printed
    assert not set("\x1b\x07\r\u202e\x9b") & set(printed)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "2 h"), (10**6, "12 days")],
)
def test_spans(seconds: float, text: str) -> None:
    assert ui.span(seconds) == text


def test_times_name_their_zone_and_never_end_a_command() -> None:
    zone = time.tzname
    assert any(name in ui.when(1_700_000_000) for name in zone)
    assert any(name in ui.clock_time(1_700_000_000) for name in zone)
    for beyond in (1 << 40, 1 << 63, -(1 << 70)):
        assert "beyond" in ui.when(beyond)
        assert "beyond" in ui.clock_time(beyond)


def test_a_question_gets_a_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" yes \n"))
    assert ui.ask("Sure? [y/N]") == "yes"
    assert ui.ask("Sure? [y/N]") == ""
    assert "[y/N]" in capfd.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))
    with pytest.raises(CliError):
        ui.ask("Sure?")


# --- waiting -------------------------------------------------------------------------------------


class Clock:
    """The module `time`: sleeping moves it."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, [0.0][:0]

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        if not self.slept:
            time.sleep(0.2)  # long enough for the screen to be drawn once
        self.slept.append(seconds)
        self.now += seconds


def test_a_countdown_waits_in_silence_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(ui, "time", clock)
    ui.countdown(1010, "Until the next batch")
    ui.countdown(900, "Over already")
    with ui.downloading("Fetching") as progress:
        progress(1, 2)
    assert clock.now == 1010
    assert capfd.readouterr() == ("", "")


def test_in_a_terminal_the_time_left_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, screen = Clock(), io.StringIO()
    monkeypatch.setattr(ui, "time", clock)
    monkeypatch.setattr(ui, "err", Console(file=screen, force_terminal=True, width=80))
    ui.countdown(1010, "Until the next batch")
    with ui.downloading("Fetching") as progress:
        progress(50, 100)
    assert clock.now == pytest.approx(1010)
    assert max(clock.slept) <= 0.5
    assert "Until the next batch: 10 s left" in screen.getvalue()
    assert "Fetching" in screen.getvalue()


# --- files ---------------------------------------------------------------------------------------


def test_a_private_file_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        ui.write_private(tmp_path / "key", b"secret")
    finally:
        os.umask(old)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("key", "dangling"):
        with pytest.raises(CliError, match="was not touched"):
            ui.write_private(tmp_path / name, b"other")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(CliError, match="cannot be written"):
        ui.write_private(tmp_path / "missing" / "key", b"secret")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CliError, match="could not be written whole"):
        ui.write_private(tmp_path / "key", b"secret")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_line_that_is_not_text_is_refused_in_words(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reads standard input with surrogateescape where the locale is C."""
    stdin = io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), encoding="utf-8", errors=errors)
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(ui.CliError, match="not text"):
        ui.ask("Words to find:")
