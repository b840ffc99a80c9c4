# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which addresses of a door are tried, and in which order, when it moves.

A directory names the door's addresses under its root signatures, so that whoever reached the door once can find it
where it has moved. Nobody is led there in the open: an address that the person did not type is asked through Tor or
another proxy alone, and otherwise told in words.
"""

from collections.abc import Iterable, Iterator


class Ways:
    """Addresses in turn, each once; more may be named while they are gone through. `hidden`: through a proxy."""

    def __init__(self, typed: Iterable[str], hidden: bool) -> None:
        self._left = list(dict.fromkeys(typed))
        self._typed = frozenset(self._left)
        self._tried: list[str] = []
        self._untold: list[str] = []
        self._hidden = hidden

    def name(self, addresses: Iterable[str], first: bool = False) -> None:
        """The door names these; `first`: they come before what was typed."""
        new = [a for a in dict.fromkeys(addresses) if a not in self._tried and (first or a not in self._left)]
        if not self._hidden:
            self._untold += [a for a in new if a not in self._typed and a not in self._untold]
            return
        self._left = [*new, *(a for a in self._left if a not in new)] if first else [*self._left, *new]

    def __iter__(self) -> Iterator[str]:
        while self._left:
            address = self._left.pop(0)
            self._tried.append(address)
            yield address

    @property
    def unasked(self) -> tuple[str, ...]:
        """What the door named and nobody was led to."""
        return tuple(self._untold)


def try_these(addresses: Iterable[str]) -> str:
    """What to do with addresses that were named and not asked; empty when there are none."""
    named = ", ".join(addresses)
    return f"The door itself names these addresses: {named}. Try them with --tor." if named else ""
