# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing a directory: what changes is shown and asked, the one before is kept, the new one is written and sent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.org.files import opened, post_signed, read, replace
from latchstring.cli.org.keyfile import locked_root, open_root
from latchstring.org.changes import changes, warnings
from latchstring.org.errors import OrgError
from latchstring.org.rotation import parse_rotation, rotated_by
from latchstring.protocol.directory import Directory, check_successor, sign_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import Rooted, with_roots

Root = Annotated[Path, typer.Option(help="The root key file.")]
Rotation = Annotated[
    Path | None, typer.Option(help="Hand over to new root keys with it: the file of 'org root rotate', or a spare's.")
]
Out = Annotated[Path, typer.Option(help="Where the signed directory goes.")]
Post = Annotated[str | None, typer.Option(help="A server's address to send it to.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")]


@dataclass(frozen=True)
class Wish:
    """What the person typed. `root`: the key file that signs; with `rotation`, that of the new keys."""

    root: Path
    rotation: Path | None
    out: Path
    yes: bool
    fd: int | None
    question: str = "Sign this? [y/N]"


def roots_for(directory: Directory, before: Rooted | None, rotation: Path | None) -> RootChain:
    """The root keys that are to sign: those in force, or those that a rotation brings. OrgError when it cannot."""
    roots = before.roots if before else RootChain(directory.door)
    return rotated_by(roots, parse_rotation(read(rotation))) if rotation else roots


def sign_next(directory: Directory, before: Rooted | None, wish: Wish, now: int) -> bytes:
    """Show, ask, sign and keep; the bytes. OrgError and ProtocolError: nothing was signed. `now`: Unix seconds."""
    if before is not None and before.signed.directory.closed is not None:
        raise OrgError("The directory before closed this door for good. Nothing can be signed after it.")
    roots = roots_for(directory, before, wish.rotation)
    make_room(wish.out, before)
    locked_root(wish.root)  # before anybody reads what is to be signed, and says yes
    old = before.signed.directory if before else None
    for line in changes(old, directory):
        ui.say(line)
    if wish.rotation:
        ui.say(f"The root keys change (rotation {roots.number}): the old ones sign nothing from then on.", "bold")
    for line in warnings(old, directory, now):
        ui.say(f"Think of this: {line}", "yellow")
    ui.say(f"It is good until {ui.when(directory.policy.closes_at(directory.expires))}.")
    if not wish.yes and ui.ask(wish.question).lower() not in ("y", "yes"):
        ui.fail("Not signed. Nothing was changed.", "Change what is to be changed and run the command again.")
    keys = open_root(wish.root, wish.fd)
    if not roots.in_force(keys.public()):
        raise ProtocolError(_not_in_force(roots, before, keys.public() in [note.old for note in roots.notes]))
    with ui.waiting("Signing..."):
        made = with_roots(roots, sign_directory(directory, keys, roots))
        if before is not None:
            check_successor(before.signed, made.signed)
    if before is not None and wish.out.exists():
        replace(older(wish.out, before), before.raw)
    replace(wish.out, made.raw)
    return made.raw


def _not_in_force(roots: RootChain, before: Rooted | None, replaced: bool) -> str:
    if replaced:
        return "these root keys were replaced; use the key file of the newest rotation"
    if roots.number > (before.roots.number if before else 0):
        return "with a rotation the new root keys sign: name their file with --root"
    return "these root keys are another door's"


def say_signed(directory: Directory, wish: Wish) -> None:
    """What was made, and what to keep."""
    name = wish.out.name
    ui.show(f"Signed: {name}, number {directory.seq}. Keep it: the next one is signed with --previous {name}")
    if wish.rotation:
        ui.show(f"Once it is logged, {wish.root.name} holds the root keys. A spare made before is void: make one anew.")


def send_if_asked(address: str | None, raw: bytes, tor: bool, proxy: str | None, out: Path) -> None:
    """With --post."""
    if address:
        post_signed(address, raw, tor, proxy, out.name)


def make_room(out: Path, before: Rooted | None) -> None:
    """Refuse to write over a directory that is not kept elsewhere: without it the next cannot be signed."""
    if not out.exists():
        return
    if before is None:
        ui.fail(
            f"'{out.name}' is there already.",
            f"To sign what comes after it, add --previous {out.name}; to sign another door's, name another --out.",
        )
    if opened(read(out)).raw != before.raw:
        ui.fail(f"'{out.name}' is another directory than --previous.", "Name another file with --out.")
    kept = older(out, before)
    if kept.exists() and read(kept) != before.raw:
        ui.fail(f"'{kept.name}' is in the way: the directory before is kept under that name.", "Move it away first.")


def older(out: Path, before: Rooted) -> Path:
    """Where the directory before is kept."""
    return out.with_name(f"{out.stem}-{before.signed.directory.seq}{out.suffix}")
