# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org: found, directory sign and show, card."""

import os
import secrets
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.org import card as cards
from latchstring.org.draft import add_card, changes, new_draft, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.rootfile import lock_root, unlock_root
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS
from latchstring.protocol.directory import Directory, SignedDirectory, open_directory, sign_directory
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.root import RootKeys
from latchstring.protocol.visit import parse_visit
from latchstring.protocol.wordlist import load

app = typer.Typer(
    add_completion=False,
    help="Found a door, sign its directory, print its card. Root keys stay offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
directory_app = typer.Typer(
    add_completion=False, help="The directory: what the organisation says of itself.", no_args_is_help=True
)
app.add_typer(directory_app, name="directory")

Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Format(StrEnum):
    """A card's form."""

    TEXT = "text"
    SVG = "svg"
    PNG = "png"


@app.command(epilog="Example: latchstring org found --out /media/usb/door")
def found(
    out: Annotated[Path, typer.Option(help="Folder to make, best on a stick that is kept offline.")],
    tick: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds between batches, for ever.")] = (
        DEFAULT_TICK_SECONDS
    ),
    fd: Fd = None,
) -> None:
    """Make the root keys and a first draft of the directory. The door that they make never changes."""
    if out.exists():
        ui.fail(f"'{out.name}' is there already.", "Name a new folder: root keys are never overwritten.")
    ui.say("Choose a passphrase for the root keys. Whoever has it and the file can change who answers at your door.")
    passphrase = ui.new_secret("Passphrase for the root keys", fd)
    root = RootKeys(secrets.token_bytes(32), secrets.token_bytes(32))
    door = root.public().door()
    with ui.err.status("Locking the root keys..."):
        locked = lock_root(root, passphrase, secrets.token_bytes)
    out.mkdir(parents=True, mode=0o700)
    started = -(-int(time.time()) // tick) * tick
    ui.write_private(out / "root.key", locked)
    ui.write_private(out / "directory.toml", new_draft(door, tick, started).encode())
    words = door_words(door, load())
    ui.show("The door's words:", "bold")
    for start in range(0, 12, 4):
        ui.show("  " + "  ".join(f"{start + i + 1:2}. {words[start + i]:<9}" for i in range(4)))
    ui.show(f"The door's link:\n  {format_link(door)}")
    ui.show("Keep root.key and its passphrase offline, in two places: without them the directory ends when it expires.")
    ui.show("Next: 'latchstring server init' and 'latchstring desk init' with this link, then 'org directory sign'.")


@directory_app.command(
    epilog="Example: latchstring org directory sign directory.toml --root root.key --add server-card.toml "
    "--add member-card.toml --out directory.signed --post http://127.0.0.1:8400"
)
def sign(
    draft: Annotated[Path, typer.Argument(help="The readable directory.")],
    root: Annotated[Path, typer.Option(help="The root key file.")] = Path("root.key"),
    previous: Annotated[Path | None, typer.Option(help="The directory signed before, if there is one.")] = None,
    add: Annotated[list[Path] | None, typer.Option(help="A server's or member's card to put in; repeat it.")] = None,
    out: Annotated[Path, typer.Option(help="Where the signed directory goes.")] = Path("directory.signed"),
    post: Annotated[str | None, typer.Option(help="A server's address to send it to.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    fd: Fd = None,
) -> None:
    """Check the draft, show what changes, sign it, and send it to the server if asked."""
    text = _read(draft).decode("utf-8", "replace")
    try:
        for card in add or []:
            text = add_card(text, _read(card).decode("utf-8", "replace"))
        before = _open(_read(previous)) if previous else None
        directory = next_directory(parse_draft(text), before, int(time.time()))
        for line in changes(before.directory if before else None, directory):
            ui.say(line)
        ui.say(f"It is good until {ui.when(directory.policy.closes_at(directory.expires))}.")
        if not yes and ui.ask("Sign this? [y/N]").lower() not in ("y", "yes"):
            ui.fail("Not signed.", "Edit the draft and run the command again.")
        locked = _read(root)
        passphrase = ui.read_secret("Passphrase for the root keys", fd)
        with ui.err.status("Signing..."):
            raw = sign_directory(directory, unlock_root(locked, passphrase))
    except (OrgError, ProtocolError) as error:
        ui.fail(str(error))
    _replace(out, raw)
    if add:
        _replace(draft, text.encode())
    ui.show(f"Signed: {out.name}, number {directory.seq}. Keep it: the next one names it with --previous.")
    if post:
        _post(post, raw)


@directory_app.command(epilog="Example: latchstring org directory show directory.signed")
def show(
    source: Annotated[str, typer.Argument(help="A signed directory's file, or a server's address.")],
    as_json: Json = False,
) -> None:
    """Show a signed directory in words."""
    signed = _load(source)
    d = signed.directory
    value = {
        "door": d.door.hex(),
        "seq": d.seq,
        "expires": d.policy.closes_at(d.expires),
        "origin": d.origin,
        "addresses": list(d.addresses),
        "desks": [
            {"id": k.id, "gen": k.gen, "titles": k.titles, "members": [m.id for m in k.members]} for k in d.desks
        ],
    }
    ui.emit(as_json, value, lambda: _show(d))


def _show(d: Directory) -> None:
    ui.show(f"Door: {' '.join(door_words(d.door, load()))}")
    ui.show(f"Directory number {d.seq}, good until {ui.when(d.policy.closes_at(d.expires))}.")
    ui.show(f"Log: {d.origin}. A batch of {d.policy.letters} letters every {ui.span(d.policy.tick)}.")
    ui.show(f"Promised answer: within {d.policy.answer_days} days. Keys are erased after {d.policy.erase_days} days.")
    for address in d.addresses:
        ui.show(f"Address: {address}")
    rows = [
        (
            k.id,
            "; ".join(f"{lang}: {title}" for lang, title in sorted(k.titles.items())),
            ", ".join(m.id for m in k.members),
        )
        for k in d.desks
    ]
    ui.table("Desks", ("Desk", "Titles", "Members"), rows)


@app.command(
    epilog="Example: latchstring org card directory.signed --name 'The Daily Example' --format svg --out card.svg"
)
def card(
    source: Annotated[str, typer.Argument(help="A signed directory's file, or a server's address.")],
    name: Annotated[str, typer.Option(help="The organisation's name as it stands on the card.")] = "Our organisation",
    form: Annotated[
        Format, typer.Option("--format", help="text; svg: the whole card on A6; png: the QR code alone.")
    ] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out (text only).")] = None,
) -> None:
    """The door's card: twelve words, QR code, addresses, to print and to broadcast."""
    d = _load(source).directory
    words = load()
    if form is Format.TEXT and out is None:
        ui.show(cards.card_text(d, name, words))
        print(cards.card_qr(d))
        return
    if out is None:
        ui.fail("A picture needs a file to go to.", f"Add: --out card.{form}", ui.USAGE)
    if form is Format.TEXT:
        _replace(out, cards.card_text(d, name, words).encode())
    elif form is Format.SVG:
        _replace(out, cards.card_svg(d, name, words).encode())
    else:
        _replace(out, cards.card_png(d))
    ui.show(f"Written: {out.name}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        ui.fail(f"'{path.name}' cannot be read.", "Check the name and that you may read it.")


def _replace(path: Path, data: bytes) -> None:
    """Write beside it, then rename: a full disk leaves the old file as it was."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        ui.fail(f"'{path.name}' cannot be written.", "Check the folder, your rights and the space left.")


def _open(raw: bytes) -> SignedDirectory:
    try:
        return open_directory(raw, None)
    except ProtocolError as error:
        ui.fail(f"That is not a signed directory: {error}.", "Use the file that 'org directory sign' wrote.")


def _load(source: str) -> SignedDirectory:
    """From a file, or the newest in a server's /visit. Signatures are checked; whose door it is, one sees."""
    if "://" not in source:
        return _open(_read(Path(source)))
    try:
        with HttpTransport(source) as transport, ui.downloading("Fetching /visit") as progress:
            answer = transport.request("GET", "/visit", progress=progress)
        return _open(parse_visit(answer.body).directories[-1])
    except (NetworkFailed, ProtocolError, IndexError):
        ui.fail("No directory could be fetched from there.", "Check the address, or give the signed file.")


def _post(address: str, raw: bytes) -> None:
    try:
        with HttpTransport(address) as transport:
            answer = transport.request("POST", "/v1/directory", body=raw)
    except NetworkFailed as failed:
        ui.fail(f"Signed, but not sent. {failed}")
    if answer.status != 201:
        ui.fail(f"Signed, but the server did not take it: {answer.sentence()}")
    ui.show("The server has taken it: it acts from the next batch on.")
