# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pictures as Pillow writes and reads them, with what a camera says in them."""

import io
from typing import Any, Final

from PIL import Image, ImageOps

SIDE: Final = 48


def picture(mode: str = "RGB", side: int = SIDE) -> Image.Image:
    """Each pixel another, so that one that is moved or recoded is seen."""
    image = Image.new("RGB", (side, side // 2))
    image.putdata([((x * 5) % 256, (y * 9) % 256, (x * y) % 256) for y in range(side // 2) for x in range(side)])
    return image.convert(mode)


def exif(turn: int = 6) -> Image.Exif:
    """A camera's: who, where, when, with what."""
    said = Image.Exif()
    said[0x010F], said[0x0110], said[0x013B], said[0x0131] = "Canon", "EOS R5", "Anna Kovalenko", "Darkroom 3"
    said[0x0112] = turn
    inner = said.get_ifd(0x8769)
    inner[0x9003], inner[0x9011], inner[0xA431] = "2024:05:01 10:11:12", "+03:00", "SN-0042"
    place = said.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (50.0, 27.0, 0.36), "W", (30.0, 31.0, 24.24)
    return said


def saved(image: Image.Image, format: str, **how: Any) -> bytes:
    """As Pillow writes it."""
    out = io.BytesIO()
    image.save(out, format, **how)
    return out.getvalue()


def opened(raw: bytes) -> Image.Image:
    """With all its pixels."""
    image = Image.open(io.BytesIO(raw))
    image.load()
    return image


def pixels(raw: bytes) -> list[bytes]:
    """Of each frame, as it is shown upright."""
    image = Image.open(io.BytesIO(raw))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(ImageOps.exif_transpose(image).convert("RGBA").tobytes())
    return frames
