# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every command on a vault shares: its options, opening it, and the errors of the rooms below."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from latchstring.cli import ui
from latchstring.cli.ending import unwinding
from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import ClockOff, VisitRefused
from latchstring.desk.errors import DeskError, ServerFault
from latchstring.desk.follow import Step
from latchstring.desk.vault import Vault, open_vault, salt_of

DEFAULT: Final = Path("~/.local/share/latchstring/desk.vault")

VaultFile = Annotated[
    Path, typer.Option("--vault", envvar="LATCHSTRING_VAULT", help="The vault's file.", show_default=True)
]
Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@contextmanager
def told() -> Iterator[None]:
    """Errors of the rooms below as errors of the command."""
    try:
        yield
    except ServerFault as fault:
        ui.fail(fault.what, fault.next, ui.FOUND_WRONG)
    except DeskError as error:
        ui.fail(error.what, error.next)
    except NetworkFailed as failed:
        ui.fail(str(failed))
    except VisitRefused as refused:
        ui.fail(str(refused), f"What failed: {refused.reason}.", ui.FOUND_WRONG)
    except ClockOff as off:
        ui.fail(str(off), "", ui.FOUND_WRONG)


@contextmanager
def opened(path: Path, fd: int | None) -> Iterator[Vault]:
    """The vault, opened with its passphrase."""
    with told():
        salt_of(path.expanduser())  # before anybody types a passphrase
        passphrase = ui.read_secret("The vault's passphrase", fd)
        with ui.waiting("Opening the vault..."):
            vault = open_vault(path.expanduser(), passphrase)
        with vault:
            yield vault


_DOING: Final = {
    "visit": "Fetching what everyone fetches (kB)",
    "manifests": "Following the log back",
    "batches": "Fetching and opening letters",
    "late": "Opening letters whose keys came late",
    "pages": "Sending pages",
    "attachments": "Fetching attachments",
    "memos": "Sending memos",
    "erasing": "Erasing what was deleted",
}


@contextmanager
def progress(first: str = "Beginning") -> Iterator[Step]:
    """A bar with the time left, in a terminal only. `first`: what goes on until a step is told."""
    if not ui.err.is_terminal:
        yield lambda _what, _done, _of: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with unwinding(), Progress(*columns, console=ui.err, transient=True) as bar:
        task = bar.add_task(first, total=None)

        def step(what: str, done: int, of: int) -> None:
            bar.update(task, description=_DOING.get(what, what), completed=done, total=of)

        yield step
