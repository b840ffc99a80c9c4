# SPDX-License-Identifier: AGPL-3.0-or-later
"""roots: what the chain of root keys costs whoever fetches /visit, beside its signatures alone, and in bytes."""

import secrets

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from bench.figure import Figure, Goal, cpu_best, number
from latchstring.protocol.constants import MAX_ROTATIONS
from latchstring.protocol.primitives import ed25519_verify
from latchstring.protocol.root import RootKeys, RootPublic, RootSignature
from latchstring.protocol.root_note import RootChain, rotate

_VISIT_BYTES = 2_400_000  # of an ordinary door


def _keys() -> RootKeys:
    return RootKeys(secrets.token_bytes(32), secrets.token_bytes(32))


def _verify(keys: RootPublic, message: bytes, signature: RootSignature) -> None:
    if not ed25519_verify(keys.ed25519, message, signature.ed25519):
        raise ValueError("a signature that does not hold")
    MLDSA44PublicKey.from_public_bytes(keys.mldsa).verify(signature.mldsa, message)


def run(quick: bool) -> Figure:
    """A door that rotated as often as a door can, and one that rotated once a year for ten years."""
    rows, goals = [], []
    for count in (10,) if quick else (10, MAX_ROTATIONS):
        keys = _keys()
        founding = chain = RootChain(keys.public().door())
        for _ in range(count):
            new = _keys()
            chain, keys = chain.then(rotate(chain, keys, new)), new
        raws = chain.raws

        def signatures_alone(notes: RootChain = chain) -> None:
            for note in notes.notes:
                _verify(note.old, note.body, note.by_old)
                _verify(note.new, note.body, note.by_new)

        def follow(start: RootChain = founding, notes: tuple[bytes, ...] = raws) -> None:
            start.follow(notes)

        whole, alone = cpu_best(follow), cpu_best(signatures_alone)
        size = sum(len(raw) for raw in raws)
        share = number(100 * size / _VISIT_BYTES)
        rows.append((str(count), number(whole * 1000), number(alone * 1000), number(size / 1000), share))
        goals.append(Goal(f"{count} rotations: the check beside its signatures", whole / alone, 1.25, False, " x"))
    return Figure(
        "The chain of root keys, as every client checks it",
        ("rotations", "ms", "ms, signatures alone", "kB", "% of /visit"),
        tuple(rows),
        tuple(goals),
    )
