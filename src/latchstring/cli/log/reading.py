# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a log is read from: an address or a folder; and what every command about a log is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import is_address, through
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.client.visit import ClockOff, VisitRefused, check_visit
from latchstring.log.errors import LogError
from latchstring.log.fork import ForkProof
from latchstring.log.note import VerifierKey
from latchstring.log.verify import Examined, Report, examine
from latchstring.protocol.constants import VISIT_FRESH_TICKS
from latchstring.protocol.doorwords import DoorName, parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.root import Door
from latchstring.protocol.rooted import newest_of
from latchstring.protocol.visit import parse_visit
from latchstring.protocol.wordlist import load

Where = Annotated[str, typer.Argument(help="A server's or mirror's address, or a folder with the published files.")]
Vkey = Annotated[
    Path | None, typer.Option("--vkey", help="The log's key, from a source you trust; else the one beside the log.")
]
DoorOption = Annotated[str | None, typer.Option("--door", help="Whose log it must be: the door's words or link.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Evidence = Annotated[
    Path, typer.Option("--evidence", help="Where the proof goes if the log turns out to be forked; a new file.")
]

Read = Callable[[str], bytes]


@contextmanager
def opened(where: str, tor: bool, proxy: str | None) -> Iterator[Read]:
    """A function from a published file's path to its bytes; KeyError or OSError when it is not there."""
    if is_address(where):
        try:
            with HttpTransport(where, through(tor, proxy)) as transport:
                yield _over_http(transport)
        except NetworkFailed as failed:
            ui.fail(str(failed))
        return
    if not Path(where).is_dir():
        ui.fail("There is no such folder.", "Name the folder that holds 'checkpoint', or an address with http://")
    yield _in_folder(Path(where))


def _over_http(transport: HttpTransport) -> Read:
    def read(path: str) -> bytes:
        answer = transport.request("GET", "/" + path)
        if answer.status != 200:
            raise KeyError(path)
        return answer.body

    return read


def _in_folder(folder: Path) -> Read:
    root = str(folder)

    def read(path: str) -> bytes:
        with open(f"{root}/{path}", "rb") as file:
            return file.read()

    return read


def log_key(vkey: Path | None, where: str) -> VerifierKey | None:
    """The key that was named, or that lies one folder above the published files; None: take the one beside the log."""
    if vkey is None and not is_address(where):
        above = Path(where).resolve().parent / "log.vkey"
        vkey = above if above.exists() and not (Path(where) / "log.vkey").exists() else None
    if vkey is None:
        return None
    try:
        return VerifierKey.parse(vkey.read_text("ascii").strip())
    except OSError:
        ui.fail(f"'{vkey.name}' cannot be read.", "Name the log's key file with --vkey.", ui.USAGE)
    except (LogError, UnicodeDecodeError):
        ui.fail("That is not the key of a log.", "A key file holds one line: name+digits+letters.", ui.USAGE)


def door_name(text: str | None) -> DoorName | None:
    """The door that was named."""
    if text is None:
        return None
    try:
        return parse_door(text, load())
    except ProtocolError as error:
        ui.fail(str(error), "Copy it from the organisation's card.", ui.USAGE)


def whole_log(read: Read, key: VerifierKey | None, name: DoorName | None, what: str) -> tuple[Examined, str | None]:
    """The log, examined, and the first thing wrong with it; `what` names the work for whoever waits."""
    with ui.downloading(what) as progress:
        log = examine(read, key, Door(name.door) if name and name.door else None, progress)
    return log, log.report.fault or judged(log, name)


def judged(log: Examined, name: DoorName | None) -> str | None:
    """What is wrong with a log that agrees with itself: another door's, or cosigned by too few."""
    report = log.report
    if name is not None and (report.door is None or not name.matches(report.door)):
        return "this is another door's log"
    if len(report.cosigned) < report.quorum:
        return (
            f"checkpoint: cosigned by {len(report.cosigned)} of the {report.witnesses} witnesses that the directory "
            f"names, and it must be {report.quorum}"
        )
    return None


def visit_fault(raw: bytes, report: Report) -> str | None:
    """`/visit` carries the log that was verified: checked as a client does, by the log's own time."""
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


def need_whole(fault: str | None) -> None:
    """End the command when the log is not whole and true."""
    if fault is not None:
        ui.fail(f"The log does not verify: {fault}.", "Try another of the door's addresses.", ui.FOUND_WRONG)


def key_of(read: Read, key: VerifierKey | None) -> VerifierKey:
    """The key that a log which verified was checked with."""
    return key if key is not None else VerifierKey.parse(read("log.vkey").decode("ascii").strip())


def keep_fork(fork: ForkProof, path: Path) -> None:
    """Write the proof and end the command."""
    ui.write_private(path, fork.encode())
    ui.fail(
        "The log was FORKED: its key signed two logs that contradict each other.",
        f"The proof is in '{path.name}'. Anyone can check it: latchstring log check-proof {path.name} --vkey log.vkey. "
        "Give it to the organisation and publish it; trust neither of the two until it is explained.",
        ui.FOUND_WRONG,
    )
