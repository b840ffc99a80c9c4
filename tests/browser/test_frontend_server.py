# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page's half and a real server, over HTTP: words, Argon2id, `/visit`, a file in pieces, a letter, a receipt."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latchstring.demo.door import DemoDoor
from latchstring.desk.attachments import items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.letters import letters
from latchstring.protocol.constants import ATTACHMENT_PLAIN
from latchstring.protocol.passphrase import generate
from latchstring.protocol.source_keys import seed_of, source_keys
from latchstring.protocol.wordlist import load
from tests.browser.peer import Peer, Thrown
from tests.demo_door import running

DESK = "newsroom"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    with running(tmp_path) as made:
        yield made


def test_a_first_visit_over_http(door: DemoDoor, peer: Peer, tmp_path: Path) -> None:
    passphrase = generate(secrets.token_bytes)
    words, plain = " ".join(passphrase.words(load())), secrets.token_bytes(2 * ATTACHMENT_PLAIN + 11)
    given: dict[str, Any] = {
        "base": door.address,
        "words": words,
        "desk": DESK,
        "text": "Дивіться файл.",
        "file": plain,
    }
    with pytest.raises(Thrown, match="VisitRefused"):
        peer.ask("visit", **given, door=bytes(32))
    sent = peer.ask("visit", **given, door=door.door)
    assert sent["came"] > 3000
    assert sent["publishBy"] <= door.visit().directory.policy.batch_at(int(time.time())) + 200
    door.wait_leaf(bytes.fromhex(sent["leaf"]))
    door.sync(DESK)
    door.fetch_attachments(DESK)
    with door.vault(DESK) as vault:
        thread = source_keys(seed_of(passphrase.bits, door.door), door.door, DESK).thread_keys.thread(door.door, DESK)
        (letter,) = letters(vault, thread)
        assert letter.body is not None
        assert letter.body.text == "Дивіться файл."
        folder = ChunkFolder.of(vault)
        (item,) = items(vault, folder)
        save(item, folder, tmp_path / "out", lambda _done, _of: None)
    assert (tmp_path / "out").read_bytes() == plain
