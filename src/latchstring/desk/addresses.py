# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's addresses as its newest directory names them, beside those that the member typed: a door that moves is
found again by whoever came once."""

from collections.abc import Sequence

from latchstring.client.ways import Ways
from latchstring.desk.identity import identity
from latchstring.desk.vault import Vault


def learned(vault: Vault) -> tuple[str, ...]:
    """In the directory's order; none before the first session."""
    return tuple(row[0] for row in vault.rows("SELECT address FROM learned_address ORDER BY place"))


def learn(vault: Vault, addresses: tuple[str, ...]) -> bool:
    """Remember what a verified directory names, in place of what the one before did; whether that changed."""
    if addresses == learned(vault):
        return False
    with vault.transaction():
        vault.do("DELETE FROM learned_address")
        for place, address in enumerate(addresses):
            vault.do("INSERT INTO learned_address (place, address) VALUES (?, ?)", place, address)
    return True


def ways(vault: Vault, hidden: bool, at: Sequence[str] = ()) -> Ways:
    """What a session tries: what the directory names first, then what the member typed; see `Ways` for `hidden`.
    `at`: typed for this session alone, in place of all of these."""
    if at:
        return Ways(at, hidden)
    found = Ways(identity(vault).addresses, hidden)
    found.name(learned(vault), first=True)
    return found
