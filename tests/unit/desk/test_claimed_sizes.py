# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter may claim any size for an attachment that nobody sent; a desk pays nothing for it."""

from pathlib import Path

import pytest

from latchstring.desk.attachments import State, names_of_all, review
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.vault import create_vault
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.constants import MAX_ATTACHMENT
from latchstring.protocol.letter import LetterBody
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE


def test_a_terabyte_that_nobody_sent_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed = tuple(Attachment(bytes([n]) * 16, bytes(32), MAX_ATTACHMENT, bytes(32), "x") for n in range(9))
    asked = 0
    has = ChunkFolder.has

    def counted(self: ChunkFolder, name: bytes) -> bool:
        nonlocal asked
        asked += 1
        return has(self, name)

    monkeypatch.setattr(ChunkFolder, "has", counted)
    with create_vault(tmp_path / "desk.vault", PASSPHRASE, Stream("claimed"), CHEAP) as vault:
        with vault.transaction():
            vault.do("INSERT INTO thread (id, seal_key, dh, psk) VALUES (x'11', x'00', x'00', x'00')")
            vault.do(
                "INSERT INTO letter (thread, msg_id, day, batch, verified, cbor) VALUES (x'11', x'22', 0, 0, 1, ?)",
                LetterBody("en", "client", "see these", attachments=claimed).encode(),
            )
        found = review(vault, ChunkFolder.of(vault), frozenset())
        assert {item.state for item in found} == {State.DROPPED}
        assert names_of_all(found) == frozenset()
    assert asked < 100
