# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same steps, written once, for two ways: filled in here, or carried by the page for its script to fill.

A step asks `part` for whatever only its reader's answers decide. What the script reads: `data-fill` (put a text here),
`data-if` (show this when it is so), `data-each` (once for each item). See frontend/src/page/fill.ts.
"""

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup


class Filled:
    """What is known is written into the page; what is not so is left out."""

    scripted: Final = False

    def fill(self, _name: str, value: object) -> object:
        """A text at its place."""
        return value

    def given(self, _name: str) -> Markup:
        """An attribute of what is there only when `name` is so, inside an `{% if part.scripted or ... %}`."""
        return Markup("")

    def each(self, _name: str, items: Sequence[Any]) -> Sequence[Any]:
        """What a loop runs over."""
        return items

    def row(self, _name: str) -> Markup:
        """An attribute of what a loop repeats."""
        return Markup("")


class Carried:
    """Places for what the script knows."""

    scripted: Final = True

    def fill(self, name: str, _value: object) -> Markup:
        return _place(name)

    def given(self, name: str) -> Markup:
        return Markup(' data-if="{}" hidden').format(name)

    def each(self, _name: str, _items: Sequence[Any]) -> "tuple[Item]":
        return (Item(),)

    def row(self, name: str) -> Markup:
        return Markup(' data-each="{}"').format(name)


class Item:
    """One of many: each of its fields, and the whole of it, is a place."""

    def __getattr__(self, name: str) -> Markup:
        return _place(name)

    def __html__(self) -> str:
        return str(_place("."))


def _place(name: str) -> Markup:
    return Markup('<span data-fill="{}"></span>').format(name)
