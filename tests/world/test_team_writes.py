# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes of a member who comes, reads late and leaves, in pairs: it fails and is not stored; it fails but is stored.

Where in a session a write happens is found by watching the vault after each commit of an undisturbed one. Whatever
happened, the next session ends as that one did, and the new member reads what is for them, once.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.desk.errors import VaultError
from latchstring.desk.keys import waiting_notes
from latchstring.desk.presence import NoLongerHere
from latchstring.desk.sync import SyncReport
from latchstring.desk.vault import Vault, open_vault
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import Wrap
from tests.world.test_desk_writes import Failing
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_team

NEW = "news-3"
AFTER = "and after"


# --- moments -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """A desk of two that somebody joins, just before a session."""

    world: World
    team: dict[str, Desk]

    def copy(self, folder: Path) -> "Moment":
        folder.mkdir(parents=True, exist_ok=True)
        world = self.world.copy()
        return Moment(world, {name: desk.copy(world, folder) for name, desk in self.team.items()})

    def sync(self, *names: str) -> "Moment":
        for name in names:
            assert self.team[name].sync().faults == ()
        return self


def _arrives(folder: Path) -> Moment:
    world, team = open_team(folder, 2)
    world.close(36)
    Source(world, "a").write("before their time")
    world.add_member(NEW)
    world.close(144)
    return Moment(world, {**team, NEW: Desk(world, folder, "news", NEW)})


def _hands_on(before: Moment) -> Moment:
    """Their transport keys are logged; whoever holds keys of the coming days wraps them."""
    before.sync(NEW, "news-1", "news-2")
    before.world.close()
    before.sync("news-1", "news-2")
    Source(before.world, "b").write(AFTER)
    before.world.close(288)
    return before


def _reads(before: Moment) -> Moment:
    """The wraps are logged, of days whose letters came before."""
    before.sync(NEW, "news-1", "news-2")
    before.world.close(432)
    return before


def _removed(before: Moment) -> Moment:
    before.sync(NEW)
    before.world.remove_member(NEW)
    before.world.close()
    return before


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Moment]:
    """Made once."""
    folder = tmp_path_factory.mktemp("moments")
    arrives = _arrives(folder / "arrives")
    hands_on = _hands_on(arrives.copy(folder / "hands on"))
    reads = _reads(hands_on.copy(folder / "reads"))
    removed = _removed(reads.copy(folder / "removed"))
    return {"arrives": arrives, "hands on": hands_on, "reads": reads, "removed": removed}


# --- writes --------------------------------------------------------------------------------------

Rows = list[tuple[object, ...]]
Look = Callable[[Vault], Rows]


def presence(vault: Vault) -> Rows:
    return vault.rows("SELECT state FROM presence")


def unopened(vault: Vault) -> Rows:
    return vault.rows("SELECT batch, note, day FROM unopened ORDER BY batch, day")


def begun(vault: Vault) -> Rows:
    return vault.rows("SELECT batch, manifest FROM followed")


def wraps(vault: Vault) -> Rows:
    """For whom, of which note: the sealing draws its own randomness."""
    found = [Wrap.parse(raw) for kind, raw in waiting_notes(vault) if kind is Kind.WRAP]
    return sorted((w.note_hash, w.member) for w in found if w.member == NEW)


WRITES: dict[str, tuple[str, str, Look]] = {
    "the mark of being here": ("arrives", NEW, presence),
    "where a new vault begins": ("arrives", NEW, begun),
    "batches that could not be opened": ("arrives", NEW, unopened),
    "late wraps": ("hands on", "news-1", wraps),
    "a batch whose key came late": ("reads", NEW, unopened),
    "the mark of having left": ("removed", NEW, presence),
}


def watch(vault: Vault, look: Look) -> list[Rows]:
    """What `look` sees after each commit from now on."""
    seen: list[Rows] = []

    class Watched(Vault):
        def _commit(self) -> None:
            super()._commit()
            seen.append(look(self))

    vault.__class__ = Watched
    return seen


def session(desk: Desk) -> SyncReport | None:
    """None for whoever is told that they are no longer there."""
    with suppress(NoLongerHere):
        return desk.sync()
    return None


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
@pytest.mark.parametrize("what", WRITES)
def test_a_write_that_fails(
    moments: dict[str, Moment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, stored: bool
) -> None:
    moment, name, look = WRITES[what]
    if look is begun:  # two sheets make a door old here
        monkeypatch.setattr("latchstring.desk.beginning.SHEETS_KEPT", 2)
    calm = moments[moment].copy(tmp_path / "calm")
    before = look(calm.team[name].vault)
    seen = watch(calm.team[name].vault, look)
    report = session(calm.team[name])
    at = next(number for number, rows in enumerate(seen) if rows != before)
    there, end = seen[at], seen[-1]

    scene = moments[moment].copy(tmp_path / "failing")
    desk = scene.team[name]
    vault = desk.vault
    vault.__class__ = Failing
    assert isinstance(vault, Failing)
    vault.left, vault.stored = at, stored
    with pytest.raises(VaultError):
        desk.sync()
    assert vault.left == -1
    vault.close()
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    assert look(desk.vault) == (there if stored else before)
    again = session(desk)
    assert look(desk.vault) == end
    if report is None or again is None:
        assert (report, again) == (None, None)
        with pytest.raises(NoLongerHere):
            desk.answer(Source(scene.world, "b"), "still here")
        return
    assert again.faults == ()
    assert again.unopened == report.unopened
    assert begun(desk.vault) == begun(calm.team[name].vault)
    for day in (2, 3):
        if scene.world.batch < 144 * day:
            scene.world.close(144 * day)
            for member in (NEW, "news-1", "news-2"):
                assert scene.team[member].sync().faults == ()
    new = scene.team[NEW]
    assert new.texts() == ([] if moment == "arrives" else [AFTER])
    assert new.vault.rows("SELECT count(*) FROM unopened WHERE day > 2") == [(0,)]


def test_a_moment_has_what_it_is_about(moments: dict[str, Moment], tmp_path: Path) -> None:
    """The new member is there and opens nothing yet; with the wraps comes the letter."""
    new = moments["hands on"].team[NEW]
    assert presence(new.vault) == [("here",)]
    assert {day for _, _, day in unopened(new.vault)} == {0, 1}
    reads = moments["reads"].copy(tmp_path)
    assert reads.team[NEW].texts() == []
    reads.team[NEW].sync()
    assert reads.team[NEW].texts() == [AFTER]
