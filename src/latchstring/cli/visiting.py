# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a source's commands come to a door: the addresses that are tried, the check of what is fetched, the pin."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from latchstring.cli import ui
from latchstring.client.door import fetch_visit
from latchstring.client.pin import Pin
from latchstring.client.text import printable
from latchstring.client.transport import HttpTransport, NetworkFailed, tor_proxy
from latchstring.client.visit import ClockOff, VerifiedVisit, VisitRefused
from latchstring.protocol.closing import Closing
from latchstring.protocol.doorwords import DoorName, parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.wordlist import WordList, load


@dataclass(frozen=True)
class Visitor:
    """An open way to a verified door."""

    transport: HttpTransport
    visit: VerifiedVisit
    words: WordList
    fetch: Callable[[Pin], VerifiedVisit]  # once more, when writing took long
    another: Callable[[], HttpTransport]  # a line of its own to the same address, on another circuit


@contextmanager
def visiting(door: str, at: Sequence[str], tor: bool, proxy: str | None, pin_file: Path | None) -> Iterator[Visitor]:
    """Fetch and verify `/visit` from the first address that answers."""
    words = load()
    try:
        name = parse_door(door, words)
    except ProtocolError as error:
        ui.fail(str(error), "Copy it from the organisation's card.", ui.USAGE)
    addresses = list(at) or list(name.addresses)
    if not addresses:
        ui.fail("The door's address is missing.", "Add --at ADDRESS, or give the door's link.", ui.USAGE)
    pin = _read_pin(pin_file)

    def line(address: str) -> HttpTransport:
        return HttpTransport(address, tor_proxy(proxy) if proxy else tor_proxy() if tor else None)

    with ExitStack() as stack:
        address, transport, visit = _first_that_answers(stack, addresses, line, name, pin)
        if pin_file is not None:
            _write_pin(pin_file, visit.pin)
        yield Visitor(transport, visit, words, lambda pin: _fetch(transport, name, pin), lambda: line(address))


def _first_that_answers(
    stack: ExitStack,
    addresses: Sequence[str],
    line: Callable[[str], HttpTransport],
    name: DoorName,
    pin: Pin | None,
) -> tuple[str, HttpTransport, VerifiedVisit]:
    trouble = ""
    for address in addresses:
        try:
            transport = stack.enter_context(line(address))
            return address, transport, _fetch(transport, name, pin)
        except NetworkFailed as failed:
            trouble = str(failed)
    ui.fail(trouble)


def _fetch(transport: HttpTransport, name: DoorName, pin: Pin | None) -> VerifiedVisit:
    seen: list[bytes] = []

    def is_door(door: bytes) -> bool:
        seen.append(door)
        return name.matches(door)

    try:
        with ui.downloading("Fetching what everyone fetches") as progress:
            visit = fetch_visit(transport, is_door, int(time.time()), pin, progress)
    except VisitRefused as refused:
        differing = name.differing(seen[0]) if seen else ()
        hint = f"Word {differing[0]} of the door differs: is it written down right?" if len(differing) == 1 else ""
        ui.fail(str(refused), hint, ui.FOUND_WRONG)
    except ClockOff as off:
        ui.fail(str(off), "", ui.FOUND_WRONG)
    if visit.directory.closed is not None:
        say_closing(visit.directory.closed)
    elif visit.expired:
        ui.say("This door's directory is out of date: you can read, but not write.", "yellow")
    return visit


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
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)
        ui.write_private(temporary, pin.encode())
        os.replace(temporary, path)
    except OSError:
        ui.say("The pin could not be kept; everything else goes on.", "yellow")
