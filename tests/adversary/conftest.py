# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every attack starts from."""

from pathlib import Path

import pytest

from tests.adversary.tools import Stage, make_stage


@pytest.fixture(scope="session")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Made once: founding a door takes a second."""
    return make_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def stage(first_stage: Stage, tmp_path: Path) -> Stage:
    """An open door of two desks, one day old; see `Stage`."""
    return first_stage.copy(tmp_path)
