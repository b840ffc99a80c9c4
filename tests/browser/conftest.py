# SPDX-License-Identifier: AGPL-3.0-or-later
"""Node and the page's half of the protocol, made ready once."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adversary.tools import Stage, make_stage
from tests.browser.peer import FRONTEND, NODE, Peer

MAKE = shutil.which("make") or "/usr/bin/make"


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder `frontend/`, with its packages in place; fails in words when Node is missing and cannot be had."""
    root = FRONTEND.parent
    with (root / "Makefile").open() as lock:  # several workers, one npm
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run([MAKE, "-s", "node"], cwd=root, capture_output=True, text=True)
    if made.returncode:
        pytest.fail(f"The page's half cannot be tested. {made.stderr.strip() or made.stdout.strip()}")
    return FRONTEND


@pytest.fixture(scope="session")
def compiled(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests of frontend/test as JavaScript."""
    out = tmp_path_factory.mktemp("frontend")
    subprocess.run([NODE, "test.mjs", "--compile", str(out)], cwd=node, check=True)
    return out


@pytest.fixture(scope="session")
def peer(compiled: Path) -> Iterator[Peer]:
    """The page's half, to be spoken with."""
    one = Peer(compiled / "peer.js")
    yield one
    one.close()


@pytest.fixture(scope="session")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """As the attackers' tests have it."""
    return make_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def stage(first_stage: Stage, tmp_path: Path) -> Stage:
    """An open door of two desks, one day old."""
    return first_stage.copy(tmp_path)
