# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org directory: sign, send, show."""

import time
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.org.files import Fd, Json, load_signed, opened, post_signed, read, replace
from latchstring.cli.org.signing import (
    Out,
    Post,
    Root,
    Rotation,
    Wish,
    Yes,
    make_room,
    say_signed,
    send_if_asked,
    sign_next,
)
from latchstring.log.cosignature import ED25519_COSIGNATURE, MLDSA_COSIGNATURE, keys_of
from latchstring.org.closing import statement
from latchstring.org.draft import add_card, draft_of, format_draft, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.tomlfile import text_of
from latchstring.protocol.directory import Directory
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.renewal import reminder, renewal
from latchstring.protocol.wordlist import load

directory_app = typer.Typer(
    add_completion=False,
    help="The directory: what the organisation says of itself.",
    epilog="Example: latchstring org directory show directory.signed",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@directory_app.command(
    epilog="Example: latchstring org directory sign directory.toml --root root.key --add server-card.toml "
    "--add member-card.toml --out directory.signed --post http://127.0.0.1:8400"
)
def sign(
    draft: Annotated[Path, typer.Argument(help="The readable directory.")],
    root: Root = Path("root.key"),
    previous: Annotated[
        Path | None, typer.Option(help="The directory signed last; needed for all but the first.")
    ] = None,
    add: Annotated[list[Path] | None, typer.Option(help="A server's, member's or witness's card; repeat it.")] = None,
    rotation: Rotation = None,
    out: Out = Path("directory.signed"),
    post: Post = None,
    tor: Tor = False,
    proxy: Proxy = None,
    yes: Yes = False,
    fd: Fd = None,
) -> None:
    """Check the draft, show what changes, sign it, and send it to the server if asked.

    When a member was removed or has other keys, the desk's number (gen) rises by itself and its keys are made anew.
    """
    wish = Wish(root, rotation, out, yes, fd)
    try:
        text = text_of(read(draft), "draft")
        for card in add or []:
            text = add_card(text, text_of(read(card), "card"))
        before = opened(read(previous)) if previous else None
        make_room(out, before)
        now = int(time.time())
        directory = next_directory(parse_draft(text), before.signed if before else None, now)
        raw = sign_next(directory, before, wish, now)
    except OrgError as error:
        ui.fail(str(error))
    except ProtocolError as error:
        ui.fail(f"The directory cannot be signed: {error}.", "Check the draft and the root key file.")
    if add:
        replace(draft, text.encode())
    say_signed(directory, wish)
    send_if_asked(post, raw, tor, proxy, out)


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
    raw = opened(read(file)).raw
    post_signed(to, raw, tor, proxy, file.name)


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
    loaded = load_signed(source, tor, proxy)
    d = loaded.signed.directory
    if save is not None:
        ui.write_private(save, loaded.raw)
    if draft:
        print(format_draft(draft_of(d)), end="")
        return
    value = {
        "door": d.door.hex(),
        "words": list(door_words(d.door, load())),
        "seq": d.seq,
        "issued": d.policy.closes_at(d.issued),
        "expires": d.policy.closes_at(d.expires),
        "days_left": renewal(d, _present(d)).days_left,
        "reminder": None if d.closed else reminder(d, _present(d)),
        "rotations": loaded.roots.number,
        "closed": {"texts": d.closed.texts, "instead": list(d.closed.instead)} if d.closed else None,
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
            "keep_days": d.policy.keep_days,
            "attachment": d.policy.attachment,
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
        "witnesses": [
            {"name": w.name, "address": w.address, "keys": [str(key) for key in keys_of(w)]} for w in d.witnesses
        ],
        "quorum": d.quorum,
        "site": {"key": d.site.key.hex(), "least": d.site.least} if d.site else None,
    }
    ui.emit(as_json, value, lambda: _show(d, loaded.roots.number))


def _present(d: Directory) -> int:
    return max(0, d.policy.batch_at(int(time.time())))


def _show(d: Directory, rotations: int) -> None:
    ui.show(f"Door: {' '.join(door_words(d.door, load()))}")
    ui.show(f"Directory number {d.seq}, good until {ui.when(d.policy.closes_at(d.expires))}.")
    if d.closed is not None:
        ui.show("The door is closed for good: this is its last directory.", "bold yellow")
        for line in statement(d.closed):
            ui.show(line)
    elif (remind := reminder(d, _present(d))) is not None:
        ui.show(remind, "yellow")
    if rotations:
        ui.show(f"Signed by the root keys of rotation {rotations}.")
    ui.show(f"Log: {d.origin}. A batch of {d.policy.letters} letters every {ui.span(d.policy.tick)}.")
    ui.show(f"Promised answer: within {d.policy.answer_days} days. Keys are erased after {d.policy.erase_days} days.")
    if d.policy.keep_days:
        ui.show(f"Desks delete threads that have been quiet for {d.policy.keep_days} days.")
    ui.show(f"Attachments: at most {d.policy.attachment:,} bytes each." if d.policy.attachment else "No attachments.")
    for address in d.addresses:
        ui.show(f"Address: {address}")
    if d.site is not None:
        ui.show(f"The pages are signed by the key {d.site.key.hex()[:16]}, from number {d.site.least} on.")
    rows = [
        (
            k.id,
            "; ".join(f"{lang}: {title}" for lang, title in sorted(k.titles.items())),
            ", ".join(m.id for m in k.members),
        )
        for k in d.desks
    ]
    ui.table("Desks", ("Desk", "Titles", "Members"), rows)
    if d.witnesses:
        kinds = {ED25519_COSIGNATURE: "Ed25519", MLDSA_COSIGNATURE: "ML-DSA-44"}
        ui.table(
            f"Witnesses, of whom {d.quorum} must cosign",
            ("Name", "Address", "Keys"),
            [(w.name, w.address, ", ".join(kinds[key.kind] for key in keys_of(w))) for w in d.witnesses],
        )
    else:
        ui.show("Witnesses: none. Whoever keeps no pin can be shown another log.")
