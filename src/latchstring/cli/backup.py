# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring server backup."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from latchstring.cli import ui
from latchstring.server.backup import take_backup
from latchstring.server.backup_check import check_backup
from latchstring.server.config import load_config
from latchstring.server.keys import load_keys
from latchstring.store.sql import StoreError, StoreFailed


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(
        epilog="Examples: latchstring server backup --config /srv/latchstring/server.toml --to /mnt/backup | "
        "latchstring server backup --verify /mnt/backup --keys keys.cbor"
    )(backup)


def backup(
    config: Annotated[Path, typer.Option("--config", help="The server's configuration file.")] = Path("server.toml"),
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for the backup, on another disk; made if missing.")
    ] = None,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help="Copy keys.cbor too: whoever has it can forge the log. Else keep it apart."),
    ] = False,
    verify: Annotated[Path | None, typer.Option("--verify", help="Check the backup in this folder instead.")] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="With --verify: the server's keys.cbor; shows that nobody changed it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Copy everything the server needs to go on, while it runs; the next run adds what is new, mends what is damaged.

    The copy is checked whole before it counts. It holds sealed letters and the order in which they came: keep it where
    nobody else reads. Exit status 3 when --verify finds something wrong.
    """
    if (to is None) == (verify is None):
        ui.fail("Name one folder: --to for a backup, --verify for checking one.", "", ui.USAGE)
    if to is not None:
        _take(config, to, with_keys, as_json)
    elif verify is not None:
        _verify(verify, keys, as_json)


def _take(config: Path, to: Path, with_keys: bool, as_json: bool) -> None:
    try:
        with ui.working() as step:
            made = take_backup(load_config(config), to, with_keys, step)
    except StoreError as error:
        ui.fail(str(error), "No new backup was made; an earlier one in that folder is as it was.")
    except StoreFailed as failed:
        _no_room(failed)
    found = made.list
    value = {
        "batch": found.batch,
        "leaves": found.size,
        "files": len(found.files),
        "new_files": made.new_files,
        "new_bytes": made.new_bytes,
        "with_keys": found.with_keys,
        "batches_without_letters": list(made.no_pack),
    }

    def human() -> None:
        ui.show(
            f"Backed up to batch {found.batch}, and checked: {len(found.files)} files, {made.new_files} of them new."
        )
        if not found.with_keys:
            ui.show("keys.cbor is not in it: without that file nothing can be restored. Keep a copy of it elsewhere.")
        say_missing(made.no_pack)

    ui.emit(as_json, value, human)


def _no_room(failed: StoreFailed) -> NoReturn:
    ui.fail(
        f"The backup was not finished: {failed}.",
        "Look at the space left there and run the command again; an earlier backup in that folder is as it was.",
    )


def _verify(folder: Path, keys: Path | None, as_json: bool) -> None:
    try:
        with ui.working() as step:
            checked = check_backup(folder, load_keys(keys) if keys else None, step)
    except StoreError as error:
        wrong = str(error)

        def say() -> None:
            ui.show(f"WRONG: {wrong}", "bold red")
            ui.show("Take the backup again, which mends what is damaged, or use another copy.")

        ui.emit(as_json, {"ok": False, "fault": wrong}, say)
        raise typer.Exit(ui.FOUND_WRONG) from None
    except StoreFailed as failed:
        ui.fail(
            f"The backup could not be checked: {failed}.",
            "That says nothing about the backup. Look at the space left there and run the command again.",
        )
    found = checked.list
    value = {
        "ok": True,
        "fault": None,
        "batch": found.batch,
        "leaves": found.size,
        "files": len(found.files),
        "with_keys": found.with_keys,
        "compared_with_keys": checked.authentic,
        "batches_without_letters": list(checked.no_pack),
    }

    def human() -> None:
        ui.show(f"The backup is whole: {len(found.files)} files, up to batch {found.batch}.", "bold green")
        if checked.authentic is None:
            ui.show("That nobody changed it on purpose is not shown: add --keys with the server's keys.cbor.")
        if not found.with_keys:
            ui.show("The server's keys are not in it. See that you have keys.cbor.")
        say_missing(checked.no_pack)

    ui.emit(as_json, value, human)


def say_missing(batches: tuple[int, ...]) -> None:
    """Batches whose letters are not here any more."""
    if batches:
        shown = ", ".join(map(str, batches[:20])) + (" and more" if len(batches) > 20 else "")
        ui.show(f"The server has no letters of these batches any more: {shown}. Members may have fetched them.")
