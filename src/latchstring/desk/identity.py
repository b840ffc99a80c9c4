# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who the vault's owner is: member, desk, door, keys, addresses, and the pin of what the log looked like last."""

from collections.abc import Callable
from dataclasses import dataclass, field

from latchstring.desk.errors import VaultError
from latchstring.desk.vault import Vault
from latchstring.protocol.primitives import ed25519_public, x25519_public


@dataclass(frozen=True, slots=True)
class Identity:
    """A member's lasting keys and what they knew of the door at the start. `door_text`: words or link as typed."""

    door_text: str
    desk: str
    member: str
    addresses: tuple[str, ...]
    sign_seed: bytes = field(repr=False)
    request_seed: bytes = field(repr=False)

    @property
    def sign_public(self) -> bytes:
        """The Ed25519 key for the directory, 32 bytes."""
        return ed25519_public(self.sign_seed)

    @property
    def request_public(self) -> bytes:
        """The X25519 key for the directory, 32 bytes."""
        return x25519_public(self.request_seed)


def new_identity(
    door_text: str, desk: str, member: str, addresses: tuple[str, ...], random: Callable[[int], bytes]
) -> Identity:
    """Fresh keys."""
    return Identity(door_text, desk, member, addresses, random(32), random(32))


def keep_identity(vault: Vault, who: Identity) -> None:
    """Write it into a new vault."""
    with vault.transaction():
        vault.do(
            "INSERT INTO me (one, door_text, desk, member, sign_seed, request_seed, addresses, page_version)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, 0)",
            who.door_text,
            who.desk,
            who.member,
            who.sign_seed,
            who.request_seed,
            "\n".join(who.addresses),
        )


def identity(vault: Vault) -> Identity:
    """Whose vault it is. VaultError when its making was broken off before it had an owner."""
    rows = vault.rows("SELECT door_text, desk, member, sign_seed, request_seed, addresses FROM me")
    if not rows:
        raise VaultError(
            "The making of this vault was broken off; there is nothing in it.",
            "Delete its file, then run 'latchstring desk join' or 'desk init' again.",
        )
    text, desk, member, sign, request, addresses = rows[0]
    return Identity(text, desk, member, tuple(addresses.split("\n")) if addresses else (), sign, request)


def is_own_key(vault: Vault, key: bytes) -> bool:
    """Is this the Ed25519 key by which the directory knows the owner?"""
    rows = vault.rows("SELECT sign_seed FROM me")
    return bool(rows) and ed25519_public(rows[0][0]) == key


def pinned(vault: Vault) -> tuple[bytes | None, bytes | None]:
    """The full door (32 bytes) and the encoded pin, once a /visit was checked."""
    door, pin = vault.rows("SELECT door, pin FROM me")[0]
    return door, pin


def keep_pin(vault: Vault, door: bytes, pin: bytes) -> None:
    """What the next /visit is compared with."""
    with vault.transaction():
        vault.do("UPDATE me SET door = ?, pin = ?", door, pin)


def next_page_version(vault: Vault, now: int) -> int:
    """A version for this session's pages, above all before it and stored before it is used.

    It is the time in milliseconds where that is higher, so that a vault put back from a copy goes on above what it
    forgot. `now`: Unix seconds.
    """
    with vault.transaction():
        version = max(int(vault.rows("SELECT page_version FROM me")[0][0]) + 1, now * 1000)
        vault.do("UPDATE me SET page_version = ?", version)
    return version
