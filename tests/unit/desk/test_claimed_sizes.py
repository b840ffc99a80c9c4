# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter may claim any size for an attachment that nobody sent; a desk pays nothing for it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from latchstring.desk.attachments import State, names_of_all, review
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.vault import create_vault
from latchstring.protocol.attachment import Attachment, CiphertextHash, chunk_name
from latchstring.protocol.constants import ATTACHMENT_CHUNK, ATTACHMENT_PLAIN, MAX_ATTACHMENT
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


def test_one_upload_that_many_letters_name_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in words of its own: another name, size, hash. A true one among them is found to be true."""
    count, looks = 40, Counter[str]()
    with create_vault(tmp_path / "desk.vault", PASSPHRASE, Stream("named"), CHEAP) as vault:
        folder, file_id = ChunkFolder.of(vault), b"i" * 16
        whole = CiphertextHash(3)
        for n in range(3):
            sealed = bytes([n]) * ATTACHMENT_CHUNK
            folder.put(chunk_name(file_id, n), sealed, 0)
            whole.add(sealed)
        for name in ("has", "get"):
            real = getattr(ChunkFolder, name)

            def counted(self: ChunkFolder, wanted: bytes, name: str = name, real: Any = real) -> Any:
                looks[name] += 1
                return real(self, wanted)

            monkeypatch.setattr(ChunkFolder, name, counted)
        with vault.transaction():
            vault.do("INSERT INTO thread (id, seal_key, dh, psk) VALUES (x'11', x'00', x'00', x'00')")
            for n in range(count):
                size, digest = 3 * ATTACHMENT_PLAIN - n, whole.value() if n == 7 else bytes([n]) * 32
                named = Attachment(file_id, bytes(32), size, digest, f"name {n}")
                vault.do(
                    "INSERT INTO letter (thread, msg_id, day, batch, verified, cbor) VALUES (x'11', ?, 0, 0, 1, ?)",
                    bytes([n]),
                    LetterBody("en", "client", "see this", attachments=(named,)).encode(),
                )
        found = review(vault, folder, frozenset())
        assert [item.number for item in found if item.state is State.HERE] == [1]
        assert sum(item.state is State.WRONG for item in found) == count - 1
        assert names_of_all(found) == {chunk_name(file_id, n) for n in range(3)}
    assert max(looks.values()) <= 3
