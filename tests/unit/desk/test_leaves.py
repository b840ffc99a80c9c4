# SPDX-License-Identifier: AGPL-3.0-or-later
"""Leaves of a log so long that /visit gives some of it as one hash for 65,536: tiles are followed down, and checked."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from latchstring.client.transport import Progress, Response
from latchstring.client.visit import VerifiedVisit, check_visit
from latchstring.desk.errors import ServerFault
from latchstring.desk.leaves import Leaves
from latchstring.desk.line import Line
from latchstring.log.tree import leaf_hashes, raise_by
from tests.builders import Stream
from tests.faults import Core

CORE = Core.opened(30)
ENTRIES = [i.to_bytes(32, "big") for i in range(65_536 + 512 + 3)]
HASHES = leaf_hashes(ENTRIES)
LEVEL1 = raise_by(HASHES, 8)
LEVEL2 = raise_by(LEVEL1, 8)
VISIT: VerifiedVisit = replace(
    check_visit(CORE.public.get("visit"), lambda _door: True, CORE.at(31), None),
    level2=tuple(LEVEL2),
    level1=tuple(LEVEL1[256:]),
    entries=tuple(ENTRIES[-3:]),
    entries_start=65_536 + 512,
)


class Tiles:
    """Serves the tiles; those in `lies` are served as they say. Remembers what was asked."""

    authority = "door.example"

    def __init__(self, lies: Mapping[str, bytes]) -> None:
        self.lies, self.asked = lies, list[str]()

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        self.asked.append(path)
        _, _, level, *rest = path.split("/")
        index = int("".join(rest).replace("x", ""))
        row = HASHES if level == "0" else LEVEL1
        return Response(200, self.lies.get(path, b"".join(row[256 * index : 256 * (index + 1)])))


def leaves(lies: Mapping[str, bytes] | None = None) -> tuple[Leaves, Tiles]:
    tiles = Tiles(lies or {})
    return Leaves(Line(tiles, lambda: 0, Stream("line"), "anna", bytes(32)), VISIT), tiles


@pytest.mark.parametrize(
    ("start", "count", "tiles"),
    [
        (66_049, 2, []),
        (66_047, 3, ["/tile/0/257"]),
        (65_536, 1, ["/tile/0/256"]),
        (65_535, 2, ["/tile/1/000", "/tile/0/255", "/tile/0/256"]),
        (3, 600, ["/tile/1/000", "/tile/0/000", "/tile/0/001", "/tile/0/002"]),
        (66_051, 0, []),
    ],
)
def test_hashes_from_anywhere_each_tile_once(start: int, count: int, tiles: list[str]) -> None:
    found, line = leaves()
    assert found.hashes(start, count) == HASHES[start : start + count]
    assert found.hashes(start, count) == HASHES[start : start + count]
    assert line.asked == tiles


@pytest.mark.parametrize("path", ["/tile/1/000", "/tile/0/000"])
@pytest.mark.parametrize("lie", [b"", bytes(8192), b"".join(HASHES[1:257]), b"".join(HASHES[:255])])
def test_a_tile_that_is_not_the_log_s_is_refused(path: str, lie: bytes) -> None:
    found, _ = leaves({path: lie})
    with pytest.raises(ServerFault):
        found.hashes(0, 1)
