# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every command needs to talk with a person: errors, secrets, progress, tables, times.

Exit status: 0 done; 1 could not be done; 2 wrong use; 3 checked and found wrong; 70 a fault of this program;
130 stopped by Ctrl-C; 129, 143 by SIGHUP, SIGTERM.
What a person reads goes to standard output, what goes on meanwhile to standard error; with --json standard output is
one JSON value. Whatever is shown as text has its control characters made visible: it may come from somebody else.
"""

import errno
import getpass
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from latchstring.cli.ending import unwinding
from latchstring.client.newfile import new_file
from latchstring.client.text import printable

COULD_NOT: Final = 1
USAGE: Final = 2
FOUND_WRONG: Final = 3
BROKEN: Final = 70
STOPPED: Final = 130

_ACTING: Final = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")  # a terminal may act on them

out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)


class CliError(Exception):
    """One sentence on what happened, one on what to do next, and the exit status."""

    def __init__(self, what: str, next_step: str = "", code: int = COULD_NOT) -> None:
        super().__init__(what)
        self.what, self.next_step, self.code = what, next_step, code


def _safe(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def show_error(what: str, next_step: str = "") -> None:
    """To standard error, in red where there is colour."""
    err.print(_safe(what, "bold red"))
    if next_step:
        err.print(_safe(next_step))


def fail(what: str, next_step: str = "", code: int = COULD_NOT) -> NoReturn:
    """End the command with an error."""
    raise CliError(what, next_step, code)


def say(text: str, style: str = "") -> None:
    """A line for the person who waits, on standard error."""
    err.print(_safe(text, style))


def show(text: str, style: str = "") -> None:
    """A line of the answer, on standard output."""
    out.print(_safe(text, style))


def emit(as_json: bool, value: object, human: Callable[[], None]) -> None:
    """The answer: `value` as one JSON document, or `human()` prints it."""
    if as_json:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        print(_ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
    else:
        human()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], meanwhile: bool = False) -> None:
    """A table on standard output (`meanwhile`: on standard error); cells are plain text."""
    grid = Table(title=_safe(title) if title else None, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(_safe(cell) for cell in row))
    (err if meanwhile else out).print(grid)


def when(seconds: int) -> str:
    """A time in the reader's own zone."""
    return _local(seconds, "%Y-%m-%d %H:%M %Z")


def clock_time(seconds: int) -> str:
    """The time of day in the reader's own zone, which it names."""
    return _local(seconds, "%H:%M:%S %Z")


def _local(seconds: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime(form)
    except (OverflowError, ValueError, OSError):  # a figure from elsewhere may lie outside every calendar
        return "a time beyond the calendar"


def span(seconds: float) -> str:
    """A length of time in words."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    return f"{round(whole / 3600)} h" if whole < 129_600 else f"{round(whole / 86_400)} days"


def read_secret(prompt: str, fd: int | None) -> str:
    """A secret from a file descriptor's first line, or typed without echo. Never from arguments or the environment."""
    if fd is not None:
        line = _first_line(fd)
        if not line:
            fail(
                f"No passphrase came through the file descriptor: {prompt}.",
                "Write each on a line of its own, in the order in which they are asked, for example: 3<passphrase.txt",
            )
        return line
    if not _terminal():
        fail("A passphrase is needed and there is no terminal to ask on.", "Give it with --passphrase-fd.", USAGE)
    try:
        with unwinding():  # or the terminal would stay without echo
            typed = getpass.getpass(prompt + ": ")
        typed.encode("utf-8")
    except KeyboardInterrupt:
        err.print()  # the prompt stands on this line
        raise
    except EOFError:
        err.print()
        fail("No passphrase was typed.", "Run the command again and type it, or use --passphrase-fd.")
    except OSError:
        fail("No passphrase was typed.", "Run the command again in a terminal, or use --passphrase-fd.")
    except UnicodeError:
        fail("What was typed is not text (UTF-8).", "Set the terminal to UTF-8 and run the command again.")
    return typed


def can_type() -> bool:
    """Is there anybody to type a secret?"""
    return _terminal()


def _terminal() -> bool:
    """Is there a terminal to type on without echo? getpass would read standard input otherwise."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def _first_line(fd: int) -> str:
    try:
        with os.fdopen(os.dup(fd), "rb", buffering=0) as source:
            line = bytearray()
            while len(line) < 4096:
                byte = source.read(1)
                if not byte or byte == b"\n":
                    break
                line += byte
        return line.decode("utf-8").rstrip("\r")
    except OSError:
        fail(f"File descriptor {fd} is not open.", "For example: --passphrase-fd 3 3<passphrase.txt", USAGE)
    except UnicodeDecodeError:
        fail("The passphrase is not text (UTF-8).")


def new_secret(prompt: str, fd: int | None, words: Callable[[], str] | None = None) -> str:
    """A new passphrase: once through a file descriptor, twice when typed. At least 12 characters.

    With `words`, Enter alone takes one of its making, which is shown once and typed as practice.
    """
    first = read_secret(prompt + (" (Enter alone: ten words are made for you)" if words and fd is None else ""), fd)
    if words is not None and fd is None and not first:
        first = words()
        say("Write this down now. It is shown once and cannot be found again:", "bold")
        say(f"   {first}", "bold cyan")
    elif len(" ".join(first.split())) < 12:
        fail("That passphrase is too short.", "Use at least 12 characters; several words are easiest to keep.")
    if fd is None and read_secret("The same again", None) != first:
        fail("The two did not match.", "Nothing was made. Run the command again.")
    return first


def read_text(file: str | None, what: str) -> str:
    """Text from a file, or from standard input for '-' or None."""
    try:
        if file in (None, "-"):
            if sys.stdin.isatty():
                say(f"Type {what}. End with Ctrl-D on a line of its own.")
            raw = sys.stdin.buffer.read()
        else:
            raw = Path(str(file)).read_bytes()
    except OSError:
        fail("The file cannot be read.", "Check its name and that you may read it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        fail("The text is not UTF-8.", "Save it as UTF-8 and try again.")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def ask(question: str) -> str:
    """A line typed in the terminal; empty at the end of input."""
    err.print(_safe(question + " "), end="")
    try:
        line = sys.stdin.readline()
        line.encode("utf-8")  # where the locale is C, bytes that are not UTF-8 come as lone surrogates
    except UnicodeError:
        fail("What was typed is not text (UTF-8).", "Set the terminal to UTF-8 and run the command again.")
    return line.strip()


@contextmanager
def waiting(what: str) -> Iterator[Status]:
    """Say what goes on until it is done, in a terminal only."""
    with unwinding(), err.status(_safe(what)) as shown:  # or the terminal would stay without a cursor
        yield shown


@contextmanager
def downloading(what: str, connecting: str = "") -> Iterator[Callable[[int, int | None], None]]:
    """Progress with time left, in a terminal only. `connecting`: what goes on until the first of it comes."""
    if not err.is_terminal:
        yield lambda _done, _total: None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    task = bar.add_task(what, total=None)
    with unwinding(), ExitStack() as shown:
        if connecting:
            shown.enter_context(waiting(connecting))
        else:
            shown.enter_context(bar)

        def step(done: int, total: int | None) -> None:
            if not bar.live.is_started:
                shown.close()  # a terminal shows one of them at a time
                shown.enter_context(bar)
            bar.update(task, completed=done, total=total)

        yield step


@contextmanager
def working(connecting: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """Progress of work in parts, (what, done, of how many), with time left; in a terminal only. `connecting`: what goes
    on until the first of it comes."""
    if not err.is_terminal:
        yield lambda _what, _done, _of: None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn(), console=err, transient=True
    )
    with unwinding(), bar:
        before = [bar.add_task(connecting, total=None)] if connecting else []
        tasks: dict[str, TaskID] = {}

        def step(what: str, done: int, of: int) -> None:
            while before:
                bar.remove_task(before.pop())
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=of)

        yield step


def countdown(until: float, what: str) -> None:
    """Wait until `until` (Unix seconds), showing the time left in a terminal."""
    if not err.is_terminal:
        time.sleep(max(0.0, until - time.time()))
        return
    with waiting("") as status:
        while (left := until - time.time()) > 0:
            status.update(_safe(f"{what}: {span(left)} left"))
            time.sleep(min(0.5, left))


def make_folder(path: Path) -> None:
    """A folder for what is its owner's alone; nothing happens when it is there."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        fail(f"The folder '{path.name}' cannot be made.", "Check its name and your rights there.")


def write_private(path: Path, data: bytes) -> None:
    """A new file for its owner alone, whole; an error when there is one already."""
    try:
        with new_file(path) as target:
            target.write(data)
    except FileExistsError:
        fail(f"'{path.name}' is there already and was not touched.", "Choose another name, or move it away first.")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            fail(
                f"'{path.name}' could not be written whole.",
                "Look at the space left there, then run the command again.",
            )
        fail(f"'{path.name}' cannot be written here.", "Check the folder and your rights in it.")
