# SPDX-License-Identifier: AGPL-3.0-or-later
"""attachments: one of 1 GiB sealed, sent, fetched and opened over loopback, each side in a process of its own: speeds
beside the bare cipher and hash, and the most memory that each process held."""

import hashlib
import multiprocessing
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.figure import Figure, Goal, number
from bench.server import serving
from bench.world import BenchDoor, found_door
from latchstring.client.transport import HttpTransport
from latchstring.desk.attachments import items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.fetching import fetch
from latchstring.desk.letters import keep_letter
from latchstring.desk.line import Line
from latchstring.desk.opening import Opened
from latchstring.desk.vault import Cost, create_vault
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment, Sealer, parse_item
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.request import request_key_of_member
from latchstring.source.upload import OpenFile, Upload

MIB = 1 << 20
CHEAP = Cost(64, 1)


def _peak_of(pid: int | str) -> float:
    """The most memory that a process held so far, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("no such process")


def _peak_of_group(group: int) -> float:
    """Of the largest process of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[2]) == group:
                    found.append(_peak_of(entry.name))
            except (OSError, AssertionError):
                continue  # it ended meanwhile
    return max(found)


def _apart(act: Callable[..., Any], *args: object) -> Any:
    """What `act` returns in a fresh process."""
    context = multiprocessing.get_context("spawn")
    out, into = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(into, act, args))
    process.start()
    into.close()
    value = out.recv()
    process.join()
    return value


def _child(into: Any, act: Callable[..., Any], args: tuple[object, ...]) -> None:
    into.send(act(*args))


def _silent(_done: int, _of: int | None) -> None: ...


def _send(port: int, path: Path) -> tuple[list[object], float, float]:
    """The source: what the letter says, seconds, peak MB."""
    content = OpenFile(path)
    upload = Upload(content, "bench", secrets.token_bytes)
    start = time.perf_counter()
    with HttpTransport(f"http://127.0.0.1:{port}") as line:
        attachment = upload.run(line, lambda _n: None, _silent)
    return attachment.as_item(), time.perf_counter() - start, _peak_of("self")


def _fetch_and_open(
    port: int, folder: Path, item: list[object], key: bytes, policy: Any, out: Path
) -> tuple[float, float, float]:
    """The desk: seconds to fetch and verify, seconds to open into a file, peak MB."""
    attachment = parse_item(item)
    with create_vault(folder / "desk.vault", "a bench's passphrase", secrets.token_bytes, CHEAP) as vault:
        body = LetterBody("en", "bench", "look", attachments=(attachment,))
        thread, msg_id = secrets.token_bytes(32), secrets.token_bytes(c.MSG_ID)
        letter = Opened(True, 0, thread, msg_id, bytes(c.XWING_PUBLIC), bytes(32), bytes(32), body.encode())
        with vault.transaction():
            keep_letter(vault, letter, 0)
        start = time.perf_counter()
        with HttpTransport(f"http://127.0.0.1:{port}") as transport:
            line = Line(transport, lambda: int(time.time()), secrets.token_bytes, "m", key)
            fetched = fetch(vault, line, policy, 1, 1 << 50, lambda _what, _done, _of: None)
        between = time.perf_counter()
        assert (fetched.here, fetched.trouble) == (1, ""), fetched
        chunks = ChunkFolder.of(vault)
        save(items(vault, chunks)[0], chunks, out, _silent)
        return between - start, time.perf_counter() - between, _peak_of("self")


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _best_of_three(act: Callable[[], None]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def _sealing(path: Path, size: int) -> tuple[float, float]:
    """Seconds to read and seal the file as a source does, and of the bare cipher and hash over as many bytes."""

    def seal() -> None:
        sealer = Sealer(bytes(16), bytes(32), size)
        with OpenFile(path) as content:
            for _ in range(sealer.chunks):
                sealer.seal(content.read(sealer.needs()))
        sealer.ciphertext_hash()

    block, cipher = secrets.token_bytes(c.ATTACHMENT_PLAIN), AESGCM(bytes(32))
    count = Sealer(bytes(16), bytes(32), size).chunks

    def bare() -> None:
        digest = hashlib.sha256()
        for n in range(count):
            digest.update(cipher.encrypt(n.to_bytes(12, "big"), block, None))

    return _best_of_three(seal), _best_of_three(bare)


def _stored(door: BenchDoor, folder: Path) -> int:
    return sum(1 for _ in (folder / "private" / "attachments").rglob("??" * 32))


def run(quick: bool) -> Figure:
    """64 MiB for a look, 1 GiB for a figure."""
    size = 64 * MIB if quick else 1024 * MIB
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, out = folder / "file", folder / "out"
        with path.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        seal, bare = _sealing(path, size)
        door = found_door(folder, int(time.time()))
        key = request_key_of_member(door.directory.origin, door.request_seed, door.directory.request_key)
        with serving(folder, door, 1) as (port, group):
            item, sent, source_peak = _apart(_send, port, path)
            digest = _hash(path)
            path.unlink()
            got, opened, desk_peak = _apart(_fetch_and_open, port, folder, item, key, door.directory.policy, out)
            server_peak = _peak_of_group(group)
        attachment: Attachment = parse_item(item)
        assert _stored(door, folder) == attachment.chunks
        assert _hash(out) == digest, "what was opened is not what was sent"

    def rate(seconds: float) -> str:
        return number(size / 1e6 / seconds)

    return Figure(
        f"attachments: one of {size // MIB:,} MiB from a file to a file, over loopback",
        ("What", "MB/s", "seconds"),
        (
            ("reading and sealing", rate(seal), number(seal)),
            ("AES-256-GCM and SHA-256 alone, as many bytes", rate(bare), number(bare)),
            ("source: sealed and sent, each piece durable", rate(sent), number(sent)),
            ("desk: fetched, kept durably and verified", rate(got), number(got)),
            ("desk: opened into a file", rate(opened), number(opened)),
        ),
        (
            Goal("sealing, of the bare cipher and hash", 100 * bare / seal, 70, True, " %"),
            Goal("most memory of the source", source_peak, 150, False, " MB"),
            Goal("most memory of the server's largest process", server_peak, 150, False, " MB"),
            Goal("most memory of the desk", desk_peak, 150, False, " MB"),
        ),
        (
            "The vault of the desk is opened with a cheap Argon2id: the usual one takes 256 MiB for a second.",
            f"Load now {os.getloadavg()[0]:.1f}.",
        ),
    )
