# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk attachments: list, save; and the fetching of all attachments during 'desk sync'."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.cli.ending import unwinding
from latchstring.client.text import one_line
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.desk.attachments import ANSWERS, LIST, Item, State, find_item, items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.fetching import DEFAULT_CAP, Fetched, fetch
from latchstring.desk.follow import Step
from latchstring.desk.identity import identity
from latchstring.desk.line import Line
from latchstring.desk.progress import followed
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ATTACHMENT_CHUNK
from latchstring.protocol.letter import LetterBody

Open = Callable[[Path, int | None], AbstractContextManager[Vault]]
_NAME_WIDTH: Final = 60
_SCALE: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_DIGITS: Final = 18  # of a number of bytes: more than there is anywhere

VaultFile = Annotated[
    Path, typer.Option("--vault", envvar="LATCHSTRING_VAULT", help="The vault's file.", show_default=True)
]
Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Cap = Annotated[
    str,
    typer.Option(
        "--attachments-cap",
        envvar="LATCHSTRING_ATTACHMENTS_CAP",
        help="Fetch attachments up to so many bytes of what the server has, such as 500M or 20G; 0: none.",
    ),
]
DEFAULT: Final = f"{DEFAULT_CAP // 10**9}G"


def read_cap(text: str) -> int:
    """Bytes: a number, or one followed by K, M, G or T."""
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS and unit in _SCALE:
        count = int(digits) * _SCALE[unit]
        if count < 10**_DIGITS:  # so that each can be written without a unit too
            return count
    ui.fail("That is not a size.", "Give a number of bytes, or one such as 500M or 20G.", ui.USAGE)


# --- during a session ----------------------------------------------------------------------------


def fetch_attachments(
    vault: Vault,
    addresses: Iterable[str],
    line_to: Callable[[str], HttpTransport],
    clock: Callable[[], int],
    cap: int,
    step: Step,
) -> Fetched:
    """Fetch what everyone fetches, by the first address that answers, over a connection of its own."""
    who = identity(vault)
    at = followed(vault)
    directory = at.state.directory
    outcome = Fetched()
    for address in addresses if cap else ():
        try:
            with line_to(address) as transport:
                line = Line.of(transport, clock, secrets.token_bytes, who, directory)
                outcome = fetch(vault, line, directory.policy, at.batch, cap, step)
        except NetworkFailed as failed:
            outcome = Fetched(trouble=str(failed))
        if not outcome.trouble:
            break
    return outcome


def told(fetched: Fetched) -> tuple[list[str], list[str]]:
    """What the fetching did, for a person, and what is not as it should be."""
    said, amiss = [], []
    if fetched.new:
        said.append(f"Fetched {ui.count(fetched.new, 'piece')} of attachments, whosever they are.")
    if fetched.here or fetched.coming:
        more = f", {fetched.coming} still coming" if fetched.coming else ""
        said.append(f"Attachments of your letters: {fetched.here} here{more}. See: latchstring desk attachments")
    if fetched.trouble:
        amiss.append(f"Not all attachments were fetched; the next sync goes on. {fetched.trouble}")
    if fetched.beyond:
        amiss.append(
            f"The server has {size(fetched.beyond * ATTACHMENT_CHUNK)} more of attachments than your cap: raise "
            "--attachments-cap, or some may be dropped after 14 days before you have them."
        )
    if fetched.withheld:
        amiss.append(f"Pieces of attachments that the server lists and does not hand out: {fetched.withheld}.")
    if fetched.dropped:
        amiss.append(f"Attachments that the server dropped before they came: {fetched.dropped}. Ask for them again.")
    if fetched.wrong:
        amiss.append(f"Attachments that are not what their letters name: {fetched.wrong}. Ask for them again.")
    return said, amiss


def size(count: int) -> str:
    """Bytes, for a person."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


def of_letter(body: LetterBody) -> list[str]:
    """What a letter says of its attachments, below its text."""
    said = [
        f"  Attachment {number}: {one_line(a.name, _NAME_WIDTH)} ({size(a.size)})"
        for number, a in enumerate(body.attachments, 1)
    ]
    if body.listed is not None:
        said = ["  With more attachments than it can name: latchstring desk attachments"]
    return said


# --- the commands --------------------------------------------------------------------------------


def add_to(desk: typer.Typer, opened: Open, default: Path) -> None:
    """Give 'latchstring desk' its 'attachments' commands. `opened` opens a vault; `default` is the usual one."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    desk.add_typer(
        app,
        name="attachments",
        help="List the attachments of your letters, or save one as a file.",
        epilog="Examples: latchstring desk attachments | latchstring desk attachments save 1eb569dc 1 --out scan.pdf",
    )

    @app.callback(invoke_without_command=True)
    def show(context: typer.Context, vault: VaultFile = default, fd: Fd = None, as_json: Json = False) -> None:
        """List the attachments of your letters, or save one as a file."""
        if context.invoked_subcommand is not None:
            return
        with opened(vault, fd) as found:
            listed = items(found, ChunkFolder.of(found))
        ui.emit(as_json, [_value(item) for item in listed], lambda: _show(listed))

    @app.command("save", epilog="Example: latchstring desk attachments save 1eb569dc 1 --out scan.pdf")
    def save_one(
        letter: Annotated[str, typer.Argument(help="The letter's mark, or its beginning.")],
        number: Annotated[int, typer.Argument(min=1, help="Which of its attachments, from 1.")],
        out: Annotated[Path, typer.Option("--out", help="The new file. Its name in the letter plays no part.")],
        vault: VaultFile = default,
        fd: Fd = None,
        as_json: Json = False,
    ) -> None:
        """Open an attachment into a new file. What is inside may be harmful: open it on a machine for that."""
        with opened(vault, fd) as found:
            folder = ChunkFolder.of(found)
            item = find_item(items(found, folder), letter, number)
            with unwinding(), ui.downloading("Opening") as progress:
                save(item, folder, out, progress)

        def human() -> None:
            ui.show(f"Saved as {out}: {size(item.attachment.size)}, as the letter names it.", "green")
            ui.show("Anybody can have made this file: open it where it can do no harm.", "yellow")

        ui.emit(as_json, {"file": str(out), "bytes": item.attachment.size}, human)


_INSIDE: Final = {LIST: "(the list of its attachments)", ANSWERS: "(its answers to your questions)"}


def _show(listed: Sequence[Item]) -> None:
    if not listed:
        ui.show("No letter here has an attachment.")
        return
    rows = [
        (
            item.letter.mark.hex(),
            str(item.number) if item.number > 0 else "",
            _INSIDE.get(item.number) or one_line(item.attachment.name, _NAME_WIDTH),
            size(item.attachment.size),
            _state(item),
        )
        for item in listed
    ]
    ui.table("Attachments", ("Letter", "No.", "Name, as the source gave it", "Size", "State"), rows)


def _state(item: Item) -> str:
    match item.state:
        case State.HERE:
            return "here"
        case State.COMING:
            chunks = item.attachment.chunks
            return f"still coming: {(chunks - item.missing) * 100 // chunks} %"
        case State.DROPPED:
            return "dropped by the server before it came"
        case State.WRONG:
            return "does not verify: not what the letter names"


def _value(item: Item) -> dict[str, object]:
    return {
        "letter": item.letter.mark.hex(),
        "number": item.number,
        "name": item.attachment.name if item.number > 0 else None,
        "bytes": item.attachment.size,
        "state": item.state.value,
        "chunks": item.attachment.chunks,
        "missing": item.missing,
    }
