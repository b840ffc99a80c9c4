# SPDX-License-Identifier: AGPL-3.0-or-later
"""The organisation's pictures and recordings: files of one folder, sent in pieces, from where a player asks.

Range requests of one range (RFC 9110, section 14); anything else gets the whole file, and so does `if-range`: there is
no validator that it could name.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from latchstring.site.files import KINDS
from latchstring.site.headers import KEPT, NO_STORE

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z", re.ASCII)
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})\Z", re.ASCII)
_NEVER: Final = (".css", ".js", ".json", ".txt")


def is_media(name: str) -> bool:
    """Is it a name that a file for media can have?"""
    suffix = PurePosixPath(name).suffix
    return bool(_NAME.match(name)) and ".." not in name and suffix in KINDS and suffix not in _NEVER


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of how many: from `start` on, `length` of them. `part`: not all were asked for."""

    start: int
    length: int
    size: int
    part: bool


def span_of(headers: Mapping[str, str], size: int) -> Span | None:
    """What a request asks of a file; None when the file has no such bytes. `headers` by lower-case name."""
    found = _RANGE.match(headers.get("range", "").replace(" ", ""))
    if found is None or "if-range" in headers or (not found[1] and not found[2]):
        return Span(0, size, size, False)
    if not found[1]:  # the last so many
        length = min(int(found[2]), size)
        return Span(size - length, length, size, True) if length else None
    start = int(found[1])
    if found[2] and int(found[2]) < start:  # no range at all, to be ignored (RFC 9110, section 14.1.1)
        return Span(0, size, size, False)
    end = min(int(found[2]), size - 1) if found[2] else size - 1
    return Span(start, end - start + 1, size, True) if start <= end else None


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """A file that is open; `read` gives what is at a place."""

    file: BinaryIO = field(repr=False)
    size: int
    kind: str

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at`."""
        return os.pread(self.file.fileno(), count, at)

    @property
    def cache(self) -> str:
        """Pictures come with their page. What is loaded when somebody plays it, no browser keeps."""
        return KEPT if self.kind.startswith("image/") else NO_STORE


def open_media(folder: Path | None, name: str) -> OpenMedia | None:
    """The file, if it is one of the folder itself: no link, no folder, of a kind that is known."""
    if folder is None or not is_media(name):
        return None
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        return None
    return OpenMedia(os.fdopen(handle, "rb", buffering=0), found.st_size, KINDS[PurePosixPath(name).suffix])
