# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's card: what an organisation prints, broadcasts and pins, so that a person can tell the real door.

The QR code (ISO/IEC 18004, correction level M) holds the door's link. Sizes are millimetres on A6, lying.
"""

import io
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Final

import segno

from latchstring.org.picture import DPI, Picture, fitting
from latchstring.protocol.directory import Directory
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.wordlist import WordList

_WIDTH: Final = 148
_HEIGHT: Final = 105
_EDGE: Final = 9
_INNER: Final = _WIDTH - 2 * _EDGE
_LINK_MOST: Final = 500  # characters: beyond, a phone cannot make out the squares of a small card
_QUIET: Final = 4  # modules of white around the code, as the standard asks
_ADDRESS_LINES: Final = 3
_BOLD: Final = 0.72  # of the size: how wide a bold letter is, wide alphabets counted
_PLAIN: Final = 0.6  # ... and any other one
_BESIDE: Final = 66  # where what stands beside the code and its quiet zone begins
_COLUMN: Final = 37  # from one of two columns of words to the other
_ASKED: Final = 3.1  # the size of the question above the words
_CODE_PIXELS: Final = 900
_PIXELS: Final = DPI / 25.4  # a millimetre
_CODE: Final = 600  # pixels: the code on a drawn card, without its quiet zone
_WORD_DOTS: Final = 6  # pixels a dot of a letter
_ADDRESS_DOTS: Final = 5
_ADDRESS_LINE: Final = 60  # pixels from one to the next


@dataclass(frozen=True, slots=True)
class CardTexts:
    """What stands on a drawn card beside the door itself, in one language. `title` holds %(name)s; `described`, for
    screen readers, %(name)s, %(words)s and %(link)s."""

    title: str
    open: str
    compare: str
    described: str
    right_to_left: bool = False


ENGLISH: Final = CardTexts(
    "%(name)s: our door",
    "Our door is always open.",
    "Is it our door? All twelve words must be these.",
    "The door of %(name)s. Its twelve words, in order: %(words)s. A QR code holds this link: %(link)s",
)


def card_link(directory: Directory) -> str:
    """What the QR code holds: the door's link with at most two addresses, fewer when they are too long to scan."""
    links = (format_link(directory.door, directory.addresses[:count]) for count in (2, 1))
    return next((link for link in links if len(link) <= _LINK_MOST), format_link(directory.door))


def words_block(door: bytes, words: WordList) -> str:
    """The twelve words, numbered, in three lines."""
    twelve = door_words(door, words)
    rows = ("  ".join(f"{i + j + 1:2}. {twelve[i + j]:<9}" for j in range(4)) for i in range(0, 12, 4))
    return "\n".join(f"  {row}".rstrip() for row in rows)


def card_text(directory: Directory, name: str, words: WordList) -> str:
    """The card for a terminal or a letter."""
    return "\n".join(
        [
            _plain(name),
            "Our door is always open.",
            "",
            "The door's words. Compare each with what your program or page shows:",
            words_block(directory.door, words),
            "",
            "Addresses:",
            *(f"  {address}" for address in directory.addresses),
            "",
            "Link:",
            f"  {card_link(directory)}",
            "",
        ]
    )


def _code(link: str) -> segno.QRCode:
    return segno.make(link, error="m", micro=False)


def card_qr(directory: Directory) -> str:
    """The QR code for a terminal."""
    return link_qr(card_link(directory))


def link_qr(link: str) -> str:
    """A link's QR code for a terminal."""
    out = io.StringIO()
    _code(link).terminal(out, compact=True)
    return out.getvalue()


def code_png(directory: Directory) -> bytes:
    """The QR code alone, with its quiet zone, about 900 pixels (76 mm at 300 dpi) wide."""
    out, code = io.BytesIO(), _code(card_link(directory))
    side = len(code.matrix) + 2 * _QUIET
    code.save(out, kind="png", scale=max(4, _CODE_PIXELS // side), border=_QUIET, dpi=DPI)
    return out.getvalue()


def card_png(directory: Directory, words: WordList) -> bytes:
    """The code, the twelve words and the addresses, in no language: A6 at 300 dpi, higher where addresses need it. An
    address that is not ASCII is left out: there are no letters for it."""
    edge, width, least = (round(size * _PIXELS) for size in (_EDGE, _WIDTH, _HEIGHT))
    below = 2 * edge + _CODE
    lines = _folded(directory.addresses, fitting(width - 2 * edge, _ADDRESS_DOTS))
    picture = Picture(width, max(least, below + len(lines) * _ADDRESS_LINE + edge))
    matrix = _code(card_link(directory)).matrix
    picture.draw(edge, edge, _CODE // len(matrix), matrix)
    cells = [f"{i + 1:2} {word:<9}" for i, word in enumerate(door_words(directory.door, words))]
    for i in range(0, len(cells), 2):
        picture.write(below, edge + i * _CODE // len(cells), _WORD_DOTS, f"{cells[i]}{cells[i + 1]}".rstrip())
    for i, line in enumerate(lines):
        picture.write(edge, below + i * _ADDRESS_LINE, _ADDRESS_DOTS, line)
    return picture.png()


def _folded(addresses: tuple[str, ...], most: int) -> list[str]:
    """Lines of at most so many letters; what goes on in the next stands further in."""
    lines = []
    for address in addresses:
        if address.isascii():
            lines.append(address[:most])
            lines += ["  " + address[at : at + most - 2] for at in range(most, len(address), most - 2)]
    return lines


def card_svg(directory: Directory, name: str, words: WordList, said: CardTexts = ENGLISH) -> str:
    """The whole card in one file that needs nothing else."""
    shown = _plain(name)
    twelve = door_words(directory.door, words)
    size = max(3.2, min(8.5, _INNER / (_BOLD * max(1, len(shown)))))
    longest = int(_INNER / (_BOLD * size)) + 1
    title = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    cells = "".join(
        f'<text x="{_BESIDE + i % 2 * _COLUMN}" y="{47 + i // 2 * 7.2:.1f}">'
        f'<tspan fill="#767676" font-size="2.8">{i + 1:d}</tspan><tspan dx="1">{escape(word)}</tspan></text>\n'
        for i, word in enumerate(twelve)
    )
    described = said.described % {"name": shown, "words": ", ".join(twelve), "link": card_link(directory)}
    # a text that runs from right to left begins at the right edge
    side = ' direction="rtl"' if said.right_to_left else ""
    left, beside = (_WIDTH - _EDGE, _WIDTH - _EDGE) if said.right_to_left else (_EDGE, _BESIDE)
    room = int((_WIDTH - _EDGE - _BESIDE) / (_PLAIN * _ASKED))
    asked = "".join(
        f'<text x="{beside}" y="{34.5 + i * 4.3:.1f}" font-size="{_ASKED}" fill="#444"{side}>{escape(line)}</text>\n'
        for i, line in enumerate(wrap(said.compare, room, break_on_hyphens=False))
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}mm" height="{_HEIGHT}mm" \
viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="card-title card-text">
<title id="card-title">{escape(said.title % {"name": shown})}</title>
<desc id="card-text">{escape(described)}</desc>
<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>
<g font-family="'DejaVu Sans', Verdana, Arial, sans-serif" fill="#111">
<text x="{left}" y="16" font-size="{size:.2f}" font-weight="bold"{side}>{escape(title)}</text>
<text x="{left}" y="23" font-size="3.6"{side}>{escape(said.open)}</text>
<path d="M{_EDGE} 27.5h{_INNER}" stroke="#111" stroke-width="0.35"/>
{asked}<g font-size="4.4" font-weight="bold">
{cells}</g>
{_addresses(directory.addresses)}</g>
{_squares(card_link(directory))}
</svg>
"""


def _squares(link: str) -> str:
    """The code as one path of horizontal runs; its quiet zone reaches to the card's left edge."""
    matrix = _code(link).matrix
    side = len(matrix)
    path = []
    for y, row in enumerate(matrix):
        x = 0
        while x < side:
            run = next((i for i in range(x, side) if not row[i]), side) - x
            if run:
                path.append(f"M{x} {y}h{run}v1h-{run}z")
            x += max(1, run)
    scale = 50 / side
    return (
        f'<path transform="translate({_EDGE} 33) scale({scale:.4f})" fill="#000" shape-rendering="crispEdges" '
        f'd="{"".join(path)}"/>'
    )


def _addresses(addresses: tuple[str, ...]) -> str:
    """As many as have room, long ones smaller or on two lines; never one that is cut."""
    lines: list[tuple[str, float]] = []
    for address in addresses:
        size = max(2.6, min(3.4, _INNER / (0.61 * len(address))))
        fits = int(_INNER / (0.61 * size))
        parts = [address[i : i + fits] for i in range(0, len(address), fits)]
        if len(lines) + len(parts) > _ADDRESS_LINES:
            break
        lines += [(part, size) for part in parts]
    return "".join(
        f'<text x="{_EDGE}" y="{90.5 + i * 4.6:.1f}" font-family="\'DejaVu Sans Mono\', Consolas, monospace" '
        f'font-size="{size:.2f}">{escape(line)}</text>\n'
        for i, (line, size) in enumerate(lines)
    )


def _plain(text: str) -> str:
    """Without what a terminal would act on and XML does not allow."""
    return "".join(ch if ch.isprintable() else " " for ch in text)
