# SPDX-License-Identifier: AGPL-3.0-or-later
"""A new member's vault and card."""

import re
import secrets
from pathlib import Path
from typing import Final

from latchstring.cli import ui
from latchstring.cli.addresses import typed_addresses
from latchstring.cli.vaults import told
from latchstring.desk.identity import Identity, keep_identity, new_identity
from latchstring.desk.vault import create_vault, remove_vault
from latchstring.protocol.doorwords import parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.wordlist import load

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", re.ASCII)


def checked_identity(door: str, at: list[str] | None, desk: str, member: str) -> Identity:
    """Fresh keys; ends the command when the door or a name cannot be used."""
    try:
        name = parse_door(door, load())
    except ProtocolError as error:
        ui.fail(str(error), "Copy it from the organisation's card.", ui.USAGE)
    for what, text in (("desk", desk), ("member", member)):
        if not _NAME.match(text):
            ui.fail(
                f"That is not the name of a {what}.", "Lower-case letters, digits and hyphens, at most 32.", ui.USAGE
            )
    addresses = tuple(typed_addresses(at or name.addresses))
    if not addresses:
        ui.fail("The door's address is missing.", "Add --at ADDRESS, or give the door's link.", ui.USAGE)
    return new_identity(door.strip(), desk, member, addresses, secrets.token_bytes)


def make_vault(who: Identity, path: Path, card: Path | None, fd: int | None) -> None:
    """An encrypted vault for it, and the card's file if one is wanted."""
    with told():
        if path.exists():
            ui.fail(f"'{path.name}' is there already and was not touched.", "Name another with --vault.")
        if card is not None and card.exists():
            ui.fail(f"'{card.name}' is there already, and no vault was made.", "Name another file with --card.")
        passphrase = ui.new_secret("A passphrase for the new vault", fd)
        with create_vault(path, passphrase, secrets.token_bytes) as made:
            try:
                keep_identity(made, who)
            except BaseException:
                remove_vault(made.path)  # no card has these keys yet: the next attempt makes others
                raise
    if card is not None:
        try:
            ui.write_private(card, format_card(who).encode())
        except ui.CliError as error:
            ui.fail(error.what, "The vault is made. Get its card another way: latchstring desk card > FILE")


def public(who: Identity) -> dict[str, str]:
    """What a card says."""
    return {
        "desk": who.desk,
        "id": who.member,
        "sign": who.sign_public.hex(),
        "request": who.request_public.hex(),
    }


def format_card(who: Identity) -> str:
    """TOML; nothing in it is secret."""
    lines = [f'{key} = "{value}"' for key, value in public(who).items()]
    head = "# A member's public keys, for 'latchstring org member add'. Nothing here is secret."
    return "\n".join([head, "[member]", *lines]) + "\n"
