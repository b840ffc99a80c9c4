# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk's questions at the command line: one after the other, each of which Enter skips, or from a file."""

import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from latchstring.cli import ui
from latchstring.cli.visiting import in_my_language
from latchstring.client.text import one_line
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import answers as a
from latchstring.protocol.answers import Answer, Answers, check, kept, shown
from latchstring.protocol.questions import Kind, Question

_WIDTH: Final = 500
_LARGEST: Final = 1 << 21  # bytes of a file: 64 answers of 4,000 characters are 1 MB at most
TRIES: Final = 3
WORDS: Final = {
    a.NEEDED: "The desk insists on an answer.",
    a.TOO_LONG: "The answer is too long: say it in the letter itself.",
    a.NO_DATE: "That is no date. Write it as 2024, 2024-05 or 2024-05-31.",
    a.NO_CHOICE: "That is not one of the choices.",
    a.NO_TEXT: "The answer holds bytes that are not text.",
    a.NOT_ASKED: "The desk does not ask this.",
    a.TOO_MUCH: "The answers are too long together: say it in the letter itself, or in a file.",
}


def answers_for(visit: VerifiedVisit, desk_id: str, file: Path | None, came_back: bool) -> Answers | None:
    """What goes along: from the file, else what is typed now; None when there is nothing. Ends the command when the
    desk insists on what is not there. Who comes back has been asked already, and is not asked again.
    """
    desk = visit.directory.desk(desk_id)
    questions = desk.questions if desk is not None else ()
    if file is not None:
        given = read_answers_file(file)
    elif came_back or not questions:
        return None
    else:
        given = _typed(questions) if sys.stdin.isatty() else {}
    for problem in check(questions, given):
        ui.fail(_sentence(problem), "Nothing was sent. Answers can be given in a file: --answers FILE.toml")
    answers = kept(questions, given)
    return Answers(visit.directory.seq, answers) if answers else None


def _sentence(problem: a.Problem) -> str:
    return (
        f"Question '{one_line(problem.question, 40)}': {WORDS[problem.what]}"
        if problem.question
        else WORDS[problem.what]
    )


def read_answers_file(path: Path) -> dict[str, Answer]:
    """A line for each question: its id, and a text, a choice's id, or a list of them. Ends the command otherwise."""
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST:
            raise ValueError
        table = tomllib.loads(raw.decode("utf-8-sig"))
    except OSError:
        ui.fail("The file with the answers cannot be read. Nothing was sent.", "Check its name.")
    except (ValueError, RecursionError):
        ui.fail(
            "The file with the answers is not TOML. Nothing was sent.", 'Write a line for each, such as when = "2024"'
        )
    given: dict[str, Answer] = {}
    for name, value in table.items():
        if isinstance(value, str):
            given[name] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            given[name] = tuple(value)
        else:
            ui.fail(f"The answer to '{one_line(name, 40)}' is not a text, nor a list of texts. Nothing was sent.")
    return given


def _typed(questions: Sequence[Question]) -> dict[str, Answer]:
    """Ask what applies, in turn."""
    ui.say(f"The desk has {_count(len(questions))}. Enter skips one that you do not want to answer.")
    given: dict[str, Answer] = {}
    for question in questions:
        if question in shown(questions, given):
            answer = _answer(question)
            if answer:
                given[question.id] = answer
    return given


def _count(number: int) -> str:
    return "a question" if number == 1 else f"{number} questions at most"


def _answer(question: Question) -> Answer:
    """Until it fits, or is skipped where that is allowed."""
    ui.say(one_line(in_my_language(question.titles), _WIDTH), "bold")
    if question.help:
        ui.say(in_my_language(question.help))
    for number, choice in enumerate(question.choices, 1):
        ui.say(f"  {number}. {one_line(in_my_language(choice.titles), _WIDTH)}")
    alone = replace(question, step=1, only_if=None)
    for _ in range(TRIES):
        answer = _READ[question.kind](question)
        problems = check((alone,), {question.id: answer})
        if not problems:
            return answer
        ui.say(WORDS[problems[0].what], "yellow")
    if question.needed:
        ui.fail("The desk insists on an answer to that. Nothing was sent.", "Run the command again when you have one.")
    ui.say("Skipped.")
    return ""


def _line(_question: Question) -> Answer:
    return ui.ask(">")


def _long(_question: Question) -> Answer:
    ui.say("As many lines as you like; an empty one ends.")
    lines: list[str] = []
    while line := ui.ask(">"):
        lines.append(line)
    return "\n".join(lines)


def _one(question: Question) -> Answer:
    return _choice(question, ui.ask("Number:"))


def _several(question: Question) -> Answer:
    words = ui.ask("Numbers:").replace(",", " ").split()
    return tuple(dict.fromkeys(_choice(question, word) for word in words))


def _choice(question: Question, word: str) -> str:
    """By its number, or its id."""
    if word.isascii() and word.isdigit() and 1 <= int(word[:4]) <= len(question.choices):
        return question.choices[int(word[:4]) - 1].id
    return word


_READ: Final[dict[Kind, Callable[[Question], Answer]]] = {
    Kind.TEXT: _line,
    Kind.PLACE: _line,
    Kind.DATE: _line,
    Kind.LONG: _long,
    Kind.ONE: _one,
    Kind.SEVERAL: _several,
}
