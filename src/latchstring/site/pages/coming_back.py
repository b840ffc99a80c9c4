# SPDX-License-Identifier: AGPL-3.0-or-later
"""Coming back without a script: ten words, the thread that they open, going on in it, and other words."""

from abc import abstractmethod
from dataclasses import replace

from latchstring.client.text import printable
from latchstring.client.transport import NetworkFailed
from latchstring.protocol.encoding import h
from latchstring.protocol.passphrase import Passphrase, generate
from latchstring.site.forms import Forged, Stale, State, value_of
from latchstring.site.pages.turn import CannotNow, Steps, Trouble, Turn
from latchstring.site.render import Page
from latchstring.source import acts
from latchstring.source.sending import CannotWrite
from latchstring.source.thread import Reply


class ComingBack(Steps):
    """The steps of somebody who has ten words."""

    @abstractmethod
    def _show(self, turn: Turn, state: State) -> Page:
        """The new words."""

    @abstractmethod
    def _practise(self, turn: Turn, state: State, trouble: tuple[Trouble, ...] = ()) -> Page:
        """Typing them, and which desks are told."""

    def _open(self, turn: Turn) -> Page:
        """The thread; or a letter that rides along, to go on with it."""
        typed, kept = self._typed(turn), self._riding(turn)
        if not isinstance(typed, Passphrase):
            state = kept if kept.text else None
            return self._page(turn, "return", state, typed, typed=value_of(turn.fields, "words")[:2000])
        state = replace(kept, bits=typed.bits, known=True)
        return self.write(turn, state) if kept.text else self._thread(turn, state)

    def _riding(self, turn: Turn) -> State:
        """With a letter that was written before an hour had passed, or the server was started anew; or without."""
        try:
            state: State | None = self.forms.open(value_of(turn.fields, "state"), turn.page, turn.code)
        except Stale as stale:
            state = stale.state
        except Forged:
            state = None
        return self._kept(turn, state)

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
                "text": None if reply.text is None else printable(reply.text.replace("\r\n", "\n")),
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

    def _change(self, turn: Turn, state: State) -> Page:
        if not state.bits:
            return self._page(turn, "return", None)
        if _takes_nothing(turn):
            return self._thread(turn, _before(state))
        if not state.old:
            if any(self.spent.was(any_mark(state, desk.id), turn.now) for desk in turn.visit.directory.desks):
                return self._page(turn, "already", None)  # a desk follows the first change alone
            state = replace(state, old=state.bits, bits=generate(self.random).bits, known=False)
        return self._show(turn, state)

    def _tell(self, turn: Turn, state: State) -> Page:
        """Tell each desk that was chosen, once the new words were typed right."""
        if not state.old:
            return self._page(turn, "return", None)
        if _takes_nothing(turn):
            return self._thread(turn, _before(state))
        desks = [d.id for d in turn.visit.directory.desks]
        chosen = self._ticked(turn) if len(desks) > 1 else desks
        state = replace(state, chosen=tuple(chosen))
        trouble = self._checked(turn, state)
        if not chosen:
            trouble = (*trouble, Trouble("desks", self.texts("Choose the desks that you have written to.")))
        before_now = {desk for desk in chosen if self.spent.was(told_mark(state, desk), turn.now)}
        if not trouble and any(self.spent.was(any_mark(state, d), turn.now) for d in chosen if d not in before_now):
            sentence = self.texts(
                "A desk was told other new words before, and those hold: keep them. Nothing was sent by this step."
            )
            trouble = (Trouble("words", sentence),)
        if trouble:
            return self._practise(turn, state, trouble)
        if before_now.issuperset(chosen):
            return self._page(turn, "already", None)
        told, missed, left = [], [], []
        before = self.hands.keys(Passphrase(state.old), turn.visit, chosen)
        after = self.hands.keys(Passphrase(state.bits), turn.visit, chosen)
        for desk in chosen:
            title = self.texts.pick(next(d for d in turn.visit.directory.desks if d.id == desk).titles) or desk
            if desk in before_now:
                told.append(title)
                continue
            try:
                note, msg_id = self._note(turn.visit, desk), self.random(16)
                letter = acts.change(turn.visit, before[desk], after[desk], msg_id)
                self.hands.send(turn.visit, note, before[desk], letter, msg_id, True)
                told.append(title)
                self.spent.add(told_mark(state, desk), turn.now)
                self.spent.add(any_mark(state, desk), turn.now)
            except (CannotNow, CannotWrite, NetworkFailed):
                missed.append(title)
                left.append(desk)
        again = replace(state, chosen=tuple(left)) if left else None
        return self._page(turn, "changed", again, told=told, missed=missed)

    def _ticked(self, turn: Turn) -> list[str]:
        """The desks that were chosen in what was posted."""
        return [desk.id for desk in turn.visit.directory.desks if value_of(turn.fields, f"desk-{desk.id}")]


def told_mark(state: State, desk: str) -> bytes:
    """The mark of a desk that was told these new words; as the other, it never leaves this process."""
    return h(b"\0" + state.once + state.bits + desk.encode())


def any_mark(state: State, desk: str) -> bytes:
    """The mark of a desk that was told new words from this thread's page, whichever they were."""
    return h(b"\1" + state.once + desk.encode())


def _takes_nothing(turn: Turn) -> bool:
    """Is the door closed for good, or not renewed? Then no desk could be told."""
    return turn.visit.directory.closed is not None or turn.visit.expired


def _before(state: State) -> State:
    """The thread's, without the words that were to be its new ones."""
    return replace(state, bits=state.old or state.bits, old=b"", known=True)
