# SPDX-License-Identifier: AGPL-3.0-or-later
"""accept: letters accepted durably a second by the real server, beside the disk's own fsync'd appends."""

import os
import secrets
import tempfile
import time
from pathlib import Path

from bench.figure import Figure, Goal, number
from bench.server import post_letters, serving
from bench.world import found_door

CONNECTIONS = 256


def _disk(folder: Path, group: int, seconds: float) -> float:
    """Letters a second when `group` of them are appended and then fsync'd together."""
    block = secrets.token_bytes(4096 * group)
    handle = os.open(folder / "appends", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count, start = 0, time.perf_counter()
    try:
        while time.perf_counter() - start < seconds:
            os.write(handle, block)
            os.fsync(handle)
            count += group
    finally:
        os.close(handle)
    return count / (time.perf_counter() - start)


def run(quick: bool) -> Figure:
    """One and two workers; the client takes its share of the same cores."""
    total = 4_000 if quick else 30_000
    rows, rates = [], []
    with tempfile.TemporaryDirectory() as name:
        disk = _disk(Path(name), CONNECTIONS // 2, 1 if quick else 3)
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            door = found_door(folder, int(time.time()))
            with serving(folder, door, workers) as (port, _):
                post_letters(port, [secrets.token_bytes(4096) for _ in range(500)], CONNECTIONS)
                letters = [secrets.token_bytes(4096) for _ in range(total)]
                taken, seconds = post_letters(port, letters, CONNECTIONS)
            assert taken == total, f"{total - taken} letters were not taken"
            rates.append(total / seconds)
            rows.append(
                (f"server, {workers} worker{'s' if workers > 1 else ''}", number(rates[-1]), f"{rates[-1] / disk:.0%}")
            )
    rows.append((f"the disk: appends of {CONNECTIONS // 2} letters, each fsync'd", number(disk), "100%"))
    return Figure(
        "accept: letters accepted durably a second",
        ("What", "a second", "of the disk"),
        tuple(rows),
        (Goal("letters a second", max(rates), 5_000, True),),
        (
            f"{total:,} letters over {CONNECTIONS} connections from a raw client on the same {os.cpu_count()} cores; "
            f"SQLite with synchronous=FULL; load now {os.getloadavg()[0]:.1f}.",
        ),
    )
