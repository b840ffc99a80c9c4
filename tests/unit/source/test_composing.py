# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a letter is laid out: what fits stays in the envelope, and what leaves it is whole beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import Attachment, parse_list
from latchstring.protocol.letter import LetterBody, room_left
from latchstring.source import acts
from latchstring.source.composing import WHOLE, compose, send_beside
from latchstring.source.thread import Reply
from latchstring.source.upload import Content, placeholder
from tests.builders import Stream

MOST = 5_000_000_000
REPLIES = tuple(Reply(bytes([i]) * 16, 0, "", (), False) for i in range(20))


class Shelf:
    """What was sent beside a letter, by name."""

    def __init__(self) -> None:
        self.random, self.sent = Stream("shelf"), dict[str, bytes]()

    def send(self, content: Content, name: str) -> Attachment:
        self.sent[name] = content.read(content.size)
        return self.store(content.size, name)

    def store(self, size: int, name: str) -> Attachment:
        return Attachment(self.random(16), self.random(32), size, self.random(32), name)


def whole(text: str, files: int = 0, answers: Answers | None = None, read: int = 0) -> tuple[LetterBody, Shelf]:
    """The letter as it goes, and what goes beside it."""
    shelf = Shelf()
    drafts = tuple(placeholder(1, f"{n}.pdf") for n in range(files))
    body = compose(text, "en", REPLIES[:read], drafts, answers, MOST)
    stored = tuple(shelf.store(1, draft.name) for draft in drafts)
    return send_beside(body, text, stored, answers, shelf.send), shelf


@given(
    st.builds(
        str.__mul__,
        st.text(st.sampled_from("ab \n їЖ😀"), min_size=1, max_size=40).filter(str.strip),
        st.integers(1, 90),
    ),
    st.integers(0, 30),
    st.none() | st.integers(1, 4000),
    st.integers(0, 20),
)
def test_whatever_is_written_goes_whole(text: str, files: int, long: int | None, read: int) -> None:
    answers = Answers(1, {"what": "й" * long}) if long else None
    body, shelf = whole(text, files, answers, read)
    assert len(body.encode()) <= 1582
    named = parse_list(shelf.sent["list"]) if body.listed else body.attachments
    names = [WHOLE] if WHOLE in shelf.sent else []
    assert [item.name for item in named] == names + [f"{n}.pdf" for n in range(files)]
    if names:
        assert shelf.sent[WHOLE].decode() == text
        start, _, _ = body.text.rpartition(" …")
        assert text.startswith(start), "the letter begins it"
        assert len(body.read) == min(read, acts.NAMED), "there is room to say what was read"
    else:
        assert body.text == text
    assert (Answers.parse(shelf.sent["answers"]) if body.answers_in else body.answers) == answers


@pytest.mark.parametrize(
    ("text", "files", "answered", "beside"),
    [
        (700, 2, True, set()),
        (900, 4, True, {"answers"}),
        (900, 12, True, {"list"}),
        (1200, 12, True, {"answers", "list"}),
        (1400, 3, True, {WHOLE}),
        (1600, 0, True, {WHOLE}),
        (1600, 20, True, {WHOLE, "list"}),
    ],
)
def test_what_leaves_the_envelope_first(text: int, files: int, answered: bool, beside: set[str]) -> None:
    answers = Answers(1, {"what": "x" * 300}) if answered else None
    assert set(whole("x" * text, files, answers)[1].sent) == beside


def test_a_long_text_begins_in_the_letter() -> None:
    text = "слово " * 1000
    body, shelf = whole(text)
    assert shelf.sent == {WHOLE: text.encode()}
    assert body.text.endswith("слово …\n\n→ letter.txt"), "at the end of a word"
    assert 1300 < len(body.text.encode()) < 1500
    assert room_left(body) >= 0


@pytest.mark.parametrize("most", [0, 1999])
def test_a_door_that_takes_no_such_attachment(most: int) -> None:
    with pytest.raises(acts.TooLong):
        compose("x" * 2000, "en", (), (), None, most)
    assert compose("x" * 2000, "en", (), (), None, 2000).attachments[0].name == WHOLE


def test_an_empty_letter_stays_refused() -> None:
    with pytest.raises(acts.CannotWrite, match="empty"):
        compose(" \n", "en", (), (), None, MOST)
