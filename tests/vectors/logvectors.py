# SPDX-License-Identifier: AGPL-3.0-or-later
"""The log's own vectors: cosignatures of checkpoints. Other projects' are in `tlog.json`."""

from dataclasses import replace
from typing import Any

from latchstring.log.checkpoint import Checkpoint
from latchstring.log.cosignature import Cosigner, ed25519_message, subtree_message, witness_of
from latchstring.log.fork import ForkProof, compare
from latchstring.log.note import VerifierKey
from latchstring.log.proof import hashes_of, inclusion_proof
from latchstring.log.tlog_proof import TlogProof
from latchstring.log.tree import leaf_hash, root_of
from latchstring.protocol.directory import encode_directory
from latchstring.protocol.primitives import ed25519_public
from tests.builders import Stream, found

TIME = 1_700_000_600
COSIGNER = Cosigner("witness.example/w1", Stream("vector-witness")(32), Stream("vector-witness-pq")(32))
LOG_SEED = Stream("vector-log")(32)
CHECKPOINT = Checkpoint("door.example/log", 3, root_of([leaf_hash(bytes([i]) * 32) for i in range(3)]))


def cosignature() -> dict[str, Any]:
    """What is the same every time: keys, messages, the Ed25519 line."""
    ed25519, mldsa = COSIGNER.keys
    return {
        "checkpoint": CHECKPOINT.text(),
        "time": TIME,
        "name": COSIGNER.name,
        "ed25519_seed": COSIGNER.ed25519_seed.hex(),
        "mldsa_seed": COSIGNER.mldsa_seed.hex(),
        "ed25519_key": str(ed25519),
        "mldsa_key": str(mldsa),
        "ed25519_message": ed25519_message(CHECKPOINT.text(), TIME).hex(),
        "mldsa_message": subtree_message(COSIGNER.name, TIME, CHECKPOINT).hex(),
        "ed25519_line": COSIGNER.cosign(CHECKPOINT, TIME).split("\n")[0] + "\n",
    }


def proofs() -> dict[str, Any]:
    """Proof files: of an entry, and of a fork; what must be refused of both. And a directory with witnesses."""
    entries = [bytes([i]) * 32 for i in range(3)]
    leaves = [leaf_hash(entry) for entry in entries]
    note = CHECKPOINT.sign(LOG_SEED)
    proof = TlogProof(1, tuple(inclusion_proof(1, 3, hashes_of(leaves))), note, entries[1])
    other = [*leaves[:1], leaf_hash(b"another"), leaves[2], leaves[0]]
    larger = Checkpoint(CHECKPOINT.origin, 4, root_of(other)).sign(LOG_SEED)
    key = VerifierKey(CHECKPOINT.origin, ed25519_public(LOG_SEED))
    fork = compare(note, larger, key, hashes_of(other))
    assert fork is not None
    directory = found("vectors").directory
    witness = witness_of(COSIGNER.keys, "https://witness.example")
    return {
        "log_key": str(key),
        "entry": entries[1].hex(),
        "tlog_proof": proof.encode().decode(),
        "fork_proof": fork.encode().hex(),
        "no_tlog_proofs": [
            {"why": why, "file": replace(proof, **change).encode().decode()}
            for why, change in (
                ("another index", {"index": 2}),
                ("a hash left out", {"hashes": proof.hashes[:-1]}),
                ("a larger log", {"checkpoint": larger}),
            )
        ],
        "no_fork_proofs": [
            {"why": "one log", "file": ForkProof(note, note, CHECKPOINT.root, ()).encode().hex()},
            {"why": "a root that is not shown", "file": replace(fork, root=bytes(32)).encode().hex()},
            {"why": "the wrong order", "file": ForkProof(larger, note, fork.root, fork.proof).encode().hex()},
        ],
        "directory_body": encode_directory(replace(directory, witnesses=(witness,), quorum=1)).hex(),
    }


def cosigned() -> dict[str, Any]:
    """A whole cosigned checkpoint; ML-DSA signing is randomised."""
    return {"note": CHECKPOINT.sign(LOG_SEED).decode() + COSIGNER.cosign(CHECKPOINT, TIME)}
