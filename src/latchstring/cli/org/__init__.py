# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org: found, card, and the directory's commands; one module a subject."""

import typer

from latchstring.cli.org.card import card
from latchstring.cli.org.directory import directory_app
from latchstring.cli.org.founding import found

app = typer.Typer(
    add_completion=False,
    help="Found a door, sign its directory, print its card. Root keys stay offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog="Example: latchstring org found --out /media/usb/door")(found)
app.add_typer(directory_app, name="directory")
app.command(
    epilog="Example: latchstring org card directory.signed --name 'The Daily Example' --format svg --out card.svg"
)(card)
