# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org member: invite, add, remove."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.org.files import Fd, load_signed, opened, read, replace
from latchstring.cli.org.signing import Out, Post, Root, Wish, Yes, make_room, say_signed, send_if_asked, sign_next
from latchstring.org.draft import add_card, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.membership import Invitation, check_card, format_invitation, what_removal_means, without_member
from latchstring.org.tomlfile import text_of
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.encoding import ProtocolError

member_app = typer.Typer(
    add_completion=False,
    help="Members of the desks: invite, add, remove.",
    epilog="Example: latchstring org member add bea-card.toml --post http://ADDRESS.onion --tor",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DraftFile = Annotated[Path, typer.Option(help="The readable directory; it is written anew.")]
Previous = Annotated[Path, typer.Option(help="The directory signed last.")]


@member_app.command(epilog="Example: latchstring org member invite directory.signed --desk news --member bea")
def invite(
    source: Annotated[str, typer.Argument(help="A signed directory's file, or a server's address.")],
    desk: Annotated[str, typer.Option(help="The desk.")],
    member: Annotated[str, typer.Option(help="A name for the new member in the directory; everyone can read it.")],
    out: Annotated[Path, typer.Option(help="The invitation's file.")] = Path("invitation.toml"),
    tor: Tor = False,
    proxy: Proxy = None,
) -> None:
    """Make an invitation for somebody new. Nothing in it is secret, but hand it over by a way that both trust."""
    d = load_signed(source, tor, proxy).signed.directory
    if d.desk(desk) is None:
        ui.fail(f"There is no desk '{desk}'.", "Desks: " + ", ".join(k.id for k in d.desks))
    if d.member(member) is not None:
        ui.say(f"'{member}' is there already: a new card will take the place of the old, and the desk makes new keys.")
    try:
        text = format_invitation(Invitation(format_link(d.door, d.addresses), desk, member))
    except OrgError as error:
        ui.fail(str(error), "", ui.USAGE)
    replace(out, text.encode())
    ui.show(f"Written: {out.name}. Whoever gets it runs: latchstring desk join {out.name}")


@member_app.command(epilog="Example: latchstring org member add bea-card.toml --post http://ADDRESS.onion --tor")
def add(
    card: Annotated[Path, typer.Argument(help="The card that 'desk join' made.")],
    draft: DraftFile = Path("directory.toml"),
    root: Root = Path("root.key"),
    previous: Previous = Path("directory.signed"),
    out: Out = Path("directory.signed"),
    post: Post = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Yes = False,
    fd: Fd = None,
) -> None:
    """Check the card, put it into the draft, share the pages out anew, show what changes, sign and send.

    Ask the new member to read their card's digits to you: whoever could change it on its way would answer in their
    place.
    """
    wish = Wish(root, None, out, yes, fd)

    def changed(text: str) -> str:
        given = text_of(read(card), "card")
        check_card(text, given)
        return add_card(text, given)

    raw = _sign(draft, previous, wish, changed, lambda _text: [])
    ui.show("Once it is logged the new member runs 'latchstring desk sync'. They read from about two days later on:")
    ui.show("their keys are logged with the next day's first batch, and the others' next sync hands them theirs.")
    ui.show("They are also handed what the others hold of about the last three weeks: letters, answers, notes.")
    send_if_asked(post, raw, tor, proxy, out)


@member_app.command(epilog="Example: latchstring org member remove bea")
def remove(
    member: Annotated[str, typer.Argument(help="Their name in the directory.")],
    draft: DraftFile = Path("directory.toml"),
    root: Root = Path("root.key"),
    previous: Previous = Path("directory.signed"),
    out: Out = Path("directory.signed"),
    post: Post = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Yes = False,
    fd: Fd = None,
) -> None:
    """Take a member out of the draft, give their pages to the others, say what will happen, sign and send.

    The desk's number (gen) rises and its keys are made anew. For a lost or seized device too: remove its member at
    once; they can join again with a new vault.
    """
    wish = Wish(root, None, out, yes, fd)

    def said(text: str) -> list[str]:
        before = parse_draft(text)
        desk = next((d for d in before.desks if d.member(member) is not None), None)
        return what_removal_means(before, member, len(desk.members) - 1 if desk else 0, out.name)

    raw = _sign(draft, previous, wish, lambda text: without_member(text, member), said)
    send_if_asked(post, raw, tor, proxy, out)


def _sign(
    draft: Path, previous: Path, wish: Wish, change: Callable[[str], str], said: Callable[[str], list[str]]
) -> bytes:
    """Change the draft, show, ask, sign, keep; the signed bytes. The draft is written when it is signed."""
    try:
        old = text_of(read(draft), "draft")
        text = change(old)
        before = opened(read(previous))
        make_room(wish.out, before)
        now = int(time.time())
        for line in said(old):
            ui.say(line)
        directory = next_directory(parse_draft(text), before.signed, now)
        raw = sign_next(directory, before, wish, now)
    except OrgError as error:
        ui.fail(str(error))
    except ProtocolError as error:
        ui.fail(f"The directory cannot be signed: {error}.", "Check the draft and the root key file.")
    replace(draft, text.encode())
    say_signed(directory, wish)
    return raw
