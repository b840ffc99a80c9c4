# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the organisation's commands share: options, files, and the way to a server."""

from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import connecting, is_address, through
from latchstring.client.newfile import ALL, new_file
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.rooted import Rooted, newest_of, open_rooted
from latchstring.protocol.visit import parse_visit

Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        ui.fail(f"'{path.name}' cannot be read.", "Check the name and that you may read it.")


def replace(path: Path, data: bytes) -> None:
    """The new file whole, or the old one as it was."""
    try:
        with new_file(path, over=True, mode=ALL) as target:
            target.write(data)
    except OSError:
        ui.fail(f"'{path.name}' cannot be written.", "Check the folder, your rights and the space left.")


def opened(raw: bytes) -> Rooted:
    """A signed directory with its root rotations; whose door it is, one sees."""
    try:
        return open_rooted(raw, None)
    except ProtocolError as error:
        ui.fail(f"That is not a signed directory: {error}.", "Use the file that 'org directory sign' wrote.")


def load_signed(source: str, tor: bool, proxy: str | None) -> Rooted:
    """From a file, or the newest in a server's /visit. Signatures are checked; whose door it is, one sees."""
    if not is_address(source):
        return opened(read(Path(source)))
    try:
        way = HttpTransport(source, through(tor, proxy))
        with way as transport, ui.downloading("Fetching /visit", connecting(tor, proxy)) as progress:
            answer = transport.request("GET", "/visit", progress=progress)
        return newest_of(parse_visit(answer.body))
    except NetworkFailed as failed:
        ui.fail(str(failed))
    except ProtocolError:
        ui.fail("No directory could be fetched from there.", "Check the address, or give the signed file.")


def post_signed(address: str, raw: bytes, tor: bool, proxy: str | None, name: str) -> None:
    by = f" --proxy {proxy}" if proxy else " --tor" if tor else ""
    again = f"Send it again: latchstring org directory send {name} --to {address}{by}"
    try:
        with HttpTransport(address, through(tor, proxy)) as transport, ui.waiting("Sending..."):
            answer = transport.request("POST", "/v1/directory", body=raw)
    except NetworkFailed as failed:
        ui.fail(f"It was not sent. {failed}", again)
    if answer.status != 201:
        said = answer.sentence() or "it gave no reason"
        if answer.status == 409:
            again = (
                f"Fetch the newest one (latchstring org directory show {address} --save newest.signed), "
                "then sign again with --previous newest.signed and another --out."
            )
        elif answer.status == 403:
            again = "Is it this door's server, and its newest card in the draft? Then sign again."
        ui.fail(f"The server did not take it ({answer.status}): {said}", again)
    ui.show("The server has taken it: it acts from the next batch on.")
