# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the vault's owner at the desk: not yet, now, or no longer?"""

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.errors import DeskError
from latchstring.desk.identity import Identity
from latchstring.desk.vault import Vault
from latchstring.protocol.directory import Directory


class NoLongerHere(DeskError):
    """The organisation has removed this member. What the vault holds stays."""

    def __init__(self, desk: str) -> None:
        super().__init__(
            f"You are no longer at desk '{desk}': the organisation's directory does not name you and these keys any "
            "more. Nothing new can be fetched or answered with this vault.",
            "What it holds stays readable here (latchstring desk inbox). To erase it, delete the vault's file and the "
            "journal beside it. If this is a mistake, ask the organisation.",
        )


def is_here(directory: Directory, who: Identity) -> bool:
    """Does the directory name this member at this desk with these keys?"""
    desk = directory.desk(who.desk)
    member = desk.member(who.member) if desk else None
    return member is not None and (member.sign_key, member.request_key) == (who.sign_public, who.request_public)


def check_member(vault: Vault, visit: VerifiedVisit, who: Identity) -> None:
    """DeskError unless the directory names this member with these keys; NoLongerHere when one before did. What is
    found is remembered, so that nobody writes a reply which cannot be sent.
    """
    if is_here(visit.directory, who):
        _mark(vault, "here")
        return
    if _presence(vault) is not None:
        _mark(vault, "left")
        raise NoLongerHere(who.desk)
    desk = visit.directory.desk(who.desk)
    if desk is not None and desk.member(who.member) is not None:
        raise DeskError(
            f"The organisation's directory names other keys for member '{who.member}' than this vault holds.",
            "Use the vault whose card the organisation has, or send it this one's card.",
        )
    raise DeskError(
        f"The organisation's directory does not name member '{who.member}' at desk '{who.desk}' yet.",
        "Send the organisation your card (latchstring desk card); once it is in the directory, sync again.",
    )


def check_may_write(vault: Vault, desk: str) -> None:
    """NoLongerHere when the last session found that the member was removed."""
    if _presence(vault) == "left":
        raise NoLongerHere(desk)


def _presence(vault: Vault) -> str | None:
    rows = vault.rows("SELECT state FROM presence")
    return rows[0][0] if rows else None


def _mark(vault: Vault, state: str) -> None:
    if _presence(vault) != state:
        with vault.transaction():
            vault.do("INSERT OR REPLACE INTO presence (one, state) VALUES (1, ?)", state)
