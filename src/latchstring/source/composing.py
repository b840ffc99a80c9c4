# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter and what travels beside it: laid out first with placeholders, so that nothing is sent that does not fit."""

from collections.abc import Callable
from dataclasses import replace

from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import Attachment, encode_list
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.letter import MAX_ATTACHED, LetterBody, room_left
from latchstring.source import acts
from latchstring.source.thread import Reply
from latchstring.source.upload import Bytes, Content, placeholder

SendBeside = Callable[[Content, str], Attachment]
"""Seals and stores a content under a name; CannotWrite, Cut or NetworkFailed when that cannot be done."""


def compose(
    text: str,
    language: str,
    replies: tuple[Reply, ...],
    drafts: tuple[Attachment, ...],
    answers: Answers | None = None,
    takes_more: bool = True,
) -> LetterBody:
    """The letter as long as it will be. What does not fit travels beside it: answers first, then the names of the
    files, in a list; placeholders stand for them until `send_beside`. `drafts`: the files, or placeholders for them;
    `takes_more`: whether the door takes attachments. CannotWrite as `acts.compose`.
    """
    plain = LetterBody(language, acts.WAY, text)
    acts.says_something(replace(plain, answers=answers))
    beside = placeholder(len(answers.encode()), "answers") if answers is not None and takes_more else None
    named = [replace(plain, attachments=drafts)] if len(drafts) <= MAX_ATTACHED else []
    if drafts:
        named.append(replace(plain, listed=placeholder(_list_size(drafts), "list")))
    ways = [replace(way, answers=answers) for way in named]
    if beside is not None:
        ways += [replace(way, answers_in=beside) for way in named]
        ways.sort(key=lambda way: (way.listed is not None, way.answers_in is not None))
    return acts.naming(next((way for way in ways if room_left(way) >= 0), ways[-1]), replies)


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
    body: LetterBody, files: tuple[Attachment, ...], answers: Answers | None, send: SendBeside
) -> LetterBody:
    """What `compose` made, with what has no room in the letter sent. `files`: as they were stored."""
    if body.answers_in is not None and answers is not None:
        body = replace(body, answers_in=send(Bytes(answers.encode()), "answers"))
    if body.listed is None:
        return replace(body, attachments=files)
    return replace(body, listed=send(Bytes(encode_list(files)), "list"))
