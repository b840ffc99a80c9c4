# SPDX-License-Identifier: AGPL-3.0-or-later
"""open: whole letters opened a second at the desk with two processes, beside HPKE alone; letters that are not ours."""

import os
import secrets
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.figure import Figure, Goal, number
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.letter import LetterBody, letter_info, open_letter, seal_letter
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import source_keys

DOOR = Door(bytes(32))


def _epoch(secret: bytes) -> OpenEpoch:
    return OpenEpoch.make(secret, DOOR, "news", 1, 1, 0)


def _open_all(secret: bytes, letters: list[bytes], whole: bool) -> tuple[int, float]:
    """How many opened, and the seconds it took, without what starting takes."""
    epoch = _epoch(secret)
    info = letter_info(epoch.note)
    opened = 0
    start = time.perf_counter()
    for letter in letters:
        try:
            if whole:
                open_letter(epoch, letter)
            else:
                epoch.open_key.open(letter, info)
            opened += 1
        except NotOurs:
            pass
    return opened, time.perf_counter() - start


def _rate(pool: ProcessPoolExecutor, secret: bytes, letters: list[bytes], whole: bool, ours: bool) -> float:
    """Letters a second over both processes, the best of three runs."""
    half = len(letters) // 2
    rates = []
    for _ in range(3):
        jobs = [pool.submit(_open_all, secret, part, whole) for part in (letters[:half], letters[half:])]
        done = [job.result() for job in jobs]
        assert sum(count for count, _ in done) == (len(letters) if ours else 0)
        rates.append(len(letters) / max(seconds for _, seconds in done))
    return max(rates)


def run(quick: bool) -> Figure:
    """Two processes, one epoch."""
    count = 1_000 if quick else 8_000
    secret = secrets.token_bytes(32)
    epoch = _epoch(secret)
    keys = source_keys(secrets.token_bytes(32), DOOR, "news")
    body = LetterBody("en", "client", "x" * 1000)
    ours = [seal_letter(keys, epoch.note, secrets.token_bytes(16), body) for _ in range(count)]
    stranger = OpenKey.from_secret(secrets.token_bytes(32)).seal_key()
    info = letter_info(epoch.note)
    others = [stranger.seal(bytes(2960), info) for _ in range(count)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        _rate(pool, secret, ours[:200], True, True)  # both processes started
        whole = _rate(pool, secret, ours, True, True)
        alone = _rate(pool, secret, ours, False, True)
        not_ours = _rate(pool, secret, others, True, False)
        failing = _rate(pool, secret, others, False, False)
    return Figure(
        "open: letters a second, two processes",
        ("What", "a second", "of HPKE alone"),
        (
            ("a whole letter of ours", number(whole), f"{whole / alone:.0%}"),
            ("HPKE alone, ours", number(alone), "100%"),
            ("a letter that is not ours", number(not_ours), f"{not_ours / failing:.0%}"),
            ("HPKE alone, not ours", number(failing), "100%"),
        ),
        (
            Goal("whole letters a second", whole, 11_000, True),
            Goal("not ours, of HPKE alone", 100 * not_ours / failing, 90, True, " %"),
        ),
        (f"{count} letters each, the best of three; load now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",),
    )
