# SPDX-License-Identifier: AGPL-3.0-or-later
"""Desks of several members: founding, weeks, coming and going, absence, each at their own time."""

from pathlib import Path

from latchstring.desk.keys import keys_held
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol.constants import day_of
from tests.world.world import Desk, Source, World, open_team


def reads_ahead(world: World, desk: Desk) -> set[int]:
    """Days from today on whose fixed note the member holds."""
    held = {s.note_hash for s in epoch_secrets(desk.vault)}
    today = day_of(world.batch)
    fixed = world.core.publisher._memory.state.fixed
    return {day for (name, _, day), note in fixed.items() if name == desk.name and day >= today and note in held}


def test_a_desk_of_three_opens_at_the_fourth_batch(tmp_path: Path) -> None:
    world = World(each=3)
    team = [Desk(world, tmp_path, "news", f"news-{n}") for n in (1, 2, 3)]
    was_open = []
    for batch in range(5):
        world.close(batch)
        was_open.append(all([desk.sync().desk_open for desk in team]))
    assert was_open == [False, False, False, True, True]
    for desk in team:
        assert reads_ahead(world, desk) == set(range(8))


def test_members_who_come_on_different_days_read_everything(tmp_path: Path) -> None:
    """Each every third day, for 18 days: one note a day, nobody reads late, keys are erased after seven days."""
    world, team = open_team(tmp_path)
    source = Source(world, "a")
    for day in range(1, 19):
        world.close(144 * day)
        if day == 9:
            world.renew()
        source.write(f"day {day}")
        world.close()
        desk = [*team.values()][day % 3]
        report = desk.sync()
        assert (report.desk_open, report.faults, report.warnings) == (True, (), ())
        assert min(keys_held(desk.vault).transports) == max(0, day - 6)
        assert reads_ahead(world, desk) == set(range(day, day + 8))
        notes = [e.note for e in world.core.publisher._memory.state.epochs.values() if e.note.day > 15]
        assert len({n.day for n in notes}) == len(notes), "one note a day"
    world.close()
    for desk in team.values():
        desk.sync()
        assert desk.texts() == [f"day {day}" for day in range(1, 19)]
