# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root key files as the commands make and open them."""

import os
import secrets
from pathlib import Path

from latchstring.cli import ui
from latchstring.cli.org.files import read
from latchstring.org.errors import OrgError
from latchstring.org.rootfile import lock_root, unlock_root
from latchstring.protocol.passphrase import generate
from latchstring.protocol.root import RootKeys
from latchstring.protocol.wordlist import load


def must_be_new(*paths: Path) -> None:
    """End the command when one is there: root keys are never overwritten."""
    for path in paths:
        if os.path.lexists(path):
            ui.fail(f"'{path.name}' is there already.", "Name another folder: root keys are never overwritten.")


def new_passphrase(prompt: str, fd: int | None) -> str:
    """For a new key file; Enter alone makes ten words."""
    words = load()
    return ui.new_secret(prompt, fd, lambda: " ".join(generate(secrets.token_bytes).words(words)))


def make_root(path: Path, passphrase: str) -> RootKeys:
    """New root keys, locked into a new file that was read back: a bad stick shows here, and not on the day that the
    keys are needed."""
    root = RootKeys(secrets.token_bytes(32), secrets.token_bytes(32))
    with ui.waiting("Locking the root keys..."):
        ui.write_private(path, lock_root(root, passphrase, secrets.token_bytes))
        try:
            good = unlock_root(read(path), passphrase) == root
        except OrgError:
            good = False
    if not good:
        path.unlink(missing_ok=True)
        ui.fail("The root key file does not read back as it was written.", "Use another stick. Nothing was kept.")
    return root


def locked_root(path: Path) -> bytes:
    """The key file as it lies there; ends the command when there is none."""
    if not path.exists():
        ui.fail(
            f"There is no root key file '{path.name}'.",
            "Name it with --root. If it is lost, hand over to the spare: 'latchstring org directory renew' with "
            "--root spare.key --rotation spare.rotation.",
        )
    return read(path)


def open_root(path: Path, fd: int | None, prompt: str = "Passphrase for the root keys") -> RootKeys:
    """Ask for the passphrase and open the file; OrgError when it cannot be opened."""
    locked = locked_root(path)
    passphrase = ui.read_secret(prompt, fd)
    with ui.waiting("Opening the root keys..."):
        return unlock_root(locked, passphrase)
