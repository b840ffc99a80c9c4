# SPDX-License-Identifier: AGPL-3.0-or-later
"""One turn of a person on the pages without a script: what was asked, what may be wrong with it, what steps share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from latchstring.client.text import one_line
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.attachment import MAX_NAME, Attachment
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase
from latchstring.site.acts import Acts
from latchstring.site.forms import Forms, State, value_of
from latchstring.site.pages.door import view
from latchstring.site.render import Page
from latchstring.site.settings import Plain
from latchstring.site.spent import Spent
from latchstring.site.texts import Texts
from latchstring.site.wordlists import WordLists, sentences

PAD: Final = 16 * 1024  # bytes: an empty thread and one with a few replies are answers of one length
MOST_FILES: Final = 16  # of one letter here; more go in several letters


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and the id of the field where it can be mended."""

    at: str
    text: str


@dataclass(frozen=True)
class Turn:
    """One request of one person: `page` is `write` or `return`."""

    page: str
    code: str
    fields: Mapping[str, str] = field(repr=False)
    now: int
    visit: VerifiedVisit

    @property
    def do(self) -> str:
        """Which button."""
        return value_of(self.fields, "do")


class CannotNow(Exception):
    """Letters cannot be sealed to this desk now. The text is for the person."""


@dataclass(frozen=True)
class Steps(ABC):
    """Everything that steps need, in one language, and what they have in common."""

    texts: Texts = field(repr=False)
    forms: Forms = field(repr=False)
    hands: Acts = field(repr=False)
    lists: WordLists = field(repr=False)
    spent: Spent = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    plain: Plain

    def is_off(self, page: str) -> bool:
        """Has the organisation switched this page off without a script?"""
        return self.plain is Plain.OFF or (self.plain is Plain.SEND and page == "return")

    def fresh(self) -> State:
        """A new letter's state."""
        return replace(self.forms.new(), seed=self.random(16))

    def _kept(self, turn: Turn, state: State | None) -> State:
        """A new letter's, with what was written in an old state and in what was posted; without the words of either."""
        text = value_of(turn.fields, "text") or (state.text if state else "")
        desk = value_of(turn.fields, "desk") or (state.desk if state else "")
        new = replace(self.fresh(), text=text, desk=desk)
        return replace(new, answers=state.answers, files=state.files, decoy=state.decoy) if state else new

    @abstractmethod
    def write(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        """The desk and the text."""

    def _note(self, visit: VerifiedVisit, desk: str) -> EpochNote:
        if visit.directory.closed is not None:
            raise CannotNow(
                self.texts("Your letter cannot be sent here any more. It is gone once you close this window.")
            )
        if visit.expired:
            raise CannotNow(self.texts("Your letter cannot be sent just now. It is gone once you close this window."))
        note = visit.note(desk)
        if note is None:
            raise CannotNow(self.texts("This desk takes no letters just now. Choose another, or try in an hour."))
        return note

    def _typed(self, turn: Turn, name: str = "words") -> Passphrase | tuple[Trouble, ...]:
        """The passphrase in a field, or what is wrong with it."""
        try:
            return self.lists.parse(value_of(turn.fields, name)[:2000], turn.code)
        except MistypedPassphrase as slip:
            return tuple(Trouble(name, sentence) for sentence in sentences(slip, self.texts)[:12])

    def _checked(self, turn: Turn, state: State) -> tuple[Trouble, ...]:
        """Did they type the words that they were shown?"""
        typed = self._typed(turn)
        if not isinstance(typed, Passphrase):
            return typed
        if typed.bits != state.bits:
            return (Trouble("words", self.texts("These are other words than the ones you were shown.")),)
        return ()

    def _listed(self, file: Attachment) -> dict[str, str]:
        return {"name": one_line(file.name, MAX_NAME), "size": self.texts.size(file.size)}

    def _page(
        self, turn: Turn, step: str, state: State | None, trouble: tuple[Trouble, ...] = (), **values: object
    ) -> Page:
        # English word list on cards: the door's words are compared with print
        door = view(turn.visit, self.texts, self.lists.lists["english"], turn.now)
        shown: dict[str, object] = {
            "step": step,
            "door": door,
            "troubles": trouble,
            "state": self.forms.seal(state, turn.page, turn.code) if state else "",
            "desk": state.desk if state else "",
            "ticked": (state.chosen or (state.desk,)) if state else (),
            "text": state.text if state else "",
            "files": [self._listed(file) for file in state.files] if state else [],
            "changing": bool(state and state.old),
            "came_back": bool(state and state.known),
            "redrawn": state.redrawn if state else "",
            "elsewhere": False,
            "decoy": bool(state and state.decoy),
            "questions": (),
            "typed": "",
            "most": self.texts.size(turn.visit.directory.policy.attachment),
            "most_files": MOST_FILES,
            **values,
        }
        status = 422 if trouble else 200
        return Page("flow.html", shown, status, after_form=True, pad=PAD)
