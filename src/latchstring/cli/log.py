# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log verify."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.client.transport import HttpTransport, NetworkFailed, tor_proxy
from latchstring.client.visit import ClockOff, VisitRefused, check_visit
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.verify import Report, verify_log
from latchstring.protocol.constants import VISIT_FRESH_TICKS
from latchstring.protocol.doorwords import DoorName, door_words, parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.root import Door
from latchstring.protocol.rooted import newest_of
from latchstring.protocol.visit import parse_visit
from latchstring.protocol.wordlist import load

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _group() -> None:
    """Check a door's public log."""


@app.command(
    epilog="Examples: latchstring log verify http://ADDRESS.onion --tor | latchstring log verify FOLDER --vkey log.vkey"
)
def verify(
    where: Annotated[str, typer.Argument(help="A server's or mirror's address, or a folder with the published files.")],
    vkey: Annotated[
        Path | None, typer.Option(help="The log's key, from a source you trust; else the one beside the log.")
    ] = None,
    door: Annotated[str | None, typer.Option(help="Whose log it must be: the door's twelve words or link.")] = None,
    tor: Annotated[bool, typer.Option("--tor", help="Go through Tor's SOCKS port, 127.0.0.1:9050.")] = False,
    proxy: Annotated[str | None, typer.Option(help="Go through this SOCKS proxy, such as 127.0.0.1:9150.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Check the whole log: hashes, checkpoint, manifests, key notes, sheets, directory chain, epochs.

    Exit status 3 when something is wrong; the first thing wrong is named, and what comes after it is not checked.
    """
    name = _door(door)
    if "://" in where:
        with HttpTransport(where, tor_proxy(proxy) if proxy else tor_proxy() if tor else None) as transport:
            report, visit = _verify(_over_http(transport), vkey, name)
    else:
        folder = Path(where)
        if not folder.is_dir():
            ui.fail("There is no such folder.", "Name the folder that holds 'checkpoint', or an address with http://")
        report, visit = _verify(_in_folder(folder), vkey or _beside(folder), name)
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


def _door(text: str | None) -> DoorName | None:
    if text is None:
        return None
    try:
        return parse_door(text, load())
    except ProtocolError as error:
        ui.fail(str(error), "Copy it from the organisation's card.", ui.USAGE)


def _beside(folder: Path) -> Path | None:
    """The key one folder above the published files, where a kept demonstration leaves it."""
    above = folder.resolve().parent / "log.vkey"
    return above if above.exists() and not (folder / "log.vkey").exists() else None


def _over_http(transport: HttpTransport) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        answer = transport.request("GET", "/" + path)
        if answer.status != 200:
            raise KeyError(path)
        return answer.body

    return read


def _in_folder(folder: Path) -> Callable[[str], bytes]:
    root = str(folder)

    def read(path: str) -> bytes:
        with open(f"{root}/{path}", "rb") as file:
            return file.read()

    return read


def _verify(read: Callable[[str], bytes], vkey: Path | None, name: DoorName | None) -> tuple[Report, str | None]:
    try:
        key = VerifierKey.parse(vkey.read_text("ascii").strip()) if vkey else None
    except (OSError, LogError, UnicodeDecodeError):
        ui.fail("That is not the key of a log.", "A key file holds one line: name+digits+letters.", ui.USAGE)
    try:
        with ui.downloading("Verifying") as progress:
            report = verify_log(read, key, Door(name.door) if name and name.door else None, progress)
        if not report.ok:
            return report, None
        if name is not None and (report.door is None or not name.matches(report.door)):
            return report, "this is another door's log"
        if len(report.cosigned) < report.quorum:
            return report, (
                f"checkpoint: cosigned by {len(report.cosigned)} of the {report.witnesses} witnesses that the "
                f"directory names, and it must be {report.quorum}"
            )
        return report, _visit_fault(read, report)
    except NetworkFailed as failed:
        ui.fail(str(failed))


def _visit_fault(read: Callable[[str], bytes], report: Report) -> str | None:
    """`/visit` carries the same log: checked as a client does, by the log's own time."""
    raw = read("visit")
    try:
        visit = parse_visit(raw)
        batch = Manifest.parse(visit.manifest).n
        checked = check_visit(raw, lambda door: door == report.door, _time_of(raw, batch, report), None)
    except (VisitRefused, ClockOff, ProtocolError) as error:
        return f"visit: {getattr(error, 'reason', error)}"
    return None if checked.pin.size == report.size else "visit: of another size than the log"


def _time_of(raw: bytes, batch: int, report: Report) -> int:
    """When it could be fetched first: soon after the batch, or once it was cosigned."""
    policy = newest_of(parse_visit(raw)).signed.directory.policy
    return max(policy.closes_at(batch) + min(policy.tick, VISIT_FRESH_TICKS), *(w.time for w in report.cosigned), 0)


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
        ui.show("The directory names no witnesses: others may be shown another log.")
    if report.key_from_log:
        ui.show("The log's key came from beside the log: the log agrees with itself. --vkey names another.")
    if fault is None:
        ui.show("The log verifies.", "bold green")
    else:
        ui.show(f"WRONG: {fault}", "bold red")
        ui.show("What comes after this was not checked. Keep a copy: it is evidence of what was served.")
