# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log mirror: a copy of the public log, verified before it takes its place, for any web server to serve."""

from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.log.reading import (
    DoorOption,
    Evidence,
    Json,
    Vkey,
    door_name,
    keep_fork,
    log_key,
    opened,
    visit_fault,
)
from latchstring.log.mirror import Forked, Update, prepare
from latchstring.log.note import VerifierKey
from latchstring.log.verify import Fault
from latchstring.protocol.root import Door
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import StoreFailed

EXAMPLE: Final = "Example: latchstring log mirror http://ADDRESS.onion /srv/mirror --tor --door LINK"


def mirror(
    where: Annotated[str, typer.Argument(help="The server's or another mirror's address, or a folder.")],
    folder: Annotated[Path, typer.Argument(help="The copy; made if missing, else brought up to date.")],
    vkey: Vkey = None,
    door: DoorOption = None,
    evidence: Evidence = Path("fork.proof"),
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Json = False,
) -> None:
    """Copy what is new of a door's public log, verify all of it, and only then replace anything.

    Any web server can serve the folder to sources and members. Run it again at every tick or hour: a source that shows
    another log than the copy holds is found out, and the proof is written.
    """
    name = door_name(door)
    try:
        copy = FolderObjects(folder)
        copy.sweep()
    except (OSError, StoreFailed):
        ui.fail("The folder cannot be made or written.", "Check its name and your rights there.")
    with opened(where, tor, proxy) as read:
        try:
            key = _key(copy, vkey, where) or VerifierKey.parse(read("log.vkey").decode("ascii").strip())
        except (KeyError, OSError, ValueError):
            ui.fail("There is no log at this address.", "Check the address, or name its key with --vkey.")
        try:
            with ui.downloading("Copying and verifying") as progress:
                update = prepare(read, copy.get, key, Door(name.door) if name and name.door else None, progress)
        except Forked as forked:
            keep_fork(forked.fork, evidence)
        except Fault as wrong:
            ui.fail(f"Nothing was replaced: {wrong}.", "Run the command again, or try another address.", ui.FOUND_WRONG)
    report = update.report
    if name is not None and (report.door is None or not name.matches(report.door)):
        ui.fail("Nothing was replaced: this is another door's log.", "Check the address.", ui.FOUND_WRONG)
    if len(report.cosigned) < report.quorum:
        ui.fail(
            f"Nothing was replaced: cosigned by {len(report.cosigned)} witnesses, and it must be {report.quorum}.",
            "Run the command again later.",
            ui.FOUND_WRONG,
        )
    fault = visit_fault(update.files["visit"], report)
    if fault is not None:
        ui.fail(f"Nothing was replaced: {fault}.", "Run the command again, or try another address.", ui.FOUND_WRONG)
    _write(copy, update)
    value = {"leaves": update.size, "new": update.size - update.before, "newest_batch": report.newest}
    ui.emit(
        as_json, value, lambda: ui.show(f"The copy has {update.size} leaves, {value['new']} of them new. It verifies.")
    )


def _key(copy: FolderObjects, vkey: Path | None, where: str) -> VerifierKey | None:
    """The key that was named, or that of the copy: it never changes."""
    try:
        held = VerifierKey.parse(copy.get("log.vkey").decode("ascii").strip())
    except (KeyError, ValueError):
        return log_key(vkey, where)
    named = log_key(vkey, "://")
    if named not in (None, held):
        ui.fail("The copy is of another log than --vkey names.", "Name another folder.", ui.USAGE)
    return held


def _write(copy: FolderObjects, update: Update) -> None:
    """In the order given: whoever reads meanwhile sees the log before or the log after."""
    try:
        for path, body in update.files.items():
            copy.put(path, body)
        for folder in update.folders_gone:
            for path in list(copy.paths(folder)):
                copy.delete(path)
        for path in update.strangers([*copy.paths("keynotes"), *copy.paths("sheets")]):
            copy.delete(path)
    except StoreFailed as failed:
        ui.fail(f"The copy could not be written: {failed}.", "Make room, and run the command again: it goes on.")
