# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cosignatures: other people's answers, our own vectors, and everything that must not count."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.cosignature import (
    Cosigner,
    CosignerKey,
    Witnessed,
    cosignatures,
    keys_of,
    witness_of,
    witnessed,
)
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey, parse_note
from latchstring.protocol.primitives import ed25519_public
from tests.builders import Stream
from tests.vectors.logvectors import CHECKPOINT, COSIGNER, LOG_SEED, TIME
from tests.vectors.make import load_vectors

OTHERS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "tlog.json").read_text("utf-8"))[
    "cosignatures"
]
SIGNED = CHECKPOINT.sign(LOG_SEED).decode()
LINES = COSIGNER.cosign(CHECKPOINT, TIME)
NOTE = (SIGNED + LINES).encode()
SECOND = Cosigner("witness.example/w2", Stream("second")(32), Stream("second pq")(32))


# --- other people's answers -----------------------------------------------------------------------


def test_four_public_witnesses() -> None:
    keys = [CosignerKey.parse(text) for text in OTHERS["ed25519"]["keys"]]
    note = OTHERS["ed25519"]["note"].encode()
    assert cosignatures(note, keys) == dict.fromkeys(keys, OTHERS["ed25519"]["time"])
    with pytest.raises(LogError, match="does not hold"):
        cosignatures(note.replace(b"1432088532", b"1432088533"), keys)


def test_mldsa_of_torchwood() -> None:
    v = OTHERS["mldsa"]
    key = CosignerKey.parse(v["key"])
    assert cosignatures(v["note"].encode(), [key]) == {key: v["time"]}
    assert Cosigner(key.name, bytes(32), bytes.fromhex(v["seed"])).keys[1] == key


def test_our_own_vectors() -> None:
    v, note = load_vectors("cosignature"), load_vectors("cosigned")["note"].encode()
    keys = [CosignerKey.parse(v["ed25519_key"]), CosignerKey.parse(v["mldsa_key"])]
    assert cosignatures(note, keys) == dict.fromkeys(keys, v["time"])
    assert v["ed25519_line"] in note.decode()


# --- what counts ----------------------------------------------------------------------------------


def test_the_logs_own_signature_still_holds_beside_them() -> None:
    assert open_checkpoint(NOTE, VerifierKey(CHECKPOINT.origin, ed25519_public(LOG_SEED))) == CHECKPOINT


def test_unknown_cosigners_are_passed_over() -> None:
    assert cosignatures(NOTE, SECOND.keys) == {}
    assert cosignatures(SIGNED.encode(), COSIGNER.keys) == {}


def test_a_witness_counts_with_all_its_keys_alone() -> None:
    both = witness_of(COSIGNER.keys, "http://w1.example")
    other = witness_of(SECOND.keys, "http://w2.example")
    one_line = (SIGNED + LINES.split("\n")[0] + "\n").encode()
    assert witnessed(NOTE, [both, other]) == (Witnessed(COSIGNER.name, TIME),)
    assert witnessed(one_line, [both]) == ()
    assert witnessed(one_line, [witness_of(COSIGNER.keys[:1], "http://w1.example")]) == (
        Witnessed(COSIGNER.name, TIME),
    )
    assert keys_of(both) == COSIGNER.keys


def test_the_oldest_of_a_witnesss_cosignatures_is_its_time() -> None:
    older, newer = COSIGNER.cosign(CHECKPOINT, TIME - 5).split("\n"), LINES.split("\n")
    for mixed in ((older[0], newer[1]), (newer[0], older[1])):
        note = (SIGNED + "".join(line + "\n" for line in mixed)).encode()
        assert witnessed(note, [witness_of(COSIGNER.keys, "http://w")]) == (Witnessed(COSIGNER.name, TIME - 5),)


def forged(line: int, at: int) -> bytes:
    """One bit of one cosignature the other way round; `at` counts from the key id."""
    lines = LINES.splitlines()
    head, _, payload = lines[line].rpartition(" ")
    raw = bytearray(base64.b64decode(payload))
    raw[at] ^= 1
    lines[line] = f"{head} {base64.b64encode(raw).decode()}"
    return (SIGNED + "".join(one + "\n" for one in lines)).encode()


@pytest.mark.parametrize("line", [0, 1], ids=["Ed25519", "ML-DSA-44"])
@pytest.mark.parametrize("at", [4, 11, 12, 60, -1], ids=["time", "last of time", "first", "within", "last"])
def test_a_changed_cosignature_does_not_hold(line: int, at: int) -> None:
    with pytest.raises(LogError):
        cosignatures(forged(line, at), COSIGNER.keys)


def test_another_key_id_is_another_key() -> None:
    assert set(cosignatures(forged(0, 0), COSIGNER.keys)) == {COSIGNER.keys[1]}


def test_a_cosignature_is_for_one_checkpoint_one_name_one_kind() -> None:
    for other in (
        Checkpoint("door.example/log", 4, CHECKPOINT.root),
        Checkpoint("door.example/log", 3, bytes(32)),
        Checkpoint("other.example/log", 3, CHECKPOINT.root),
    ):
        for line in range(2):
            moved = (other.sign(LOG_SEED).decode() + LINES.split("\n")[line] + "\n").encode()
            with pytest.raises(LogError, match="does not hold"):
                cosignatures(moved, COSIGNER.keys)
    renamed = Cosigner("witness.example/w9", COSIGNER.ed25519_seed, COSIGNER.mldsa_seed)
    for line, key in enumerate(renamed.keys):
        payload = parse_note(NOTE).signatures[1 + line].signature
        text = f"\u2014 {key.name} {base64.b64encode(key.id + payload).decode()}\n"
        if line == 0:  # Ed25519 cosignatures do not say the name: the key id alone tells
            assert cosignatures((SIGNED + text).encode(), [key]) == {key: TIME}
        else:
            with pytest.raises(LogError, match="does not hold"):
                cosignatures((SIGNED + text).encode(), [key])


def test_two_by_one_key_are_refused() -> None:
    with pytest.raises(LogError, match="two cosignatures"):
        cosignatures(NOTE + COSIGNER.cosign(CHECKPOINT, TIME + 1).encode(), COSIGNER.keys)


def test_a_plain_signature_is_no_cosignature() -> None:
    plain = CHECKPOINT.sign(LOG_SEED).decode() + CHECKPOINT.sign(COSIGNER.ed25519_seed).decode().split("\n\n")[1]
    assert cosignatures(plain.encode(), COSIGNER.keys) == {}


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        str(VerifierKey("log.example", bytes(32))),
        str(COSIGNER.keys[0])[:-1],
        str(COSIGNER.keys[0]).replace("w1+", "w2+"),
        str(COSIGNER.keys[0]).upper(),
        str(COSIGNER.keys[1])[:-4],
        "name",
        "name+00000000+",
        "name+00000000+BA==",
    ],
    ids=["a log's", "cut", "renamed", "capitals", "short", "no key", "empty", "no bytes"],
)
def test_keys_that_are_refused(text: str) -> None:
    with pytest.raises(LogError):
        CosignerKey.parse(text)


def test_keys_of_one_witness_belong_together() -> None:
    for keys in ((), (COSIGNER.keys[0], SECOND.keys[1]), (COSIGNER.keys[0], COSIGNER.keys[0])):
        with pytest.raises(LogError):
            witness_of(keys, "http://w.example")


def test_names_too_long_for_a_length_byte() -> None:
    with pytest.raises(LogError):
        Cosigner("w" * 256, bytes(32), bytes(32)).cosign(CHECKPOINT, TIME)


def test_no_secret_is_shown() -> None:
    assert COSIGNER.ed25519_seed.hex() not in repr(COSIGNER)
    assert repr(COSIGNER.ed25519_seed) not in repr(COSIGNER)
