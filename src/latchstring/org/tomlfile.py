# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading TOML (https://toml.io, version 1.0) setting by setting, so that every complaint names the setting.

What is wrong ends as OrgError and as nothing else. Complaints quote names of settings, never their values.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import tomli_w

from latchstring.org.errors import OrgError
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import check_ed25519

_HEX: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
MAX_FILE: Final = 1 << 20


def text_of(raw: bytes, what: str) -> str:
    """A file's text. `what` names it in a complaint: "draft", "card"."""
    if len(raw) > MAX_FILE:
        raise OrgError(f"The {what} is longer than any {what} is: is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise OrgError(f"The {what} is not UTF-8 text (line {line}). Save it as UTF-8.") from None


def read_toml(text: str, what: str) -> "Table":
    """The whole file as a table."""
    try:
        return Table(tomllib.loads(text), "")
    except (ValueError, RecursionError) as error:  # ValueError beside TOMLDecodeError: a number of 5,000 digits
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value is too long or nested too deep"
        raise OrgError(f"The {what} is not valid TOML: {_visible(reason, 200)}.") from None


def _visible(text: str, longest: int) -> str:
    return "".join(ch if ch.isprintable() else "�" for ch in text)[:longest]


def lines_of(values: Mapping[str, object]) -> str:
    """Settings, a line each; a text of several lines as one that shows them."""
    return "".join(
        tomli_w.dumps({name: value}, multiline_strings=isinstance(value, str) and "\r" not in value)
        for name, value in values.items()
    )


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        return False


class Table:
    """A table of which each setting is taken once; `done` complains about those that nobody asked for."""

    def __init__(self, table: dict[str, Any], where: str) -> None:
        self._left, self._where = dict(table), where

    def _take(self, name: str, what: str) -> Any:
        if name not in self._left:
            raise OrgError(f"'{self._where}{name}' is missing: {what}.")
        return self._left.pop(name)

    def _wrong(self, name: str, what: str) -> OrgError:
        return OrgError(f"'{self._where}{name}' is not right: it must be {what}.")

    def has(self, name: str) -> bool:
        """Is the setting there and not yet taken?"""
        return name in self._left

    def text(self, name: str) -> str:
        """A text."""
        value = self._take(name, "a text")
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        what = 'a list of texts, such as ["http://..."]'
        value = self._take(name, what)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, what)
        return tuple(value)

    def addresses(self, name: str) -> tuple[str, ...]:
        """A list of addresses, each of them `http://` or `https://` and a host: who comes by one asks what it says."""
        values = self.texts(name)
        if not all(_is_address(value) for value in values):
            raise self._wrong(
                name, "a list of addresses, each beginning with http:// (as onion services do) or https://"
            )
        return values

    def text_map(self, name: str) -> dict[str, str]:
        """Texts by language."""
        what = 'texts by language, such as en = "..."'
        value = self._take(name, what)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(name, what)
        return dict(value)

    def number(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        what = f"a whole number from {low} to {high}"
        value = self._take(name, what)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(name, what)
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._take(name, "true or false")
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def key(self, name: str) -> bytes:
        """32 bytes in hexadecimal."""
        what = "64 digits from 0 to f, in lower case"
        value = self._take(name, what)
        if not isinstance(value, str) or not _HEX.match(value):
            raise self._wrong(name, what)
        return bytes.fromhex(value)

    def signing_key(self, name: str) -> bytes:
        """An Ed25519 public key, 32 bytes in hexadecimal."""
        key = self.key(name)
        try:
            return check_ed25519(key)
        except ProtocolError:
            raise self._wrong(name, "a key that its holder alone can sign for: ask for it anew") from None

    def table(self, name: str) -> "Table":
        """A table below this one."""
        value = self._take(name, "a table")
        if not isinstance(value, dict):
            raise self._wrong(name, f"a table, begun by [{self._where}{name}]")
        return Table(value, f"{self._where}{name}.")

    def tables(self, name: str) -> list["Table"]:
        """A list of tables below this one; empty when it is not there."""
        value = self._left.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, f"a list of tables, each begun by [[{self._where}{name}]]")
        return [Table(item, f"{self._where}{name}[{i}].") for i, item in enumerate(value, 1)]

    def done(self) -> None:
        """Complain about a setting that there is not."""
        if self._left:
            raise OrgError(f"'{self._where}{_visible(sorted(self._left)[0], 40)}' is not a setting that there is.")
