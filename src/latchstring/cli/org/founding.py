# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org found."""

import time
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.org.files import Fd, Json
from latchstring.cli.org.keyfile import make_root, must_be_new, new_passphrase
from latchstring.cli.org.roots import write_rotation
from latchstring.org import card as cards
from latchstring.org.draft import new_draft
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.wordlist import load


def found(
    out: Annotated[Path, typer.Option(help="Folder for the two files, best on a stick that is kept offline.")],
    tick: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds between batches, for ever.")] = (
        DEFAULT_TICK_SECONDS
    ),
    spare: Annotated[
        Path | None, typer.Option(help="Folder for a spare: root keys for the day that these are lost or stolen.")
    ] = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Make the root keys and a first draft of the directory. The door that they make never changes.

    With --passphrase-fd and --spare two lines are read: the passphrase of the root keys, then another for the spare.
    """
    key_file, draft_file = out / "root.key", out / "directory.toml"
    must_be_new(key_file, draft_file, *_spare_files(spare))
    ui.say("Choose a passphrase for the root keys. Whoever has it and the file can change who answers at your door.")
    passphrase = new_passphrase("Passphrase for the root keys", fd)
    if spare:
        ui.say("Choose another passphrase for the spare: whoever holds one must not be able to open the other.")
    for_spare = new_passphrase("Passphrase for the spare", fd) if spare else ""
    ui.make_folder(out)
    root = make_root(key_file, passphrase)
    door = root.public().door()
    started = -(-int(time.time()) // tick) * tick
    ui.write_private(draft_file, new_draft(door, tick, started).encode())
    if spare:
        try:
            ui.make_folder(spare)
            spare_key, spare_rotation = _spare_files(spare)
            write_rotation(RootChain(door), root, spare_key, spare_rotation, for_spare)
        except BaseException:
            for path in (
                key_file,
                draft_file,
            ):  # a spare that is thought to be there is worse than none
                path.unlink(missing_ok=True)
            raise
    words = load()
    link = format_link(door)
    value = {"door": door.hex(), "words": list(door_words(door, words)), "link": link, "tick": tick, "started": started}

    def human() -> None:
        ui.show("The door's words:", "bold")
        ui.show(cards.words_block(door, words))
        ui.show(f"The door's link:\n  {link}")
        print(cards.link_qr(link))
        ui.show("Keep root.key and its passphrase offline, each in two places. Lost, they cannot be made again: the")
        ui.show("directory then ends when it expires, and with it the door.")
        if spare:
            ui.show("Unless the spare is used: keep spare.key and spare.rotation in another place, and its passphrase")
            ui.show("with somebody else. Whoever has all three can take the door over.")
        ui.show(
            f"Next: 'latchstring server init' and 'latchstring desk init' with this link; put their cards into {out}"
        )
        ui.show("with 'latchstring org directory sign'.")

    ui.emit(as_json, value, human)


def _spare_files(folder: Path | None) -> tuple[Path, ...]:
    return (folder / "spare.key", folder / "spare.rotation") if folder else ()
