# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long a demonstration waits for its own server."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from latchstring.demo import door as module
from latchstring.demo.door import DemoDoor
from tests.builders import found


@pytest.mark.parametrize("tick", [1, 600])
def test_whatever_a_tick_lasts_it_waits_for_more_than_two(
    tick: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desks need two batches to open; `latchstring demo --tick` takes up to ten minutes."""
    waited: list[float] = []
    monkeypatch.setattr(module, "wait_for", lambda _attempt, seconds, _what: waited.append(seconds))
    directory = found("waiting").directory
    slow = replace(directory, policy=replace(directory.policy, tick=tick))
    made = DemoDoor(tmp_path, slow, b"", 1, cast("subprocess.Popen[bytes]", None))
    made.open_desks()
    made.wait_batch(1)
    made.wait_leaf(bytes(32))
    assert len(waited) == 3
    assert min(waited) > 2 * tick
