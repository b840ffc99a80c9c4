# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring site verify: what an address serves, beside what the organisation has signed."""

import secrets
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor, connecting, through
from latchstring.cli.visiting import Door, Json, PinFile, visiting
from latchstring.client.transport import NEEDS_TOR, NetworkFailed, is_onion
from latchstring.protocol.directory import Directory
from latchstring.site.comparing import Difference, NotSigned, differences, signed_list
from latchstring.site.fetching import Line


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(
        epilog="Examples: latchstring site verify http://ADDRESS.onion --door 'TWELVE WORDS' --tor | "
        "latchstring site verify https://door.example.org --door LINK --json"
    )(verify)


def verify(
    address: Annotated[str, typer.Argument(help="Where the pages are served.")],
    door: Door,
    at: Annotated[
        list[str] | None, typer.Option("--at", help="Where else the door's store answers; else at ADDRESS.")
    ] = None,
    tor: Tor = False,
    proxy: Proxy = None,
    pin: PinFile = None,
    least: Annotated[
        int, typer.Option(min=1, help="The lowest number of a list that counts, if you know of a newer one.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Compare the pages of ADDRESS, byte for byte, with the list that the door's organisation has signed.

    Exit status 0 when all is as it was signed, 3 when something differs, 1 when it could not be compared. Pages that
    each visit makes anew are looked at by rules: what they load and run, and where they lead. What a server shows to
    one person alone cannot be seen from elsewhere.
    """
    if not (tor or proxy) and is_onion(address):
        ui.fail(NEEDS_TOR, "", ui.USAGE)
    with visiting(door, at or [address], tor, proxy, pin) as visitor:
        directory = visitor.visit.directory
        expired = visitor.visit.expired
    try:
        with Line(address, through(tor, proxy)) as line:
            manifest = signed_list(line, directory, least)
            items = list(manifest.items)
            secrets.SystemRandom().shuffle(items)  # no order by which a server would know this program
            with ui.working(connecting(tor, proxy)) as step:
                found = differences(
                    line,
                    items,
                    address,
                    directory,
                    lambda done, of: step("Comparing the pages", done, of),
                )
    except NotSigned as none:
        ui.fail(str(none), _hint(directory) if none.wrong else "", ui.FOUND_WRONG if none.wrong else ui.COULD_NOT)
    except NetworkFailed as failed:
        ui.fail(f"Not everything could be compared. {failed}")
    found.sort(key=lambda difference: difference.path)
    value = {
        "ok": not found,
        "address": address,
        "door": directory.door.hex(),
        "number": manifest.n,
        "addresses": len(items),
        "by_rules": sum(not item.bodies for item in items),
        "differences": [{"path": one.path, "what": one.what} for one in found],
    }
    ui.emit(as_json, value, lambda: _show(found, manifest.n, len(items), sum(not i.bodies for i in items), expired))
    raise typer.Exit(ui.FOUND_WRONG if found else 0)


def _show(found: list[Difference], number: int, asked: int, by_rules: int, expired: bool) -> None:
    if not found:
        ui.show(
            f"As signed: {asked} addresses of list number {number}; {by_rules} of them change with each visit, and "
            "load, run and lead to nothing else.",
            "green",
        )
        return
    ui.show(f"This address does not serve what the organisation signed as number {number}:", "bold red")
    for one in found:
        ui.show(f"  {one.path}: {one.what}")
    if expired:
        ui.show("The door's directory has expired, and its pages say so: that alone makes some of them differ.")
    ui.show("Do not use these pages. Tell the organisation, by another way, what you see here.")


def _hint(directory: Directory) -> str:
    return "Do not use these pages. " + (
        f"The door names these addresses: {', '.join(directory.addresses)}." if directory.addresses else ""
    )
