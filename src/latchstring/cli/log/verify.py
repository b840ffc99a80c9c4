# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log verify."""

from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.log.reading import (
    DoorOption,
    Evidence,
    Json,
    Read,
    Vkey,
    Where,
    door_name,
    keep_fork,
    key_of,
    log_key,
    opened,
    visit_fault,
    whole_log,
)
from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.mirror import Forked, at_one_moment, same_log
from latchstring.log.note import VerifierKey
from latchstring.log.verify import Fault, Report
from latchstring.protocol.doorwords import DoorName, door_words
from latchstring.protocol.wordlist import load

EXAMPLES: Final = (
    "Examples: latchstring log verify http://ADDRESS.onion --tor | latchstring log verify FOLDER --vkey log.vkey | "
    "latchstring log verify http://ADDRESS --also http://MIRROR"
)


def verify(
    where: Where,
    vkey: Vkey = None,
    door: DoorOption = None,
    also: Annotated[
        str | None, typer.Option("--also", help="Another address or folder: is it the same log, or a fork?")
    ] = None,
    evidence: Evidence = Path("fork.proof"),
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Json = False,
) -> None:
    """Check the whole log: hashes, checkpoint and who cosigned it, manifests, key notes, sheets, directories, epochs.

    Exit status 3 when something is wrong; the first thing wrong is named, and what comes after it is not checked.
    """
    name, key = door_name(door), log_key(vkey, where)
    with opened(where, tor, proxy) as now:
        read = _standing_still(now)
        report, visit = _verify(read, key, name)
        if report.ok and visit is None:
            visit = _moved_on(read, now, key_of(read, key), evidence)
        if also is not None and report.ok:
            with opened(also, tor, proxy) as other:
                _same(read, _standing_still(other), key_of(read, key), name, evidence)
    ok = report.ok and visit is None
    value = {
        "ok": ok,
        "fault": report.fault or visit,
        "leaves": report.size,
        "batches": report.batches,
        "letters": report.letters,
        "directories": report.directories,
        "rotations": report.rotations,
        "key_notes": report.key_notes,
        "sheets": report.sheets,
        "tiles": report.tiles,
        "newest_batch": report.newest,
        "door": report.door.hex() if report.door else None,
        "key_from_log": report.key_from_log,
        "witnesses": report.witnesses,
        "quorum": report.quorum,
        "cosigned": [{"witness": w.name, "at": w.time} for w in report.cosigned],
    }
    ui.emit(as_json, value, lambda: _human(report, visit, name))
    raise typer.Exit(0 if ok else ui.FOUND_WRONG)


def _standing_still(now: Read) -> Read:
    """The log as it is at one moment, the one of `/visit`: batches close while somebody verifies.

    While `/checkpoint` is of that moment too, it is the one that is looked at. Where `/visit` cannot say which moment,
    the log is read as it is: what is wrong with `/visit` is told once the rest was looked at.
    """
    still = at_one_moment(now)
    try:
        carried, served = still("checkpoint"), now("checkpoint")
    except (KeyError, OSError):
        return now
    if carried.partition(b"\n\n")[0] != served.partition(b"\n\n")[0]:
        return still  # `_moved_on` looks at what is served
    return lambda path: served if path == "checkpoint" else still(path)


def _verify(read: Read, key: VerifierKey | None, name: DoorName | None) -> tuple[Report, str | None]:
    log, fault = whole_log(read, key, name, "Verifying")
    if fault is not None or not log.report.ok:
        return log.report, fault
    try:
        return log.report, visit_fault(read("visit"), log.report)
    except (KeyError, OSError):
        return log.report, "visit: missing"


def _moved_on(read: Read, now: Read, key: VerifierKey, evidence: Path) -> str | None:
    """What is wrong with the checkpoint served by now: it is the one that `/visit` carried, or goes on from it, since a
    server publishes it first. A proof of the fork is written if not."""
    try:
        newest = now("checkpoint")
        same_log(read("checkpoint"), newest, key, read, now)
        behind = open_checkpoint(newest, key).size < open_checkpoint(read("checkpoint"), key).size
    except (KeyError, OSError):
        return "checkpoint: missing"
    except Forked as forked:
        keep_fork(forked.fork, evidence)
    except Fault as wrong:
        return str(wrong)
    return "checkpoint: behind the one that /visit carries" if behind else None


def _same(read: Read, other: Read, key: VerifierKey, name: DoorName | None, evidence: Path) -> None:
    """Is the other one the same log? A proof of the fork is written if not."""
    second, fault = whole_log(other, key, name, "Verifying the other one")
    if fault is not None and not second.report.ok:
        ui.fail(f"The other one does not verify: {fault}.", "Whether the two are one log is not known.", ui.FOUND_WRONG)
    try:
        same_log(read("checkpoint"), other("checkpoint"), key, read, other)
    except Forked as forked:
        keep_fork(forked.fork, evidence)
    except Fault as wrong:
        ui.fail(f"The two cannot be compared: {wrong}.", "Run the command again.", ui.FOUND_WRONG)
    if fault is not None:
        ui.fail(f"The other one is the same log, but: {fault}.", "", ui.FOUND_WRONG)
    ui.say("Both are the same log.", "green")


def _human(report: Report, visit: str | None, name: DoorName | None) -> None:
    fault = report.fault or visit
    good = "good" if fault is None else "good so far"
    rows = [
        ("Entries and tiles", f"{report.size} leaves, {report.tiles} tiles"),
        ("Batches and their manifests", f"{report.batches}, the newest is {report.newest}"),
        ("Letters, fillers among them", str(report.letters)),
        ("Directories", str(report.directories)),
        ("Rotations of the root keys", str(report.rotations)),
        ("Key notes", str(report.key_notes)),
        ("Sheets", str(report.sheets)),
    ]
    ui.table("", ("What", "How many", ""), [(*row, good) for row in rows])
    if report.door is not None:
        ui.show(f"Door: {' '.join(door_words(report.door, load()))}")
        if name is None:
            ui.show("Compare these words with the organisation's card; --door does it for you.")
    for witness in report.cosigned:
        ui.show(f"Cosigned by {witness.name}, {ui.when(witness.time)}.")
    if report.ok and not report.witnesses:
        ui.show("The directory names no witnesses: others may be shown another log; --also compares two addresses.")
    if report.key_from_log:
        ui.show("The log's key came from beside the log: the log agrees with itself. --vkey names another.")
    if fault is None:
        ui.show("The log verifies.", "bold green")
    else:
        ui.show(f"WRONG: {fault}", "bold red")
        ui.show("What comes after this was not checked. Keep a copy: it is evidence of what was served.")
