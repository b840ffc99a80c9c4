# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org: found, card, the commands of the directory and of the root keys; one module a subject."""

import typer

from latchstring.cli.org.card import card
from latchstring.cli.org.directory import directory_app
from latchstring.cli.org.founding import found
from latchstring.cli.org.members import member_app
from latchstring.cli.org.renewing import close, diff, renew
from latchstring.cli.org.roots import root_app

app = typer.Typer(
    add_completion=False,
    help="Found a door, sign its directory, print its card. Root keys stay offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog="Example: latchstring org found --out /media/usb/door")(found)
directory_app.command(
    epilog="Example: latchstring org directory renew --previous directory.signed --root root.key --post ADDRESS"
)(renew)
directory_app.command(epilog="Example: latchstring org directory diff directory-1.signed directory.signed")(diff)
app.command(
    epilog="Example: latchstring org close --say 'en=We have closed. Thank you.' --instead https://example.org "
    "--previous directory.signed --post ADDRESS"
)(close)
app.add_typer(directory_app, name="directory")
app.add_typer(member_app, name="member")
app.add_typer(root_app, name="root")
app.command(
    epilog="Example: latchstring org card directory.signed --name 'The Daily Example' --format svg --out card.svg"
)(card)
