# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small recordings that play: WebM with pictures that Pillow made, and Opus without a sound."""

import io
import math
import struct
from typing import Final

from PIL import Image

from tests.builders import Stream

WIDTH, HEIGHT = 160, 96
A_SECOND: Final = 5  # pictures of a film
_GROUP: Final = 10  # pictures between which a player cannot begin
_OPUS: Final = bytes((0xF8, 0xFF, 0xFE))  # 20 ms of silence, RFC 6716
_RATE: Final = 48_000


def webm(seconds: int) -> bytes:
    """A film in VP8 (RFC 6386; webmproject.org/docs/container): every picture is whole, which a lossy WebP's is."""
    frames = [_picture(n) for n in range(seconds * A_SECOND)]
    groups = [frames[at : at + _GROUP] for at in range(0, len(frames), _GROUP)]
    clusters = [_cluster(n, group) for n, group in enumerate(groups)]
    head = _element(
        0x1549A966,
        _number(0x2AD7B1, 1_000_000),  # times are in milliseconds
        _element(0x4489, struct.pack(">d", seconds * 1000.0)),
        _element(0x4D80, b"tests"),
        _element(0x5741, b"tests"),
    )
    size = _element(0xE0, _number(0xB0, WIDTH), _number(0xBA, HEIGHT))
    track = _element(0xAE, _number(0xD7, 1), _number(0x73C5, 1), _number(0x83, 1), _element(0x86, b"V_VP8"), size)
    tracks = _element(0x1654AE6B, track)
    begin = len(head) + len(tracks) + len(_cues([0] * len(clusters)))
    places = [begin + sum(map(len, clusters[:n])) for n in range(len(clusters))]
    kinds = (_number(0x4286, 1), _number(0x42F7, 1), _number(0x42F2, 4), _number(0x42F3, 8), _element(0x4282, b"webm"))
    ebml = _element(0x1A45DFA3, *kinds, _number(0x4287, 2), _number(0x4285, 2))
    return ebml + _element(0x18538067, head, tracks, _cues(places), *clusters)


def opus(seconds: int) -> bytes:
    """Silence in Opus in Ogg (RFC 7845, RFC 3533)."""
    head = b"OpusHead" + struct.pack("<BBHIHB", 1, 2, 0, _RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<I5sI", 5, b"tests", 0)
    pages = [_page(0, 0, [head], 2), _page(1, 0, [tags])]
    pages += [_page(n + 2, (n + 1) * _RATE, [_OPUS] * 50, 4 if n == seconds - 1 else 0) for n in range(seconds)]
    return b"".join(pages)


def captions(seconds: int, *lines: str) -> str:
    """WebVTT: each line for as long."""
    each = seconds / len(lines)
    cues = (f"{_stamp(n * each)} --> {_stamp((n + 1) * each)}\n{line}\n" for n, line in enumerate(lines))
    return "\n".join(("WEBVTT\n", *cues))


def _stamp(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{seconds % 60:06.3f}"


def _picture(n: int) -> bytes:
    noise = Image.frombytes("RGB", (WIDTH, HEIGHT), Stream(f"picture {n}")(WIDTH * HEIGHT * 3))
    file = io.BytesIO()
    noise.save(file, "WEBP", quality=30, method=0)
    raw = file.getvalue()
    assert raw[12:16] == b"VP8 "
    return raw[20 : 20 + struct.unpack("<I", raw[16:20])[0]]


def _cluster(n: int, frames: list[bytes]) -> bytes:
    start = n * _GROUP * 1000 // A_SECOND
    blocks = (
        _element(0xA3, b"\x81" + struct.pack(">hB", k * 1000 // A_SECOND, 0x80) + frame)
        for k, frame in enumerate(frames)
    )
    return _element(0x1F43B675, _number(0xE7, start), *blocks)


def _cues(places: list[int]) -> bytes:
    """Where each cluster begins: as long whatever the places are."""
    points = (
        _element(
            0xBB,
            _element(0xB3, struct.pack(">I", n * _GROUP * 1000 // A_SECOND)),
            _element(0xB7, _number(0xF7, 1), _element(0xF1, struct.pack(">I", place))),
        )
        for n, place in enumerate(places)
    )
    return _element(0x1C53BB6B, *points)


def _number(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, math.ceil(value.bit_length() / 8)), "big"))


def _element(name: int, *parts: bytes) -> bytes:
    """EBML (RFC 8794): the name, the length in eight bytes, the content."""
    body = b"".join(parts)
    return name.to_bytes(math.ceil(name.bit_length() / 8), "big") + (1 << 56 | len(body)).to_bytes(8, "big") + body


def _page(number: int, granule: int, packets: list[bytes], flags: int = 0) -> bytes:
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 1, number, 0, len(packets))
    raw = head + bytes(map(len, packets)) + b"".join(packets)
    return raw[:22] + struct.pack("<I", _crc(raw)) + raw[26:]


def _crc(raw: bytes) -> int:
    crc = 0
    for byte in raw:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 1 << 31 else 0)) & 0xFFFFFFFF
    return crc
