# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member who lost their device and joins again under the same name, with a new vault: somebody new, for everybody."""

from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.desk.seen import own_gaps
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_team

NAME = "news-3"


def rounds(world: World, *desks: Desk, count: int = 1, ticks: int = 36) -> list[str]:
    """Time passes; all come in turn. What the sessions warned of."""
    said = list[str]()
    for _ in range(count):
        world.close(world.batch + ticks)
        said += [warning for desk in desks for warning in desk.sync().warnings]
        world.close()
    return said


def until_handed(world: World, new: Desk, *others: Desk) -> list[str]:
    """Until `new` misses nothing any more, as it thinks."""
    said = list[str]()
    for _ in range(40):
        said += rounds(world, new, *others)
        if letters(new.vault) and not own_gaps(new.vault):
            break
    return said


def joined(world: World, folder: Path) -> Desk:
    world.add_member(NAME)
    world.close()
    desk = Desk(world, folder, "news", NAME)
    desk.random = Stream(f"device {folder.name}")
    desk.memos = True
    desk.sync()
    return desk


@pytest.fixture
def team(tmp_path: Path) -> tuple[World, list[Desk]]:
    world, team = open_team(tmp_path, 2, letters=4, queue=72)
    for desk in team.values():
        desk.memos = True
    return world, list(team.values())


@pytest.mark.matrix
def test_who_joins_again_under_the_same_name_is_handed_the_history(
    team: tuple[World, list[Desk]], tmp_path: Path
) -> None:
    world, others = team
    Source(world, "source").write("from before")
    rounds(world, *others)
    first = joined(world, tmp_path / "first")
    until_handed(world, first, *others)
    assert first.texts() == ["from before"]
    world.remove_member(NAME)
    world.close()
    rounds(world, *others, count=2)
    second = joined(world, tmp_path / "second")
    assert not second.texts()
    said = until_handed(world, second, *others)
    assert second.texts() == ["from before"]
    assert not [warning for warning in said if "sealed wrongly" in warning], "wraps for the lost keys are not ours"
