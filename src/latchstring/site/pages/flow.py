# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps of writing and of coming back without a script: from what was posted to the step that is due.

Nothing is kept between two steps but what rides in the form. The functions block (keys, the door): they run in threads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.answers import Answers, kept
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, generate
from latchstring.protocol.questions import Question
from latchstring.protocol.source_keys import SourceKeys
from latchstring.site.acts import Acts
from latchstring.site.forms import Forged, Forms, Stale, State, value_of
from latchstring.site.pages import questions as asked
from latchstring.site.pages.door import view
from latchstring.site.pages.scripted import STEPS, carried
from latchstring.site.render import Page
from latchstring.site.settings import Plain
from latchstring.site.spent import Spent
from latchstring.site.texts import Texts
from latchstring.site.wordlists import WordLists, sentences
from latchstring.source import acts
from latchstring.source.composing import compose, send_beside
from latchstring.source.sending import CannotWrite, Sent, Unsure
from latchstring.source.thread import Reply
from latchstring.source.upload import Cut, name_of

PAD: Final = 16 * 1024  # bytes: an empty thread and one with a few replies are answers of one length
MOST_FILES: Final = 16  # of one letter here; more go in several letters
LONGEST: Final = 100_000  # characters of a text


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
class Flow:
    """Everything that steps need, in one language."""

    texts: Texts = field(repr=False)
    forms: Forms = field(repr=False)
    hands: Acts = field(repr=False)
    lists: WordLists = field(repr=False)
    spent: Spent = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    plain: Plain

    # --- a page as it is first seen -------------------------------------------------------------------

    def begin(self, page: str, turn: Turn) -> Page:
        """The first step, and beside it all steps for the page's script."""
        if self.is_off(page):
            first = self._page(turn, "off", None)
        else:
            first = self.write(turn, self.fresh()) if page == "write" else self._page(turn, "return", None)
        unknown = dict.fromkeys(("words", "replies", "told", "missed", "mark", "by", "known", "unsure"), ())
        values = {**first.values, **unknown, "steps": STEPS[page]}
        directory = turn.visit.directory
        asks = any(desk.questions for desk in directory.desks)
        values["carried"] = carried(page, self.texts, directory.policy.attachment, asks)
        return replace(first, scripted=values)

    def is_off(self, page: str) -> bool:
        """Has the organisation switched this page off without a script?"""
        return self.plain is Plain.OFF or (self.plain is Plain.SEND and page == "return")

    def fresh(self) -> State:
        """A new letter's state."""
        return replace(self.forms.new(), seed=self.random(16))

    # --- what was posted --------------------------------------------------------------------------------

    def step(self, turn: Turn) -> Page:
        """The step that is due."""
        if self.is_off(turn.page):
            return self._page(turn, "off", None)
        if turn.page == "write" and turn.do == "text" and not value_of(turn.fields, "state"):
            return self._text(turn, self.fresh())
        if turn.page == "return" and turn.do == "open":
            return self._open(turn)
        if turn.do == "decoy":
            return self._page(turn, "write", self.fresh(), decoy=True)
        try:
            state = self.forms.open(value_of(turn.fields, "state"), turn.page, turn.code)
        except (Forged, Stale) as not_valid:
            return self._not_valid(turn, not_valid)
        steps: dict[str, Callable[[Turn, State], Page]] = {
            "text": self._text,
            "back": self.write,
            "answers": self._answered,
            "earlier": self._earlier,
            "files": self.files,
            "words": self._words,
            "show": self._show,
            "practise": self._practise,
            "send": self._send,
            "unchecked": self._send,
            "thread": self._thread_again,
            "more": self._more,
            "change": self._change,
            "told": self._tell,
        }
        if turn.do.startswith("drop-"):
            return self._drop(turn, state)
        return steps.get(turn.do, self.write)(turn, state)

    def _not_valid(self, turn: Turn, found: Forged | Stale) -> Page:
        """What to do about a state that opens nothing. It works nothing out: whoever asks may be anybody."""
        if isinstance(found, Stale):
            return self._again(turn, found.state, self.texts(
                "More than an hour has passed, so this page is no longer valid. Nothing was sent by this step. What "
                "you had written is below."
            ))  # fmt: skip
        return self._again(turn, None, self._typed_elsewhere(turn) or self.texts(
            "This page is from before the server was started anew, or it was changed on the way. Nothing was sent "
            "by this step. What you had typed on it is below."
        ))  # fmt: skip

    def _typed_elsewhere(self, turn: Turn) -> str:
        """What to say when what was posted is a page of questions, which does not show what was typed before."""
        if turn.page != "write" or not any(name.startswith("q-") for name in turn.fields):
            return ""
        return self.texts(
            "This page is from before the server was started anew, or it was changed on the way. Nothing was sent "
            "by this step. Write your letter once more; what you had typed on that page comes after it."
        )

    def _again(self, turn: Turn, state: State | None, sentence: str) -> Page:
        """The first step once more, with what can be kept."""
        trouble = (Trouble("text" if turn.page == "write" else "words", sentence),)
        if turn.page == "return":
            return self._page(turn, "return", None, trouble)
        text = value_of(turn.fields, "text") or (state.text if state else "")
        desk = value_of(turn.fields, "desk") or (state.desk if state else "")
        kept = replace(self.fresh(), text=text, desk=desk, answers=state.answers if state else {})
        return self.write(turn, self._with_typed(turn, kept), trouble)

    # --- the letter ---------------------------------------------------------------------------------------

    def write(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        """The desk and the text."""
        desks = turn.visit.directory.desks
        if len(desks) == 1:
            state = replace(state, desk=desks[0].id)
        return self._page(turn, "write", state, trouble)

    def _text(self, turn: Turn, state: State) -> Page:
        """What was written: looked at, before anything else is asked."""
        desks = turn.visit.directory.desks
        desk = value_of(turn.fields, "desk") or (desks[0].id if len(desks) == 1 else "")
        desk = desk if turn.visit.directory.desk(desk) else ""
        whole = value_of(turn.fields, "text")
        same = (desk, whole) == (state.desk, state.text)
        state = replace(state, desk=desk, text=whole[:LONGEST], letter=state.letter if same else b"")
        if len(whole) > LONGEST:
            return self._page(turn, "write", state, (self._too_long(len(whole) - LONGEST),), text=whole)
        trouble = self._wrong(turn, state)
        if trouble:
            return self.write(turn, state, trouble)
        return self._ask(turn, state, asked.step_after(self._questions(turn, state), state.given, 0))

    def _after_questions(self, turn: Turn, state: State) -> Page:
        if not turn.visit.directory.policy.attachment:
            return self._send(turn, state) if state.known else self._words(turn, state)
        return self.files(turn, state)

    def _wrong(self, turn: Turn, state: State) -> tuple[Trouble, ...]:
        found: list[Trouble] = []
        if turn.visit.directory.desk(state.desk) is None:
            found.append(Trouble("desk", self.texts("Choose who should read your letter.")))
        else:
            try:
                self._note(turn.visit, state.desk)
            except CannotNow as cannot:
                found.append(Trouble("desk", str(cannot)))
        if not state.text.strip():
            found.append(Trouble("text", self.texts("The letter is empty. Write a few words.")))
        elif over := self._over(turn, state):
            found.append(self._too_long(over))
        return tuple(found)

    def _too_long(self, over: int) -> Trouble:
        return Trouble("text", self.texts.many(
            "The letter is too long by %(n)s character of its kind. Shorten it, or send it in two letters.",
            "The letter is too long by about %(n)s characters. Shorten it, or send it in two letters.",
            over,
        ))  # fmt: skip

    def _over(self, turn: Turn, state: State) -> int:
        """By how many characters, roughly, the letter is too long; 0 when it fits."""
        try:
            self._compose(turn, state, ())
        except acts.TooLong as long:
            each = len(state.text.encode()) / max(1, len(state.text))
            return max(1, round(long.over / each))
        return 0

    def _compose(self, turn: Turn, state: State, replies: tuple[Reply, ...]) -> LetterBody:
        """The letter, as `compose` lays it out."""
        most = turn.visit.directory.policy.attachment
        return compose(state.text, turn.code, replies, state.files, self._answers(turn, state), most)

    def _note(self, visit: VerifiedVisit, desk: str) -> EpochNote:
        if visit.directory.closed is not None:
            raise CannotNow(self.texts("This door is closed for good. It takes no letters any more."))
        if visit.expired:
            raise CannotNow(self.texts("The organisation must renew this door first. Try again in a few days."))
        note = visit.note(desk)
        if note is None:
            raise CannotNow(self.texts("This desk takes no letters just now. Choose another, or try in an hour."))
        return note

    # --- what the desk asks -------------------------------------------------------------------------------

    def _questions(self, turn: Turn, state: State) -> tuple[Question, ...]:
        """What the desk asks; nothing of who comes back, since they were asked the first time."""
        desk = turn.visit.directory.desk(state.desk)
        return desk.questions if desk is not None and not state.known else ()

    def _answers(self, turn: Turn, state: State) -> Answers | None:
        """What goes with the letter; nothing while something is wrong with them."""
        questions = self._questions(turn, state)
        given = {} if asked.first_wrong(questions, state.given) else kept(questions, state.given)
        return Answers(turn.visit.directory.seq, given) if given else None

    def _ask(self, turn: Turn, state: State, step: int, trouble: tuple[Trouble, ...] = ()) -> Page:
        """A page of questions; what comes after them when `step` is 0."""
        questions = self._questions(turn, state)
        state = replace(state, step=step, asked=asked.mark_of(questions))
        if not step:
            return self._after_questions(turn, state)
        page = asked.on_step(questions, state.given, step)
        return self._page(
            turn, "questions", state, trouble, questions=[asked.view(q, state.given, self.texts) for q in page]
        )

    def _with_typed(self, turn: Turn, state: State) -> State:
        """With what was posted of a page of questions."""
        questions = self._questions(turn, state)
        page = [q for q in questions if q.step == state.step or asked.was_posted(q, turn.fields)]
        return state.answer(asked.typed(page, turn.fields)) if page else state

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

    # --- files ----------------------------------------------------------------------------------------------

    def files(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        """Which files go along."""
        return self._page(turn, "files", state, trouble)

    def refuses(self, turn: Turn, size: int | None, name: str) -> Page | None:
        """What to say when a file of so many bytes is not taken; None when it may come. `size` None: there is none.

        It is asked between two pieces of a body, so that nothing that takes long may be done here.
        """
        if self.is_off(turn.page):
            return self._page(turn, "off", None)
        try:
            state = self.forms.open(value_of(turn.fields, "state"), turn.page, turn.code)
        except (Forged, Stale) as not_valid:
            return self._not_valid(turn, not_valid)
        most = turn.visit.directory.policy.attachment
        if len(state.files) >= MOST_FILES or not most:
            sentence = self.texts("This letter takes no more files. Send them with another letter.")
        elif not size and not name:
            sentence = self.texts("Choose a file first.")
        elif not size:
            sentence = self.texts("This file is empty. Check that it is the right one.")
        elif size > most:
            sentence = self.texts("This file is larger than %(most)s. Send it in parts.", most=self.texts.size(most))
        elif size < 0:
            sentence = self.texts("The file did not arrive whole. Choose it again.")
        else:
            return None
        return self.files(turn, state, (Trouble("file", sentence),))

    def name_for(self, fields: Mapping[str, str], name: str, number: int) -> str:
        """The name that goes along: the file's own without folders, or a number when that was asked for."""
        own = name_of(PurePosixPath(name.replace("\\", "/")))
        suffix = PurePosixPath(own).suffix[:16]
        if value_of(fields, "nameless") or not own:
            return f"{number}{suffix if suffix.isascii() and suffix.isprintable() else ''}"
        return own

    def did_not_arrive(self, turn: Turn, state: State) -> Page:
        """The file is not there; the letter is."""
        sentence = self.texts(
            "The file did not arrive whole, or the door has no room for it now. Your letter is kept: choose the file "
            "again, in a few minutes if it happens twice."
        )
        return self.files(turn, state, (Trouble("file", sentence),))

    def attached(self, turn: Turn, state: State, file: Attachment) -> Page:
        """A file has arrived whole at the store."""
        more = replace(state, files=(*state.files, file), letter=b"")
        if self._over(turn, more):
            return self.files(turn, state, (Trouble("file", self.texts(
                "There is no room in this letter to name that file. Send it with a second letter, or shorten the text."
            )),))  # fmt: skip
        return self.files(turn, more)

    def _drop(self, turn: Turn, state: State) -> Page:
        number = turn.do.removeprefix("drop-")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
        kept = tuple(file for i, file in enumerate(state.files) if i != place)
        return self.files(turn, replace(state, files=kept, letter=b""))

    # --- the ten words ----------------------------------------------------------------------------------------

    def _words(self, turn: Turn, state: State) -> Page:
        if state.known:
            return self._send(turn, state)
        return self._show(turn, state if state.bits else replace(state, bits=generate(self.random).bits))

    def _show(self, turn: Turn, state: State) -> Page:
        if not state.bits:
            return self.write(turn, state)
        return self._page(turn, "passphrase", state, words=Passphrase(state.bits).words(self.lists.of(turn.code)))

    def _practise(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        if not state.bits:
            return self.write(turn, state)
        return self._page(turn, "practice", state, trouble, typed=value_of(turn.fields, "words")[:2000])

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

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self, turn: Turn, state: State) -> Page:
        if not state.bits:
            return self._words(turn, state)
        if self.spent.was(state.msg_id, turn.now):
            return self._page(turn, "already", None)
        if not state.known and turn.do == "send" and not state.note:  # once is enough, whatever becomes of the sending
            trouble = self._checked(turn, state)
            if trouble:
                return self._practise(turn, state, trouble)
        trouble = self._wrong(turn, state)
        if trouble:
            return self.write(turn, state, trouble)
        try:
            note = self._note(turn.visit, state.desk)
            unsealed = not state.letter or state.note != note.hash  # or the desk's keys changed meanwhile
            if unsealed and (page := self._must_ask(turn, state)) is not None:
                return page
            keys = self.hands.keys(Passphrase(state.bits), turn.visit, [state.desk])[state.desk]
            if unsealed:
                state = replace(state, letter=b"", note=note.hash)
                state = replace(state, letter=self._seal(turn, state, keys))
            sent = self.hands.send(turn.visit, note, keys, state.letter, state.msg_id, state.known)
        except CannotNow as cannot:
            return self.write(turn, state, (Trouble("desk", str(cannot)),))
        except Unsure:
            return self._page(turn, "full", state, unsure=True)
        except (CannotWrite, Cut, NetworkFailed):
            return self._page(turn, "full", state, unsure=False)
        self.spent.add(state.msg_id, turn.now)
        return self._sent(turn, state, sent)

    def _seal(self, turn: Turn, state: State, keys: SourceKeys) -> bytes:
        replies = acts.read_thread(turn.visit, keys) if state.known else ()
        body = self._compose(turn, state, replies)
        body = send_beside(body, state.text, state.files, self._answers(turn, state), self.hands.beside)
        return acts.seal(turn.visit, keys, body, state.msg_id)

    def _sent(self, turn: Turn, state: State, sent: Sent) -> Page:
        mark = " ".join(sent.mark.hex()[i : i + 4] for i in range(0, 16, 4))
        back = replace(self.forms.new(), bits=state.bits, known=True) if state.known else None
        return self._page(turn, "sent", back, mark=mark, by=self.texts.when(sent.publish_at), known=state.known)

    # --- coming back ----------------------------------------------------------------------------------------------

    def _open(self, turn: Turn) -> Page:
        typed = self._typed(turn)
        if not isinstance(typed, Passphrase):
            return self._page(turn, "return", None, typed, typed=value_of(turn.fields, "words")[:2000])
        return self._thread(turn, replace(self.fresh(), bits=typed.bits, known=True))

    def _thread_again(self, turn: Turn, state: State) -> Page:
        return self._thread(turn, state) if state.bits and not state.old else self._page(turn, "return", None)

    def _thread(self, turn: Turn, state: State) -> Page:
        """All desks' answers to these words: none for words that were never used."""
        desks = [desk.id for desk in turn.visit.directory.desks]
        keys = self.hands.keys(Passphrase(state.bits), turn.visit, desks)
        found: list[tuple[str, Reply]] = []
        for desk in desks:
            found += [(desk, reply) for reply in acts.read_thread(turn.visit, keys[desk])]
        found.sort(key=lambda one: one[1].at)
        titles = {desk.id: self.texts.pick(desk.titles) or desk.id for desk in turn.visit.directory.desks}
        replies = [
            {
                "desk": titles[desk],
                "when": self.texts.when(reply.at),
                "text": reply.text,
                "acks": [" ".join(ack.hex()[i : i + 4] for i in range(0, 16, 4)) for ack in reply.acks],
            }
            for desk, reply in found
        ]
        state = replace(state, desk=found[-1][0] if found else state.desk)
        return self._page(turn, "thread", state, replies=replies, known=any(reply.known for _, reply in found))

    def _more(self, turn: Turn, state: State) -> Page:
        """Go on in the thread: a new letter under the same words."""
        new = replace(self.fresh(), bits=state.bits, known=True, desk=state.desk)
        return self.write(turn, new) if state.bits and not state.old else self._page(turn, "return", None)

    # --- other words ------------------------------------------------------------------------------------------------

    def _change(self, turn: Turn, state: State) -> Page:
        if not state.bits:
            return self._page(turn, "return", None)
        if not state.old:
            state = replace(state, old=state.bits, bits=generate(self.random).bits, known=False)
        return self._show(turn, state)

    def _tell(self, turn: Turn, state: State) -> Page:
        """Tell each desk that was chosen, once the new words were typed right."""
        if not state.old:
            return self._page(turn, "return", None)
        if self.spent.was(state.once, turn.now):
            return self._page(turn, "already", None)
        desks = [d.id for d in turn.visit.directory.desks]
        chosen = [desk for desk in desks if value_of(turn.fields, f"desk-{desk}")] if len(desks) > 1 else desks
        trouble = self._checked(turn, state)
        if not chosen:
            trouble = (*trouble, Trouble("desks", self.texts("Choose the desks that you have written to.")))
        if trouble:
            return self._practise(turn, state, trouble)
        told, missed = [], []
        before = self.hands.keys(Passphrase(state.old), turn.visit, chosen)
        after = self.hands.keys(Passphrase(state.bits), turn.visit, chosen)
        for desk in chosen:
            title = self.texts.pick(next(d for d in turn.visit.directory.desks if d.id == desk).titles) or desk
            try:
                note, msg_id = self._note(turn.visit, desk), self.random(16)
                letter = acts.change(turn.visit, before[desk], after[desk], msg_id)
                self.hands.send(turn.visit, note, before[desk], letter, msg_id, True)
                told.append(title)
            except (CannotNow, CannotWrite, NetworkFailed):
                missed.append(title)
        if not missed:
            self.spent.add(state.once, turn.now)
        return self._page(turn, "changed", state if missed else None, told=told, missed=missed)

    # --- what is shown ------------------------------------------------------------------------------------------------

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
            "text": state.text if state else "",
            "files": [{"name": file.name, "size": self.texts.size(file.size)} for file in state.files] if state else [],
            "changing": bool(state and state.old),
            "came_back": bool(state and state.known),
            "decoy": False,
            "questions": (),
            "typed": "",
            "most": self.texts.size(turn.visit.directory.policy.attachment),
            "most_files": MOST_FILES,
            **values,
        }
        status = 422 if trouble else 200
        return Page("flow.html", shown, status, after_form=True, pad=PAD)
