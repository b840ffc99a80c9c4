# SPDX-License-Identifier: AGPL-3.0-or-later
"""A form with one file, as it streams in: the fields before it are kept, the file is handed on piece by piece.

Nothing is written to a disk. The file is the last part, so that its size follows from the length of the whole body.
"""

import logging
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from latchstring.site.forms import BadForm, clean

logging.getLogger("python_multipart.multipart").disabled = True  # it would tell of malformed requests, with their times

_FIELD_MOST: Final = 1_600_000  # bytes of all fields before the file
_HEAD_MOST: Final = 4096
_PARTS_MOST: Final = 16
FILE: Final = "file"


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart form; BadForm for anything else."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise BadForm
    return boundary


@dataclass
class FilePost:
    """What has arrived so far. `size`: of the file, None until its part begins; `pieces`: of it, to be taken away."""

    length: int
    boundary: bytes = field(repr=False)
    fields: dict[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    name: str = field(default="", repr=False)
    pieces: list[bytes] = field(default_factory=list, repr=False)
    whole: bool = False

    def __post_init__(self) -> None:
        self._before = 0  # bytes of the body before the piece that is looked at
        self._used = 0
        self._parts = 0
        self._head: dict[str, str] = {}
        self._head_name, self._head_value = b"", b""
        self._kept = bytearray()
        self._part, self._file = "", False
        try:
            self._parser = MultipartParser(
                self.boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._name_comes,
                    "on_header_value": self._value_comes,
                    "on_header_end": self._head_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._all,
                },
            )
        except FormParserError:
            raise BadForm from None

    def feed(self, data: bytes) -> None:
        """The next bytes of the body. BadForm when it is no such form."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise BadForm from None
        self._before += len(data)

    def _begin(self) -> None:
        self._parts += 1
        if self._file or self._parts > _PARTS_MOST:
            raise BadForm
        self._head, self._kept = {}, bytearray()

    def _name_comes(self, data: bytes, start: int, end: int) -> None:
        self._head_name = self._bounded(self._head_name + data[start:end])

    def _value_comes(self, data: bytes, start: int, end: int) -> None:
        self._head_value = self._bounded(self._head_value + data[start:end])

    def _bounded(self, raw: bytes) -> bytes:
        if len(raw) > _HEAD_MOST:
            raise BadForm
        return raw

    def _head_ends(self) -> None:
        self._head[self._head_name.decode("latin-1").lower()] = self._head_value.decode("utf-8", "replace")
        self._head_name, self._head_value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._head.get("content-disposition", "").encode("utf-8"))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        self._file = self._part == FILE
        if self._file:
            self.name = clean(options.get(b"filename", b"").decode("utf-8", "replace")).replace("\n", " ")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._file:
            self._used += end - start
            if self._used > _FIELD_MOST:
                raise BadForm
            self._kept += data[start:end]
            return
        if self.size is None:
            self.size = self.length - self._before - start - len(self.boundary) - 8  # CR LF -- boundary -- CR LF
        self.pieces.append(bytes(data[start:end]))

    def _end(self) -> None:
        if self._file:
            self.size = 0 if self.size is None else self.size
            return
        try:
            self.fields[self._part] = clean(self._kept.decode("utf-8"))
        except UnicodeDecodeError:
            raise BadForm from None

    def _all(self) -> None:
        self.whole = self._file
