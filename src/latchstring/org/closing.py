# SPDX-License-Identifier: AGPL-3.0-or-later
"""The last directory of a door: the content of the one before, and the statement that closes it for good."""

from collections.abc import Iterable
from dataclasses import replace

from latchstring.org.errors import OrgError
from latchstring.protocol.closing import Closing, check_closing
from latchstring.protocol.directory import Directory, SignedDirectory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.renewal import renewed


def closing_of(said: Iterable[str], instead: Iterable[str]) -> Closing:
    """The statement from what was typed, each of `said` as LANGUAGE=TEXT; OrgError when a rule is broken."""
    texts: dict[str, str] = {}
    for item in said:
        language, found, text = item.partition("=")
        if not found:
            raise OrgError("A statement is given with its language: --say 'en=We have closed. ...'")
        if language in texts:
            raise OrgError(f"There are two statements in one language ('{language[:20]}'). Give one for each.")
        texts[language] = text
    closing = Closing(texts, tuple(instead))
    try:
        check_closing(closing)
    except ProtocolError as error:
        raise OrgError(f"The door cannot be closed so: {str(error).removeprefix('directory: ')}.") from None
    return closing


def closing_directory(before: SignedDirectory, closing: Closing, present: int, days: int) -> Directory:
    """The directory that closes the door: desks answer for `days` more (1 to 92) from batch number `present`."""
    return replace(renewed(before, present, days), closed=closing)


def statement(closing: Closing) -> list[str]:
    """What sources will read, line by line, for whoever signs it."""
    out = [f"The statement ({language}): {text}" for language, text in sorted(closing.texts.items())]
    return [*out, *(f"Where to turn instead: {line}" for line in closing.instead)]
