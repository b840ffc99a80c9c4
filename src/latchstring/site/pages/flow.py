# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps of writing and of coming back without a script: from what was posted to the step that is due.

Nothing is kept between two steps but what rides in the form. The functions block (keys, the door): they run in threads.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from latchstring.client.transport import NetworkFailed
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.passphrase import Passphrase, generate
from latchstring.protocol.source_keys import SourceKeys
from latchstring.site.forms import Forged, Stale, State, value_of
from latchstring.site.pages import questions as asked
from latchstring.site.pages.asking import Asking
from latchstring.site.pages.coming_back import ComingBack
from latchstring.site.pages.scripted import STEPS, carried, sayings
from latchstring.site.pages.turn import MOST_FILES, CannotNow, Trouble, Turn
from latchstring.site.render import Page
from latchstring.site.settings import Plain
from latchstring.source import acts
from latchstring.source.composing import send_beside
from latchstring.source.sending import CannotWrite, NoReceipt, NotTaken, Sent, Unsure
from latchstring.source.upload import Cut, name_of, numbered

LONGEST: Final = 100_000  # characters of a text
COMING_BACK: Final = ("thread", "more", "change", "told")
"""Steps that read a thread. Where an organisation lets people send alone, no form leads to them from either page."""
CHANGING: Final = ("show", "words", "practise", "told", "change", "thread", "more")
"""Steps that new words for a thread lead to, or that refuse them: none of a letter's."""


class Flow(Asking, ComingBack):
    """All of them, in one language."""

    # --- a page as it is first seen --------------------------------------------------------------------------

    def begin(self, page: str, turn: Turn, elsewhere: bool = False) -> Page:
        """The first step, and beside it all steps for the page's script. `elsewhere`: another site sent a form."""
        if self.is_off(page):
            first = self._page(turn, "off", None)
        else:
            first = self.write(turn, self.fresh()) if page == "write" else self._page(turn, "return", None)
        unknown = dict.fromkeys(("words", "replies", "told", "missed", "mark", "by", "known", "unsure", "why"), ())
        values = {**first.values, **unknown, "steps": STEPS[page]}
        directory = turn.visit.directory
        asks = any(desk.questions for desk in directory.desks)
        values["carried"] = carried(page, self.texts, directory.policy.attachment, asks)
        shown = {**first.values, "elsewhere": elsewhere}
        return replace(first, values=shown, scripted=values)

    # --- what was posted -------------------------------------------------------------------------------------

    def step(self, turn: Turn) -> Page:
        """The step that is due."""
        if self.is_off(turn.page) or (self.plain is Plain.SEND and turn.do in COMING_BACK):
            return self._page(turn, "off", None)
        if turn.page == "write" and turn.do == "text" and not value_of(turn.fields, "state"):
            return self._text(turn, self.fresh())
        if turn.page == "return" and turn.do == "open":
            return self._open(turn)
        if turn.do == "decoy":
            return self.write(turn, replace(self.fresh(), decoy=True))
        try:
            state = self.forms.open(value_of(turn.fields, "state"), turn.page, turn.code)
        except (Forged, Stale) as not_valid:
            return self._not_valid(turn, not_valid)
        if state.old and turn.do not in CHANGING:
            return self._page(turn, "return", None)
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
        state = found.state if isinstance(found, Stale) else None
        kept = self._kept(turn, state)
        if turn.page == "write" and (state is None or state.bits or state.redrawn):
            kept = replace(kept, redrawn="late")
        if state is not None and kept.text:
            sentence = self.texts(
                "More than an hour has passed, so this page is no longer valid. Nothing was sent by this step. What "
                "you had written is below."
            )
        elif state is not None:
            sentence = self.texts(
                "More than an hour has passed, so this page is no longer valid. Nothing was sent by this step. Begin "
                "here once more."
            )
        elif kept.text:
            sentence = self.texts(
                "This page is from before the server was started anew, or it was changed on the way. Nothing was sent "
                "by this step. What you had typed on it is below."
            )
        else:
            sentence = self._typed_elsewhere(turn) or self.texts(
                "This page is from before the server was started anew, or it was changed on the way. Nothing was sent "
                "by this step. Begin here once more."
            )
        if state is not None and state.old:
            told = self.texts(
                "New words hold only at desks that were told of them; at all others your old words still hold."
            )
            sentence = f"{sentence} {told}"
        return self._again(turn, kept, sentence)

    def _typed_elsewhere(self, turn: Turn) -> str:
        """What to say when what was posted is a page of questions, which does not show what was typed before."""
        if turn.page != "write" or not any(name.startswith("q-") for name in turn.fields):
            return ""
        return self.texts(
            "This page is from before the server was started anew, or it was changed on the way. Nothing was sent "
            "by this step. Write your letter once more; what you had typed on that page comes after it."
        )

    def _again(self, turn: Turn, kept: State, sentence: str) -> Page:
        """The first step once more, with what can be kept. Who came back types the ten words again to go on."""
        trouble = (Trouble("text" if turn.page == "write" else "words", sentence),)
        if turn.page == "return":
            return self._page(turn, "return", kept if kept.text else None, trouble)
        return self.write(turn, self._with_typed(turn, kept), trouble)

    # --- the letter ------------------------------------------------------------------------------------------

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
        if whole != state.text:
            state = state.other()
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

    # --- files -----------------------------------------------------------------------------------------------

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
        if state.old:
            return self._page(turn, "return", None)
        if not state.text.strip():
            return self.write(turn, state)
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
        return numbered(number, own) if value_of(fields, "nameless") or not own else own

    def did_not_arrive(self, turn: Turn, state: State) -> Page:
        """The file is not there; the letter is."""
        sentence = self.texts(
            "The file did not arrive whole, or the door has no room for it now. Your letter is kept: choose the file "
            "again, in a few minutes if it happens twice."
        )
        return self.files(turn, state, (Trouble("file", sentence),))

    def attached(self, turn: Turn, state: State, file: Attachment) -> Page:
        """A file has arrived whole at the store."""
        more = replace(state.other(), files=(*state.files, file))
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

    # --- the ten words ---------------------------------------------------------------------------------------

    def _words(self, turn: Turn, state: State) -> Page:
        if state.known:
            return self._send(turn, state)
        if not state.old and (trouble := self._wrong(turn, state)):  # nobody learns words for a letter that cannot go
            return self.write(turn, state, trouble)
        return self._show(turn, state if state.bits else replace(state, bits=generate(self.random).bits))

    def _show(self, turn: Turn, state: State) -> Page:
        if not state.bits:
            return self.write(turn, state)
        if state.old and (ticked := self._ticked(turn)):  # who looks at the words again has chosen already
            state = replace(state, chosen=tuple(ticked))
        return self._page(turn, "passphrase", state, words=Passphrase(state.bits).words(self.lists.of(turn.code)))

    def _practise(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        if not state.bits:
            return self.write(turn, state)
        return self._page(turn, "practice", state, trouble, typed=value_of(turn.fields, "words")[:2000])

    # --- sending ---------------------------------------------------------------------------------------------

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
        except (CannotWrite, Cut, NetworkFailed) as failed:
            return self._not_in(turn, state, failed)
        self.spent.add(state.msg_id, turn.now)
        return self._sent(turn, state, sent)

    def _not_in(self, turn: Turn, state: State, failed: CannotWrite | Cut | NetworkFailed) -> Page:
        """It is not in, or nobody knows: by this try or by one before it."""
        if isinstance(failed, Unsure):
            doubt = "no-receipt" if isinstance(failed, NoReceipt) else ""
            state = replace(state, maybe=state.msg_id, doubt=doubt)
        unsure = state.maybe == state.msg_id
        why = "not-taken" if isinstance(failed, NotTaken) else state.doubt if unsure else ""
        return self._page(turn, "full", state, unsure=unsure, why=sayings(self.texts)[why] if why else "")

    def _seal(self, turn: Turn, state: State, keys: SourceKeys) -> bytes:
        replies = acts.read_thread(turn.visit, keys) if state.known else ()
        body = self._compose(turn, state, replies)
        body = send_beside(body, state.text, state.files, self._answers(turn, state), self.hands.beside)
        return acts.seal(turn.visit, keys, body, state.msg_id)

    def _sent(self, turn: Turn, state: State, sent: Sent) -> Page:
        mark = " ".join(sent.mark.hex()[i : i + 4] for i in range(0, 16, 4))
        back = replace(self.forms.new(), bits=state.bits, known=True) if state.known else None
        return self._page(turn, "sent", back, mark=mark, by=self.texts.when(sent.publish_at), known=state.known)
