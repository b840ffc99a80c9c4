# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a desk asks whoever writes to it: part of the directory, so that everybody is asked the same.

In a desk's CBOR: "questions", a list of maps in the order in which they are asked, only when there are any. Each has
"id", "kind", "step", "titles" and, only when there is something to say, "help" (texts by language), "needed" (true),
"choices" ([[id, titles], ...]) and "if" ([id of a question, [choices, ...]]). A condition looks back to an earlier
step, so that no order of conditions can run in a circle and a page without a script knows what to show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.closing import LANGUAGE
from latchstring.protocol.encoding import Fields, ProtocolError, encode_cbor
from latchstring.protocol.names import is_name

TITLE: Final = 300  # characters of a question, or of a choice
HELP: Final = 1000
LANGUAGES: Final = 64


class Kind(StrEnum):
    """What an answer looks like. Values are what the directory says."""

    TEXT = "text"  # a line
    LONG = "long"  # paragraphs
    ONE = "one"  # of the choices
    SEVERAL = "several"  # of the choices
    DATE = "date"  # 2024, 2024-05 or 2024-05-31: as exactly as the person knows it
    PLACE = "place"  # a line, in the person's own words


CHOOSING: Final = (Kind.ONE, Kind.SEVERAL)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a question offers."""

    id: str
    titles: dict[str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """Asked only if one of `choices` was chosen at `question`, which stands in an earlier step."""

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question, by language. `step`: the page on which it stands, from 1. `needed`: the desk insists."""

    id: str
    kind: Kind
    titles: dict[str, str]
    help: dict[str, str] = field(default_factory=dict)
    step: int = 1
    needed: bool = False
    choices: tuple[Choice, ...] = ()
    only_if: Condition | None = None

    def choice(self, choice_id: str) -> Choice | None:
        """The choice with that id."""
        return next((choice for choice in self.choices if choice.id == choice_id), None)


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Of texts by language the one for a reader of `language` (a tag such as "uk" or "pt-BR"), else English, else the
    first; empty when there is none."""
    for wanted in (language, language.split("-")[0], "en"):
        if wanted in texts:
            return texts[wanted]
    return next(iter(texts.values()), "")


# --- the bytes -----------------------------------------------------------------------------------


def encode_questions(questions: Sequence[Question]) -> list[object]:
    """For a desk's CBOR. The rules are `check_questions`'."""
    return [_encode(question) for question in questions]


def _encode(q: Question) -> dict[str, object]:
    value: dict[str, object] = {"id": q.id, "kind": q.kind.value, "step": q.step, "titles": q.titles}
    if q.help:
        value["help"] = q.help
    if q.needed:
        value["needed"] = True
    if q.choices:
        value["choices"] = [[choice.id, choice.titles] for choice in q.choices]
    if q.only_if is not None:
        value["if"] = [q.only_if.question, list(q.only_if.choices)]
    return value


def decode_questions(items: list[object]) -> tuple[Question, ...]:
    """ProtocolError for anything else than what `encode_questions` gives of questions that keep the rules."""
    questions = tuple(_decode(item) for item in items[: c.MAX_QUESTIONS + 1])
    check_questions(questions)
    if encode_questions(questions) != items:
        raise ProtocolError("question: something is said that goes without saying")
    return questions


def _decode(item: object) -> Question:
    f = Fields(item, "question")
    question = Question(
        f.text("id", 32),
        _kind(f.text("kind", 16)),
        f.texts("titles", LANGUAGES, TITLE),
        f.texts("help", LANGUAGES, HELP) if f.has("help") else {},
        f.count("step", 1, c.MAX_QUESTIONS),
        f.flag("needed") if f.has("needed") else False,
        tuple(_choice(x) for x in f.items("choices", c.MAX_CHOICES)) if f.has("choices") else (),
        _condition(f.take("if")) if f.has("if") else None,
    )
    f.done()
    return question


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise ProtocolError("question: a kind that this version does not know") from None


def _choice(item: object) -> Choice:
    match item:
        case [str(choice), titles]:
            return Choice(choice, Fields({"titles": titles}, "choice").texts("titles", LANGUAGES, TITLE))
        case _:
            raise ProtocolError("question: something else than a choice")


def _condition(item: object) -> Condition:
    match item:
        case [str(question), [*choices]] if all(isinstance(choice, str) for choice in choices):
            return Condition(question, tuple(str(choice) for choice in choices))
        case _:
            raise ProtocolError("question: something else than a condition")


# --- the rules -----------------------------------------------------------------------------------


def check_questions(questions: Sequence[Question]) -> None:
    """ProtocolError, in words for the person who edits the directory, when a rule is broken."""
    need = _need
    need(len(questions) <= c.MAX_QUESTIONS, f"a desk asks at most {c.MAX_QUESTIONS} questions")
    need(len({q.id for q in questions}) == len(questions), "two questions have the same id")
    steps, before = 0, dict[str, Question]()
    for q in questions:
        need(q.step in (steps, steps + 1) and q.step > 0, "the steps of the questions are 1, 2, 3 and so on, in order")
        steps = q.step
        _check_texts(q)
        _check_choices(q)
        if q.only_if is not None:
            _check_condition(q, q.only_if, before)
        before[q.id] = q
    size = questions_size(questions)
    need(size <= c.MAX_DESK_QUESTIONS, f"a desk's questions take at most {c.MAX_DESK_QUESTIONS} bytes, not {size}")


def questions_size(questions: Sequence[Question]) -> int:
    """How many bytes of the directory they take."""
    return len(encode_cbor(encode_questions(questions)))


def _need(holds: bool, sentence: str) -> None:
    if not holds:
        raise ProtocolError(f"directory: {sentence}")


def _check_texts(q: Question) -> None:
    _need(is_name(q.id), "a question's id is lower-case letters, digits and hyphens, at most 32")
    for texts, longest in ((q.titles, TITLE), (q.help, HELP), *((choice.titles, TITLE) for choice in q.choices)):
        _need(all(LANGUAGE.match(tag) for tag in texts), "a language is a tag such as 'en' or 'uk'")
        _need(
            all(text.strip() and len(text) <= longest for text in texts.values()),
            f"a text of question '{q.id}' is empty or has more than {longest} characters",
        )
    _need(bool(q.titles), f"question '{q.id}' has a title in at least one language")


def _check_choices(q: Question) -> None:
    ids = [choice.id for choice in q.choices]
    if q.kind in CHOOSING:
        _need(2 <= len(ids) <= c.MAX_CHOICES, f"question '{q.id}' has from 2 to {c.MAX_CHOICES} choices")
    else:
        _need(not ids, f"question '{q.id}' is not of a kind that has choices")
    _need(len(set(ids)) == len(ids), f"two choices of question '{q.id}' have the same id")
    _need(all(map(is_name, ids)), "a choice's id is lower-case letters, digits and hyphens, at most 32")
    _need(all(choice.titles for choice in q.choices), f"a choice of question '{q.id}' has no title")


def _check_condition(q: Question, condition: Condition, before: Mapping[str, Question]) -> None:
    asked = before.get(condition.question)
    if asked is None or asked.step >= q.step or asked.kind not in CHOOSING:
        raise ProtocolError(f"directory: question '{q.id}' depends on one that is not a choice in an earlier step")
    chosen = condition.choices
    _need(
        bool(chosen) and len(set(chosen)) == len(chosen) and all(asked.choice(choice) for choice in chosen),
        f"question '{q.id}' depends on a choice that '{asked.id}' does not have",
    )
