# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter and what travels beside it: laid out first with placeholders, so that nothing is sent that does not fit.

What has no room in the envelope leaves it in this order: the answers, the names of the files (in a list), the text. A
long text is an attachment named `letter.txt`, the first of all; the letter has its beginning.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import Attachment, encode_list
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.letter import MAX_ATTACHED, LetterBody, room_left
from latchstring.source import acts
from latchstring.source.thread import Reply
from latchstring.source.upload import Bytes, Content, placeholder

WHOLE: Final = "letter.txt"
_GOES_ON: Final = f" …\n\n→ {WHOLE}"
_BEGINNING: Final = 400  # bytes of it at least, where something else can leave the envelope
_READ: Final = 18  # bytes of the id of a reply that was read

SendBeside = Callable[[Content, str], Attachment]
"""Seals and stores a content under a name; CannotWrite, Cut or NetworkFailed when that cannot be done."""


def compose(
    text: str,
    language: str,
    replies: tuple[Reply, ...],
    drafts: tuple[Attachment, ...],
    answers: Answers | None = None,
    most: int = 0,
) -> LetterBody:
    """The letter as long as it will be; placeholders stand for what travels beside it, until `send_beside`. `drafts`:
    the files, or placeholders for them; `most`: bytes of an attachment, 0 where the door takes none. CannotWrite as
    `acts.compose`.
    """
    plain = LetterBody(language, acts.WAY, text)
    acts.says_something(replace(plain, answers=answers))
    ways = _ways(plain, drafts, answers, most)
    fits = next((way for way in ways if room_left(way) >= 0), None)
    size = len(text.encode())
    if fits is None and 0 < size <= most:
        ways = _ways(replace(plain, text=_GOES_ON), (placeholder(size, WHOLE), *drafts), answers, most)
        kept = _BEGINNING + _READ * min(len(replies), acts.NAMED)
        fits = _with_beginning(next((way for way in ways if room_left(way) >= kept), ways[-1]), text, len(replies))
    return acts.naming(fits or ways[-1], replies)


def _ways(plain: LetterBody, drafts: tuple[Attachment, ...], answers: Answers | None, most: int) -> list[LetterBody]:
    """The ways to lay a letter out, the simplest first."""
    named = [replace(plain, attachments=drafts)] if len(drafts) <= MAX_ATTACHED else []
    if drafts:
        named.append(replace(plain, listed=placeholder(_list_size(drafts), "list")))
    ways = [replace(way, answers=answers) for way in named]
    if answers is not None and (size := len(answers.encode())) <= most:
        ways += [replace(way, answers_in=placeholder(size, "answers")) for way in named]
        ways.sort(key=lambda way: (way.listed is not None, way.answers_in is not None))
    return ways


def _with_beginning(way: LetterBody, text: str, replies: int) -> LetterBody:
    """As much of the text as fits beside the ids of what was read, up to the end of a word."""
    room = room_left(way) - _READ * min(replies, acts.NAMED) - 2  # the length of a longer text takes more itself
    start = text.encode()[: max(0, room)].decode("utf-8", "ignore")
    words, space, last = start.rpartition(" ")
    return replace(way, text=(words if space and len(last) < 80 else start).rstrip() + _GOES_ON)


def _list_size(drafts: tuple[Attachment, ...]) -> int:
    """Of drafts, which may all have one id."""
    try:
        return len(encode_list(tuple(replace(d, id=n.to_bytes(16, "big")) for n, d in enumerate(drafts))))
    except ProtocolError:
        raise acts.CannotWrite(
            "The names of the files are too long together. Send numbers in place of them (--nameless); nothing was "
            "sent."
        ) from None


def send_beside(
    body: LetterBody, text: str, files: tuple[Attachment, ...], answers: Answers | None, send: SendBeside
) -> LetterBody:
    """What `compose` made of `text`, with what has no room in the letter sent. `files`: as they were stored."""
    if body.text != text:
        files = (send(Bytes(text.encode()), WHOLE), *files)
    if body.answers_in is not None and answers is not None:
        body = replace(body, answers_in=send(Bytes(answers.encode()), "answers"))
    if body.listed is None:
        return replace(body, attachments=files)
    return replace(body, listed=send(Bytes(encode_list(files)), "list"))
