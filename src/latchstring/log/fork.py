# SPDX-License-Identifier: AGPL-3.0-or-later
"""The proof that a log was forked: two checkpoints by its own key that cannot be of one log. Anyone can check it alone.

LP("fork-proof", smaller checkpoint, larger checkpoint, root, proof): `root` is that of the larger one's log at the
smaller one's size, which the consistency proof (32-byte hashes run together) shows; and it is not the smaller one's.
"""

from dataclasses import dataclass, field

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import BadProof, LogError
from latchstring.log.note import VerifierKey
from latchstring.log.proof import HASH, HashAt, consistency_proof, root_before, verify_consistency
from latchstring.protocol.encoding import ProtocolError, lp, parse_lp


@dataclass(frozen=True, slots=True)
class ForkProof:
    """`smaller`, `larger`: signed notes; `root`: of the larger one's log, at the smaller one's size."""

    smaller: bytes = field(repr=False)
    larger: bytes = field(repr=False)
    root: bytes
    proof: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The file's bytes."""
        return lp("fork-proof", self.smaller, self.larger, self.root, b"".join(self.proof))


def parse_fork(raw: bytes) -> ForkProof:
    """LogError for other bytes; nothing is verified yet."""
    try:
        smaller, larger, root, proof = parse_lp("fork-proof", 4, raw)
    except ProtocolError as error:
        raise LogError(str(error)) from None
    if len(root) != HASH or len(proof) % HASH:
        raise LogError("a fork-proof whose hashes are not 32 bytes")
    return ForkProof(smaller, larger, root, tuple(proof[i : i + HASH] for i in range(0, len(proof), HASH)))


def check_fork(fork: ForkProof, key: VerifierKey) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints, when they prove that `key` signed two logs; LogError or BadProof otherwise."""
    one, two = open_checkpoint(fork.smaller, key), open_checkpoint(fork.larger, key)
    if one.size > two.size:
        raise BadProof("the checkpoints of a fork-proof are in the wrong order")
    verify_consistency(one.size, fork.root, two.size, two.root, fork.proof)
    if fork.root == one.root:
        raise BadProof("the two checkpoints are of one log")
    return one, two


def compare(smaller: bytes, larger: bytes, key: VerifierKey, of_larger: HashAt) -> ForkProof | None:
    """None when both checkpoints are of one log, else the proof. `of_larger`: the hashes of the larger one's log.

    LogError when a checkpoint is not signed, they are in the wrong order, or the hashes do not give the larger root.
    """
    one, two = open_checkpoint(smaller, key), open_checkpoint(larger, key)
    if one.size > two.size:
        raise LogError("checkpoints in the wrong order")
    root = root_before(one.size, of_larger)
    proof = tuple(consistency_proof(one.size, two.size, of_larger))
    verify_consistency(one.size, root, two.size, two.root, proof)
    return None if root == one.root else ForkProof(smaller, larger, root, proof)
