# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hypothesis profiles: `dev` by default, `ci` the same in every run, `deep` for a long look (HYPOTHESIS_PROFILE)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.world.world import TeamStage

_HERE: Final = Path(__file__).parent
_WAITING: Final = "integration"
_SHORT: Final = ("unit", "vectors")
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_CALM)
settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=_CALM)
settings.register_profile("deep", max_examples=3000, deadline=None, suppress_health_check=_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--matrix`: what `make test-all` adds."""
    parser.addoption(
        "--matrix",
        action="store_true",
        help="all languages, Firefox, and what is slow and like others",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `matrix` is skipped without --matrix, in words; files come in the order of `in_turn`."""
    ours = {item.path: item.path.is_relative_to(_HERE) for item in items}
    rooms = {path: path.relative_to(_HERE).parts[0] if one else "" for path, one in ours.items()}
    place = {path: number for number, path in enumerate(in_turn(rooms))}
    items.sort(key=lambda item: place[item.path])
    if not config.getoption("--matrix"):
        for item in items:
            if item.get_closest_marker("matrix"):
                item.add_marker(pytest.mark.skip(reason="with --matrix: make test-all"))


def in_turn(rooms: Mapping[Path, str]) -> list[Path]:
    """Files of tests, given with their rooms, so that several workers that take them one by one in this order are busy
    until the end: those that wait for servers stand evenly between those that compute, short ones come last."""
    waiting = [path for path, room in rooms.items() if room == _WAITING]
    short = [path for path, room in rooms.items() if room in _SHORT]
    turn = [path for path, room in rooms.items() if room != _WAITING and room not in _SHORT]
    for number, path in enumerate(reversed(waiting), 1):
        turn.insert(len(turn) * (len(waiting) - number) // len(waiting), path)
    return [*turn, *short]


@pytest.fixture(scope="session")
def first_team(tmp_path_factory: pytest.TempPathFactory) -> "TeamStage":
    """Made once in a run. Imported here: most tests do not need a whole world."""
    from tests.world.world import TeamStage, open_team

    return TeamStage(*open_team(tmp_path_factory.mktemp("team")))


@pytest.fixture
def three(first_team: "TeamStage", tmp_path: Path) -> "TeamStage":
    """An open desk of three."""
    return first_team.copy(tmp_path / "team")


@pytest.fixture
def short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at no page and no knock: members' sessions make the pages of six sheets, not of 28, and post
    no lists of knocks. Together they are two thirds of a session's work."""
    from latchstring.desk import placing, sync

    monkeypatch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 7))
    monkeypatch.setattr(sync, "post_lists", lambda *_: ())
