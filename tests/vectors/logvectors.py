# SPDX-License-Identifier: AGPL-3.0-or-later
"""The log's own vectors: cosignatures of checkpoints. Other projects' are in `tlog.json`."""

from typing import Any

from latchstring.log.checkpoint import Checkpoint
from latchstring.log.cosignature import Cosigner, ed25519_message, subtree_message
from latchstring.log.tree import leaf_hash, root_of
from tests.builders import Stream

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


def cosigned() -> dict[str, Any]:
    """A whole cosigned checkpoint; ML-DSA signing is randomised."""
    return {"note": CHECKPOINT.sign(LOG_SEED).decode() + COSIGNER.cosign(CHECKPOINT, TIME)}
