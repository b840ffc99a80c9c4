# SPDX-License-Identifier: AGPL-3.0-or-later
"""first-sync: a desk of 10,000 threads and 100,000 letters opened and kept by a new vault, then read and searched.

What comes from the network and the check of the log is not in it: see 'verify' and 'open'. Letters come in packs, go
through the opener with two processes and into the vault, 256 to a transaction, as 'desk sync' does it.
"""

import os
import resource
import secrets
import tempfile
import time
from pathlib import Path

from bench.figure import Figure, Goal, best, number
from latchstring.desk.facts import Reader
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.keeping import keep_outcomes
from latchstring.desk.opening import Job, Opener
from latchstring.desk.search import search
from latchstring.desk.secrets import EpochSecret
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import source_keys

DOOR = Door(bytes(32))
GROUP, EACH = 256, 10
_WORDS = ("invoice", "mayor", "contract", "bridge", "school", "tender", "account", "signature", "meeting", "river")


def _letters(epoch: OpenEpoch, threads: int) -> list[bytes]:
    """Ten letters a thread, 900 bytes of text each, in the order in which many sources write beside each other."""
    info, made = letter_info(epoch.note), list[list[bytes]]()
    for number_of in range(threads):
        pair = pair_of_source(source_keys(secrets.token_bytes(32), DOOR, "news"), epoch.note)
        own = []
        for n in range(EACH):
            some = " ".join(_WORDS[(number_of * 7 + n * 3 + i) % 10] + str((number_of + i) % 50) for i in range(90))
            body = LetterBody("en", "client", f"letter{n} thread{number_of} {some}")
            own.append(epoch.note.seal_key.seal(frame_letter(pair, secrets.token_bytes(16), body.encode()), info))
        made.append(own)
    return [made[thread][n] for n in range(EACH) for thread in range(threads)]


def _cpu() -> float:
    """Seconds of this process and of the workers that have ended."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def _take_in(vault: Vault, epoch: OpenEpoch, letters: list[bytes]) -> None:
    secret = EpochSecret(epoch.note.hash, 1, 0, epoch.note.raw, epoch.secret)
    reader = Reader(DOOR, "news", "anna")
    with Opener((secret,), workers=2) as opener:
        for start in range(0, len(letters), GROUP * 16):
            packs = [letters[i : i + GROUP] for i in range(start, min(start + GROUP * 16, len(letters)), GROUP)]
            outcomes = iter(opener.open_many([Job(letter, (0,), ()) for pack in packs for letter in pack]))
            for number_of, pack in enumerate(packs):
                with vault.transaction():
                    keep_outcomes(vault, FACT_KINDS, reader, start // GROUP + number_of, [next(outcomes) for _ in pack])


def run(quick: bool) -> Figure:
    """On whatever disk the temporary folder is."""
    threads = 500 if quick else 10_000
    epoch = OpenEpoch.make(secrets.token_bytes(32), DOOR, "news", 1, 1, 0)
    letters = _letters(epoch, threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.vault"
        with create_vault(path, "a passphrase", secrets.token_bytes) as vault:
            keep_identity(vault, new_identity("words", "news", "anna", (), secrets.token_bytes))
            cpu, start = _cpu(), time.perf_counter()
            _take_in(vault, epoch, letters)
            wall, cpu = time.perf_counter() - start, _cpu() - cpu
            size = path.stat().st_size
            rows = vault.rows("SELECT count(*), count(DISTINCT thread) FROM letter")
            assert rows == [(len(letters), threads)]
            found = best(lambda: search(vault, "invoice1 mayor"))
            rare = best(lambda: search(vault, f"letter3 thread{threads // 2}"))
            named = best(lambda: vault.rows("SELECT thread FROM letter ORDER BY batch DESC, number DESC LIMIT 200"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figure(
        f"first-sync: {len(letters):,} letters of {threads:,} threads into a new vault",
        ("What", "took"),
        (
            ("opening and keeping, wall clock", f"{number(wall)} s"),
            ("opening and keeping, CPU of all processes", f"{number(cpu)} s"),
            ("the vault's file", f"{size / 1e6:,.0f} MB"),
            ("search for two common words", f"{number(1000 * found)} ms"),
            ("search for one letter", f"{number(1000 * rare)} ms"),
            ("which threads are newest", f"{number(1000 * named)} ms"),
            ("most memory of this process, letters of the benchmark included", f"{memory:,.0f} MB"),
        ),
        (
            Goal("first sync, wall clock", wall * 100_000 / len(letters), 60, False, " s for 100,000"),
            Goal("search", 1000 * max(found, rare), 100, False, " ms"),
        ),
        (f"Load now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; each transaction is on the disk.",),
    )
