# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's questions in the readable directory: a block [[desk.question]] each, in the order of asking."""

from latchstring.org.errors import OrgError
from latchstring.org.tomlfile import Table, lines_of
from latchstring.protocol import constants as c
from latchstring.protocol.directory import Desk, Directory
from latchstring.protocol.questions import Choice, Condition, Kind, Question

_KINDS = ", ".join(kind.value for kind in Kind)


def read_questions(desk: Table) -> tuple[Question, ...]:
    """The blocks of a desk; whether they keep the rules is looked at when the directory is made."""
    return tuple(_question(t) for t in desk.tables("question"))


def _question(t: Table) -> Question:
    kind = t.text("kind")
    if kind not in [k.value for k in Kind]:
        raise OrgError(f"A question's kind is not one that there is. There are: {_KINDS}.")
    question = Question(
        t.text("id"),
        Kind(kind),
        t.text_map("titles"),
        t.text_map("help") if t.has("help") else {},
        t.number("step", 1, c.MAX_QUESTIONS) if t.has("step") else 1,
        t.flag("needed") if t.has("needed") else False,
        tuple(_choice(choice) for choice in t.tables("choice")),
        _condition(t.table("only_if")) if t.has("only_if") else None,
    )
    t.done()
    return question


def _choice(t: Table) -> Choice:
    choice = Choice(t.text("id"), t.text_map("titles"))
    t.done()
    return choice


def _condition(t: Table) -> Condition:
    condition = Condition(t.text("question"), t.texts("chosen"))
    t.done()
    return condition


def render_question(q: Question) -> str:
    """One block; `read_questions` reads the same from it."""
    text = f"[[desk.question]]\n{lines_of({'id': q.id, 'kind': q.kind.value, 'step': q.step})}"
    if q.needed:
        text += lines_of({"needed": True})
    text += f"[desk.question.titles]\n{lines_of(q.titles)}"
    if q.help:
        text += f"[desk.question.help]\n{lines_of(q.help)}"
    for choice in q.choices:
        text += f"[[desk.question.choice]]\n{lines_of({'id': choice.id})}"
        text += f"[desk.question.choice.titles]\n{lines_of(choice.titles)}"
    if q.only_if is not None:
        condition = {"question": q.only_if.question, "chosen": list(q.only_if.choices)}
        text += f"[desk.question.only_if]\n{lines_of(condition)}"
    return text


def question_changes(before: Desk, desk: Desk) -> list[str]:
    """What differs in what a desk asks, in sentences for whoever signs."""
    name, was, now = f"Desk '{desk.id}'", {q.id: q for q in before.questions}, {q.id: q for q in desk.questions}
    out = [f"{name}: question '{q}' is added." for q in now if q not in was]
    out += [f"{name}: question '{q}' is removed." for q in was if q not in now]
    out += [f"{name}: question '{q}' changes." for q in now if q in was and was[q] != now[q]]
    if [q for q in was if q in now] != [q for q in now if q in was]:
        out.append(f"{name}: the questions stand in another order.")
    return out


def question_warnings(old: Directory | None, new: Directory) -> list[str]:
    """What may be a mistake in what desks ask that is new, or of a desk whose title is."""
    out: list[str] = []
    for desk in new.desks:
        before = old.desk(desk.id) if old is not None else None
        if before is not None and (before.questions, before.titles) == (desk.questions, desk.titles):
            continue
        for language in desk.titles:
            missing = [q.id for q in desk.questions if not _speaks(q, language)]
            if missing:
                named = ", ".join(f"'{q}'" for q in missing)
                out.append(
                    f"Desk '{desk.id}' has a title in '{language}', but not everything of these questions is: {named}. "
                    "Who reads that language sees another there."
                )
        if any(q.needed for q in desk.questions):
            out.append(f"Desk '{desk.id}' insists on answers: who does not want to give them cannot write to it.")
    return out


def _speaks(q: Question, language: str) -> bool:
    texts = [q.titles, *([q.help] if q.help else []), *(choice.titles for choice in q.choices)]
    return all(language in text for text in texts)
