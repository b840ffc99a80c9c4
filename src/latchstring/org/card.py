# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's card: what an organisation prints, broadcasts and pins, so that a person can tell the real door."""

import io
from html import escape
from typing import Final

import segno

from latchstring.protocol.directory import Directory
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.wordlist import WordList

_WIDTH: Final = 148  # millimetres: A6, lying
_HEIGHT: Final = 105


def card_link(directory: Directory) -> str:
    """What the QR code holds: the door's link with at most two addresses."""
    return format_link(directory.door, directory.addresses[:2])


def card_text(directory: Directory, name: str, words: WordList) -> str:
    """The card for a terminal or a letter."""
    twelve = door_words(directory.door, words)
    rows = ["  ".join(f"{i + j + 1:2}. {twelve[i + j]:<9}" for j in range(4)) for i in range(0, 12, 4)]
    return "\n".join(
        [
            name,
            "Our door is always open.",
            "",
            "The door's words. Compare each with what your program or page shows:",
            *(f"  {row}".rstrip() for row in rows),
            "",
            "Addresses:",
            *(f"  {address}" for address in directory.addresses),
            "",
            "Link:",
            f"  {card_link(directory)}",
            "",
        ]
    )


def card_qr(directory: Directory) -> str:
    """The QR code for a terminal."""
    out = io.StringIO()
    segno.make(card_link(directory), error="m", micro=False).terminal(out, compact=True)
    return out.getvalue()


def card_png(directory: Directory) -> bytes:
    """The QR code alone, with its quiet zone, about 900 pixels wide."""
    out = io.BytesIO()
    code = segno.make(card_link(directory), error="m", micro=False)
    code.save(out, kind="png", scale=max(4, 900 // code.symbol_size()[0]), border=4)
    return out.getvalue()


def card_svg(directory: Directory, name: str, words: WordList) -> str:
    """The whole card on A6, in one file that needs nothing else."""
    code = segno.make(card_link(directory), error="m", micro=False)
    side = code.symbol_size(border=4)[0]
    squares = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(code.matrix_iter(border=4)) for x, dark in enumerate(row) if dark
    )
    twelve = door_words(directory.door, words)
    cells = "".join(
        f'<text x="{66 + (i % 3) * 27}" y="{44 + (i // 3) * 8}"><tspan fill="#666" font-size="3">{i + 1} </tspan>'
        f"{escape(word)}</text>"
        for i, word in enumerate(twelve)
    )
    addresses = "".join(
        f'<text x="8" y="{86 + i * 5}" font-family="monospace" font-size="{_fit(address)}">{escape(address)}</text>'
        for i, address in enumerate(directory.addresses[:3])
    )
    described = f"The door of {name}: twelve words ({', '.join(twelve)}), a QR code and addresses."
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}mm" height="{_HEIGHT}mm" \
viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="t d">
<title id="t">{escape(name)}: our door</title>
<desc id="d">{escape(described)}</desc>
<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>
<g font-family="Georgia, 'DejaVu Serif', serif" fill="#111">
<text x="8" y="15" font-size="8">{escape(name)}</text>
<text x="8" y="23" font-size="4.5" fill="#444">Our door is always open. You need nothing but a passphrase.</text>
<text x="66" y="35" font-size="3.5" fill="#444">Compare these words with what you are shown:</text>
<g font-size="4.6" font-family="'DejaVu Sans', Verdana, sans-serif">{cells}</g>
{addresses}
</g>
<g transform="translate(6 28) scale({52 / side:.4f})"><path d="{squares}" fill="#000" shape-rendering="crispEdges"/></g>
</svg>
"""


def _fit(address: str) -> str:
    return f"{min(4.2, 130 / max(1, len(address)) / 0.62):.2f}"
