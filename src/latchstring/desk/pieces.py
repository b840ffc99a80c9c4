# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far attachments have come, by the chunks in the folder. Each is looked at once by its id: thousands of letters
can name one attachment, each with words of its own about it.
"""

from collections.abc import Callable, Set

from latchstring.desk.chunks import ChunkFolder
from latchstring.protocol.attachment import Attachment, CiphertextHash, chunk_name
from latchstring.protocol.constants import ATTACHMENT_CHUNK
from latchstring.protocol.encoding import h


class Pieces:
    """One look at a folder that nothing changes meanwhile. `listed`: the names of chunks that the server has."""

    def __init__(self, folder: ChunkFolder, listed: Set[bytes] = frozenset()) -> None:
        self.folder = folder
        self._listed = listed
        self._here: dict[bytes, tuple[int, bool]] = {}
        self._to_be_had: dict[bytes, tuple[int, bool]] = {}
        self._hashes: dict[bytes, list[bytes]] = {}
        self._digests: dict[tuple[bytes, int], bytes] = {}

    def begun(self, attachment: Attachment) -> int:
        """How many chunks are here, up to the first that is not: a letter may claim a terabyte that nobody sent."""
        return _run(self._here, attachment, self.folder.has)

    def is_gone(self, attachment: Attachment) -> bool:
        """Is a chunk neither here nor listed?"""
        return _run(self._to_be_had, attachment, self._is_to_be_had) < attachment.chunks

    def _is_to_be_had(self, name: bytes) -> bool:
        return name in self._listed or self.folder.has(name)

    def digest(self, attachment: Attachment) -> bytes | None:
        """The ciphertext's hash, None when it is not all here. One chunk in memory at a time."""
        key = (attachment.id, attachment.chunks)
        if key not in self._digests:
            hashes = self._hashes.setdefault(attachment.id, [])
            while len(hashes) < attachment.chunks:
                sealed = self.folder.get(chunk_name(attachment.id, len(hashes)))
                if sealed is None or len(sealed) != ATTACHMENT_CHUNK:
                    return None
                hashes.append(h(sealed))
            whole = CiphertextHash(attachment.chunks)
            for one in hashes[: attachment.chunks]:
                whole.add_hash(one)
            self._digests[key] = whole.value()
        return self._digests[key]


def _run(known: dict[bytes, tuple[int, bool]], attachment: Attachment, holds: Callable[[bytes], bool]) -> int:
    """How many chunks from the first on hold, asking about each once. `known`: by id, how many do, and whether the next
    one does not."""
    count, ended = known.get(attachment.id, (0, False))
    while not ended and count < attachment.chunks:
        if holds(chunk_name(attachment.id, count)):
            count += 1
        else:
            ended = True
    known[attachment.id] = (count, ended)
    return min(count, attachment.chunks)
