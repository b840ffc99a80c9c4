# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every state of the pages on an address: what `tests/states.py` collected, with its own headers, for real browsers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
from jinja2 import Environment, PackageLoader

from latchstring.protocol.source_keys import seed_of
from latchstring.site import acts, uploading
from tests.browser.serving import ServedDoor
from tests.reader import Answer
from tests.states import Stage, every_state


class Shelves:
    """`door`, a copy of the `stage`'s, gives them; each language's are collected when they are first asked for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._names: dict[str, list[str]] = {}
        self.templates: set[str] = set()  # that the states are made of
        self.door = ServedDoor(stage.world.copy())

    def states(self, code: str) -> list[str]:
        """The names of a language's states."""
        if code not in self._names:
            with ThreadPoolExecutor(1) as other:  # where Playwright runs, `asyncio.run` cannot
                seen: dict[str, Answer] = other.submit(every_state, self.stage, code).result()
            self._names[code] = list(seen)
            self.door.shelf |= {f"{code}-{name}": answer for name, answer in seen.items()}
        return self._names[code]

    def address(self, code: str, name: str) -> str:
        """Where a browser finds one, on the page's own address."""
        self.states(code)
        return f"{self.door.address}/{code}/{name.partition('-')[0]}?state={code}-{name}"


@contextmanager
def shelved(folder: Path) -> Iterator[Shelves]:
    """The shelves of a new door. Nobody waits between two tries, and the same words' keys are worked out once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acts, "PAUSE", 0.0)
        patch.setattr(uploading, "_PAUSE", 0.0)
        patch.setattr("latchstring.site.acts.seed_of", lru_cache(seed_of))
        made = Shelves(Stage.make(folder))
        source = PackageLoader.get_source

        def noted(self: PackageLoader, environment: Environment, template: str) -> object:
            made.templates.add(template)
            return source(self, environment, template)

        patch.setattr(PackageLoader, "get_source", noted)
        try:
            yield made
        finally:
            made.door.close()
