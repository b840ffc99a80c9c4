# SPDX-License-Identifier: AGPL-3.0-or-later
"""Black on white, drawn dot by dot and written as a PNG of one bit a pixel (ISO/IEC 15948). Sizes are pixels."""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

from latchstring.org.font import LETTERS, WIDTH

DPI: Final = 300
_PER_METRE: Final = round(DPI / 0.0254)
_STEP: Final = WIDTH + 1  # from one letter to the next, in dots


class Picture:
    """White at first."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._rows = [0] * height  # each as a number: the highest of `width` bits is its left pixel, a set one black

    def draw(self, x: int, y: int, scale: int, rows: Sequence[Sequence[int]]) -> None:
        """Squares of `scale` pixels for what is true in `rows`, whose left upper corner lies at (x, y)."""
        for at, row in enumerate(rows):
            dots = sum(((1 << scale) - 1) << self._width - x - (i + 1) * scale for i, dot in enumerate(row) if dot)
            for line in range(y + at * scale, y + (at + 1) * scale):
                self._rows[line] |= dots

    def write(self, x: int, y: int, scale: int, text: str) -> None:
        """ASCII, its dots as squares of `scale` pixels."""
        for at, letter in enumerate(text):
            rows = [[row >> WIDTH - 1 - i & 1 for i in range(WIDTH)] for row in LETTERS[letter]]
            self.draw(x + at * _STEP * scale, y, scale, rows)

    def png(self) -> bytes:
        """The file."""
        size, white = -(-self._width // 8), (1 << self._width) - 1
        lines = ((white ^ row) << size * 8 - self._width for row in self._rows)
        raw = b"".join(b"\0" + line.to_bytes(size, "big") for line in lines)
        head = struct.pack(">IIBBBBB", self._width, len(self._rows), 1, 0, 0, 0, 0)  # 1 bit, grey
        density = struct.pack(">IIB", _PER_METRE, _PER_METRE, 1)
        parts = ((b"IHDR", head), (b"pHYs", density), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def fitting(width: int, scale: int) -> int:
    """How many letters of that scale stand side by side in `width`."""
    return (width // scale + 1) // _STEP


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
