# SPDX-License-Identifier: AGPL-3.0-or-later
"""P5 with several members: an outsider who sees all published files learns of key notes at fixed times only, and not
when a member was at work, came back, or handed keys to another.
"""

import pytest

from latchstring.protocol import constants as c
from tests.world.world import Desk, TeamStage


def noted(three: TeamStage) -> list[int]:
    """Members come at odd times of two days, one of them with a lost vault: the batches with key notes."""
    world, team = three.world, three.team
    one, two, lost = team.values()
    batches = (20, 50, 90, 144, 150, 200, 288, 300)
    for batch in batches:
        if batch in (50, 200):
            one.sync()
        if batch in (90, 150, 300):
            two.sync()
        if batch == 90:
            _lose_keys(lost)
            lost.sync()
        world.close(batch)
    return [n for n in batches if f"keynotes/{n}" in world.core.public.files]


def _lose_keys(desk: Desk) -> None:
    """As after the vault was put back from a copy: transport keys and epochs are in none."""
    with desk.vault.transaction():
        desk.vault.do("DELETE FROM secret")
        desk.vault.do("DELETE FROM transport_note")


@pytest.mark.parametrize("broken", [False, True])
def test_key_notes_come_with_a_day_s_first_batch(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        monkeypatch.setattr("latchstring.server.publisher.may_log_key_notes", lambda *_: True)
    found = noted(three)
    assert any(n % c.TICKS_PER_DAY for n in found) is broken
    assert ({144, 288} <= set(found)) is not broken
