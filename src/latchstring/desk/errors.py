# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes wrong at a desk, in words for the member: what happened and what to do next."""


class DeskError(Exception):
    """`what` happened and what to do `next`. Neither holds a secret, a letter's text or a path of the server."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(f"{what} {next}")
        self.what = what
        self.next = next


class VaultError(DeskError):
    """The vault cannot be opened, read or written."""


class WrongPassphrase(VaultError):
    """The passphrase does not open the vault."""


class VaultDamaged(VaultError):
    """The file is cut, changed or not a vault."""


class ServerFault(DeskError):
    """The server does not do what the protocol says; nothing that it said since is believed."""
