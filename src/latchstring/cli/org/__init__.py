# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org: found, card, the commands of the directory and of the root keys; one module a subject."""

import typer

from latchstring.cli.org.card import card
from latchstring.cli.org.directory import directory_app
from latchstring.cli.org.founding import found
from latchstring.cli.org.roots import root_app

app = typer.Typer(
    add_completion=False,
    help="Found a door, sign its directory, print its card. Root keys stay offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog="Example: latchstring org found --out /media/usb/door")(found)
app.add_typer(directory_app, name="directory")
app.add_typer(root_app, name="root")
app.command(
    epilog="Example: latchstring org card directory.signed --name 'The Daily Example' --format svg --out card.svg"
)(card)
