# SPDX-License-Identifier: AGPL-3.0-or-later
"""The `latchstring` command: one module for each group, loaded when it is asked for."""

import importlib
import os
import sys
import traceback
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, TyperException

from latchstring.cli import ui
from latchstring.cli.ending import Ended

_GROUPS: Final = {  # name: what it is, an example
    "source": (
        "Write to a door and read its replies. Keeps nothing on this device.",
        "Example: latchstring source write --door 'TWELVE WORDS' --at http://ADDRESS.onion --tor",
    ),
    "desk": ("Answer: a member's encrypted vault, letters, replies.", "Example: latchstring desk sync"),
    "org": (
        "Found a door, sign its directory, print its card. Root keys stay offline.",
        "Example: latchstring org found --out /media/usb/door",
    ),
    "server": (
        "Run the server that stores and publishes. It can open nothing.",
        "Example: latchstring server run --config /srv/latchstring/server.toml",
    ),
    "site": (
        "Serve the pages for sources on another machine; sign what they are; check what an address serves.",
        "Example: latchstring site run --door LINK --at http://ADDRESS.onion --tor",
    ),
    "witness": (
        "Cosign logs for others, so that nobody can be shown a log of their own.",
        "Example: latchstring witness run --config /srv/witness/witness.toml",
    ),
    "log": (
        "Check, copy and prove from a door's public log.",
        "Example: latchstring log verify http://127.0.0.1:8400",
    ),
    "demo": (
        "A whole door on this machine, to try everything.",
        "Examples: latchstring demo | latchstring demo --once --json | latchstring demo --once --keep kept",
    ),
}
_COMPLETING: Final = "_LATCHSTRING_COMPLETE"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"latchstring {version('latchstring')}")
        raise typer.Exit


def build(chosen: str | None) -> typer.Typer:
    """The root command, with the chosen group loaded and the others by name only, so that --help is quick."""
    root = typer.Typer(
        help="A door that is always open: anonymous, lasting contact with nothing but a passphrase.",
        epilog="Example: latchstring demo. Every command has an example in its --help. "
        "Exit status: 0 done, 1 could not be done, 2 wrong use, 3 checked and found wrong.",
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

    for name, (text, example) in _GROUPS.items():
        if name == chosen:
            group = importlib.import_module(f"latchstring.cli.{name}").app
        else:
            group = typer.Typer(callback=lambda: None, invoke_without_command=True)
        root.add_typer(group, name=name, help=text, epilog=example)
    return root


def _chosen(args: list[str]) -> str | None:
    """The group that is named; while a shell completes a line, that line is in the environment."""
    words = args
    if _COMPLETING in os.environ:
        words = (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()[1:]
    return next((word for word in words if not word.startswith("-")), None)


def run(args: list[str]) -> int:
    """The exit status of one command line. Never shows a stack trace unless LATCHSTRING_DEBUG=1 asks for it."""
    try:
        command = typer.main.get_command(build(_chosen(args)))
        result = command.main(args=args, prog_name="latchstring", standalone_mode=False)
        sys.stdout.flush()
        if result == ui.STOPPED:  # Typer's answer to Ctrl-C within a command
            ui.say("Stopped.")
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
        return ui.STOPPED
    except Ended as ended:
        return ended.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at its end
        return ui.COULD_NOT
    except MemoryError:
        ui.show_error("There is not enough memory.", "Close other programs and run the command again.")
        return ui.COULD_NOT
    except OSError as error:
        if os.environ.get("LATCHSTRING_DEBUG") == "1":
            _trace()
        ui.show_error(
            f"The system refused: {error.strerror or type(error).__name__}.",
            "Look at the space and memory left and at your rights in the folder, then run the command again.",
        )
        return ui.COULD_NOT
    except Exception as error:  # the last line: no trace, which could show a secret, unless a developer asks
        if os.environ.get("LATCHSTRING_DEBUG") == "1":
            _trace()
        ui.show_error(
            f"Something unexpected happened ({type(error).__name__}).",
            "Please report what you did. A developer sees more with LATCHSTRING_DEBUG=1.",
        )
        return ui.BROKEN


def _trace() -> None:
    """For developers. Shown, not raised, so that the exit status stays the same."""
    ui.say("The trace below may hold secrets: do not publish it.")
    traceback.print_exc()
