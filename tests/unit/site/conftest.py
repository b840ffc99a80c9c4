# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door of two open desks as the pages see it, and one person's browser."""

from contextlib import nullcontext

import pytest

from latchstring.site import acts, uploading
from latchstring.site.app import Site
from latchstring.site.settings import Settings
from tests.builders import Stream
from tests.reader import Browser
from tests.world.world import Wire, World, open_door


class Pages:
    """The pages before a copy of an open door, and what a test may turn: the clock (`ahead`, in seconds), the wire."""

    def __init__(self, world: World, settings: Settings, key: bytes = bytes(32)) -> None:
        self.world = world.copy()
        self.wire = Wire(self.world, "the pages")
        self.ahead = 0
        self.site = Site(
            settings,
            self.world.door,
            lambda: nullcontext(self.wire),
            key,
            self.now,
            Stream("pages"),
            lambda: float(self.now()),
        )
        self.browser = Browser(self.site)

    def now(self) -> int:
        return self.world.now + self.ahead


@pytest.fixture(scope="session")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world, _ = open_door(tmp_path_factory.mktemp("door"), "legal", "news")
    return world


@pytest.fixture
def pages(open_world: World, monkeypatch: pytest.MonkeyPatch) -> Pages:
    monkeypatch.setattr(acts, "PAUSE", 0.0)
    monkeypatch.setattr(uploading, "_PAUSE", 0.0)
    return Pages(open_world, Settings())
