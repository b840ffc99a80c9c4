# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's questions without a script: which page of them comes next, what was typed, what is wrong with it. Pure.

A field is named `q-` and the question's id; a box of a choice among several `q-`, the id, a dot, the choice's id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.client.text import one_line
from latchstring.protocol import answers as a
from latchstring.protocol.answers import Answer, Problem, chosen, kept, shown
from latchstring.protocol.encoding import encode_cbor, h
from latchstring.protocol.questions import HELP, TITLE, Kind, Question, encode_questions
from latchstring.site.texts import Texts

LONGEST: Final = 20_000  # characters of an answer that come back for shortening
TOP: Final = "questions"  # where a trouble of all answers together is mended
_DIRECTIONS: Final = "\u061c\u200e\u200f"
_PARTS: Final = re.compile(r"(\d{4})[-./ ](\d{1,2})(?:[-./ ](\d{1,2}))?\Z", re.ASCII)
_DAY_FIRST: Final = re.compile(r"(?:(\d{1,2})[./])?(\d{1,2})[./](\d{4})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """A choice, its text in the page's language or another (`language`)."""

    id: str
    title: str
    language: str
    chosen: bool = field(repr=False)


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question, its texts in the page's language or another. `value`: what was typed so far."""

    id: str
    kind: str
    title: str
    language: str
    help: str
    help_language: str
    needed: bool
    choices: tuple[ChoiceView, ...]
    value: str = field(repr=False)


def view(question: Question, given: Mapping[str, Answer], texts: Texts) -> QuestionView:
    """As the page shows it."""
    answer = given.get(question.id, "")
    return QuestionView(
        question.id,
        question.kind.value,
        one_line(texts.pick(question.titles), TITLE),
        texts.language_of(question.titles),
        one_line(texts.pick(question.help), HELP),
        texts.language_of(question.help),
        question.needed,
        tuple(
            ChoiceView(
                choice.id,
                one_line(texts.pick(choice.titles), TITLE),
                texts.language_of(choice.titles),
                choice.id in chosen(answer),
            )
            for choice in question.choices
        ),
        answer if isinstance(answer, str) else "",
    )


def mark_of(questions: Sequence[Question]) -> bytes:
    """By which a change of what a desk asks shows; empty when it asks nothing."""
    return h(encode_cbor(encode_questions(questions)))[:8] if questions else b""


def on_step(questions: Sequence[Question], given: Mapping[str, Answer], step: int) -> tuple[Question, ...]:
    """What is asked on one page."""
    return tuple(question for question in shown(questions, given) if question.step == step)


def step_after(questions: Sequence[Question], given: Mapping[str, Answer], step: int) -> int:
    """The next page on which something is asked; 0 when there is none."""
    return min((q.step for q in shown(questions, given) if q.step > step), default=0)


def step_before(questions: Sequence[Question], given: Mapping[str, Answer], step: int) -> int:
    """The page before on which something is asked; 0 when there is none."""
    return max((q.step for q in shown(questions, given) if q.step < step), default=0)


def typed(page: Iterable[Question], fields: Mapping[str, str], code: str) -> dict[str, Answer]:
    """What was posted of a page's questions; a box that is not ticked and a field that is missing count as empty.
    `code`: the page's language."""
    return {question.id: _typed(question, fields, code) for question in page}


def was_posted(question: Question, fields: Mapping[str, str]) -> bool:
    """Is there a field of it?"""
    name = f"q-{question.id}"
    return name in fields or any(f"{name}.{choice.id}" in fields for choice in question.choices)


def _typed(question: Question, fields: Mapping[str, str], code: str) -> Answer:
    name = f"q-{question.id}"
    if question.kind is Kind.SEVERAL:
        return tuple(choice.id for choice in question.choices if fields.get(f"{name}.{choice.id}"))
    text = fields.get(name, "")[:LONGEST].strip()
    return as_date(text, code) if question.kind is Kind.DATE else text


def day_first(code: str) -> bool:
    """May a date begin with its day in that language? Not in English, where 5/6/2024 is two days."""
    return code != "en"


def _what_first(texts: Texts) -> str:
    if day_first(texts.code):
        return texts("The day may stand first too: 31/05/2024.")
    return texts("The year comes first.")


def date_hint(texts: Texts) -> str:
    """In which forms a date is understood in the page's language."""
    forms = texts("As exactly as you know it: a year (2024), a month (2024-05) or a day (2024-05-31).")
    return f"{forms} {_what_first(texts)}"


def no_date(texts: Texts) -> str:
    """What is said of an answer that is understood in none of them."""
    wrong = texts("This is no date. Write a year (2024), a month (2024-05) or a day (2024-05-31).")
    return f"{wrong} {_what_first(texts)}"


def as_date(text: str, code: str) -> str:
    """A date as letters have it, from the ways in which one is typed in that language; else what was typed.

    The year may stand first, or last after the day and the month: but not in English, where 5/6/2024 is the fifth of
    June to some and the sixth of May to others. Marks of direction, which dates in Arabic have between their numbers,
    are passed over.
    """
    flat = "".join(str(int(ch)) if ch.isdecimal() else ch for ch in text.strip() if ch not in _DIRECTIONS)
    if found := _PARTS.match(flat):
        return _joined(found.groups())
    last = _DAY_FIRST.match(flat) if day_first(code) else None
    date = _joined(last.groups()[::-1]) if last else ""
    return date if a.is_date(date) else flat


def _joined(parts: Iterable[str | None]) -> str:
    return "-".join(part.zfill(2) for part in parts if part)


def wrong(
    page: Sequence[Question], questions: Sequence[Question], given: Mapping[str, Answer], texts: Texts
) -> list[tuple[str, str]]:
    """What is wrong with the answers on one page: the id of the field, and the sentence."""
    ids = {question.id for question in page}
    return [
        (f"q-{problem.question}" if problem.question else TOP, sentence(problem, texts))
        for problem in problems(questions, given)
        if problem.question in ids or not problem.question
    ]


def first_wrong(questions: Sequence[Question], given: Mapping[str, Answer]) -> int:
    """The first page with something wrong on it; 0 when all can be sent."""
    ids = {problem.question for problem in problems(questions, given)}
    return min((q.step for q in questions if q.id in ids or "" in ids), default=0)


def problems(questions: Sequence[Question], given: Mapping[str, Answer]) -> tuple[Problem, ...]:
    """What is wrong with all answers; what the desk does not ask any more is passed over."""
    return a.check(questions, kept(questions, given))


def sentence(problem: Problem, texts: Texts) -> str:
    """What is wrong, and what to do."""
    return sentences(texts)[problem.what]


def sentences(texts: Texts) -> dict[str, str]:
    """By what is wrong."""
    return {
        a.NEEDED: texts("The desk insists on an answer here. Without it your letter cannot go to this desk."),
        a.TOO_LONG: texts("This answer is too long. Shorten it, and say the rest in your letter."),
        a.NO_DATE: no_date(texts),
        a.NO_CHOICE: texts("This is not one of the choices any more. Choose again."),
        a.NO_TEXT: texts("A character of this answer is only half there. Type it once more."),
        a.TOO_MUCH: texts("Your answers are too long together. Shorten some of them."),
    }
