# SPDX-License-Identifier: AGPL-3.0-or-later
"""The program as it runs here and what builds it, as one archive: what AGPL-3.0 calls the corresponding source."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

# What builds the program, by its place in a checkout. A wheel carries it as `latchstring/building/` (pyproject.toml).
BUILDING: Final = (
    "LICENSE",
    "Makefile",
    "README.md",
    "frontend/build.mjs",
    "frontend/package-lock.json",
    "frontend/package.json",
    "frontend/src",
    "frontend/tsconfig.json",
    "pyproject.toml",
    "uv.lock",
)
CARRIED: Final = "building"


@cache
def source_archive() -> bytes:
    """The archive of this program: the same bytes each time, in a checkout and where a wheel is installed."""
    return archive_of(resources.files("latchstring"))


def archive_of(package: Traversable) -> bytes:
    """The archive as tar.gz, laid out as a checkout. OSError when what builds the program is not there."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, body in sorted(_files(package)):
            member = tarfile.TarInfo(f"latchstring/{path}")
            member.size, member.mode = len(body), 0o644
            archive.addfile(member, io.BytesIO(body))
    return out.getvalue()


def _files(package: Traversable) -> Iterator[tuple[str, bytes]]:
    carried = package.joinpath(CARRIED)
    root = carried if carried.is_dir() else Path(str(package)).parents[1]
    for entry in package.iterdir():
        if entry.name != CARRIED:
            yield from _shipped(entry, f"src/latchstring/{entry.name}")
    for path in BUILDING:
        yield from _shipped(root.joinpath(*path.split("/")), path)


def _shipped(entry: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if entry.is_dir():
        for inner in entry.iterdir() if entry.name != "__pycache__" else ():
            yield from _shipped(inner, f"{path}/{inner.name}")
    elif not entry.name.endswith(".pyc"):
        yield path, entry.read_bytes()
