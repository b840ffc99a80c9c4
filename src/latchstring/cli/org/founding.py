# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org found."""

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.org.files import Fd, Json, read
from latchstring.org import card as cards
from latchstring.org.draft import new_draft
from latchstring.org.errors import OrgError
from latchstring.org.rootfile import lock_root, unlock_root
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.passphrase import generate
from latchstring.protocol.root import RootKeys
from latchstring.protocol.wordlist import load


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
        good = unlock_root(read(key_file), passphrase) == root
    except OrgError:
        good = False
    if not good:
        key_file.unlink(missing_ok=True)
        ui.fail("The root key file does not read back as it was written.", "Use another stick. Nothing was kept.")
