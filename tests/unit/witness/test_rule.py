# SPDX-License-Identifier: AGPL-3.0-or-later
"""A witness's answers (c2sp.org/tlog-witness), one by one, and the pairs for its one write."""

import pytest

from latchstring.log.addcheckpoint import SIZE_TYPE, AddCheckpoint, parse_add_checkpoint, parse_size
from latchstring.log.checkpoint import Checkpoint
from latchstring.log.cosignature import Witnessed, witnessed
from latchstring.log.errors import LogError
from latchstring.log.tree import EMPTY_ROOT
from latchstring.witness.state import Seen
from tests.builders import Stream
from tests.witnesses import Log, MemoryStates, as_named, cosigner, whole, witness_for

NOW = 1_700_000_000
LOG = Log()
FORK = Log(fork=3)


def test_it_cosigns_what_continues() -> None:
    witness, named = witness_for(LOG), as_named(cosigner("w1.example"))
    for old, new in ((0, 0), (0, 1), (1, 1), (1, 5), (5, 70), (70, 300)):
        answer = witness.add_checkpoint(LOG.ask(old, new), NOW + new)
        assert witnessed(whole(LOG, new, answer), [named]) == (Witnessed("w1.example", NOW + new),)


@pytest.mark.parametrize("old", [0, 1, 3, 5, 6, 8])
def test_another_old_size_is_told_the_size(old: int) -> None:
    witness = witness_for(LOG)
    witness.add_checkpoint(LOG.ask(0, 4), NOW)
    answer = witness.add_checkpoint(LOG.ask(old, 8), NOW)
    assert (answer.status, answer.body, answer.kind) == (409, b"4\n", SIZE_TYPE)
    assert parse_size(answer.body) == 4


def test_another_root_at_the_same_size() -> None:
    witness = witness_for(LOG)
    witness.add_checkpoint(LOG.ask(0, 8), NOW)
    answer = witness.add_checkpoint(FORK.ask(8, 8), NOW)
    assert (answer.status, answer.body) == (409, b"8\n")
    assert witness.add_checkpoint(LOG.ask(8, 8), NOW).status == 200


def test_a_fork_is_refused_and_changes_nothing() -> None:
    states = MemoryStates()
    witness = witness_for(LOG, states=states)
    witness.add_checkpoint(LOG.ask(0, 8), NOW)
    assert witness.add_checkpoint(FORK.ask(8, 12), NOW).status == 422
    assert states.kept == {LOG.origin: Seen(8, LOG.checkpoint(8).root)}
    honest = witness.add_checkpoint(LOG.ask(8, 12), NOW)
    assert honest.status == 200


def test_going_back_is_refused() -> None:
    witness = witness_for(LOG)
    witness.add_checkpoint(LOG.ask(0, 8), NOW)
    assert witness.add_checkpoint(LOG.ask(8, 5), NOW).status == 400
    assert witness.add_checkpoint(LOG.ask(5, 5), NOW).body == b"8\n"


@pytest.mark.parametrize(
    ("proof", "status"),
    [(LOG.proof(4, 9)[:-1], 422), ([*LOG.proof(4, 9), bytes(32)], 422), (LOG.proof(3, 9), 422), ([], 422),
     (LOG.proof(4, 9)[::-1], 422), ([bytes(32)] * 63, 422), ([bytes(32)] * 64, 400)],
    ids=["short", "long", "another", "none", "reversed", "63 lines", "64 lines"],
)  # fmt: skip
def test_proofs_that_do_not_hold(proof: list[bytes], status: int) -> None:
    witness = witness_for(LOG)
    witness.add_checkpoint(LOG.ask(0, 4), NOW)
    asked = AddCheckpoint(4, tuple(proof), LOG.checkpoint(9).sign(LOG.seed)).encode()
    assert witness.add_checkpoint(asked, NOW).status == status


def test_a_proof_from_nothing_is_empty() -> None:
    asked = AddCheckpoint(0, (bytes(32),), LOG.checkpoint(9).sign(LOG.seed)).encode()
    assert witness_for(LOG).add_checkpoint(asked, NOW).status == 422
    empty = AddCheckpoint(0, (), Checkpoint(LOG.origin, 0, bytes(32)).sign(LOG.seed)).encode()
    assert witness_for(LOG).add_checkpoint(empty, NOW).status in (409, 422)
    assert Checkpoint(LOG.origin, 0, EMPTY_ROOT) == LOG.checkpoint(0)


def test_logs_and_keys_that_it_does_not_know() -> None:
    witness = witness_for(LOG)
    assert witness.add_checkpoint(Log("other.example").ask(0, 4), NOW).status == 404
    assert witness.add_checkpoint(Log(LOG.origin, Stream("mallory")(32)).ask(0, 4), NOW).status == 403


def test_logs_are_kept_apart() -> None:
    other = Log("other.example", Stream("other")(32))
    witness = witness_for(LOG, other)
    assert witness.add_checkpoint(LOG.ask(0, 9), NOW).status == 200
    assert witness.add_checkpoint(other.ask(0, 4), NOW).status == 200
    assert witness.add_checkpoint(LOG.ask(9, 10), NOW).status == 200


def test_signatures_of_others_beside_the_logs_are_passed_over() -> None:
    asked = parse_add_checkpoint(LOG.ask(0, 4))
    more = asked.checkpoint + LOG.checkpoint(4).sign(bytes(32)).split(b"\n\n")[1]
    witness = witness_for(LOG)
    assert witness.add_checkpoint(AddCheckpoint(0, (), more).encode(), NOW).status == 200


GOOD = LOG.ask(0, 4)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", GOOD[:-1], GOOD.replace(b"old 0", b"old 00"), GOOD.replace(b"old 0", b"old  0"),
     GOOD.replace(b"old 0", b"old -1"), GOOD.replace(b"old 0\n", b""), GOOD.replace(b"old 0", "old ٠".encode()),
     GOOD.replace(b"old 0\n", b"old 0\nAAAA\n"), GOOD.replace(b"\n4\n", b"\n04\n"), GOOD + bytes(200_000),
     GOOD.replace(b"\n4\n", b"\n4\nextension\n")],
    ids=["none", "blank", "cut", "zeros", "spaces", "negative", "no old", "other digits", "short hash", "size",
         "endless", "extension"],
)  # fmt: skip
def test_requests_that_are_none(raw: bytes) -> None:
    assert witness_for(LOG).add_checkpoint(raw, NOW).status == 400


@pytest.mark.parametrize("raw", [b"", b"1", b"01\n", b"-1\n", b"1\n\n", b" 1\n", "١\n".encode(), b"9" * 19 + b"\n"])
def test_sizes_that_are_none(raw: bytes) -> None:
    with pytest.raises(LogError):
        parse_size(raw)


# --- the write, in pairs --------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["fails and is not stored", "fails but is stored"])
def test_nothing_is_cosigned_that_could_not_be_kept(stored: bool) -> None:
    states = MemoryStates()
    witness = witness_for(LOG, states=states)
    witness.add_checkpoint(LOG.ask(0, 4), NOW)
    states.fail, states.stored = True, stored
    answer = witness.add_checkpoint(LOG.ask(4, 9), NOW)
    assert answer.status == 500
    assert b"\xe2\x80\x94" not in answer.body  # no signature line
    assert states.get(LOG.origin).size == (9 if stored else 4)
    old = parse_size(witness.add_checkpoint(LOG.ask(1, 9), NOW).body)  # the log asks what was seen, and goes on
    assert witness.add_checkpoint(LOG.ask(old, 9), NOW).status == 200
    assert witness.add_checkpoint(FORK.ask(9, 9), NOW).status == 409
