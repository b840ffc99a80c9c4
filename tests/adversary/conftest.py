# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every attack starts from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adversary.tools import Stage, fewer_pages, make_stage
from tests.world.world import TeamStage


@pytest.fixture(scope="session")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Made once: founding a door takes a second."""
    return make_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def stage(first_stage: Stage, tmp_path: Path) -> Stage:
    """An open door of two desks, one day old; see `Stage`."""
    return first_stage.copy(tmp_path)


@pytest.fixture
def again(first_team: TeamStage, tmp_path: Path) -> Callable[[str], TeamStage]:
    """The same desk of three as often as wanted, each under another name."""
    return lambda name: first_team.copy(tmp_path / name)


@pytest.fixture
def few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `fewer_pages`."""
    fewer_pages(monkeypatch)
