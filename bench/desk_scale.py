# SPDX-License-Identifier: AGPL-3.0-or-later
"""first-sync: a desk of 10,000 threads and 100,000 letters opened and kept by a new vault, then read and searched.

What comes from the network and the check of the log is not in it: see 'verify' and 'open'. Letters come in packs, go
through the opener with two processes and into the vault, 256 to a transaction, as 'desk sync' does it. Beside it: the
same letters opened alone, and rows of their size written to a vault alone. The inbox is what 'desk inbox' shows.
"""

import os
import resource
import secrets
import tempfile
import time
from pathlib import Path

from bench.figure import Figure, Goal, best, number
from bench.world import found_door
from latchstring.desk.facts import Reader
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.keeping import keep_outcomes
from latchstring.desk.opening import Job, Opener
from latchstring.desk.progress import Followed, keep_followed
from latchstring.desk.search import search
from latchstring.desk.secrets import EpochSecret
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.timeline import newest_threads
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import source_keys
from latchstring.server.accept import current_directory

DOOR = Door(bytes(32))
GROUP, EACH = 256, 10
SHOWN = 50  # threads of the inbox
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


def _opened_alone(epoch: OpenEpoch, letters: list[bytes]) -> float:
    """Seconds."""
    start = time.perf_counter()
    with Opener((EpochSecret(epoch.note.hash, 1, 0, epoch.note.raw, epoch.secret),), workers=2) as opener:
        for at in range(0, len(letters), GROUP * 16):
            opener.open_many([Job(letter, (0,), ()) for letter in letters[at : at + GROUP * 16]])
    return time.perf_counter() - start


def _written_alone(path: Path, count: int) -> float:
    """Seconds for as many rows of 1,500 bytes, 256 to a transaction, and as many texts in a search index."""
    rows = [secrets.token_bytes(1500) for _ in range(GROUP)]
    text = " ".join(_WORDS * 9)
    with create_vault(path, "a passphrase", secrets.token_bytes) as vault:
        with vault.transaction():
            vault.do("CREATE TABLE plain (number INTEGER PRIMARY KEY, body BLOB)")
            vault.do("CREATE VIRTUAL TABLE plain_words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')")
        start = time.perf_counter()
        for _ in range(0, count, GROUP):
            with vault.transaction():
                for row in rows:
                    vault.do("INSERT INTO plain (body) VALUES (?)", row)
                    vault.do("INSERT INTO plain_words (text) VALUES (?)", text)
        return time.perf_counter() - start


def _here() -> Followed:
    """As far as a desk is that followed a log to its second batch."""
    door = found_door(None, int(time.time()))
    with door.intake.sql.read() as connection:
        signed = current_directory(connection, door.directory.door, in_log=True)
    return Followed(1, bytes(32), KeyState(1, signed))


def run(quick: bool) -> Figure:
    """On whatever disk the temporary folder is."""
    threads = 500 if quick else 10_000
    epoch = OpenEpoch.make(secrets.token_bytes(32), DOOR, "news", 1, 1, 0)
    letters = _letters(epoch, threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.vault"
        with create_vault(path, "a passphrase", secrets.token_bytes) as vault:
            here = _here()
            keep_identity(vault, new_identity("words", "news", "anna", (), secrets.token_bytes))
            with vault.transaction():
                vault.do("UPDATE me SET door = ?", here.state.directory.door)
                keep_followed(vault, here)
            cpu, start = _cpu(), time.perf_counter()
            _take_in(vault, epoch, letters)
            wall, cpu = time.perf_counter() - start, _cpu() - cpu
            size = path.stat().st_size
            rows = vault.rows("SELECT count(*), count(DISTINCT thread) FROM letter")
            assert rows == [(len(letters), threads)]
            found = best(lambda: search(vault, "invoice1 mayor"))
            rare = best(lambda: search(vault, f"letter3 thread{threads // 2}"))
            one = best(lambda: search(vault, "mayor"))
            inbox = best(lambda: newest_threads(vault, SHOWN))
        alone = _opened_alone(epoch, letters)
        written = _written_alone(Path(folder) / "plain.vault", len(letters))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figure(
        f"first-sync: {len(letters):,} letters of {threads:,} threads into a new vault",
        ("What", "took"),
        (
            ("opening and keeping, wall clock", f"{number(wall)} s"),
            ("opening and keeping, CPU of all processes", f"{number(cpu)} s"),
            ("opening alone, wall clock", f"{number(alone)} s"),
            ("rows and words of that size into a vault alone, wall clock", f"{number(written)} s"),
            ("the vault's file", f"{size / 1e6:,.0f} MB"),
            ("search for two common words", f"{number(1000 * found)} ms"),
            ("search for one letter", f"{number(1000 * rare)} ms"),
            ("search for one common word", f"{number(1000 * one)} ms"),
            (f"the inbox, its {SHOWN} newest threads", f"{number(1000 * inbox)} ms"),
            ("most memory of this process, letters of the benchmark included", f"{memory:,.0f} MB"),
        ),
        (
            Goal("first sync, wall clock", wall * 100_000 / len(letters), 60, False, " s for 100,000"),
            Goal("search", 1000 * max(found, rare, one), 100, False, " ms"),
            Goal("inbox", 1000 * inbox, 100, False, " ms"),
        ),
        (f"Load now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; each transaction is on the disk.",),
    )
