# SPDX-License-Identifier: AGPL-3.0-or-later
"""The leaves of the log as a member needs them: the newest are in /visit, older ones come from the published tiles,
each checked against the hash that /visit gives for the whole of it.
"""

from typing import Final

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.errors import ServerFault
from latchstring.desk.line import Line
from latchstring.log.errors import LogError
from latchstring.log.tiles import WIDTH, TilePath, decode_tile
from latchstring.log.tree import leaf_hashes, raise_by

_WHOLE: Final = 8  # levels in a tile: 256 hashes


class Leaves:
    """Leaf hashes of the log that `visit` proved. Tiles already fetched are remembered for this session."""

    def __init__(self, line: Line, visit: VerifiedVisit) -> None:
        self._line, self._visit = line, visit
        self._newest = leaf_hashes(visit.entries)
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def hashes(self, start: int, count: int) -> list[bytes]:
        """The leaf hashes `start` to `start + count`. ServerFault when the server gives other tiles than the log's."""
        old = range(start, min(start + count, self._visit.entries_start))
        found = [self._tile(0, i // WIDTH, self._level1(i // WIDTH))[i % WIDTH] for i in old]
        first = max(0, start - self._visit.entries_start)
        return found + self._newest[first : first + count - len(found)]

    def _level1(self, index: int) -> bytes:
        """The hash of the 256 leaves from 256 * `index` on."""
        first = len(self._visit.level2) * WIDTH
        if index >= first:
            return self._visit.level1[index - first]
        return self._tile(1, index // WIDTH, self._visit.level2[index // WIDTH])[index % WIDTH]

    def _tile(self, level: int, index: int, digest: bytes) -> list[bytes]:
        key = (level, index)
        if key not in self._tiles:
            answer = self._line.get(f"/{TilePath(level, index)}")
            try:
                tile = decode_tile(answer.body if answer.status == 200 else b"", WIDTH)
            except LogError:
                tile = []
            if raise_by(tile, _WHOLE) != [digest]:
                raise ServerFault(
                    "The server does not hand out the hashes of its log as they were.",
                    "Tell the organisation; nothing that came after was believed.",
                )
            self._tiles[key] = tile
        return self._tiles[key]
