# SPDX-License-Identifier: AGPL-3.0-or-later
"""Node and the page's half of the protocol, made ready once; doors that a browser opens, and the browser."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from latchstring.site import acts, uploading
from latchstring.site.languages import LANGUAGES
from tests.adversary.tools import Stage, make_stage
from tests.browser.chromium import launched
from tests.browser.metadata import Metadata
from tests.browser.peer import FRONTEND, NODE, Peer
from tests.browser.person import Person
from tests.browser.serving import ServedDoor
from tests.browser.shelf import Shelves, shelved
from tests.world.world import Desk, World, open_door

MAIN = ("en", "ar")
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
def metadata(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metadata]:
    """What reads and removes what files say."""
    one = Metadata(tmp_path_factory.mktemp("metadata"))
    yield one
    one.close()


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


@pytest.fixture(scope="session")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Desk]]:
    """A door of two open desks, made once."""
    return open_door(tmp_path_factory.mktemp("door"), "legal", "news")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For the tests of one file: see `chromium.py`."""
    with launched() as browser:
        yield browser


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries at the store."""
    monkeypatch.setattr(acts, "PAUSE", 0.0)
    monkeypatch.setattr(uploading, "_PAUSE", 0.0)


@pytest.fixture
def door(open_world: tuple[World, dict[str, Desk]], quick: None) -> Iterator[ServedDoor]:
    """A copy of the open door, served on an address of its own."""
    served = ServedDoor(open_world[0].copy())
    yield served
    served.close()


@pytest.fixture
def news(open_world: tuple[World, dict[str, Desk]], door: ServedDoor, tmp_path: Path) -> Desk:
    """One of the door's two desks."""
    return open_world[1]["news"].copy(door.world, tmp_path)


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Person]:
    """Somebody who has opened no page yet."""
    one = Person(chromium, door)
    yield one
    one.context.close()


@pytest.fixture(scope="session")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    """Every state of the pages on an address, made once."""
    with shelved(tmp_path_factory.mktemp("states")) as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`language`: the main ones, all with --matrix."""
    if "language" in metafunc.fixturenames:
        metafunc.parametrize("language", LANGUAGES if metafunc.config.getoption("--matrix") else MAIN)
