# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk known: threads whose letters get in when the door is flooded."""

from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.desk_attachments import Fd, Json, Open, VaultFile
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.timeline import MARK_DIGITS, find_thread
from latchstring.protocol.constants import KNOWN_THREADS


def add_to(app: typer.Typer, opened: Open, default: Path) -> None:
    """Add the command. `opened` opens a vault with its passphrase, `default` is where it lies."""

    @app.command(epilog="Example: latchstring desk known 1eb569dc   |   latchstring desk known 1eb569dc --off")
    def known(
        thread: Annotated[
            str | None, typer.Argument(help="A thread's or a letter's mark; none lists the marked.")
        ] = None,
        off: Annotated[bool, typer.Option("--off", help="Take the mark off.")] = False,
        vault: VaultFile = default,
        fd: Fd = None,
        as_json: Json = False,
    ) -> None:
        """Mark a thread as known: its letters get in even when the door is flooded. At most 48 a desk."""
        if thread is None and off:
            ui.fail("Which thread?", "Name it: latchstring desk known THREAD --off", ui.USAGE)
        with opened(vault, fd) as held:
            changed = False
            if thread is not None:
                found = find_thread(held, thread)
                if not off and not found.letters:
                    ui.fail(
                        "No letter of this thread is verified: it may be anybody's.",
                        "Wait for one that comes within the days of its key.",
                    )
                changed = mark_known(held, found.id, not off)
            marked = known_threads(held)

        def human() -> None:
            if thread is not None:
                _say(found.mark, off, changed)
            for item in marked if thread is None else ():
                ui.show(item.hex()[:MARK_DIGITS])
            ui.show(f"{len(marked)} of {KNOWN_THREADS} threads are marked.")

        value = {"changed": changed, "known": [item.hex() for item in marked], "most": KNOWN_THREADS}
        ui.emit(as_json, value, human)


def _say(mark: str, off: bool, changed: bool) -> None:
    if not changed:
        ui.show(f"Thread {mark} is {'not marked' if off else 'marked already'}; nothing changed.")
    elif off:
        ui.show(f"Thread {mark} is not marked any more.", "green")
    else:
        ui.show(f"Thread {mark} is marked as known. Next: latchstring desk sync", "green")
        ui.show("The source learns it from your next reply, or from one that waits to be placed (--ack-only will do).")
