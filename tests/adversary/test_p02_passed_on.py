# SPDX-License-Identifier: AGPL-3.0-or-later
"""P2 where members pass letters on: a letter that was passed on lies in a memo too, under the keys of a later day.

| Attacker        | Holds                                                     | Tries                                  |
|-----------------|-----------------------------------------------------------|----------------------------------------|
| a state after a | every machine of the desk, with its passphrase; all that  | every key that is left, on every       |
| raid            | the server ever stored                                    | letter and memo that ever was          |

The promise begins at the hour that `desk delete` names. Before it the attack succeeds.
"""

import json
import os
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import pytest

from latchstring.cli import vaults
from latchstring.cli.main import run
from latchstring.desk import deletion
from latchstring.desk.marks import add_note
from latchstring.desk.outbox import waiting
from latchstring.desk.secrets import EpochSecret, epoch_secrets
from latchstring.desk.seen import add_gap, own_gaps
from latchstring.desk.vault import open_vault
from latchstring.protocol.constants import DEFAULT_ERASE_DAYS, LETTER_SIZE, day_of
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import open_sealed
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_team

pytestmark = pytest.mark.usefixtures("short_sessions")

TEXT = "the nurse knows where the second book is"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Desk]]:
    """A desk of two, opened once."""
    return open_team(tmp_path_factory.mktemp("team"), 2, letters=4, queue=72)


class Raid:
    """A desk of two that read a letter of day 0, and what the attacker collects meanwhile."""

    def __init__(self, opened: tuple[World, dict[str, Desk]], folder: Path) -> None:
        self.world = opened[0].copy()
        self.anna, self.ben = (desk.copy(self.world, folder) for desk in opened[1].values())
        self.held: dict[str, bytes] = {}
        self.epoch, self.opened = cache(EpochSecret.open), cache(self._open)
        for desk in (self.anna, self.ben):
            desk.memos = True
        Source(self.world, "source").write(TEXT)
        self.world.close()
        self.to(self.world.batch + 1)
        assert self.anna.texts() == self.ben.texts() == [TEXT]

    def to(self, batch: int, ticks: int = 72) -> None:
        """Both machines run, several times a day."""
        while self.world.batch < batch:
            self.world.close(min(batch, self.world.batch + ticks))
            for desk in (self.anna, self.ben):
                desk.sync()
            self.held |= self.world.core.private.files

    def pass_on(self, day: int) -> None:
        """From this day on ben lacks the letter's batch, and says so; until anna has passed it on."""
        self.to(144 * day)
        with self.ben.vault.transaction():
            add_gap(self.ben.vault, 0, 1)
            self.ben.vault.do("UPDATE gap SET last = ?", 10)
        while own_gaps(self.ben.vault):
            self.to(self.world.batch + 24, ticks=6)

    def delete(self, capfd: pytest.CaptureFixture[str]) -> int:
        """As anna types it; the day that the command names."""
        thread = self.anna_thread[:8]
        self.anna.vault.close()
        read, write = os.pipe()
        os.write(write, VAULT_PASSPHRASE.encode() + b"\n")
        os.close(write)
        capfd.readouterr()
        args = ["--thread", thread, "--yes", "--json", "--vault", str(self.anna.path), "--passphrase-fd", str(read)]
        assert run(["desk", "delete", *args]) == 0
        os.close(read)
        self.anna.vault = open_vault(self.anna.path, VAULT_PASSPHRASE, CHEAP)
        until = json.loads(capfd.readouterr().out)["keys_erased_at"]
        return day_of(self.world.policy.batch_at(until))

    @property
    def anna_thread(self) -> str:
        return str(self.anna.vault.rows("SELECT hex(thread) FROM letter")[0][0]).lower()

    def recovered(self) -> bool:
        """All keys that are left, on all that the server ever had."""
        return any(TEXT in desk.texts() for desk in (self.anna, self.ben)) or bool(self.days_that_open())

    def days_that_open(self, text: str = TEXT) -> set[int]:
        """Days whose key, alone, opens the letter, or what members said, out of what the server ever had."""
        secrets = {s for desk in (self.anna, self.ben) for s in epoch_secrets(desk.vault)}
        return {s.day for s in secrets if any(text.encode() in p for path in self.held for p in self.opened(s, path))}

    def _open(self, secret: EpochSecret, path: str) -> list[bytes]:
        """What one day's key opens of a pack. What it opens once it opens ever after."""
        epoch, pack, found = self.epoch(secret), self.held[path] if path.startswith("packs/") else b"", []
        for sealed in (pack[i : i + LETTER_SIZE] for i in range(0, len(pack), LETTER_SIZE)):
            with suppress(NotOurs):
                found.append(open_sealed(epoch, sealed))
        return found


@pytest.fixture
def raid(opened: tuple[World, dict[str, Desk]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raid:
    monkeypatch.setattr(vaults, "open_vault", partial(open_vault, cost=CHEAP))
    return Raid(opened, tmp_path)


def test_a_letter_that_was_passed_on_is_gone_at_the_hour_that_delete_names(
    raid: Raid, capfd: pytest.CaptureFixture[str]
) -> None:
    raid.pass_on(3)
    told = day_of(raid.world.batch)
    day = raid.delete(capfd)
    assert 3 + DEFAULT_ERASE_DAYS <= day <= told + DEFAULT_ERASE_DAYS
    raid.to(144 * day - 6)
    assert not raid.anna.texts()
    assert not raid.ben.texts()
    assert raid.recovered(), "the memo's keys are there until then"
    raid.to(144 * day)
    assert not raid.recovered()


def test_one_that_was_not_is_gone_seven_days_after_its_own_day(raid: Raid, capfd: pytest.CaptureFixture[str]) -> None:
    assert raid.delete(capfd) == DEFAULT_ERASE_DAYS
    raid.to(144 * DEFAULT_ERASE_DAYS - 6)
    assert raid.recovered()
    raid.to(144 * DEFAULT_ERASE_DAYS)
    assert not raid.recovered()


@pytest.mark.matrix
def test_one_that_is_on_its_way_counts_too(raid: Raid, capfd: pytest.CaptureFixture[str]) -> None:
    """Sealed and sent, and not in the log yet when it is deleted."""
    raid.to(144 * 3)
    with raid.ben.vault.transaction():
        add_gap(raid.ben.vault, 0, 1)
        raid.ben.vault.do("UPDATE gap SET last = ?", 10)
    while not any(w.memo is not None for w in waiting(raid.anna.vault, "letter")):
        raid.to(raid.world.batch + 6, ticks=6)
    today = day_of(raid.world.batch)
    day = raid.delete(capfd)
    assert day == today + DEFAULT_ERASE_DAYS
    raid.to(144 * day - 6)
    assert raid.recovered()
    raid.to(144 * day)
    assert not raid.recovered()


NOTE = "she meets the nurse on Sunday"
ANSWER = "keep the second book where it is"


@pytest.mark.parametrize("again", [pytest.param(False, marks=pytest.mark.matrix), True], ids=["told", "told again"])
@pytest.mark.parametrize("broken", [False, True])
def test_what_members_said_of_a_thread_is_gone_at_that_hour_too(
    raid: Raid, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: bool, again: bool
) -> None:
    """A note and an answer lie in memos of later days than the letter, and of later ones yet when they are told again
    to who missed them. `broken`: the letters alone are counted."""
    if broken:
        monkeypatch.setattr(deletion, "_days_said", lambda *_: [])
    raid.to(144 * 2)
    thread = bytes.fromhex(raid.anna_thread)
    add_note(raid.anna.vault, thread, NOTE, raid.world.now, raid.anna.random)
    raid.anna.answer(Source(raid.world, "source"), ANSWER)
    while waiting(raid.anna.vault, "note") or waiting(raid.anna.vault, "reply"):
        raid.to(raid.world.batch + 24, ticks=6)
    if again:
        told = raid.world.batch
        raid.to(144 * 5)
        with raid.ben.vault.transaction():
            add_gap(raid.ben.vault, 0, 1)
            raid.ben.vault.do("UPDATE gap SET first = ?, last = ?", 144 * 2, told)
        while own_gaps(raid.ben.vault):
            raid.to(raid.world.batch + 24, ticks=6)
    last = max(day for text in (NOTE, ANSWER) for day in raid.days_that_open(text))
    day = raid.delete(capfd)
    raid.to(144 * day)
    assert not raid.recovered()
    left = any(raid.days_that_open(text) for text in (NOTE, ANSWER))
    assert left is broken
    assert (last + DEFAULT_ERASE_DAYS > day) is broken


def test_one_key_opens_its_own_day_and_what_was_passed_on_in_it(raid: Raid) -> None:
    """As `docs/threat-model.md` states of a live epoch key: other days hold, but for what was passed on."""
    raid.to(144 * 3)
    assert raid.days_that_open() == {0}
    raid.pass_on(3)
    own, *passed_on = sorted(raid.days_that_open())
    assert own == 0
    told = {day for (day,) in raid.ben.vault.rows("SELECT day FROM letter_told")}
    assert passed_on
    assert set(passed_on) == told, "the vault knows which days' keys those are"
