# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must hold of a server however it ended: the whole log verifies, every checkpoint that anybody saw is a start of
it, every letter with a receipt is in it once, by the batch of its receipt, and in that batch's pack alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.cosignature import witnessed
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.tiles import entry_range
from latchstring.log.tree import leaf_hashes, root_of
from latchstring.log.verify import verify_log
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.receipt import open_receipt
from latchstring.witness.state import Seen

Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of letters with a receipt and of what went wrong with them; all but `letters` and `waiting` must be 0."""

    letters: int = 0
    waiting: int = 0  # their batch is not closed yet
    lost: int = 0
    doubled: int = 0
    late: int = 0
    packs: int = 0  # packs that are missing, or not what their manifest names
    forks: int = 0
    uncosigned: int = 0  # checkpoints shown to somebody without a quorum of the witnesses
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Did everything hold?"""
        wrong = self.lost or self.doubled or self.late or self.packs or self.forks or self.uncosigned
        return not (wrong or self.faults)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.letters + other.letters,
            self.waiting + other.waiting,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.late + other.late,
            self.packs + other.packs,
            self.forks + other.forks,
            self.uncosigned + other.uncosigned,
            self.faults + other.faults,
        )


def examine(
    public: Read, private: Read, receipts: Iterable[bytes], checkpoints: Iterable[bytes], log: VerifierKey, key: bytes
) -> Outcome:
    """Look at everything. `checkpoints`: all that anybody ever saw; `key`: the receipt key, 32 bytes."""
    report = verify_log(public, log)
    if not report.ok:
        return Outcome(faults=(f"log verify: {report.fault}",))
    entries = entry_range(0, report.size, report.size, public)
    forks = _forks(checkpoints, entries, log)
    closed: list[tuple[int, int]] = []  # batch, end
    packed: Counter[bytes] = Counter()
    wrong, number, end = 0, report.newest, report.size
    while True:
        manifest = Manifest.parse(public(f"manifests/{number}"))
        closed.append((number, end))
        try:
            pack = private(f"packs/{number}")
        except (KeyError, OSError):
            pack = b""
        wrong += h(pack) != manifest.pack
        packed.update(entry(Kind.LETTER, pack[i : i + LETTER_SIZE]) for i in range(0, len(pack), LETTER_SIZE))
        if not manifest.first:
            break
        number, end = manifest.open, manifest.first
    closed.reverse()
    times = Counter(entries)
    place = {leaf: i for i, leaf in enumerate(entries)}
    lost = doubled = late = waiting = count = 0
    for raw in set(receipts):
        receipt, count = open_receipt(raw, key), count + 1
        due = next((end for n, end in closed if n >= receipt.publish_by), None)
        if not times[receipt.leaf]:
            waiting, lost = waiting + (due is None), lost + (due is not None)
            continue
        doubled += times[receipt.leaf] > 1 or packed[receipt.leaf] > 1
        lost += packed[receipt.leaf] == 0
        late += due is not None and place[receipt.leaf] >= due
    return Outcome(count, waiting, lost, doubled, late, wrong, forks)


def _forks(checkpoints: Iterable[bytes], entries: list[bytes], log: VerifierKey) -> int:
    hashes, forks = leaf_hashes(entries), 0
    for raw in set(checkpoints):
        try:
            seen = open_checkpoint(raw, log)
        except LogError:
            forks += 1
            continue
        forks += seen.size > len(entries) or root_of(hashes[: seen.size]) != seen.root
    return forks


def examine_cosigned(
    public: Read, log: VerifierKey, directory: Directory, checkpoints: Iterable[bytes], seen: Iterable[Seen]
) -> Outcome:
    """What the witnesses did. Of `checkpoints`, all that anybody ever saw, each has a quorum's cosignatures; whatever a
    witness ever held to be this log (`seen`) is a start of it."""
    report = verify_log(public, log)
    if not report.ok:
        return Outcome(faults=(f"log verify: {report.fault}",))
    hashes = leaf_hashes(entry_range(0, report.size, report.size, public))
    uncosigned = 0
    for raw in set(checkpoints):
        try:
            uncosigned += len(witnessed(raw, directory.witnesses)) < directory.quorum
        except LogError:
            uncosigned += 1
    forks = sum(state.size > len(hashes) or root_of(hashes[: state.size]) != state.root for state in set(seen))
    return Outcome(forks=forks, uncosigned=uncosigned)
