# SPDX-License-Identifier: AGPL-3.0-or-later
"""The `latchstring` command: one module for each group, loaded when it is asked for."""

import importlib
import os
import sys
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, TyperException

from latchstring.cli import ui

_GROUPS: Final = {
    "source": "Write to a door and read its replies. Keeps nothing on this device.",
    "desk": "Answer: a member's encrypted vault, letters, replies.",
    "org": "Found a door, sign its directory, print its card. Root keys stay offline.",
    "server": "Run the server that stores and publishes. It can open nothing.",
    "log": "Check a door's public log.",
    "demo": "A whole door on this machine, to try everything.",
}


def _version(wanted: bool) -> None:
    if wanted:
        from latchstring import __version__

        print(f"latchstring {__version__}")
        raise typer.Exit


def build(chosen: str | None) -> typer.Typer:
    """The root command, with the chosen group loaded and the others by name only, so that --help is quick."""
    root = typer.Typer(
        help="A door that is always open: anonymous, lasting contact with nothing but a passphrase.",
        epilog="Try it: latchstring demo. Every command has an example in its --help.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @root.callback()
    def _root(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None: ...

    for name, text in _GROUPS.items():
        if name == chosen:
            root.add_typer(importlib.import_module(f"latchstring.cli.{name}").app, name=name, help=text)
        else:
            root.add_typer(typer.Typer(callback=lambda: None, invoke_without_command=True), name=name, help=text)
    return root


def run(args: list[str]) -> int:
    """The exit status of one command line. Never shows a stack trace unless LATCHSTRING_DEBUG=1 asks for it."""
    chosen = next((a for a in args if not a.startswith("-")), None)
    try:
        command = typer.main.get_command(build(chosen))
        result = command.main(args=args, prog_name="latchstring", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except ui.CliError as error:
        ui.show_error(error.what, error.next_step)
        return error.code
    except typer.Exit as left:
        return left.exit_code
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
        else:
            ui.show_error(error.format_message(), "Add --help to see how it is used.")
        return ui.USAGE
    except (KeyboardInterrupt, Abort, EOFError):
        ui.say("Stopped.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ui.COULD_NOT
    except Exception as error:  # the last line: no trace, which could show a secret, unless a developer asks
        if os.environ.get("LATCHSTRING_DEBUG") == "1":
            ui.say("The trace below may hold secrets: do not publish it.")
            raise
        ui.show_error(
            f"Something unexpected happened ({type(error).__name__}).",
            "Please report what you did. A developer sees more with LATCHSTRING_DEBUG=1.",
        )
        return ui.BROKEN


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))
