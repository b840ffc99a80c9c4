# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a source's commands come to a door: the addresses that are tried, the check of what is fetched, the pin."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import connecting, through, typed_addresses
from latchstring.client.door import fetch_visit
from latchstring.client.newfile import new_file
from latchstring.client.pin import Pin
from latchstring.client.text import printable
from latchstring.client.transport import NEEDS_TOR, HttpTransport, NetworkFailed, NoProxy, is_onion
from latchstring.client.visit import ClockOff, VerifiedVisit, VisitRefused
from latchstring.client.ways import Ways, try_these
from latchstring.protocol.closing import Closing
from latchstring.protocol.doorwords import DoorName, parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.wordlist import WordList, load

Door = Annotated[str, typer.Option("--door", help="The door's twelve words, or its link.")]
At = Annotated[list[str] | None, typer.Option("--at", help="The door's address; repeat it for more, tried in turn.")]
DeskId = Annotated[str | None, typer.Option("--desk", help="Which desk; asked when there are several.")]
PinFile = Annotated[Path | None, typer.Option("--pin", help="Keep a pin of the door here: a trace of your visit.")]
Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@dataclass(frozen=True)
class Visitor:
    """An open way to a verified door."""

    transport: HttpTransport
    visit: VerifiedVisit
    words: WordList
    fetch: Callable[[Pin], VerifiedVisit]  # once more, when writing took long
    address: str
    another: Callable[[], HttpTransport]  # a line of its own to the same address, on another circuit


@contextmanager
def visiting(door: str, at: Sequence[str], tor: bool, proxy: str | None, pin_file: Path | None) -> Iterator[Visitor]:
    """Fetch and verify `/visit` from the first address that serves this door."""
    words = load()
    try:
        name = parse_door(door, words)
    except ProtocolError as error:
        ui.fail(str(error), "Copy it from the organisation's card.", ui.USAGE)
    addresses = typed_addresses(at or name.addresses)
    if not addresses:
        ui.fail("The door's address is missing.", "Add --at ADDRESS, or give the door's link.", ui.USAGE)
    if not (tor or proxy) and any(is_onion(address) for address in addresses):
        ui.fail(NEEDS_TOR, "To be seen at an address without Tor, name that one alone with --at.", ui.USAGE)
    pin = _read_pin(pin_file)

    def line(address: str) -> HttpTransport:
        return HttpTransport(address, through(tor, proxy))

    def fetch(transport: HttpTransport, pin: Pin | None) -> VerifiedVisit:
        return _fetch(transport, name, pin, connecting(tor, proxy))

    with ExitStack() as stack:
        ways = Ways(addresses, hidden=tor or proxy is not None)
        address, transport, visit = _first_that_answers(stack, ways, line, fetch, pin)
        if pin_file is not None:
            _write_pin(pin_file, visit.pin)
        _say_state(visit, address)
        yield Visitor(
            transport, visit, words, lambda pin: _again(lambda: fetch(transport, pin)), address, lambda: line(address)
        )


def _first_that_answers(
    stack: ExitStack,
    ways: Ways,
    line: Callable[[str], HttpTransport],
    fetch: Callable[[HttpTransport, Pin | None], VerifiedVisit],
    pin: Pin | None,
) -> tuple[str, HttpTransport, VerifiedVisit]:
    """By the first address that serves this door: one that is down, stale or false keeps nobody from the next."""
    trouble = ui.CliError("")
    for address in ways:
        try:
            transport = stack.enter_context(line(address))
            visit = fetch(transport, pin)
        except NetworkFailed as failed:
            trouble = trouble if trouble.code == ui.FOUND_WRONG else ui.CliError(str(failed))
            if isinstance(failed, NoProxy):
                break
        except ClockOff as off:
            trouble = ui.CliError(str(off), "", ui.FOUND_WRONG)
            ways.name(off.addresses)
        except ui.CliError as refused:
            trouble = refused
        else:
            if trouble.code == ui.FOUND_WRONG:
                ui.say("Not every address serves this door as it should; this one does.", "yellow")
            return address, transport, visit
    hints = (trouble.next_step, try_these(ways.unasked))
    ui.fail(trouble.what, " ".join(hint for hint in hints if hint), trouble.code)


def _fetch(transport: HttpTransport, name: DoorName, pin: Pin | None, connecting: str) -> VerifiedVisit:
    seen: list[bytes] = []

    def is_door(door: bytes) -> bool:
        seen.append(door)
        return name.matches(door)

    try:
        with ui.downloading("Fetching what everyone fetches", connecting) as progress:
            visit = fetch_visit(transport, is_door, int(time.time()), pin, progress)
    except VisitRefused as refused:
        differing = name.differing(seen[0]) if seen else ()
        hint = f"Word {differing[0]} of the door differs: is it written down right?" if len(differing) == 1 else ""
        ui.fail(str(refused), hint, ui.FOUND_WRONG)
    return visit


def _again(fetch: Callable[[], VerifiedVisit]) -> VerifiedVisit:
    """Once more by the same address."""
    try:
        return fetch()
    except ClockOff as off:
        ui.fail(str(off), "", ui.FOUND_WRONG)


def _say_state(visit: VerifiedVisit, address: str) -> None:
    """What whoever comes must know of the door: that it is closed or out of date, that it has other addresses."""
    directory = visit.directory
    if directory.closed is not None:
        say_closing(directory.closed)
    elif visit.expired:
        ui.say("This door's directory is out of date: you can read, but not write.", "yellow")
    if directory.addresses and address.rstrip("/") not in [a.rstrip("/") for a in directory.addresses]:
        ui.say("The organisation does not name the address by which you came. Note one of these:", "yellow")
        for named in directory.addresses:
            ui.say(f"  {named}")


def say_closing(closing: Closing) -> None:
    """The organisation's last words, and where to turn."""
    ui.say("This door is closed for good. No letter is taken any more; what was answered can still be read.", "bold")
    ui.say(in_my_language(closing.texts))
    for line in closing.instead:
        ui.say(f"Turn here instead: {line}")


def in_my_language(texts: dict[str, str]) -> str:
    """Of texts by language the one for whoever sits here."""
    mine = (os.environ.get("LANG") or "en").split("_")[0].split(".")[0]
    return printable(texts.get(mine) or texts.get("en") or next(iter(texts.values()), ""))


def _read_pin(path: Path | None) -> Pin | None:
    if path is None or not path.exists():
        return None
    try:
        return Pin.parse(path.read_bytes())
    except (OSError, ProtocolError):
        ui.fail(f"'{path.name}' is not a pin, or cannot be read.", "Name another file, or remove this one.")


def _write_pin(path: Path, pin: Pin) -> None:
    try:
        with new_file(path, over=True) as file:
            file.write(pin.encode())
    except OSError:
        ui.say("The pin could not be kept; everything else goes on.", "yellow")


def choose_desk(visit: VerifiedVisit, desk: str | None) -> str:
    """The desk that was named, the only one, or the one that the person picks."""
    desks = visit.directory.desks
    if desk is not None:
        if visit.directory.desk(desk) is None:
            ui.fail(f"There is no desk '{desk}' here.", f"There are: {', '.join(d.id for d in desks)}.", ui.USAGE)
        return desk
    if len(desks) == 1:
        return desks[0].id
    desk_table(visit)
    answer = ui.ask("Which desk?")
    if visit.directory.desk(answer) is None:
        ui.fail("No desk was chosen.", "Give its name with --desk.", ui.USAGE)
    return answer


def desk_table(visit: VerifiedVisit) -> None:
    """Which desks there are, on standard error."""
    rows = [
        (d.id, in_my_language(d.titles), "open" if visit.note(d.id) else "closed just now")
        for d in visit.directory.desks
    ]
    ui.table("Desks", ("Name", "What it is", ""), rows, meanwhile=True)
