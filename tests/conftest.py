# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hypothesis profiles: `dev` by default, `ci` the same in every run, `deep` for a long look (HYPOTHESIS_PROFILE)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.world.world import TeamStage

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
    """What is marked `matrix` is skipped without --matrix, in words. What waits for servers comes first, so that nobody
    waits for it in the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
    if not config.getoption("--matrix"):
        for item in items:
            if item.get_closest_marker("matrix"):
                item.add_marker(pytest.mark.skip(reason="with --matrix: make test-all"))


@pytest.fixture(scope="session")
def first_team(tmp_path_factory: pytest.TempPathFactory) -> "TeamStage":
    """Made once in a run. Imported here: most tests do not need a whole world."""
    from tests.world.world import TeamStage, open_team

    return TeamStage(*open_team(tmp_path_factory.mktemp("team")))


@pytest.fixture
def three(first_team: "TeamStage", tmp_path: Path) -> "TeamStage":
    """An open desk of three."""
    return first_team.copy(tmp_path / "team")
