# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a desk asks without a script: the pages of questions between the letter's text and what comes after them."""

from abc import abstractmethod
from dataclasses import replace

from latchstring.protocol.answers import Answers, kept
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.questions import Question
from latchstring.site.forms import State
from latchstring.site.pages import questions as asked
from latchstring.site.pages.turn import Steps, Trouble, Turn
from latchstring.site.render import Page
from latchstring.source import acts
from latchstring.source.composing import compose
from latchstring.source.thread import Reply


class Asking(Steps):
    """The steps of a desk's questions."""

    @abstractmethod
    def _after_questions(self, turn: Turn, state: State) -> Page:
        """What comes after the last of them."""

    def _questions(self, turn: Turn, state: State) -> tuple[Question, ...]:
        """What the desk asks; nothing of who comes back, since they were asked the first time."""
        desk = turn.visit.directory.desk(state.desk)
        return desk.questions if desk is not None and not state.known else ()

    def _answers(self, turn: Turn, state: State) -> Answers | None:
        """What goes with the letter; nothing while something is wrong with them."""
        questions = self._questions(turn, state)
        given = {} if asked.first_wrong(questions, state.given) else kept(questions, state.given)
        return Answers(turn.visit.directory.seq, given) if given else None

    def _compose(self, turn: Turn, state: State, replies: tuple[Reply, ...]) -> LetterBody:
        """The letter, as `compose` lays it out."""
        most = turn.visit.directory.policy.attachment
        return compose(state.text, turn.code, replies, state.files, self._answers(turn, state), most)

    def _over(self, turn: Turn, state: State) -> int:
        """By how many characters, roughly, the letter is too long; 0 when it fits."""
        try:
            self._compose(turn, state, ())
        except acts.TooLong as long:
            each = len(state.text.encode()) / max(1, len(state.text))
            return max(1, round(long.over / each))
        return 0

    def _ask(self, turn: Turn, state: State, step: int, trouble: tuple[Trouble, ...] = ()) -> Page:
        """A page of questions; what comes after them when `step` is 0."""
        questions = self._questions(turn, state)
        state = replace(state, step=step, asked=asked.mark_of(questions))
        if not step:
            return self._after_questions(turn, state)
        page = asked.on_step(questions, state.given, step)
        views = [asked.view(q, state.given, self.texts) for q in page]
        return self._page(turn, "questions", state, trouble, questions=views, date_hint=asked.date_hint(self.texts))

    def _with_typed(self, turn: Turn, state: State) -> State:
        """With what was posted of a page of questions."""
        questions = self._questions(turn, state)
        page = [q for q in questions if q.step == state.step or asked.was_posted(q, turn.fields)]
        return state.answer(asked.typed(page, turn.fields, turn.code)) if page else state

    def _must_ask(self, turn: Turn, state: State) -> Page | None:
        """The page of questions without which nothing can be sent: when they changed, or an answer will not do."""
        questions = self._questions(turn, state)
        if questions and state.asked != asked.mark_of(questions):
            sentence = self.texts("The desk has changed what it asks. Look through the questions once more.")
            first = asked.step_after(questions, state.given, 0)
            return self._ask(turn, state, first, (Trouble(asked.TOP, sentence),))
        wrong = asked.first_wrong(questions, state.given)
        return self._ask(turn, state, wrong, self._wrong_answers(turn, state, wrong)) if wrong else None

    def _answered(self, turn: Turn, state: State) -> Page:
        """A page of questions was answered, or left empty: the next one, or what comes after them."""
        if not state.text.strip():  # no button leads here without a letter
            return self.write(turn, state)
        state = self._with_typed(turn, state)
        questions = self._questions(turn, state)
        if state.asked != asked.mark_of(questions):
            return self._must_ask(turn, state) or self._after_questions(turn, state)
        trouble = self._wrong_answers(turn, state, state.step)
        if trouble:
            return self._ask(turn, state, state.step, trouble)
        return self._ask(turn, state, asked.step_after(questions, state.given, state.step))

    def _wrong_answers(self, turn: Turn, state: State, step: int) -> tuple[Trouble, ...]:
        """What is wrong on one page of questions, or with all of them together."""
        questions = self._questions(turn, state)
        found = asked.wrong(asked.on_step(questions, state.given, step), questions, state.given, self.texts)
        trouble = tuple(Trouble(at, sentence) for at, sentence in found)
        if not trouble and (over := self._over(turn, state)):
            return (Trouble(asked.TOP, self.texts.many(
                "Your letter and your answers are too long together by %(n)s character. Shorten one of them.",
                "Your letter and your answers are too long together by about %(n)s characters. Shorten them.",
                over,
            )),)  # fmt: skip
        return trouble

    def _earlier(self, turn: Turn, state: State) -> Page:
        """The page of questions before, or the letter."""
        state = self._with_typed(turn, state)
        step = asked.step_before(self._questions(turn, state), state.given, state.step)
        return self._ask(turn, state, step) if step else self.write(turn, state)
