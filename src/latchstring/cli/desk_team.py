# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk: invite, join, members."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.enrolling import checked_identity, format_card, make_vault, public
from latchstring.cli.vaults import DEFAULT, Fd, Json, VaultFile, opened
from latchstring.desk.identity import identity, pinned
from latchstring.desk.team import Seat, team
from latchstring.org.errors import OrgError
from latchstring.org.membership import Invitation, format_invitation, parse_invitation
from latchstring.org.tomlfile import text_of
from latchstring.protocol.doorwords import door_words, format_link, parse_door
from latchstring.protocol.wordlist import load


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command(epilog="Example: latchstring desk invite --member bea --out bea-invitation.toml")(invite)
    app.command(epilog="Example: latchstring desk join bea-invitation.toml --card bea-card.toml")(join)
    app.command(epilog="Example: latchstring desk members")(members)


def invite(
    member: Annotated[str, typer.Option(help="A name for the new member in the directory; everyone can read it.")],
    out: Annotated[Path, typer.Option(help="The invitation's file.")] = Path("invitation.toml"),
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
) -> None:
    """Make an invitation to your desk. Nothing in it is secret, but hand it over by a way that both trust."""
    with opened(vault, fd) as held:
        who, (door, _) = identity(held), pinned(held)
    if door is None:
        ui.fail("This vault has not seen its door yet.", "Run 'latchstring desk sync' first.")
    try:
        text = format_invitation(Invitation(format_link(door, who.addresses), who.desk, member))
    except OrgError as error:
        ui.fail(str(error), "", ui.USAGE)
    ui.write_private(out, text.encode())
    ui.show(f"Written: {out.name}. Whoever gets it runs: latchstring desk join {out.name}")
    ui.show("Then the organisation adds their card: latchstring org member add CARD")
    ui.show("They are also handed what the others hold of about the last three weeks: letters, answers, notes.")


def join(
    invitation: Annotated[Path, typer.Argument(help="The invitation's file.")],
    member: Annotated[str | None, typer.Option(help="Another name than the invitation suggests.")] = None,
    vault: VaultFile = DEFAULT,
    card: Annotated[Path | None, typer.Option(help="Where your card goes; MEMBER-card.toml if left out.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="You have compared the door's words.")] = False,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Make an encrypted vault with your keys and your card, as an invitation says."""
    try:
        raw = invitation.read_bytes()
    except OSError:
        ui.fail(f"'{invitation.name}' cannot be read.", "Check the name and that you may read it.")
    try:
        asked = parse_invitation(text_of(raw, "invitation"))
    except OrgError as error:
        ui.fail(str(error), "Ask for it again.")
    who = checked_identity(asked.door, None, asked.desk, member or asked.member)
    name = parse_door(asked.door, load())
    ui.say(f"You are invited to desk '{who.desk}' as '{who.member}'. The door's words:")
    if name.door is not None:
        ui.say("  " + " ".join(door_words(name.door, load())), "bold")
    if not yes and ui.ask("Are they those of the organisation's printed card, all twelve? [y/N]").lower() not in (
        "y",
        "yes",
    ):
        ui.fail("Nothing was made.", "Ask the organisation for its card, and who gave you the invitation for another.")
    file, path = card or Path(f"{who.member}-card.toml"), vault.expanduser()
    make_vault(who, path, file, fd)

    def human() -> None:
        ui.show(f"The vault is {path}. There is no way back to it without the passphrase.", "green")
        ui.show(f"Your card is {file}:")
        ui.show(format_card(who))
        ui.show("What comes now:")
        ui.show("1. Give the card to the organisation and read its digits to them.")
        ui.show("2. When they have added you: latchstring desk sync. Your keys are logged with the next day's first")
        ui.show("   batch; the other members' next sync after that hands you the keys of the coming days.")
        ui.show("3. From about two days after that first sync you read and answer. Sync every day; until then it says")
        ui.show("   what it waits for.")

    ui.emit(as_json, {"vault": str(path), "card": str(file), "member": public(who)}, human)


def members(vault: VaultFile = DEFAULT, fd: Fd = None, as_json: Json = False) -> None:
    """Show who is at your desk, how far ahead their keys reach, and who has not been seen, as of your last sync."""
    with opened(vault, fd) as held:
        seats = team(held)

    def human() -> None:
        rows = [(s.member + (" (you)" if s.me else ""), _seen(s), _reach(s), _state(s)) for s in seats]
        ui.table("Members", ("Member", "Last seen", "Keys ahead", "State"), rows)
        if any(s.away for s in seats):
            ui.show("Whoever is away finds what came when they sync within 28 days of the last time. For longer, or if")
            ui.show("a device is lost, ask the organisation to remove the member: latchstring org member remove NAME")

    ui.emit(as_json, [{**asdict(s), "away": s.away} for s in seats], human)


def _seen(seat: Seat) -> str:
    return ui.when(seat.seen) if seat.seen is not None else "not yet"


def _reach(seat: Seat) -> str:
    return f"{seat.ahead} days" if seat.ahead else "none"


def _state(seat: Seat) -> str:
    if seat.reach is None:
        return "has not synchronised yet"
    if not seat.ahead:
        return "away so long that nobody can hand them keys"
    return "not seen for a week or more" if seat.away else "here"
