# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers to the desk's questions, each beside the question as it was asked.

A letter names the directory whose questions it answers by its number; what the desk asked in each is kept here while
the log is followed. What was asked before this vault began is not known to it: such an answer stands under its id
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from latchstring.desk.vault import Vault
from latchstring.protocol.answers import Answer, Answers, chosen
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.questions import Choice, Question, decode_questions, encode_questions


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. `question`: None when it is not known here; `choices`: what was chosen, as far as it was offered."""

    id: str
    answer: Answer = field(repr=False)
    question: Question | None = None

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Those of the question that the answer names; none when it is a text."""
        if self.question is None or not self.question.choices:
            return ()
        found = (self.question.choice(choice) for choice in chosen(self.answer))
        return tuple(choice for choice in found if choice is not None)


def keep_asked(vault: Vault, directory: Directory, desk_id: str) -> None:
    """Part of the transaction that follows the log: what this desk asks from that directory on."""
    desk = directory.desk(desk_id)
    raw = encode_cbor(encode_questions(desk.questions if desk is not None else ()))
    rows = vault.rows("SELECT questions FROM asked ORDER BY seq DESC LIMIT 1")
    if (rows[0][0] if rows else encode_cbor([])) != raw:
        vault.do("INSERT OR IGNORE INTO asked (seq, questions) VALUES (?, ?)", directory.seq, raw)


def questions_asked(vault: Vault, seq: int) -> tuple[Question, ...]:
    """What the directory of that number asked; none when this vault does not know."""
    rows = vault.rows("SELECT questions FROM asked WHERE seq <= ? ORDER BY seq DESC LIMIT 1", seq)
    items = decode_cbor(rows[0][0]) if rows else []
    return decode_questions(items) if isinstance(items, list) else ()


def answered(vault: Vault, answers: Answers | None) -> tuple[Answered, ...]:
    """Each answer, in the order in which the desk asked; what it did not ask last."""
    if answers is None:
        return ()
    asked = questions_asked(vault, answers.asked)
    known = [Answered(q.id, answers.given[q.id], q) for q in asked if q.id in answers.given]
    ids = {one.id for one in known}
    return (*known, *(Answered(name, answer) for name, answer in answers.given.items() if name not in ids))


def read_answers(raw: bytes | None) -> Answers | None:
    """What came beside a letter; None when nothing has, or when it is not answers."""
    try:
        return Answers.parse(raw) if raw is not None else None
    except ProtocolError:
        return None


def words_of(answers: Sequence[Answered]) -> str:
    """What search looks through: texts as they are, choices by their titles in every language."""
    lines: list[str] = []
    for one in answers:
        if one.choices:
            lines += [title for choice in one.choices for title in choice.titles.values()]
        else:
            lines += chosen(one.answer)
    return "\n".join(lines)
