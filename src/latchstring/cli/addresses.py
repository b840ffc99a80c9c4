# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses as a person types them."""

from collections.abc import Iterable
from pathlib import Path

from latchstring.cli import ui
from latchstring.client.transport import NetworkFailed, is_onion, read_address


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
