# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proof files: an entry's (c2sp.org/tlog-proof), checked without the log; and the proof that a log was forked."""

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.log.cosignature import witnessed
from latchstring.log.errors import LogError
from latchstring.log.fork import ForkProof, check_fork, compare, parse_fork
from latchstring.log.note import VerifierKey
from latchstring.log.proof import hashes_of, inclusion_proof, root_before
from latchstring.log.tlog_proof import TlogProof, check_tlog_proof, parse_tlog_proof
from latchstring.log.tree import leaf_hash, root_of
from tests.builders import Stream
from tests.witnessed import cosign
from tests.witnesses import Log, as_named, cosigner

LOG, FORK = Log(), Log(fork=5)


def entry(index: int) -> bytes:
    """As `tests.witnesses.Log` makes them."""
    return bytes([index % 251, 0])


def proof_of(index: int, size: int) -> TlogProof:
    hashes = tuple(inclusion_proof(index, size, hashes_of(LOG.leaves(size))))
    return TlogProof(index, hashes, cosign(LOG.checkpoint(size).sign(LOG.seed), ["w1.example"], 7), entry(index))


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (3, 9), (8, 9), (255, 300), (299, 300)])
def test_what_is_written_is_read_and_holds(index: int, size: int) -> None:
    raw = proof_of(index, size).encode()
    proof = parse_tlog_proof(raw)
    assert proof.encode() == raw
    assert check_tlog_proof(proof, entry(index), LOG.key) == LOG.checkpoint(size)
    assert witnessed(proof.checkpoint, [as_named(cosigner("w1.example"))])[0].time == 7


def test_the_layout_is_that_of_the_specification() -> None:
    """The examples of transparency-dev/formats (proof/tlog_proof_test.go), whose checkpoints are none."""
    one, two = hashlib.sha256(b"hash1").digest(), hashlib.sha256(b"hash2").digest()
    lines = [base64.b64encode(digest).decode() for digest in (one, two)]
    bare = f"c2sp.org/tlog-proof@v1\nindex 5\n{lines[0]}\n{lines[1]}\n\ntest checkpoint\n".encode()
    extra = (
        f"c2sp.org/tlog-proof@v1\nextra {base64.b64encode(b'extra information').decode()}\nindex 10\n{lines[0]}\n\nx\n"
    )
    for raw, made in (
        (bare, TlogProof(5, (one, two), b"test checkpoint\n")),
        (extra.encode(), TlogProof(10, (one,), b"x\n", b"extra information")),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n", TlogProof(0, (), b"checkpoint\n")),
    ):
        assert made.encode() == raw
        assert parse_tlog_proof(raw) == made


GOOD = proof_of(3, 9)


@pytest.mark.parametrize(
    "changed",
    [
        replace(GOOD, index=2),
        replace(GOOD, index=9),
        replace(GOOD, hashes=GOOD.hashes[:-1]),
        replace(GOOD, hashes=GOOD.hashes[::-1]),
        replace(GOOD, hashes=(*GOOD.hashes, bytes(32))),
        replace(GOOD, checkpoint=proof_of(3, 10).checkpoint),
        replace(GOOD, checkpoint=FORK.checkpoint(9).sign(LOG.seed)),
        replace(GOOD, checkpoint=LOG.checkpoint(9).sign(Stream("mallory")(32))),
    ],
)
def test_proofs_that_do_not_hold(changed: TlogProof) -> None:
    with pytest.raises(LogError):
        check_tlog_proof(parse_tlog_proof(changed.encode()), entry(3), LOG.key)


def test_another_entry_or_another_log() -> None:
    for other, key in ((entry(4), LOG.key), (b"", LOG.key), (entry(3), VerifierKey("other.example", LOG.key.public))):
        with pytest.raises(LogError):
            check_tlog_proof(GOOD, other, key)


RAW = GOOD.encode()


@pytest.mark.parametrize(
    "raw",
    [b"", RAW.replace(b"@v1", b"@v2"), RAW.replace(b"index 3", b"index 03"), RAW.replace(b"index 3", b"index -3"),
     RAW.replace(b"index 3\n", b""), RAW.replace(b"extra ", b"extra  "), RAW.replace(b"index 3\n", b"index 3\nAAAA\n"),
     RAW.replace(b"\n\n", b"\n", 1), b"\n" + RAW, RAW.replace(b"extra ", b"more "), RAW + bytes(300_000),
     RAW.replace(b"index 3", "index ٣".encode())],
)  # fmt: skip
def test_files_that_are_none(raw: bytes) -> None:
    with pytest.raises(LogError):
        check_tlog_proof(parse_tlog_proof(raw), entry(3), LOG.key)


@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(RAW) - 1))
    raw = data.draw(
        st.binary(max_size=90) | st.just(RAW[:at] + bytes([data.draw(st.integers(0, 255))]) + RAW[at + 1 :])
    )
    try:
        assert parse_tlog_proof(raw).encode() == raw
    except LogError:
        pass


# --- forks ----------------------------------------------------------------------------------------


def note(log: Log, size: int) -> bytes:
    return log.checkpoint(size).sign(log.seed)


@pytest.mark.parametrize("size", [*range(1, 20), 255, 256, 257])
def test_the_root_before(size: int) -> None:
    leaves = LOG.leaves(300)
    assert root_before(size, hashes_of(leaves)) == root_of(leaves[:size])


@pytest.mark.parametrize(("one", "two"), [(9, 9), (6, 9), (6, 300), (299, 300)])
def test_a_fork_is_proved_to_anyone(one: int, two: int) -> None:
    for small, large in ((LOG, FORK), (FORK, LOG)):
        fork = compare(note(small, one), note(large, two), LOG.key, hashes_of(large.leaves(two)))
        assert fork is not None
        again = parse_fork(fork.encode())
        assert again == fork
        assert [point.size for point in check_fork(again, LOG.key)] == [one, two]


@pytest.mark.parametrize(("one", "two"), [(0, 9), (5, 9), (9, 9)])
def test_one_log_is_no_fork(one: int, two: int) -> None:
    assert compare(note(LOG, one), note(LOG, two), LOG.key, hashes_of(LOG.leaves(two))) is None
    if one and one <= 5:
        assert compare(note(LOG, one), note(FORK, two), LOG.key, hashes_of(FORK.leaves(two))) is None


def test_nobody_can_accuse_an_honest_log() -> None:
    """Whoever has all that an honest log signed, and no key, makes no proof of it."""
    small, large, leaves = note(LOG, 6), note(LOG, 9), hashes_of(LOG.leaves(9))
    proof = tuple(LOG.proof(6, 9))
    mallory = Log(seed=Stream("mallory")(32), fork=2)
    for fork in (
        ForkProof(small, large, LOG.checkpoint(6).root, proof),
        ForkProof(small, large, bytes(32), proof),
        ForkProof(large, small, LOG.checkpoint(9).root, proof),
        ForkProof(small, note(mallory, 9), mallory.checkpoint(6).root, tuple(mallory.proof(6, 9))),
        ForkProof(note(LOG, 9), large, bytes(32), ()),
        ForkProof(small, large, root_before(5, leaves), tuple(LOG.proof(5, 9))),
    ):
        with pytest.raises(LogError):
            check_fork(parse_fork(fork.encode()), LOG.key)


def test_hashes_that_are_not_the_logs_hide_no_fork() -> None:
    """A source that serves the smaller log's hashes under the fork's checkpoint is not taken for the same log."""
    with pytest.raises(LogError):
        compare(note(LOG, 6), note(FORK, 9), LOG.key, hashes_of(LOG.leaves(9)))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_fork(raw: bytes) -> None:
    with pytest.raises(LogError):
        parse_fork(raw)


def test_leaves() -> None:
    assert LOG.leaves(9)[3] == leaf_hash(entry(3))
