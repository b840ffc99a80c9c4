# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring server restore."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor, is_address, through
from latchstring.cli.backup import say_missing
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.server.mirrors import Mirror
from latchstring.server.restore import Request, Restored
from latchstring.server.restore import restore as go
from latchstring.store.sql import StoreError, StoreFailed


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(
        epilog="Examples: latchstring server restore --from /mnt/backup --keys keys.cbor --data /srv/latchstring "
        "--published-at https://mirror.example | the same with --adopt https://mirror.example when that is ahead"
    )(restore)


def restore(
    source: Annotated[Path | None, typer.Option("--from", help="The backup's folder.")] = None,
    data: Annotated[Path, typer.Option("--data", help="The new data folder: not there yet, or empty.")] = Path("data"),
    keys: Annotated[Path | None, typer.Option("--keys", help="keys.cbor, when it is not in the backup.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A server.toml to take instead of the backup's.")
    ] = None,
    published_at: Annotated[
        list[str] | None,
        typer.Option("--published-at", help="Address of a mirror, or a folder of published files; can be repeated."),
    ] = None,
    adopt: Annotated[
        str | None, typer.Option("--adopt", help="Go on from the longer public log at this address or folder.")
    ] = None,
    unseen: Annotated[
        bool, typer.Option("--no-mirror-to-compare", help="There is no copy of the published log anywhere.")
    ] = False,
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Put a server back from a backup, and refuse what would fork its public log.

    The backup is compared with every copy of the published log that is named. When one is ahead, only --adopt goes on:
    from that log, verified whole. Letters that were acknowledged after the backup and are in no batch are lost then.
    Without --from, --adopt with --config and --keys goes on from the public log alone.
    """
    socks = through(tor, proxy)
    try:
        with ExitStack() as stack, ui.working() as step:
            mirrors = [_mirror(where, socks, stack) for where in published_at or ()]
            chosen = _mirror(adopt, socks, stack) if adopt else None
            found = go(Request(source, data, keys, config, mirrors, chosen, unseen), step)
    except StoreError as error:
        ui.fail(str(error), "Nothing was restored.")
    except StoreFailed as failed:
        ui.fail(f"The restore was not finished: {failed}.", "Look at the space left there. Nothing was put in place.")
    new = found.adopted
    value = {
        "batch": found.batch,
        "newest_batch_closed": found.closed,
        "leaves": found.size,
        "backup_ended": found.ended,
        "adopted_batches": new.batches if new else 0,
        "letters_found_in_the_log": new.placed if new else 0,
        "letters_that_wait": new.waiting if new else None,
        "batches_without_letters": list(found.no_pack),
        "compared": len(published_at or ()) + (adopt is not None),
    }
    ui.emit(as_json, value, lambda: _say_restored(found, data, unseen))


def _say_restored(found: Restored, data: Path, unseen: bool) -> None:
    ui.show(f"Restored up to batch {found.batch}, and checked.", "bold green")
    if found.adopted is not None:
        new = found.adopted
        ui.show(
            f"From the public log: {new.batches} batches. Of the backup's letters {new.placed} are in them, "
            f"{new.waiting} wait for the next."
        )
    ui.show(
        "Lost: letters that were acknowledged after the backup and are in no batch. Their number cannot be known. "
        "Tell the desks, so that they ask people to write again.",
        "bold",
    )
    say_missing(found.no_pack)
    if unseen:
        ui.show("Nothing newer was compared: if anybody has a newer log than this one, starting forks it.", "bold red")
    else:
        ui.show(
            f"This log ends at {ui.when(found.closed)}, and no copy that was compared goes on. If the server was up "
            "after that, there is a newer one: starting from this forks it. Find that copy first.",
            "bold",
        )
    ui.show("What the pages say (site.toml, what it names, site.signed) is in no backup: put it beside server.toml.")
    ui.show("Make sure that the old server never starts again: two servers with these keys fork the log.")
    ui.show(f"Next: latchstring server check --config {data / 'server.toml'}, then run.")


def _mirror(where: str, socks: str | None, stack: ExitStack) -> Mirror:
    if not is_address(where):
        folder = Path(where)
        if not folder.is_dir():
            ui.fail(f"There is no folder '{where}'.", "Name the folder that holds 'checkpoint', or an address.")

        def read_file(path: str) -> bytes:
            return (folder / path).read_bytes()

        return Mirror(where, read_file)
    try:
        transport = stack.enter_context(HttpTransport(where, socks))
    except NetworkFailed as failed:
        ui.fail(str(failed))

    def read(path: str) -> bytes:
        try:
            answer = transport.request("GET", "/" + path)
        except NetworkFailed as failed:
            raise OSError(str(failed)) from None
        if answer.status != 200:
            raise KeyError(path)
        return answer.body

    return Mirror(where, read)
