# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who was at the desk while a member was away, as the log and the others' words tell it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.colleagues import keep_transport
from latchstring.desk.identity import identity, keep_identity, new_identity
from latchstring.desk.keyplan import position
from latchstring.desk.meanwhile import KEPT_TICKS, KEYS_TICKS, Meanwhile, logged_keys
from latchstring.desk.placing import Placed
from latchstring.desk.secrets import erase_before, keep_transport_secret
from latchstring.desk.seen import Gap, Seen, is_catching_up
from latchstring.desk.sync import _NOBODY_READ, _PASSED_ON, key_warnings, warnings
from latchstring.desk.tally import Tally
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.constants import TICKS_PER_DAY
from latchstring.protocol.directory import Directory
from latchstring.protocol.epoch import TransportNote
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.manifest import Manifest
from tests.builders import Founding, Stream, found
from tests.desk_world import CHEAP, PASSPHRASE

DAY = TICKS_PER_DAY
GAP = (3 * DAY, 77 * DAY)  # what the member who asks misses
NEWEST = 77 * DAY
OLD = 10 * DAY  # of these letters the server keeps nothing any more


def meanwhile(*days: int, gaps: tuple[Gap, ...] | None = None) -> Meanwhile:
    """Of one other member: days on which keys of theirs were logged, and what they said they miss today, if anything
    was heard of them."""
    said = {} if gaps is None else {"anna": Seen("anna", NEWEST, gaps, NEWEST)}
    return Meanwhile({"anna": frozenset(days)}, said, NEWEST)


def test_who_was_there_has_read_and_placed() -> None:
    there = meanwhile(*range(80))
    assert there.have(OLD, OLD)
    assert there.have(NEWEST, NEWEST)
    assert there.were_there(GAP)


@pytest.mark.parametrize("days", [(0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 77 + 1)], ids=str)
def test_who_was_away_as_long_has_nothing(days: tuple[int, ...]) -> None:
    """Keys posted on the last day go into the next one's first batch; those of who comes back are logged after."""
    away = meanwhile(*days)
    assert not away.have(OLD, OLD)
    assert not away.were_there(GAP)
    assert is_catching_up((GAP,), NEWEST), "answers would be left to the others"


def test_who_came_while_the_server_kept_the_letters_has_them() -> None:
    assert meanwhile(10 + KEPT_TICKS // DAY).have(OLD, OLD)
    assert not meanwhile(11 + KEPT_TICKS // DAY).have(OLD, OLD)


def test_letters_that_the_server_keeps_are_opened_by_who_has_keys_for_them() -> None:
    lately = 60 * DAY
    assert meanwhile(60 - KEYS_TICKS // DAY).have(lately, lately)
    assert not meanwhile(59 - KEYS_TICKS // DAY).have(lately, lately)


def test_a_member_s_own_word_counts_more_than_their_keys() -> None:
    misses_it, has_it = meanwhile(*range(80), gaps=(GAP,)), meanwhile(gaps=((20 * DAY, 77 * DAY),))
    assert not misses_it.have(OLD, OLD)
    assert not misses_it.were_there(GAP)
    assert has_it.have(OLD, OLD)
    assert not has_it.have(30 * DAY, 30 * DAY)
    assert has_it.were_there(GAP)


def test_a_word_from_before_says_nothing_of_what_came_after() -> None:
    before = Meanwhile({"anna": frozenset()}, {"anna": Seen("anna", 2 * DAY, (), 2 * DAY)}, NEWEST)
    assert not before.have(OLD, OLD)
    assert not before.were_there(GAP)


def test_who_has_left_passes_nothing_on_and_nobody_does_at_a_desk_of_one() -> None:
    left = Meanwhile({}, {"anna": Seen("anna", NEWEST, (), NEWEST)}, NEWEST)
    assert not left.have(OLD, OLD)
    assert not left.were_there(GAP)


# --- what the member is told -----------------------------------------------------------------------


@dataclass(frozen=True)
class Seen77:
    """As much of a `/visit` as the sentences look at: day 77 of a desk of two."""

    directory: Directory
    manifest: Manifest


def visit_of(founding: Founding) -> VerifiedVisit:
    manifest = Manifest(NEWEST, 0, 0, bytes(32), bytes(32), (), bytes(32), bytes(32))
    return cast("VerifiedVisit", Seen77(founding.directory, manifest))


@pytest.mark.parametrize(("days", "passed_on"), [((), 0), ((20,), 1), (tuple(range(80)), 2)], ids=str)
def test_of_letters_too_old_only_those_that_another_has_are_said_to_come(days: tuple[int, ...], passed_on: int) -> None:
    """Two batches, of days 10 and 50: the keys of day 20 were logged while the server kept the first."""
    founding = found(each=2)
    visit, tally = visit_of(founding), Tally(lost=(OLD, 50 * DAY))
    now = founding.directory.policy.closes_at(NEWEST)
    said = warnings(visit, now, tally, Placed(), meanwhile(*days))
    assert sum(_PASSED_ON in line for line in said) == int(passed_on > 0)
    assert sum(_NOBODY_READ in line for line in said) == int(passed_on < 2)


@pytest.mark.parametrize(("days", "passed_on"), [((), 0), ((20,), 1), (tuple(range(80)), 2)], ids=str)
def test_of_days_without_keys_too(bens: "Bens", days: tuple[int, ...], passed_on: int) -> None:
    said = key_warnings(bens.vault, visit_of(bens.founding), identity(bens.vault), (10, 30), (), meanwhile(*days))
    assert sum(_PASSED_ON in line for line in said) == int(passed_on > 0)
    assert sum("ask sources who wrote then to write again" in line for line in said) == int(passed_on < 2)


# --- what the vault remembers of it ----------------------------------------------------------------


@dataclass(frozen=True)
class Bens:
    """The vault of news-2, with keys of both for some days, logged 28 days ahead."""

    vault: Vault
    founding: Founding

    def logged(self) -> dict[str, frozenset[int]]:
        return logged_keys(self.vault, self.founding.directory.desk("news"), "news-2")

    def erase(self) -> None:
        with self.vault.transaction():
            keep_transport_secret(self.vault, 1, b"s" * 32)  # else there is nothing to erase
        erase_before(self.vault, 35)


@pytest.fixture
def bens(tmp_path: Path) -> Iterator[Bens]:
    founding = found(each=2)
    with create_vault(tmp_path / "ben.vault", PASSPHRASE, Stream("vault"), CHEAP) as vault:
        keep_identity(vault, new_identity("door", "news", "news-2", (), Stream("ben")))
        with vault.transaction():
            for keys in founding.members:
                for day in (29, 30, 31, 40):
                    key = OpenKey.from_secret(b"k" * 32).seal_key()
                    note = TransportNote.make(founding.door, "news", keys.id, day, key, keys.sign_seed)
                    keep_transport(vault, note, keys.public.sign_key, position((day - 28) * DAY + 5, 1))
        yield Bens(vault, founding)


def test_the_others_keys_are_forgotten_with_their_days(bens: Bens) -> None:
    assert bens.logged() == {"news-1": frozenset({1, 2, 3, 12})}
    bens.erase()
    assert bens.logged() == {"news-1": frozenset({12})}
