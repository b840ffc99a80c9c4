# SPDX-License-Identifier: AGPL-3.0-or-later
"""The statement by which an organisation closes its door for good. In a directory: null, or a map of "texts" (by
language) and "instead" (where to turn: a door's link, an address, a sentence). No directory follows one that has it."""

import re
from dataclasses import dataclass
from typing import Final

from latchstring.protocol.encoding import Fields, ProtocolError

LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")
MAX_TEXT: Final = 4000
MAX_INSTEAD: Final = 16
MAX_LINE: Final = 300


@dataclass(frozen=True, slots=True)
class Closing:
    """What the organisation says at the end, by language, and where to turn instead."""

    texts: dict[str, str]
    instead: tuple[str, ...] = ()


def check_closing(closing: Closing | None) -> None:
    """ProtocolError, in words for whoever closes, when a rule is broken."""
    if closing is None:
        return
    if not closing.texts or not all(text.strip() and len(text) <= MAX_TEXT for text in closing.texts.values()):
        raise ProtocolError(f"directory: the closing has a text of 1 to {MAX_TEXT} characters in at least one language")
    if not all(LANGUAGE.match(language) for language in closing.texts):
        raise ProtocolError("directory: a language is a tag such as 'en' or 'uk'")
    if len(closing.instead) > MAX_INSTEAD or not all(
        0 < len(line) <= MAX_LINE and line.isprintable() and line.strip() for line in closing.instead
    ):
        raise ProtocolError(f"directory: where to turn instead is at most {MAX_INSTEAD} lines of {MAX_LINE} characters")


def encode_closing(closing: Closing | None) -> object:
    """For the directory's CBOR."""
    return None if closing is None else {"texts": closing.texts, "instead": list(closing.instead)}


def decode_closing(value: object) -> Closing | None:
    """ProtocolError for anything else than what `encode_closing` gives."""
    if value is None:
        return None
    f = Fields(value, "closing")
    texts, instead = f.texts("texts", 64, MAX_TEXT), f.items("instead", MAX_INSTEAD)
    f.done()
    lines = tuple(line for line in instead if isinstance(line, str))
    if len(lines) != len(instead):
        raise ProtocolError("closing: 'instead' holds something else than texts")
    return Closing(texts, lines)
