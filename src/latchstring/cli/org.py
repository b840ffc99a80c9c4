# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org: found, directory sign, send and show, card."""

import os
import secrets
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.client.transport import HttpTransport, NetworkFailed, tor_proxy
from latchstring.org import card as cards
from latchstring.org.changes import changes, warnings
from latchstring.org.draft import add_card, draft_of, format_draft, new_draft, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.rootfile import lock_root, unlock_root
from latchstring.org.tomlfile import text_of
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS
from latchstring.protocol.directory import Directory, SignedDirectory, open_directory, sign_directory
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.passphrase import generate
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
    add_completion=False,
    help="The directory: what the organisation says of itself.",
    epilog="Example: latchstring org directory show directory.signed",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(directory_app, name="directory")

Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Tor = Annotated[bool, typer.Option("--tor", help="Go through Tor's SOCKS port, 127.0.0.1:9050.")]
Proxy = Annotated[str | None, typer.Option("--proxy", help="Go through this SOCKS proxy, such as 127.0.0.1:9150.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Format(StrEnum):
    """A card's form."""

    TEXT = "text"
    SVG = "svg"
    PNG = "png"


@app.command(epilog="Example: latchstring org found --out /media/usb/door")
def found(
    out: Annotated[Path, typer.Option(help="Folder for the two files, best on a stick that is kept offline.")],
    tick: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds between batches, for ever.")] = (
        DEFAULT_TICK_SECONDS
    ),
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Make the root keys and a first draft of the directory. The door that they make never changes."""
    key_file, draft_file = out / "root.key", out / "directory.toml"
    for path in (key_file, draft_file):
        if os.path.lexists(path):
            ui.fail(f"'{path.name}' is there already.", "Name another folder: root keys are never overwritten.")
    ui.say("Choose a passphrase for the root keys. Whoever has it and the file can change who answers at your door.")
    words = load()
    passphrase = ui.new_secret(
        "Passphrase for the root keys", fd, lambda: " ".join(generate(secrets.token_bytes).words(words))
    )
    _folder(out)
    root = RootKeys(secrets.token_bytes(32), secrets.token_bytes(32))
    door = root.public().door()
    started = -(-int(time.time()) // tick) * tick
    with ui.err.status("Locking the root keys..."):
        ui.write_private(key_file, lock_root(root, passphrase, secrets.token_bytes))
        _reads_back(key_file, passphrase, root)
    ui.write_private(draft_file, new_draft(door, tick, started).encode())
    link = format_link(door)
    value = {"door": door.hex(), "words": list(door_words(door, words)), "link": link, "tick": tick, "started": started}

    def human() -> None:
        ui.show("The door's words:", "bold")
        ui.show(cards.words_block(door, words))
        ui.show(f"The door's link:\n  {link}")
        print(cards.link_qr(link))
        ui.show("Keep root.key and its passphrase offline, each in two places. Lost, they cannot be made again: the")
        ui.show("directory then ends when it expires, and with it the door.")
        ui.show(
            f"Next: 'latchstring server init' and 'latchstring desk init' with this link; put their cards into {out}"
        )
        ui.show("with 'latchstring org directory sign'.")

    ui.emit(as_json, value, human)


def _folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        ui.fail(f"The folder '{out.name}' cannot be made.", "Check its name and your rights there.")


def _reads_back(key_file: Path, passphrase: str, root: RootKeys) -> None:
    """A bad stick shows here, and not on the day the keys are needed."""
    try:
        good = unlock_root(_read(key_file), passphrase) == root
    except OrgError:
        good = False
    if not good:
        key_file.unlink(missing_ok=True)
        ui.fail("The root key file does not read back as it was written.", "Use another stick. Nothing was kept.")


@directory_app.command(
    epilog="Example: latchstring org directory sign directory.toml --root root.key --add server-card.toml "
    "--add member-card.toml --out directory.signed --post http://127.0.0.1:8400"
)
def sign(
    draft: Annotated[Path, typer.Argument(help="The readable directory.")],
    root: Annotated[Path, typer.Option(help="The root key file.")] = Path("root.key"),
    previous: Annotated[
        Path | None, typer.Option(help="The directory signed last; needed for all but the first.")
    ] = None,
    add: Annotated[list[Path] | None, typer.Option(help="A server's or member's card to put in; repeat it.")] = None,
    out: Annotated[Path, typer.Option(help="Where the signed directory goes.")] = Path("directory.signed"),
    post: Annotated[str | None, typer.Option(help="A server's address to send it to.")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    fd: Fd = None,
) -> None:
    """Check the draft, show what changes, sign it, and send it to the server if asked.

    When a member was removed or has other keys, the desk's number (gen) rises by itself and its keys are made anew.
    """
    try:
        text = text_of(_read(draft), "draft")
        for card in add or []:
            text = add_card(text, text_of(_read(card), "card"))
        before = _open(_read(previous)) if previous else None
        _make_room(out, before)
        now = int(time.time())
        directory = next_directory(parse_draft(text), before, now)
        _confirm(before.directory if before else None, directory, now, yes)
        locked = _read(root)
        passphrase = ui.read_secret("Passphrase for the root keys", fd)
        with ui.err.status("Signing..."):
            raw = sign_directory(directory, unlock_root(locked, passphrase))
    except OrgError as error:
        ui.fail(str(error))
    except ProtocolError as error:
        ui.fail(f"The directory cannot be signed: {error}.", "Check the draft and the root key file.")
    if before is not None and out.exists():
        _replace(_older(out, before), before.raw)
    _replace(out, raw)
    if add:
        _replace(draft, text.encode())
    ui.show(f"Signed: {out.name}, number {directory.seq}. Keep it: the next one is signed with --previous {out.name}")
    if post:
        _post(post, raw, tor, proxy, out.name)


def _make_room(out: Path, before: SignedDirectory | None) -> None:
    """Refuse to write over a directory that is not kept elsewhere: without it the next cannot be signed."""
    if not out.exists():
        return
    if before is None:
        ui.fail(
            f"'{out.name}' is there already.",
            f"To sign what comes after it, add --previous {out.name}; to sign another door's, name another --out.",
        )
    if _open(_read(out)).raw != before.raw:
        ui.fail(f"'{out.name}' is another directory than --previous.", "Name another file with --out.")
    older = _older(out, before)
    if older.exists() and _read(older) != before.raw:
        ui.fail(f"'{older.name}' is in the way: the directory before is kept under that name.", "Move it away first.")


def _older(out: Path, before: SignedDirectory) -> Path:
    return out.with_name(f"{out.stem}-{before.directory.seq}{out.suffix}")


def _confirm(old: Directory | None, new: Directory, now: int, yes: bool) -> None:
    for line in changes(old, new):
        ui.say(line)
    for line in warnings(old, new, now):
        ui.say(f"Think of this: {line}", "yellow")
    ui.say(f"It is good until {ui.when(new.policy.closes_at(new.expires))}.")
    if not yes and ui.ask("Sign this? [y/N]").lower() not in ("y", "yes"):
        ui.fail("Not signed. Nothing was changed.", "Edit the draft and run the command again.")


@directory_app.command(
    epilog="Example: latchstring org directory send directory.signed --to http://ADDRESS.onion --tor"
)
def send(
    file: Annotated[Path, typer.Argument(help="The signed directory.")],
    to: Annotated[str, typer.Option(help="The server's address.")],
    tor: Tor = False,
    proxy: Proxy = None,
) -> None:
    """Send a signed directory to a server. The same one may be sent again."""
    raw = _open(_read(file)).raw
    _post(to, raw, tor, proxy, file.name)


@directory_app.command(epilog="Example: latchstring org directory show directory.signed")
def show(
    source: Annotated[str, typer.Argument(help="A signed directory's file, or a server's address.")],
    draft: Annotated[bool, typer.Option("--draft", help="As a draft to edit, when yours is lost.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the signed bytes here, when your file is lost.")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Json = False,
) -> None:
    """Show a signed directory in words. Compare the door's words with yours."""
    signed = _load(source, tor, proxy)
    d = signed.directory
    if save is not None:
        ui.write_private(save, signed.raw)
    if draft:
        print(format_draft(draft_of(d)), end="")
        return
    value = {
        "door": d.door.hex(),
        "words": list(door_words(d.door, load())),
        "seq": d.seq,
        "expires": d.policy.closes_at(d.expires),
        "origin": d.origin,
        "addresses": list(d.addresses),
        "policy": {
            "tick": d.policy.tick,
            "started": d.policy.started,
            "letters": d.policy.letters,
            "queue": d.policy.queue,
            "page_slots": d.policy.slots,
            "erase_days": d.policy.erase_days,
            "answer_days": d.policy.answer_days,
        },
        "desks": [
            {
                "id": k.id,
                "gen": k.gen,
                "titles": k.titles,
                "greetings": k.greetings,
                "members": [{"id": m.id, "sign": m.sign_key.hex(), "request": m.request_key.hex()} for m in k.members],
            }
            for k in d.desks
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
    name: Annotated[
        str | None, typer.Option(help="The organisation's name on the card; the log's domain if left out.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="text; svg: the whole card on A6; png: the QR code alone, no words.")
    ] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out (text only).")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
) -> None:
    """The door's card: twelve words, QR code, addresses, to print and to broadcast."""
    d = _load(source, tor, proxy).directory
    words = load()
    name = name or d.origin.split("/")[0]
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


def _way(tor: bool, proxy: str | None) -> str | None:
    return tor_proxy(proxy) if proxy else tor_proxy() if tor else None


def _load(source: str, tor: bool, proxy: str | None) -> SignedDirectory:
    """From a file, or the newest in a server's /visit. Signatures are checked; whose door it is, one sees."""
    if "://" not in source:
        return _open(_read(Path(source)))
    try:
        with HttpTransport(source, _way(tor, proxy)) as transport, ui.downloading("Fetching /visit") as progress:
            answer = transport.request("GET", "/visit", progress=progress)
        return _open(parse_visit(answer.body).directories[-1])
    except NetworkFailed as failed:
        ui.fail(str(failed))
    except (ProtocolError, IndexError):
        ui.fail("No directory could be fetched from there.", "Check the address, or give the signed file.")


def _post(address: str, raw: bytes, tor: bool, proxy: str | None, name: str) -> None:
    again = f"Send it again: latchstring org directory send {name} --to {address}"
    try:
        with HttpTransport(address, _way(tor, proxy)) as transport:
            answer = transport.request("POST", "/v1/directory", body=raw)
    except NetworkFailed as failed:
        ui.fail(f"It was not sent. {failed}", again)
    if answer.status != 201:
        said = answer.sentence() or "it gave no reason"
        if answer.status == 409:
            again = (
                f"Fetch the newest one (latchstring org directory show {address} --save newest.signed), "
                "then sign again with --previous newest.signed and another --out."
            )
        elif answer.status == 403:
            again = "Is it this door's server, and its newest card in the draft? Then sign again."
        ui.fail(f"The server did not take it ({answer.status}): {said}", again)
    ui.show("The server has taken it: it acts from the next batch on.")
