# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring site key, sign: who signs the list of a door's pages, and the list."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.org.files import Fd, Json, opened, read, replace
from latchstring.cli.org.keyfile import must_be_new, new_passphrase
from latchstring.cli.serving import SETTINGS
from latchstring.org.errors import OrgError
from latchstring.org.sitefile import lock_site_key, unlock_site_key
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.site_manifest import SiteManifest, read_site_unsigned
from latchstring.site.listing import list_site
from latchstring.site.settings import SIGNED, SettingsError, load_settings

_KEPT = 20  # changes that are named


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command(epilog="Example: latchstring site key --out /media/usb/site.key --card site-card.toml")(key)
    app.command(
        epilog="Example: latchstring site sign --directory directory.signed --key /media/usb/site.key "
        "--settings site.toml --out site.signed"
    )(sign)


def key(
    out: Annotated[Path, typer.Option(help="Where the key file goes; kept offline.")] = Path("site.key"),
    card: Annotated[Path, typer.Option(help="Where its card goes, for the directory.")] = Path("site-card.toml"),
    fd: Fd = None,
) -> None:
    """Make the key that signs the list of the door's pages, locked with a passphrase, and its card."""
    must_be_new(out, card)
    passphrase = new_passphrase("A new passphrase for the site key", fd)
    seed = secrets.token_bytes(32)
    with ui.waiting("Locking the key..."):
        ui.write_private(out, lock_site_key(seed, passphrase, secrets.token_bytes))
        try:
            good = unlock_site_key(read(out), passphrase) == seed
        except OrgError:
            good = False
    if not good:
        out.unlink(missing_ok=True)
        ui.fail("The key file does not read back as it was written.", "Use another stick. Nothing was kept.")
    ui.write_private(
        card,
        "# Who signs the list of the door's pages, for 'latchstring org directory sign --add'. Not secret.\n"
        f'[site]\nkey = "{ed25519_public(seed).hex()}"\n'.encode(),
    )
    ui.show(f"Made: {out.name} (keep it offline) and {card.name}.")
    ui.show(f"Next: latchstring org directory sign directory.toml --previous directory.signed --add {card.name}")


def sign(
    directory: Annotated[Path, typer.Option(help="The door's signed directory.")] = Path("directory.signed"),
    key: Annotated[Path, typer.Option(help="The site key's file.")] = Path("site.key"),
    settings: Annotated[Path, typer.Option(help="The pages' settings, as they lie on the server.")] = Path(SETTINGS),
    out: Annotated[Path, typer.Option(help="Where the signed list goes; one that is there is followed.")] = Path(
        SIGNED
    ),
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Work out what the door's pages are by this program, the settings and the directory, and sign the list of it.

    Nothing is asked of any server. Run the release that the server runs; with the settings lie the organisation's words
    and media, as on the server. The list goes beside the settings there, as 'site.signed'.
    """
    door = opened(read(directory)).signed.directory
    if door.site is None:
        ui.fail(
            "The directory names nobody who signs the door's pages.",
            "Make a key with 'latchstring site key', and add its card to the directory.",
        )
    before = _before(out, door)
    try:
        with ui.waiting("Working out the pages..."):
            items = list_site(load_settings(settings), door)
            manifest = SiteManifest(door.door, max(door.site.least, before.n + 1 if before else 1), items)
    except SettingsError as error:
        ui.fail(str(error), f"Mend '{settings.name}', or remove it.")
    except ProtocolError:
        ui.fail("There are more files than a list can hold.", "Leave in the media folder only what the pages show.")
    changed = _changed(before, manifest)
    raw = manifest.sign(_seed(key, door.site, fd))
    replace(out, raw)
    value = {
        "door": door.door.hex(),
        "number": manifest.n,
        "least": door.site.least,
        "addresses": len(items),
        "bytes": len(raw),
        "changed": changed,
    }

    def human() -> None:
        ui.show(f"Signed: {out.name}, number {manifest.n}, of {len(items)} addresses.")
        if before is not None:
            for path in changed[:_KEPT]:
                ui.show(f"  other than in number {before.n}: {path}")
            if len(changed) > _KEPT:
                ui.show(f"  and {len(changed) - _KEPT} more")
        ui.show(f"Next: put it beside the settings on the server, as {SIGNED}. Then, from another machine:")
        ui.show("  latchstring site verify ADDRESS --door LINK")

    ui.emit(as_json, value, human)


def _before(out: Path, door: Directory) -> SiteManifest | None:
    """The list that is there, of the same door."""
    if not out.exists():
        return None
    try:
        before = read_site_unsigned(read(out))
    except ProtocolError:
        before = None
    if before is None or before.door != door.door:
        ui.fail(f"'{out.name}' is there already, and is no list of this door's pages.", "Name another file with --out.")
    return before


def _changed(before: SiteManifest | None, now: SiteManifest) -> list[str]:
    """Addresses that are new, gone, or answer something else."""
    old, new = ({item.path: item for item in m.items} if m else {} for m in (before, now))
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _seed(path: Path, site: SiteKey, fd: int | None) -> bytes:
    locked = read(path)
    passphrase = ui.read_secret("Passphrase for the site key", fd)
    try:
        with ui.waiting("Opening the key..."):
            seed = unlock_site_key(locked, passphrase)
    except OrgError as error:
        ui.fail(str(error))
    if ed25519_public(seed) != site.key:
        ui.fail(
            "The directory names another key. Nothing was signed.",
            "Use the file of that key, or add this one's card to the directory.",
        )
    return seed
