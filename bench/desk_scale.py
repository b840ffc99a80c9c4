# SPDX-License-Identifier: AGPL-3.0-or-later
"""first-sync: 'desk sync' that finds 100,000 letters of 10,000 threads, then the inbox and searches in that vault.

The session is whole, from /visit to the erasure: packs fetched from a server in this process, every leaf compared, two
processes that open, a vault on the disk. What the network takes is not in it, nor making the letters. Batches are of
256 letters, all of them this desk's, sealed to the key of their day. Beside it in the same run: the same letters opened
alone with two processes, and rows and words of their size written to a vault alone.
"""

import os
import resource
import secrets
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from bench.figure import Figure, Goal, median, number
from latchstring.desk.follow import split_pack
from latchstring.desk.opening import Job, Opener
from latchstring.desk.search import search
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.sync import synchronise
from latchstring.desk.timeline import newest_threads
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.constants import TICKS_PER_DAY
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info
from latchstring.protocol.pair import Pair, pair_of_source
from latchstring.protocol.source_keys import source_keys
from latchstring.server.accept import DirectoryCache, accept_letters
from tests.builders import found
from tests.desk_world import DeskAt, World, open_desk

GROUP, EACH = 256, 10
SHOWN = 50  # threads of the inbox
TIMES = 5  # each question
_WORDS = ("invoice", "mayor", "contract", "bridge", "school", "tender", "account", "signature", "meeting", "river")


def _text(thread: int, n: int) -> str:
    """900 bytes."""
    some = " ".join(_WORDS[(thread * 7 + n * 3 + i) % 10] + str((thread + i) % 50) for i in range(90))
    return f"letter{n} thread{thread} {some}"


def _write_all(world: World, threads: int) -> range:
    """Ten letters a thread, many sources beside each other, into as many batches as they fill; those batches."""
    seeds = [secrets.token_bytes(32) for _ in range(threads)]
    door, cache, first = world.founding.door, DirectoryCache(), world.batch + 1
    note, day = world.visit().note("news"), 0

    @lru_cache(maxsize=threads)
    def pair(thread: int, note: EpochNote) -> Pair:
        return pair_of_source(source_keys(seeds[thread], door, "news"), note)

    for start in range(0, threads * EACH, GROUP):
        if world.batch // TICKS_PER_DAY != day:
            note, day = world.visit().note("news"), world.batch // TICKS_PER_DAY
        assert note is not None
        info, letters = letter_info(note), list[bytes]()
        for at in range(start, min(start + GROUP, threads * EACH)):
            n, thread = divmod(at, threads)
            body = LetterBody("en", "client", _text(thread, n)).encode()
            letters.append(note.seal_key.seal(frame_letter(pair(thread, note), secrets.token_bytes(16), body), info))
        taken = accept_letters(world.intake, cache, letters, world.now)
        assert all(isinstance(receipt, bytes) for receipt in taken)
        world.close()
    return range(first, world.batch + 1)


def _cpu() -> float:
    """Seconds of this process and of the workers that have ended."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def _synchronise(at: DeskAt) -> None:
    world = at.world
    report = synchronise(
        at.vault,
        at.transport,
        lambda door: door == world.founding.door,
        lambda: world.now,
        secrets.token_bytes,
        workers=2,
    )
    assert not report.faults


def _opened_alone(at: DeskAt, batches: range) -> float:
    """Seconds; each letter is tried with the key that opens it first."""
    live = epoch_secrets(at.vault)
    start = time.perf_counter()
    with Opener(live, workers=2) as opener:
        for first in range(0, len(batches), 16):
            jobs = []
            for n in batches[first : first + 16]:
                places = tuple(i for i, s in enumerate(live) if 0 <= n // TICKS_PER_DAY - s.day < 3)
                letters = split_pack(at.world.private.get(f"packs/{n}"))
                jobs += [Job(letter, places, ()) for letter in letters]
            opener.open_many(jobs)
    return time.perf_counter() - start


def _written_alone(path: Path, count: int) -> float:
    """Seconds for as many rows of 1,500 bytes, 4,096 to a transaction, and as many texts in a search index."""
    rows = [secrets.token_bytes(1500) for _ in range(GROUP)]
    with create_vault(path, "a passphrase", secrets.token_bytes) as vault:
        with vault.transaction():
            vault.do("CREATE TABLE plain (number INTEGER PRIMARY KEY, body BLOB)")
            vault.do("CREATE VIRTUAL TABLE plain_words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')")
        texts = [_text(i % (count // EACH), i * EACH // count) for i in range(count)]
        start = time.perf_counter()
        for first in range(0, count, 16 * GROUP):
            with vault.transaction():
                for i in range(first, min(first + 16 * GROUP, count)):
                    vault.do("INSERT INTO plain (body) VALUES (?)", rows[i % GROUP])
                    vault.do("INSERT INTO plain_words (text) VALUES (?)", texts[i])
        return time.perf_counter() - start


def _questions(vault: Vault, threads: int) -> dict[str, float]:
    """Milliseconds of each, the median of several."""
    asked = {
        "search for one letter": lambda: search(vault, f"letter3 thread{threads // 2}"),
        "search for one common word": lambda: search(vault, "mayor"),
        "search for two common words": lambda: search(vault, "invoice1 mayor"),
        f"the inbox, its {SHOWN} newest threads": lambda: newest_threads(vault, SHOWN),
    }
    return {what: 1000 * median(act, TIMES) for what, act in asked.items()}


def run(quick: bool) -> Figure:
    """On whatever disk the temporary folder is."""
    threads = 500 if quick else 10_000
    count = threads * EACH
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = World(found(letters=GROUP, queue=1_000_000, slots=1))
        at = open_desk(world, folder)
        batches = _write_all(world, threads)
        cpu, start = _cpu(), time.perf_counter()
        _synchronise(at)
        wall, cpu = time.perf_counter() - start, _cpu() - cpu
        size = at.path.stat().st_size
        assert at.vault.rows("SELECT count(*), count(DISTINCT thread) FROM letter") == [(count, threads)]
        took = _questions(at.vault, threads)
        alone = _opened_alone(at, batches)
        at.vault.close()
        written = _written_alone(folder / "plain.vault", count)
    *searches, inbox = took.values()
    return Figure(
        f"first-sync: a session that finds {count:,} letters of {threads:,} threads",
        ("What", "took"),
        (
            ("the session, wall clock", f"{number(wall)} s"),
            ("the session, CPU of all processes", f"{number(cpu)} s"),
            ("opening alone, wall clock", f"{number(alone)} s"),
            ("rows and words of that size into a vault alone, wall clock", f"{number(written)} s"),
            ("the vault's file", f"{size / 1e6:,.0f} MB"),
            *((what, f"{number(milliseconds)} ms") for what, milliseconds in took.items()),
        ),
        (
            Goal("first sync, wall clock", wall * 100_000 / count, 60, False, " s for 100,000"),
            Goal("search", max(searches), 100, False, " ms"),
            Goal("inbox", inbox, 100, False, " ms"),
        ),
        (
            f"Load now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; each transaction is on the disk. "
            f"Questions: the median of {TIMES}.",
        ),
    )
