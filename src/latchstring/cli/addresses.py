# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses as a person types them: a door's, a proxy's."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.client.transport import TOR_SOCKS, NetworkFailed, is_onion, read_address, read_proxy, tor_proxy


def _proxy(typed: str | None) -> str | None:
    try:
        return read_proxy(typed) if typed is not None else None
    except NetworkFailed as failed:
        ui.fail(str(failed), "Nothing was sent. Write it anew.", ui.USAGE)


Tor = Annotated[bool, typer.Option("--tor", help="Go through Tor's SOCKS port, 127.0.0.1:9050.")]
Proxy = Annotated[
    str | None,
    typer.Option("--proxy", callback=_proxy, help="Go through this SOCKS proxy, such as 127.0.0.1:9150."),
]


def through(tor: bool, proxy: str | None) -> str | None:
    """The way to an address, as `HttpTransport` takes it: a circuit of its own each time; None: directly."""
    return tor_proxy(proxy) if proxy else tor_proxy() if tor else None


def typed_addresses(given: Iterable[str]) -> list[str]:
    """Each as it is asked; ends the command, before anything is sent, when one is none: the next might be asked in the
    open though this one was meant."""
    try:
        return [read_address(address) for address in given]
    except NetworkFailed as failed:
        ui.fail(str(failed), "Nothing was sent. Write it anew.", ui.USAGE)


def is_address(where: str) -> bool:
    """Is this an address, and not a file or folder? An onion service's is one without `http://` too."""
    return "://" in where or (is_onion(where) and not Path(where).exists())


def connecting(tor: bool, proxy: str | None) -> str:
    """What goes on until something comes, for whoever waits; short, since a terminal cuts it off."""
    if not (tor or proxy):
        return "Connecting"
    return f"Connecting through {proxy or TOR_SOCKS}; Tor may need two minutes"
