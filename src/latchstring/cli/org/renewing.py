# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org directory renew and diff, org close: directories made from the one before, without a draft."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.org.files import Fd, Json, opened, read
from latchstring.cli.org.signing import (
    Out,
    Post,
    Root,
    Rotation,
    Wish,
    Yes,
    say_signed,
    send_if_asked,
    sign_next,
)
from latchstring.org.changes import changes
from latchstring.org.closing import closing_directory, closing_of
from latchstring.org.errors import OrgError
from latchstring.protocol.constants import DEFAULT_EXPIRY_DAYS, MAX_EXPIRY_DAYS
from latchstring.protocol.directory import Directory, check_successor
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.renewal import renewed
from latchstring.protocol.rooted import Rooted

Previous = Annotated[Path, typer.Option(help="The directory signed last; it is kept beside the new one.")]
Make = Callable[[Rooted, int], Directory]


def renew(
    previous: Previous = Path("directory.signed"),
    root: Root = Path("root.key"),
    rotation: Rotation = None,
    days: Annotated[
        int, typer.Option(min=1, max=MAX_EXPIRY_DAYS, help="Days until it must be signed anew.")
    ] = DEFAULT_EXPIRY_DAYS,
    out: Annotated[Path | None, typer.Option(help="Where the signed directory goes; --previous if left out.")] = None,
    post: Post = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Yes = False,
    fd: Fd = None,
) -> None:
    """Sign the newest directory once more, with the same content and a new end: nothing is to be edited.

    With --rotation the root keys are changed by it: the new ones sign.
    """
    _sign(
        previous,
        Wish(root, rotation, out or previous, yes, fd),
        lambda before, present: renewed(before.signed, present, days),
        (post, tor, proxy),
    )


def close(
    say: Annotated[
        list[str], typer.Option(help="What you say at the end, as LANGUAGE=TEXT; repeat it for each language.")
    ],
    instead: Annotated[
        list[str] | None, typer.Option(help="Where to turn instead: a door's link, an address; repeat it.")
    ] = None,
    previous: Previous = Path("directory.signed"),
    root: Root = Path("root.key"),
    days: Annotated[
        int, typer.Option(min=1, max=MAX_EXPIRY_DAYS, help="Days for which desks can still answer.")
    ] = MAX_EXPIRY_DAYS,
    out: Out = Path("closing.signed"),
    post: Post = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Yes = False,
    fd: Fd = None,
) -> None:
    """Close the door for good: no letter is taken any more, answers stay readable, everyone is told where to turn.

    It is the last directory: nothing can be signed after it, and the door cannot be opened again.
    """
    try:
        closing = closing_of(say, instead or [])
    except OrgError as error:
        ui.fail(str(error), "", ui.USAGE)
    wish = Wish(root, None, out, yes, fd, "Close this door for good? It cannot be opened again. [y/N]")
    _sign(
        previous,
        wish,
        lambda before, present: closing_directory(before.signed, closing, present, days),
        (post, tor, proxy),
    )
    ui.show("Nothing can be signed after it. Once it is in the log and the desks have answered, destroy the root keys")
    ui.show("and every spare: who found them could not open the door again, but could deceive somebody new to it.")


def _sign(previous: Path, wish: Wish, make: Make, way: tuple[str | None, bool, str | None]) -> None:
    now = int(time.time())
    before = opened(read(previous))
    old = before.signed.directory
    directory = make(before, max(0, old.policy.batch_at(now)))
    try:
        raw = sign_next(directory, before, wish, now)
    except OrgError as error:
        ui.fail(str(error))
    except ProtocolError as error:
        ui.fail(f"The directory cannot be signed: {error}.", "Check the root key file.")
    say_signed(directory, wish)
    send_if_asked(way[0], raw, way[1], way[2], wish.out)


def diff(
    old: Annotated[Path, typer.Argument(help="The signed directory before.")],
    new: Annotated[Path, typer.Argument(help="The signed directory after.")],
    as_json: Json = False,
) -> None:
    """Say what changes from one signed directory to another, and whether the one may follow the other."""
    a, b = opened(read(old)), opened(read(new))
    if a.raw == b.raw:  # the newest is the one that is kept: nothing is wrong with that
        said = f"Both are the same directory, number {a.signed.directory.seq}."
        ui.emit(as_json, {"changes": [], "follows": False, "why_not": "they are the same"}, lambda: ui.show(said))
        return
    lines = changes(a.signed.directory, b.signed.directory)
    lines += [f"The root keys change (rotation {n.number})." for n in b.roots.notes[a.roots.number :]]
    why = None
    if b.signed.directory.seq <= a.signed.directory.seq:
        why = "it is not newer"
    elif b.signed.directory.seq == a.signed.directory.seq + 1:
        try:
            check_successor(a.signed, b.signed)
        except ProtocolError as error:
            why = str(error)

    def human() -> None:
        for line in lines:
            ui.show(line)
        if why is not None:
            ui.show(f"'{new.name}' cannot follow '{old.name}': {why}.", "bold red")

    ui.emit(as_json, {"changes": lines, "follows": why is None, "why_not": why}, human)
    raise typer.Exit(0 if why is None else ui.FOUND_WRONG)
