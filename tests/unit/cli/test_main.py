# SPDX-License-Identifier: AGPL-3.0-or-later
"""The frame of the command line: exit statuses, no trace and no secret in an error, an example in every help."""

import errno
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest
import typer
from typer.core import TyperGroup

from latchstring.cli import main as cli
from latchstring.cli import ui

GROUPS = ["source", "desk", "org", "server", "log", "demo"]
SECRET = "enamel mantis niece affair"


def raising(error: BaseException) -> Callable[[str | None], typer.Typer]:
    """A command line with one command, 'do', that ends in `error`."""

    def build(_chosen: str | None) -> typer.Typer:
        app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True)
        app.callback()(lambda: None)

        @app.command("do")
        def do() -> None:
            raise error

        return app

    return build


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ui.CliError("It could not be done.", "Do this next."), 1, "It could not be done.\nDo this next.\n"),
        (ui.CliError("It is wrong.", "", ui.FOUND_WRONG), 3, "It is wrong.\n"),
        (typer.Exit(3), 3, ""),
        (typer.Exit(), 0, ""),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (EOFError(), 130, "Stopped.\n"),
        (MemoryError(SECRET), 1, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", f"/{SECRET}"), 1, "The system refused: No space left"),
        (ValueError(SECRET), 70, "unexpected happened (ValueError)"),
        (RecursionError(SECRET), 70, "unexpected happened (RecursionError)"),
    ],
)
def test_every_error_ends_in_words_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    monkeypatch.delenv("LATCHSTRING_DEBUG", raising=False)
    monkeypatch.setattr(cli, "build", raising(error))
    assert cli.run(["do"]) == status
    printed = capfd.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert SECRET not in printed.err


def test_the_trace_is_for_developers_who_are_warned(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATCHSTRING_DEBUG", "1")
    monkeypatch.setattr(cli, "build", raising(ValueError(SECRET)))
    assert cli.run(["do"]) == 70
    err = capfd.readouterr().err
    assert err.index("may hold secrets") < err.index("Traceback") < err.index(SECRET)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nothing"], "No such command"),
        (["org", "nothing"], "No such command"),
        (["org", "found"], "Missing option"),
        (["org", "found", "--out", "x", "--tick", "0"], "Invalid value"),
        (["org", "card", "--format", "gif"], "Invalid value"),
        (["--nothing"], "No such option"),
    ],
)
def test_wrong_use_is_said_with_status_2(capfd: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    assert cli.run(args) == ui.USAGE
    printed = capfd.readouterr()
    assert said in printed.err
    assert "--help" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("args", [[], ["org"], ["org", "directory"]])
def test_no_arguments_show_the_help(capfd: pytest.CaptureFixture[str], args: list[str]) -> None:
    assert cli.run(args) == ui.USAGE
    assert "Usage: latchstring" in capfd.readouterr().out


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capfd.readouterr().out == f"latchstring {version('latchstring')}\n"


def commands(group: str) -> Iterator[list[str]]:
    """The group and everything below it."""

    def walk(command: object, path: list[str]) -> Iterator[list[str]]:
        yield path
        if isinstance(command, TyperGroup):
            for name, below in command.commands.items():
                yield from walk(below, [*path, name])

    root = typer.main.get_command(cli.build(group))
    assert isinstance(root, TyperGroup)
    return walk(root.commands[group], [group])


@pytest.mark.parametrize("group", GROUPS)
def test_every_help_has_an_example(capfd: pytest.CaptureFixture[str], group: str) -> None:
    found = list(commands(group))
    for path in found:
        assert cli.run([*path, "--help"]) == 0
        printed = capfd.readouterr()
        assert re.search(r"Examples?: latchstring", printed.out), path
        assert printed.err == ""
    assert len(found) > 1 or group == "demo"


def test_the_root_help_names_every_group_an_example_and_the_statuses(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert all(f"│ {group} " in text for group in GROUPS)
    assert "Example: latchstring demo" in text
    assert "3 checked and found wrong" in text


@pytest.mark.parametrize("typed", ["nonsense", "", "http://127.0.0.1:8118"])
def test_a_proxy_that_is_not_understood_is_refused_wherever_one_can_be_named(
    capfd: pytest.CaptureFixture[str], typed: str
) -> None:
    """By the time another option is missed: before anything is asked, and never as if it had not been typed."""
    checked = set()
    for group in (*GROUPS, "site", "witness"):
        for path in commands(group):
            assert cli.run([*path, "--help"]) == 0
            if "--proxy" in capfd.readouterr().out:
                assert cli.run([*path, "--proxy", typed]) == ui.USAGE
                assert "is not the address of a SOCKS5 proxy" in capfd.readouterr().err, path
                checked.add(group)
    assert checked == {"source", "desk", "org", "server", "log", "site"}


def latchstring(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "latchstring", *args],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def pressed(module: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The installed command, with Ctrl-C pressed at the moment at which `module` is looked for; `before`: run first."""
    program = f"""
import os, signal, sys
{before}
class Pressing:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressing())
sys.argv[1:] = ["source", "read"]
from importlib.metadata import entry_points
(command,) = entry_points(group="console_scripts", name="latchstring")
sys.exit(command.load()())
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["latchstring.cli.main", "typer", "rich.console", "latchstring.cli.source"])
def test_ctrl_c_while_the_program_loads_is_quiet(module: str) -> None:
    done = pressed(module)
    assert done.returncode == ui.STOPPED, done.stderr
    assert done.stdout == ""
    assert done.stderr in ("", "Stopped.\n")


def test_ctrl_c_is_not_heard_where_it_is_ignored() -> None:
    """As by a command in the background of a script."""
    done = pressed("typer", "signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert done.returncode == ui.USAGE
    assert "Missing option" in done.stderr


def test_a_source_loads_nothing_of_desk_server_or_organisation() -> None:
    """So that its help is quick, and no part that it does not use can fail it."""
    program = (
        "import sys; from latchstring.cli.main import run; run(['source', '--help']); "
        "print(sorted({m.split('.')[1] for m in sys.modules if m.startswith('latchstring.')}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "write" in done.stdout
    loaded = done.stderr
    assert "'source'" in loaded
    assert not re.search(r"'(desk|server|store|org|demo)'", loaded)


@pytest.mark.parametrize(("line", "found"), [("latchstring ", "source"), ("latchstring org ", "found")])
def test_the_shell_completes_groups_and_what_is_in_them(line: str, found: str) -> None:
    done = latchstring(
        _LATCHSTRING_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split()))
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert found in done.stdout.split()


def test_a_reader_that_goes_away_is_no_fault() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "latchstring", "org", "directory", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == ui.COULD_NOT
    assert said == b""


def on_a_terminal(**environment: str) -> bytes:
    """What a failing command writes to a terminal as its standard error."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "latchstring", "org", "directory", "show", "missing"],
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    read = os.read(ours, 4096)
    os.close(ours)
    assert done.returncode == ui.COULD_NOT
    assert b"'missing' cannot be read." in read
    return read


def test_an_error_is_red_unless_colours_are_not_wanted() -> None:
    assert re.search(rb"\x1b\[[0-9;]*31m", on_a_terminal())
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", on_a_terminal(NO_COLOR="1"))
