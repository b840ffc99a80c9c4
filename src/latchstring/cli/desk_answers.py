# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a letter answers, as a member reads it: each question as it was asked, in the member's language."""

from latchstring.cli.visiting import in_my_language
from latchstring.client.text import one_line, printable
from latchstring.desk.answering import Answered
from latchstring.desk.timeline import Came
from latchstring.protocol.answers import chosen

_WIDTH = 300


def of_letter(came: Came) -> list[str]:
    """Below the letter's text: question, then answer."""
    said: list[str] = []
    for one in came.answers:
        title = in_my_language(one.question.titles) if one.question is not None else f"Question '{one.id}'"
        said.append(f"  {one_line(title, _WIDTH)}")
        said += [f"    {line}" for line in _answer(one)]
    body = came.letter.body
    if body is not None and body.answers_in is not None and came.letter.beside is None:
        said.append("  Its answers to your questions came beside it and are not here yet: latchstring desk sync")
    return said


def _answer(one: Answered) -> list[str]:
    if one.choices:
        offered = {choice.id: in_my_language(choice.titles) for choice in one.choices}
        return [one_line(offered.get(choice, choice), _WIDTH) for choice in chosen(one.answer)]
    return [line for text in chosen(one.answer) for line in printable(text).split("\n")]


def values(came: Came) -> list[dict[str, object]]:
    """For --json: titles by language, None where the question is not known."""
    return [
        {
            "question": one.id,
            "titles": one.question.titles if one.question is not None else None,
            "answer": one.answer if isinstance(one.answer, str) else list(one.answer),
            "choices": {choice.id: choice.titles for choice in one.choices},
        }
        for one in came.answers
    ]
