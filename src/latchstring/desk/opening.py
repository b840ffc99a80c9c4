# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opening many letters, members' memos among them: each is tried with the epochs it may be sealed to.

The key encapsulation holds Python's lock, so more than one core takes more than one process. Workers get the epoch
secrets when they start and letters in chunks; both travel through pipes, never through a file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.errors import DeskError
from latchstring.desk.pool import Pool, WorkerDied
from latchstring.desk.secrets import EpochSecret
from latchstring.protocol.constants import EPOCH_LETTER_TICKS, TICKS_PER_DAY
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import open_sealed, read_letter
from latchstring.protocol.memo import is_memo, read_memo

CHUNK: Final = 64  # letters: a quarter of a mebibyte through a pipe, some 20 ms of work
WORTH_A_POOL: Final = 2_000  # trials: below that, starting processes takes longer than the work


@dataclass(frozen=True, slots=True)
class Job:
    """One sealed letter (4096 bytes) and which epochs to try: positions in the opener's list.

    Those in `counts` make it verified; those in `late` only tell that it was once written for us.
    """

    sealed: bytes = field(repr=False)
    counts: tuple[int, ...]
    late: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A letter whose MAC holds, as plain bytes. `day` is its epoch's. `new_thread`: what the thread is called from now
    on, when the letter is a change of the passphrase.
    """

    verified: bool
    day: int
    thread: bytes = field(repr=False)
    msg_id: bytes = field(repr=False)
    seal_key: bytes = field(repr=False)
    dh: bytes = field(repr=False)
    psk: bytes = field(repr=False)
    cbor: bytes = field(repr=False)
    new_thread: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MemoCame:
    """A memo whose MAC holds, as plain bytes."""

    verified: bool
    msg_id: bytes = field(repr=False)
    cbor: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Malformed:
    """It was sealed to us, but its inside is not what the protocol says: nobody honest wrote it."""


Outcome = Opened | MemoCame | Malformed | None
"""None: not ours (filler, or another desk's)."""


def in_window(day: int, batch: int) -> bool:
    """Does a letter in `batch` come within 72 h from the start of `day`?"""
    return TICKS_PER_DAY * day <= batch < TICKS_PER_DAY * day + EPOCH_LETTER_TICKS


def open_one(epochs: Sequence[OpenEpoch] | Mapping[int, OpenEpoch], job: Job) -> Outcome:
    """Try the epochs in order."""
    for verified, positions in ((True, job.counts), (False, job.late)):
        for position in positions:
            epoch = epochs[position]
            try:
                plain = open_sealed(epoch, job.sealed)
                if is_memo(plain):
                    memo = read_memo(epoch, plain)
                    return MemoCame(verified, memo.msg_id, memo.cbor)
                letter = read_letter(epoch, plain)
            except NotOurs:
                continue
            except ProtocolError:
                return Malformed()
            keys = letter.thread_keys
            return Opened(
                verified,
                epoch.note.day,
                letter.thread,
                letter.msg_id,
                keys.seal_key.raw,
                keys.dh,
                keys.psk,
                letter.cbor,
                letter.change.keys.thread(epoch.note.door, epoch.note.desk) if letter.change else None,
            )
    return None


def _start_worker(secrets: tuple[EpochSecret, ...]) -> Callable[[Sequence[Job]], list[Outcome]]:
    """What a worker process does: the epochs are opened once, and are gone with the process."""
    epochs = [s.open() for s in secrets]
    return lambda jobs: [open_one(epochs, job) for job in jobs]


class Opener:
    """Opens letters with a fixed list of epochs, in this process or, when there is much to do, in `workers` others."""

    def __init__(self, secrets: Sequence[EpochSecret], workers: int = 1) -> None:
        self.secrets = tuple(secrets)
        self._epochs: dict[int, OpenEpoch] = {}  # those that were needed
        self._workers = workers
        self._pool: Pool[Sequence[Job], list[Outcome]] | None = None

    def open_many(self, jobs: Sequence[Job]) -> list[Outcome]:
        """One outcome for each job, in order. DeskError when a worker process was killed."""
        return list(self.open_each(jobs))

    def open_each(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """As `open_many`, one after the other, while workers open the next ones. To be read to its end, or closed."""
        trials = sum(len(job.counts) + len(job.late) for job in jobs)
        if self._workers < 2 or (self._pool is None and trials < WORTH_A_POOL):
            for position in {p for job in jobs for p in (*job.counts, *job.late)} - self._epochs.keys():
                self._epochs[position] = self.secrets[position].open()
            yield from [open_one(self._epochs, job) for job in jobs]
            return
        chunks = [jobs[i : i + CHUNK] for i in range(0, len(jobs), CHUNK)]
        try:
            if self._pool is None:
                self._pool = Pool(self._workers, _start_worker, self.secrets)
            for chunk in self._pool.stream(chunks):
                yield from chunk
        except (WorkerDied, OSError):
            self.close()  # the next try starts new ones
            raise DeskError(
                "A process that opened letters was ended from outside.", "Nothing is lost; run the command again."
            ) from None

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> "Opener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
