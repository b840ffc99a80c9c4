# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was done already, so that pressing 'send' twice says so: letters' ids, and the marks of changed words. They tell
nothing to whoever has not the form; for an hour, in memory.

Only one worker knows them; sending the same letter by another does no harm: the store takes the same bytes once, and
a desk shows a letter's id once. A letter that was edited has another id, and is sent.
"""

from typing import Final

from latchstring.site.forms import LIFE

_MOST: Final = 100_000


class Spent:
    """For one worker; safe in threads, since each change is one operation on a dictionary."""

    def __init__(self) -> None:
        self._marks: dict[bytes, int] = {}  # oldest first

    def add(self, mark: bytes, now: int) -> None:
        """`mark` was used. `now`: Unix seconds."""
        self._marks[mark] = now
        for old, at in list(self._marks.items())[:16]:
            if now - at > LIFE or len(self._marks) > _MOST:
                self._marks.pop(old, None)

    def was(self, mark: bytes, now: int) -> bool:
        """Was it used within the hour?"""
        return now - self._marks.get(mark, now - LIFE - 1) <= LIFE
