# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marks of known threads: the same for all members whatever the order in which they hear, at most 48, local at once."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from latchstring.desk.errors import DeskError, VaultError
from latchstring.desk.facts import At, Reader, apply_facts
from latchstring.desk.known import again_known, known_threads, mark_known
from latchstring.desk.outbox import waiting
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, create_vault, open_vault
from latchstring.protocol.constants import KNOWN_THREADS
from latchstring.protocol.memo import Fact, MemoBody
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

READER = Reader(Door(b"d" * 32), "news", "ben")


def thread(number: int) -> bytes:
    return number.to_bytes(2, "big") * 16


def fact(number: int, known: bool = True) -> Fact:
    return {"kind": "known", "thread": thread(number), "known": known}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "known.vault", PASSPHRASE, Stream("vault"), CHEAP) as made:
        yield made


def hear(vault: Vault, batch: int, *facts: Fact, by: str = "anna") -> int:
    with vault.transaction():
        return apply_facts(vault, FACT_KINDS, READER, MemoBody(by, facts), batch, 0).applied


def test_a_mark_counts_here_at_once_and_waits_to_be_told(vault: Vault) -> None:
    assert known_threads(vault) == ()
    assert mark_known(vault, thread(1), True)
    assert not mark_known(vault, thread(1), True)
    assert known_threads(vault) == (thread(1),)
    assert [dict(item.fact) for item in waiting(vault)] == [fact(1)]
    assert mark_known(vault, thread(1), False)
    assert known_threads(vault) == ()
    assert not mark_known(vault, thread(1), False)


def test_what_is_shared_and_what_is_not_yet(vault: Vault) -> None:
    assert hear(vault, 5, fact(1), fact(2)) == 2
    assert known_threads(vault) == (thread(1), thread(2))
    mark_known(vault, thread(1), False)
    mark_known(vault, thread(3), True)
    assert known_threads(vault) == (thread(2), thread(3))


def test_the_last_in_the_log_counts_whatever_the_order_of_hearing(tmp_path: Path) -> None:
    told = [(5, fact(1)), (6, fact(1, False)), (7, fact(2)), (8, fact(1)), (9, fact(2, False))]
    for number, order in enumerate(permutations(told)):
        if number % 17:
            continue
        with create_vault(tmp_path / f"{number}.vault", PASSPHRASE, Stream("vault"), CHEAP) as vault:
            for batch, said in order:
                hear(vault, batch, said)
            assert known_threads(vault) == (thread(1),)


def test_no_more_than_a_list_holds(vault: Vault) -> None:
    for number in range(KNOWN_THREADS):
        mark_known(vault, thread(number), True)
    with pytest.raises(DeskError) as refused:
        mark_known(vault, thread(99), True)
    assert "--off" in refused.value.next
    assert mark_known(vault, thread(0), False)
    assert mark_known(vault, thread(99), True)


def test_of_too_many_marks_by_several_members_the_oldest_count(vault: Vault) -> None:
    for number in range(60):
        hear(vault, 100 - number, fact(number), by="anna" if number % 2 else "ben")
    assert known_threads(vault) == tuple(thread(n) for n in range(59, 59 - KNOWN_THREADS, -1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "known", "thread": b"short", "known": True},
        {"kind": "known", "thread": thread(1)},
        {"kind": "known", "thread": thread(1), "known": 1},
        {"kind": "known", "thread": thread(1), "known": True, "more": 1},
    ],
)
def test_what_is_no_mark_changes_nothing(vault: Vault, wrong: Fact) -> None:
    assert hear(vault, 5, wrong) == 0
    assert known_threads(vault) == ()


def test_marks_are_told_again_to_who_missed_them(vault: Vault, tmp_path: Path) -> None:
    hear(vault, 5, fact(1))
    hear(vault, 6, fact(2), fact(1, False), by="ben")
    told = again_known(vault, At(6, 0, 0).number, At(6, 0, 1).number)
    assert sorted(told) == [(At(6, 0, 0).number, "ben", fact(2)), (At(6, 0, 1).number, "ben", fact(1, False))]


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    stored = False

    def _commit(self) -> None:
        if self.stored:
            super()._commit()
        raise VaultError("The disk with the vault is full.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["fails-not-stored", "fails-but-stored"])
def test_marking(vault: Vault, tmp_path: Path, stored: bool) -> None:
    vault.__class__ = Failing
    assert isinstance(vault, Failing)
    vault.stored = stored
    with pytest.raises(VaultError):
        mark_known(vault, thread(1), True)
    with open_vault(tmp_path / "known.vault", PASSPHRASE, CHEAP) as again:
        assert known_threads(again) == ((thread(1),) if stored else ())
        mark_known(again, thread(1), True)
        assert [dict(item.fact) for item in waiting(again)] == [fact(1)]
