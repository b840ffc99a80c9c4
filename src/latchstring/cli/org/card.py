# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org card."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.org.files import load_signed, replace
from latchstring.org import card as cards
from latchstring.protocol.wordlist import load


class Format(StrEnum):
    """A card's form."""

    TEXT = "text"
    SVG = "svg"
    PNG = "png"


def card(
    source: Annotated[str, typer.Argument(help="A signed directory's file, or a server's address.")],
    name: Annotated[
        str | None, typer.Option(help="The organisation's name on the card; the log's domain if left out.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="text; svg: A6, with the name; png: A6, without.")
    ] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out (text only).")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
) -> None:
    """The door's card: twelve words, QR code, addresses, to print and to broadcast."""
    d = load_signed(source, tor, proxy).signed.directory
    if d.closed is not None:
        ui.fail("This door is closed for good: a card would call people to it.", "See: latchstring org directory show")
    words = load()
    name = name or d.origin.split("/")[0]
    if form is Format.TEXT and out is None:
        ui.show(cards.card_text(d, name, words))
        print(cards.card_qr(d))
        return
    if out is None:
        ui.fail("A picture needs a file to go to.", f"Add: --out card.{form}", ui.USAGE)
    if form is Format.TEXT:
        replace(out, cards.card_text(d, name, words).encode())
    elif form is Format.SVG:
        replace(out, cards.card_svg(d, name, words).encode())
    else:
        replace(out, cards.card_png(d, words))
    ui.show(f"Written: {out.name}")
