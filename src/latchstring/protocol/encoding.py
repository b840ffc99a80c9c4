# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two encodings of the protocol: LP for what is hashed, signed or bound, strict CBOR for the rest.

LP(label, a, b, ...) is, for the label and then each field, a u32be length and the bytes; the label is
prefixed `latchstring/v1/`, integers are u64be. CBOR (RFC 8949) is the core deterministic encoding
(section 4.2.1) and nothing else: what does not encode back to the same bytes is refused, and so are
tags, floats, `undefined`, duplicate keys, indefinite lengths and trailing bytes. The heads are walked before the
library sees the bytes: it would resolve shared values, whose unfolding has no bound, and numbers of any length.
"""

import hashlib
from io import BytesIO
from typing import Final

import cbor2

from latchstring.protocol.constants import LP_PREFIX

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 1 << 20  # of one encoding; the key state of the largest door has some 350,000
_CONSTANTS: Final = (20, 21, 22)  # false, true, null


class ProtocolError(ValueError):
    """Bytes that are not what the protocol says. The text names what was expected, never the content."""


def h(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def u64(value: int) -> bytes:
    """8 bytes, big-endian; ProtocolError outside 0 .. 2^63-1, which every database holds."""
    if not 0 <= value < 1 << 63:
        raise ProtocolError("a count outside 0 to 2^63-1")
    return value.to_bytes(8, "big")


def lp(label: str, *fields: bytes | int | str) -> bytes:
    """LP(label, fields...): integers become u64be, text UTF-8."""
    name = LP_PREFIX + label.encode("ascii")
    out = len(name).to_bytes(4, "big") + name
    for field in fields:
        if isinstance(field, bytes):
            out += len(field).to_bytes(4, "big") + field
        elif isinstance(field, str):
            raw = field.encode("utf-8")
            out += len(raw).to_bytes(4, "big") + raw
        else:
            out += b"\0\0\0\x08" + u64(field)
    return out


def read_lp(label: str, count: int, data: bytes) -> tuple[list[bytes], int]:
    """The `count` fields of an LP that starts `data`, and how many bytes it took.

    ProtocolError when the label differs or a field runs past the end.
    """
    name = LP_PREFIX + label.encode("ascii")
    offset = 4 + len(name)
    if data[:offset] != len(name).to_bytes(4, "big") + name:
        raise ProtocolError(f"not a {label}")
    fields: list[bytes] = []
    for _ in range(count):
        if offset + 4 > len(data):
            raise ProtocolError(f"a {label} that is cut short")
        size = int.from_bytes(data[offset : offset + 4], "big")
        offset += 4
        if offset + size > len(data):
            raise ProtocolError(f"a {label} that is cut short")
        fields.append(data[offset : offset + size])
        offset += size
    return fields, offset


def parse_lp(label: str, count: int, data: bytes) -> list[bytes]:
    """The `count` fields of `data`, which must be exactly one LP with that label."""
    fields, used = read_lp(label, count, data)
    if used != len(data):
        raise ProtocolError(f"a {label} with bytes left over")
    return fields


def parse_u64(field: bytes) -> int:
    """An integer field of an LP: exactly 8 bytes, below 2^63."""
    if len(field) != 8 or field[0] >= 0x80:
        raise ProtocolError("a count that is not eight bytes below 2^63")
    return int.from_bytes(field, "big")


def parse_text(field: bytes) -> str:
    """A text field of an LP: valid UTF-8."""
    try:
        return field.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("a text that is not UTF-8") from None


def sized(field: bytes, size: int, what: str) -> bytes:
    """`field` itself, when it has exactly `size` bytes."""
    if len(field) != size:
        raise ProtocolError(f"{what} of the wrong length")
    return field


def encode_cbor(value: object) -> bytes:
    """Deterministic CBOR of a value made of dict (text keys), list, tuple, int, bytes, str, bool and None."""
    _check(value, 0)
    return cbor2.dumps(value, canonical=True)


def decode_cbor(data: bytes) -> object:
    """The value that `data` encodes, lists as `list`; ProtocolError for anything but deterministic CBOR."""
    _walk(data)
    try:
        value: object = cbor2.CBORDecoder(BytesIO(data)).decode()
        again = cbor2.dumps(value, canonical=True)
    except Exception:  # cbor2 raises many kinds for arbitrary bytes (RecursionError, OverflowError, ...)
        raise ProtocolError("not CBOR") from None
    if again != data:
        raise ProtocolError("CBOR that is not in its one canonical form")
    return value


def _walk(data: bytes) -> None:
    """ProtocolError unless `data` is the heads of one whole value of the kinds and the depth that the protocol uses.

    What passes decodes to what `_check` lets be encoded; only whether texts are UTF-8 is left to the library.
    """
    left, in_map = [1], [False]  # items still to come at each depth, keys of maps included
    offset = items = 0
    while left:
        if not left[-1]:
            left.pop()
            in_map.pop()
            continue
        items += 1
        if items > MAX_ITEMS:
            raise ProtocolError("CBOR of too many items")
        if offset >= len(data):
            raise ProtocolError("CBOR that is cut short")
        major, value = data[offset] >> 5, data[offset] & 31
        offset += 1
        if major == 6 or value > 27 or (major == 7 and value not in _CONSTANTS):
            raise ProtocolError("a CBOR type that the protocol does not use")
        if in_map[-1] and left[-1] % 2 == 0 and major != 3:
            raise ProtocolError("a CBOR key that is not text")
        if value > 23:
            width = 1 << (value - 24)
            value = int.from_bytes(data[offset : offset + width], "big")
            offset += width
            if major == 1 and value >> 63:
                raise ProtocolError("a number outside 64 bits")
        left[-1] -= 1
        if major in (2, 3):
            offset += value
        elif major in (4, 5):
            if value and len(left) > MAX_DEPTH:
                raise ProtocolError("CBOR nested too deeply")
            left.append(value * (major - 3))
            in_map.append(major == 5)
    if offset != len(data):
        raise ProtocolError("CBOR with bytes left over or cut short")


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ProtocolError("CBOR nested too deeply")
    if value is None or isinstance(value, (bytes, bool)):
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise ProtocolError("a number outside 64 bits")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError("a CBOR key that is not text")
            _check_text(key)
            _check(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item, depth + 1)
    else:
        raise ProtocolError("a CBOR type that the protocol does not use")


def _check_text(value: str) -> None:
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ProtocolError("a text with half a character") from None


class Fields:
    """Reads a decoded CBOR map key by key, each with its type; `done` refuses keys that nobody asked for."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise ProtocolError(f"{what}: not a map")
        self._left: dict[str, object] = dict(value)
        self._what = what

    def take(self, key: str) -> object:
        """The value under `key`, whatever it is; ProtocolError when it is missing."""
        if key not in self._left:
            raise ProtocolError(f"{self._what}: '{key}' is missing")
        return self._left.pop(key)

    def has(self, key: str) -> bool:
        """Is the key there and not yet taken?"""
        return key in self._left

    def count(self, key: str, low: int = 0, high: int = (1 << 63) - 1) -> int:
        """An integer from `low` to `high`."""
        value = self.take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ProtocolError(f"{self._what}: '{key}' is not a whole number from {low} to {high}")
        return value

    def raw(self, key: str, size: int | None = None) -> bytes:
        """Bytes, of exactly `size` when given."""
        value = self.take(key)
        if not isinstance(value, bytes) or (size is not None and len(value) != size):
            raise ProtocolError(f"{self._what}: '{key}' is not " + (f"{size} bytes" if size is not None else "bytes"))
        return value

    def text(self, key: str, longest: int = 10_000) -> str:
        """Text of at most `longest` characters."""
        value = self.take(key)
        if not isinstance(value, str) or len(value) > longest:
            raise ProtocolError(f"{self._what}: '{key}' is not a text of at most {longest} characters")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise ProtocolError(f"{self._what}: '{key}' is not true or false")
        return value

    def items(self, key: str, most: int = 100_000) -> list[object]:
        """A list of at most `most` items."""
        value = self.take(key)
        if not isinstance(value, list) or len(value) > most:
            raise ProtocolError(f"{self._what}: '{key}' is not a list of at most {most} items")
        return value

    def texts(self, key: str, most: int = 1000, longest: int = 10_000) -> dict[str, str]:
        """A map from text to text."""
        value = self.take(key)
        if not isinstance(value, dict) or len(value) > most:
            raise ProtocolError(f"{self._what}: '{key}' is not a map of at most {most} texts")
        for item in value.values():
            if not isinstance(item, str) or len(item) > longest:
                raise ProtocolError(f"{self._what}: '{key}' holds something else than texts")
        return dict(value)

    def done(self) -> None:
        """ProtocolError if any key was never asked for."""
        if self._left:
            raise ProtocolError(f"{self._what}: a key that this version does not know")
