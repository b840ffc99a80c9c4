# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org root: rotate, show."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor, is_address
from latchstring.cli.org.files import Fd, Json, load_signed, opened, read
from latchstring.cli.org.keyfile import make_root, must_be_new, new_passphrase, open_root
from latchstring.org import card as cards
from latchstring.org.errors import OrgError
from latchstring.org.rotation import format_rotation, parse_rotation
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.root import RootKeys, RootPublic
from latchstring.protocol.root_note import RootChain, rotate
from latchstring.protocol.wordlist import load

root_app = typer.Typer(
    add_completion=False,
    help="The root keys: hand over to new ones, see which are in force.",
    epilog="Example: latchstring org root show directory.signed",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@root_app.command(
    "rotate",
    epilog="Example: latchstring org root rotate --root root.key --out new.key --previous directory.signed   |   then: "
    "latchstring org directory renew --previous directory.signed --root new.key --rotation new.rotation --post ADDRESS",
)
def rotate_roots(
    out: Annotated[Path, typer.Option(help="File for the new root keys.")],
    root: Annotated[Path, typer.Option(help="The root key file that is in force.")] = Path("root.key"),
    previous: Annotated[
        Path | None, typer.Option(help="The directory signed last; left out only before the first rotation.")
    ] = None,
    rotation: Annotated[
        Path | None, typer.Option(help="File for the rotation; beside the new keys if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the door is the right one.")] = False,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Make new root keys and the rotation to them. It acts with the first directory that they sign, and not before.

    Kept aside with its key file, in another place, a rotation is a spare: it stays good until another one comes first.
    With --passphrase-fd two lines are read: the passphrase of the keys in force, then one for the new keys.
    """
    target = rotation or out.with_suffix(".rotation")
    must_be_new(out, target)
    before = opened(read(previous)) if previous else None
    try:
        old = open_root(root, fd, "Passphrase for the root keys in force")
        roots = before.roots if before else RootChain(old.public().door())
        if not roots.in_force(old.public()):
            ui.fail(
                f"'{root.name}' does not hold the root keys that are in force by the directory.",
                "Name the key file of the newest rotation, and the newest signed directory.",
            )
        if before is None:
            _is_your_door(roots, yes)
        ui.say("Choose a passphrase for the new root keys. Keep them apart from the old ones.")
        after = write_rotation(roots, old, out, target, new_passphrase("Passphrase for the new root keys", fd))
    except OrgError as error:
        ui.fail(str(error))
    except ProtocolError as error:
        ui.fail(f"The root keys cannot be changed: {error}.")
    value = {"door": after.door.hex(), "rotation": after.number, "key": key_mark(after.notes[-1].new)}
    ui.emit(as_json, value, lambda: _say_made(out, target, after))


def write_rotation(roots: RootChain, old: RootKeys, key_file: Path, target: Path, passphrase: str) -> RootChain:
    """Make new keys and the rotation to them: the key file first, and both or neither."""
    new = make_root(key_file, passphrase)
    written = [key_file]  # one without the other would only mislead
    try:
        after = roots.then(rotate(roots, old, new))
        ui.write_private(target, format_rotation(after))
        written.append(target)
        if read(target) != format_rotation(after):
            ui.fail("The rotation file does not read back as it was written.", "Use another stick. Nothing was kept.")
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return after


def _is_your_door(roots: RootChain, yes: bool) -> None:
    ui.say("Without --previous these must be the founding keys. Their door:")
    ui.say(cards.words_block(roots.door, load()))
    if not yes and ui.ask("Is this your door? [y/N]").lower() not in ("y", "yes"):
        ui.fail("Nothing was made.", "Name the newest signed directory with --previous.")


def _say_made(out: Path, target: Path, after: RootChain) -> None:
    ui.show(f"Made: {out.name} (the new root keys) and {target.name} (rotation {after.number}).", "green")
    ui.show("Nothing acts yet. To hand over now, sign with the new keys:")
    ui.show("  latchstring org directory renew --previous directory.signed --post ADDRESS \\")
    ui.show(f"    --root {shlex.quote(str(out))} --rotation {shlex.quote(str(target))}")
    ui.show("As a spare: keep both files, and the passphrase elsewhere, away from root.key. Whoever has all three can")
    ui.show("take the door over; the rotation file alone is worth nothing.")


def key_mark(keys: RootPublic) -> str:
    """16 hex digits that tell root keys apart; those of the founding begin as the door does."""
    return keys.door().hex()[:16]


@root_app.command("show", epilog="Example: latchstring org root show directory.signed --root new.key")
def show_roots(
    source: Annotated[str, typer.Argument(help="A signed directory's or rotation's file, or a server's address.")],
    root: Annotated[Path | None, typer.Option(help="A key file: say whether it is in force.")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Show the chain of root keys from the founding to those in force. Compare the door's words with yours."""
    roots = _roots_of(source, tor, proxy)
    holds: int | None = None
    if root is not None:
        try:
            holds = roots.number_of(open_root(root, fd).public())
        except OrgError as error:
            ui.fail(str(error))
        if holds is None:
            ui.fail(f"'{root.name}' holds root keys of another door, or of a rotation that is not in this chain.")
    value = {
        "door": roots.door.hex(),
        "words": list(door_words(roots.door, load())),
        "rotations": [{"number": note.number, "key": key_mark(note.new)} for note in roots.notes],
        "in_force": roots.number,
        **({"file": holds} if root is not None else {}),
    }

    def human() -> None:
        ui.show(f"Door: {' '.join(door_words(roots.door, load()))}")
        ui.show(f"The founding keys: {roots.door.hex()[:16]}" + (", in force" if not roots.notes else ""))
        for note in roots.notes:
            last = ", in force" if note.number == roots.number else ""
            ui.show(f"Rotation {note.number}: to the keys {key_mark(note.new)}{last}")
        if root is not None:
            state = "in force" if holds == roots.number else "replaced: what they sign counts no more"
            ui.show(f"{root.name}: the keys {'of the founding' if holds == 0 else f'of rotation {holds}'}, {state}.")

    ui.emit(as_json, value, human)


def _roots_of(source: str, tor: bool, proxy: str | None) -> RootChain:
    if not is_address(source):
        raw = read(Path(source))
        try:
            return parse_rotation(raw)
        except OrgError:
            return opened(raw).roots
    return load_signed(source, tor, proxy).roots
