# SPDX-License-Identifier: AGPL-3.0-or-later
"""A flood of attachments against the real server: half of the room stays for those who knock, nobody stores more than
was admitted, letters need none of it, and what a known source attaches arrives."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from latchstring.client.transport import HttpTransport
from latchstring.demo.door import DemoDoor, answers, found, free_port, wait_for
from latchstring.desk.attachments import items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.fetching import DEFAULT_CAP, fetch
from latchstring.desk.identity import identity
from latchstring.desk.line import Line
from latchstring.desk.progress import followed
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask, chunk_name
from latchstring.server.forecast import KEEP_FREE
from latchstring.source import acts
from latchstring.source.sending import knocks_for
from latchstring.source.upload import Bytes, Cut, Upload
from tests.adversary.tools import fewer_pages
from tests.desk_world import CHEAP
from tests.integration.clocked import Clock, Running
from tests.integration.test_flood import DESK, at_desk, make_known, write

ROOM = 16  # chunks, of which half are open to all
TIMES = 100
FLOODERS = 4
FILE = 3 * c.ATTACHMENT_PLAIN - 100  # three chunks


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A door with little room for attachments; the server was started anew with that configuration."""
    if shutil.disk_usage(tmp_path).free < 2 * KEEP_FREE:
        pytest.skip("a server takes attachments only where 1 GB of the disk stays free")
    fewer_pages(monkeypatch)
    clock = Clock(tmp_path, monkeypatch)
    made = found(tmp_path / "door", free_port(), c.DEFAULT_TICK_SECONDS, 0, cost=CHEAP)
    made.stop()
    config = made.folder / "server.toml"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(f"attachment_room = {ROOM * c.ATTACHMENT_CHUNK}" if "attachment_room" in x else x
                                for x in lines) + "\n")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "latchstring.demo.child", "server", "run", "--clock-is-right", "--config", str(config)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    made = replace(made, process=process)

    try:
        wait_for(lambda: answers(made), 60, "the server to start")
        made.post_directory()
        yield Running(made, clock)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@dataclass
class Flooder:
    """Asks for room with one token after the other, sends what it may and more; counts the answers."""

    door: DemoDoor
    asked: Counter[int] = field(default_factory=Counter)
    put: Counter[int] = field(default_factory=Counter)

    def run(self, times: int) -> None:
        with self.door.transport() as line:
            for _ in range(times):
                token, id = secrets.token_bytes(32), secrets.token_bytes(16)
                status = line.request("POST", "/v1/attachments", body=Ask(token, 1).encode()).status
                self.asked[status] += 1
                if status == 201:
                    for n in range(2):  # one more than was admitted
                        self.put[_chunk(line, token, chunk_name(id, n))] += 1
                elif self.asked[status] == 1:
                    self.put[_chunk(line, token, chunk_name(id, 0))] += 1  # as if it had been


def _chunk(line: HttpTransport, token: bytes, name: bytes) -> int:
    headers = {"authorization": f"Bearer {token.hex()}"}
    body = secrets.token_bytes(c.ATTACHMENT_CHUNK)
    return line.request("PUT", f"/v1/attachments/{name.hex()}", body=body, headers=headers).status


def flood(door: DemoDoor) -> tuple[Counter[int], Counter[int]]:
    """A hundred times as many asks as the whole room has chunks, over several connections at once."""
    flooders = [Flooder(door) for _ in range(FLOODERS)]
    threads = [threading.Thread(target=f.run, args=(TIMES * ROOM // FLOODERS,)) for f in flooders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum((f.asked for f in flooders), Counter()), sum((f.put for f in flooders), Counter())


def test_half_of_the_room_is_kept_and_what_a_known_source_attaches_arrives(running: Running, tmp_path: Path) -> None:
    bits, door = bytes(13), running.door
    make_known(running, bits)
    asked, put = flood(door)
    assert asked == {201: ROOM // 2, 503: TIMES * ROOM - ROOM // 2}
    assert put == {201: ROOM // 2, 403: ROOM // 2, 401: FLOODERS}

    stranger = write(running, bytes(12) + b"\1", "a letter from a stranger", False)
    plain, visit = secrets.token_bytes(FILE), running.let_pass(1)
    assert visit.has_leaf(stranger.leaf)
    with door.transport() as line, pytest.raises(Cut, match="no room"):
        Upload(Bytes(plain), "scan.pdf", secrets.token_bytes).run(line, lambda _n: None, lambda _done, _of: None)

    keys, note, msg_id = acts.keys_for(bits, visit, DESK), visit.note(DESK), secrets.token_bytes(16)
    assert note is not None
    knocks = knocks_for(keys, note, secrets.token_bytes)
    with door.transport() as line:
        upload = Upload(Bytes(plain), "scan.pdf", secrets.token_bytes, knocks)
        attachment = upload.run(line, lambda _n: None, lambda _done, _of: None)
        body = replace(acts.compose("through the flood", "en", ()), attachments=(attachment,))
        sent = acts.send(line, visit, acts.seal(visit, keys, body, msg_id), msg_id, lambda _n: None)
    assert running.let_pass(1).has_leaf(sent.leaf)
    member = at_desk(running)
    member.session(memos=False)
    with member.vault as vault, door.transport() as line:
        at = followed(vault)
        asking = Line.of(line, member.now, secrets.token_bytes, identity(vault), at.state.directory)
        assert fetch(vault, asking, at.state.directory.policy, at.batch, DEFAULT_CAP, lambda *_: None).here == 1
        folder = ChunkFolder.of(vault)
        (item,) = items(vault, folder)
        save(item, folder, tmp_path / "out", lambda _done, _of: None)
    assert (tmp_path / "out").read_bytes() == plain
    stored = [x for x in (door.folder / "server" / "private" / "attachments").rglob("*") if x.is_file()]
    assert len(stored) == ROOM // 2 + 3, "what was admitted, and not one more"
