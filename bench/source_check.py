# SPDX-License-Identifier: AGPL-3.0-or-later
"""source-check: what a source's check for replies costs the server, whatever is stored; beside it the fetch of the
SecureDrop Protocol as its specification has it: per stored message two ristretto255 multiplications, KDF and AEAD."""

import os
import secrets
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import rbcl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bench.figure import Figure, Goal, cpu_best, number
from bench.server import cpu_of_group, fetch, serving
from bench.world import BenchDoor, found_door
from latchstring.client.visit import check_visit
from latchstring.protocol.primitives import expand
from latchstring.protocol.source_keys import source_keys
from latchstring.server.accept import DirectoryCache, accept_letters
from latchstring.source.thread import find_replies

STORED = (1_000, 5_000, 10_000, 100_000)
ROUNDS = 8
PEER_ENTRY = 32 + 12 + 16 + 16  # a point, a nonce, a sealed 16-byte id: 76 bytes a stored message


def _peer_message(scalar: bytes, point: bytes, second: bytes) -> bytes:
    """The server's work for one stored message."""
    shared = rbcl.crypto_scalarmult_ristretto255(scalar, point)
    masked: bytes = rbcl.crypto_scalarmult_ristretto255(scalar, second)
    return masked + ChaCha20Poly1305(expand(shared, b"fetch")).encrypt(bytes(12), bytes(16), None)


def _peer_try(scalar: bytes, point: bytes, sealed: bytes) -> None:
    """The client's work for one entry of the answer."""
    key = expand(rbcl.crypto_scalarmult_ristretto255(scalar, point), b"fetch")
    with suppress(InvalidTag):  # most entries are other people's
        ChaCha20Poly1305(key).decrypt(bytes(12), sealed, None)


def _peer_sweep(scalar: bytes, point: bytes, count: int) -> None:
    for _ in range(count):
        _peer_try(scalar, point, bytes(32))


def _peer_rates(quick: bool) -> tuple[float, float]:
    """Seconds of CPU for one stored message: server, client."""
    scalar = rbcl.crypto_core_ristretto255_scalar_random()
    points = [rbcl.crypto_core_ristretto255_random() for _ in range(2)]
    count = 300 if quick else 3_000
    server = cpu_best(lambda: [_peer_message(scalar, *points) for _ in range(count)]) / count
    client = cpu_best(lambda: _peer_sweep(scalar, points[0], count)) / count
    return server, client


def _store(door: BenchDoor, have: int, want: int, now: int) -> None:
    cache = DirectoryCache()
    for start in range(have, want, 1000):
        accept_letters(door.intake, cache, [secrets.token_bytes(4096) for _ in range(min(1000, want - start))], now)


def _cpu_a_fetch(port: int, group: int, fetches: int) -> float:
    """Seconds of CPU, of all the server's processes together."""
    before = cpu_of_group(group)
    for _ in range(fetches):
        fetch(port, "/visit")
    return (cpu_of_group(group) - before) / fetches


def run(quick: bool) -> Figure:
    """Server CPU by /proc, the best of eight rounds, so that what the publisher does in some of them does not count."""
    sizes = (1_000, 5_000) if quick else STORED
    fetches = 40 if quick else 300
    peer_server, peer_client = _peer_rates(quick)
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now = int(time.time())
        door = found_door(folder, now - 22 * 144 * 600)
        door.close_sheets(1, 21)
        have, ours = 0, []
        with serving(folder, door, 1) as (port, group):
            for stored in sizes:
                _store(door, have, stored, now)
                have = stored
                size = fetch(port, "/visit")
                ours.append(min(_cpu_a_fetch(port, group, fetches) for _ in range(ROUNDS)))
                theirs = stored * peer_server
                ratios[stored] = theirs / ours[-1]
                rows.append(
                    (
                        f"{stored:,} stored",
                        f"{1000 * ours[-1]:.2f}",
                        number(1000 * theirs),
                        number(ratios[stored]),
                        f"{size / 1e6:.2f}",
                        f"{stored * PEER_ENTRY / 1e6:.2f}",
                    )
                )
            visit = door.shelves.public.get("visit")
    at = door.directory.policy.closes_at(22 * 144)
    keys = source_keys(secrets.token_bytes(32), door.directory.door, "news")
    client = cpu_best(lambda: find_replies(check_visit(visit, lambda _d: True, at, None), keys), 5)
    goals = [
        Goal("bytes of a check, MB", len(visit) / 1e6, 2.4, False),
        Goal("client time after Argon2id, ms", 1000 * client, 100, False),
        Goal("CPU where it is most, beside where it is least", max(ours) / min(ours), 1.5, False),
        Goal("times less CPU at 5,000", ratios[5_000], 100, True),
    ]
    if 100_000 in ratios:
        goals.append(Goal("times less CPU at 100,000", ratios[100_000], 2_000, True))
    return Figure(
        "source-check: one check for replies, by how many messages are stored",
        ("Stored", "server CPU, ms", "peer's server CPU, ms", "times less", "MB", "peer's MB"),
        tuple(rows),
        tuple(goals),
        (
            f"Client after Argon2id: {1000 * client:.0f} ms, whatever is stored; the peer's: "
            f"{1e6 * peer_client:.0f} us a stored message, {5_000 * peer_client * 1000:.0f} ms at 5,000. "
            "Ours does no public-key operation on the server.",
            f"{fetches} fetches of a real server (1 worker) over loopback, the best of {ROUNDS} rounds; "
            "the peer's work by libsodium, "
            f"{1e6 * peer_server:.0f} us a message, in this process; load now {os.getloadavg()[0]:.1f}.",
        ),
    )
