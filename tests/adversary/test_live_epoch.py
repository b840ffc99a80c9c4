# SPDX-License-Identifier: AGPL-3.0-or-later
"""What falls when a live epoch key falls: as stated, and not a day further.

| Attacker              | Holds                                      | Tries                                        |
|-----------------------|--------------------------------------------|----------------------------------------------|
| whoever saw news-3's  | the key of one epoch, no passphrase; all   | to open letters and memos; to say things in  |
| vault while it was    | that the server has; may post letters as   | other members' names; to write in a source's |
| open                  | anybody may                                | thread                                       |

Each test shows both sides: with a key that is live the attack succeeds, as `docs/threat-model.md` says; with the same
key once its 72 hours are over, or with the vault once the epoch is erased, it does not. The broken variants take away
what ends it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from latchstring.desk import follow
from latchstring.desk.gone import KIND as DELETE
from latchstring.desk.gone import mark_of
from latchstring.desk.letters import letters, threads
from latchstring.desk.marks import notes
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.seen import seen
from latchstring.desk.tally import Tally
from latchstring.desk.withdrawal import KIND as WITHDRAW
from latchstring.desk.withdrawal import is_withdrawn
from latchstring.protocol import memo as memo_module
from latchstring.protocol.constants import (
    DEFAULT_ERASE_DAYS,
    EPOCH_LETTER_TICKS,
    LETTER_SIZE,
    MAC_SIZE,
    TICKS_PER_DAY,
)
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.letter import LetterBody, OpenedLetter, frame_letter, letter_info, open_letter
from latchstring.protocol.memo import Fact, MemoBody, open_memo, seal_memo
from latchstring.protocol.pair import pair_of_desk
from latchstring.server.api import Request
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage, World

pytestmark = pytest.mark.usefixtures("short_sessions")

TEXT, LATER = "the driver has the list", "the list is gone"
SAID = "she cannot be trusted"
DAY = 1


@dataclass
class Thief:
    """Somebody with `epochs` and nothing else that is secret; `held`: the packs that the server had, by path."""

    world: World
    epochs: list[OpenEpoch]
    held: dict[str, bytes]

    def __post_init__(self) -> None:
        self._random = Stream("thief")

    @classmethod
    def looked(cls, at: Desk, day: int) -> "Thief":
        """One day's keys out of a vault that stood open."""
        epochs = [s.open() for s in epoch_secrets(at.vault) if s.day == day]
        return cls(at.world, epochs, dict(at.world.core.private.files))

    def _sealed(self) -> Iterator[bytes]:
        for path, pack in sorted(self.held.items()):
            if path.startswith("packs/"):
                yield from (pack[at : at + LETTER_SIZE] for at in range(0, len(pack), LETTER_SIZE))

    def letters(self) -> Iterator[OpenedLetter]:
        for sealed in self._sealed():
            for epoch in self.epochs:
                with suppress(NotOurs, ProtocolError):
                    yield open_letter(epoch, sealed)

    def reads(self) -> set[str]:
        """What members and sources wrote, as far as the keys open it."""
        found = {opened.body.text for opened in self.letters() if opened.body is not None}
        for sealed in self._sealed():
            for epoch in self.epochs:
                with suppress(NotOurs, ProtocolError):
                    memo = open_memo(epoch, sealed).body
                    found |= {str(f["text"]) for f in (memo.facts if memo else ()) if f["kind"] == "note"}
        return found

    def _post(self, sealed: bytes) -> None:
        assert self.world.answer(Request("POST", "/v1/letters", body=sealed)).status == 201
        self.world.close()

    def says(self, member: str, *facts: Fact) -> None:
        """A memo in a member's name is posted, and logged."""
        self._post(seal_memo(self.epochs[0], self._random(16), MemoBody(member, facts)))

    def writes_as(self, letter: OpenedLetter, text: str) -> None:
        """A letter in the thread of one that was opened: all keys that it takes were in that letter."""
        epoch = self.epochs[0]
        plain = frame_letter(
            pair_of_desk(epoch, letter.thread_keys), self._random(16), LetterBody("en", "client", text).encode()
        )
        self._post(epoch.note.seal_key.seal(plain, letter_info(epoch.note)))


@dataclass
class Scene:
    """Day 1 at a desk of three: a source has written, and news-2 noted something about it."""

    world: World
    reader: Desk
    other: Desk
    seized: Desk
    source: Source

    @property
    def thread(self) -> bytes:
        return self.reader.thread(self.source)

    def note(self, text: str, id: bytes = bytes(16)) -> Fact:
        return {"kind": "note", "id": id, "thread": self.thread, "text": text, "written": self.world.now}

    def to(self, batch: int) -> None:
        """Time passes; every machine of the desk runs daily."""
        while self.world.batch < batch:
            self.world.close(min(batch, self.world.batch + TICKS_PER_DAY))
            for desk in (self.reader, self.other, self.seized):
                desk.sync()


@pytest.fixture
def scene(three: TeamStage) -> Scene:
    world, (one, two, seized) = three.world, three.team.values()
    made = Scene(world, one, two, seized, Source(world, "a"))
    made.to(DAY * TICKS_PER_DAY)
    made.source.write(TEXT, tell=False)
    world.close()
    made.to(world.batch + 1)
    return made


ENDED = DAY * TICKS_PER_DAY + EPOCH_LETTER_TICKS
"""The first batch in which a letter to the day's epoch does not count."""


def forever(patch: pytest.MonkeyPatch) -> None:
    """The broken variant: a letter counts for every epoch that the desk ever had."""

    def counting(state: KeyState, desk: str, gen: int, _batch: int) -> dict[bytes, int]:
        return {note: day for (d, g, day), note in state.fixed.items() if (d, g) == (desk, gen)}

    patch.setattr(follow, "counting", counting)


WHEN = pytest.mark.parametrize(
    ("batch", "broken"),
    [(ENDED - 200, False), (ENDED - 1, False), (ENDED, False), (ENDED, True)],
    ids=["live", "at its end", "over", "over, broken"],
)
"""`batch`: the one in which the forged letter is logged."""


def before(scene: Scene, batch: int, broken: bool, patch: pytest.MonkeyPatch) -> bool:
    """The next batch that closes is `batch`; whether what is logged in it counts."""
    if broken:
        forever(patch)
    scene.to(batch - 1)
    return batch < ENDED or broken


# --- in members' names -----------------------------------------------------------------------------


@WHEN
def test_memos_in_any_member_s_name_until_the_72_hours_are_over(
    scene: Scene, batch: int, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key came from news-3's vault, the words are news-1's, and news-2 believes them."""
    thief = Thief.looked(scene.seized, DAY)
    counts = before(scene, batch, broken, monkeypatch)
    told = scene.world.batch - 5
    thief.says("news-1", {"kind": "seen", "batch": told, "gaps": [[3, 4]]}, scene.note(SAID))
    assert scene.world.batch == batch
    tally = scene.other.sync().tally
    assert (tally.memos, tally.facts) == (int(counts), 2 * int(counts))
    said = seen(scene.other.vault)
    assert [(s.batch, s.gaps, s.said) for s in said.values()] == ([(told, ((3, 4),), batch)] if counts else [])
    noted = [(n.author, n.text) for n in notes(scene.other.vault, scene.thread, "news-2")]
    assert noted == ([("news-1", SAID)] if counts else [])


@pytest.mark.parametrize(("live", "broken"), [(True, False), (False, False), (False, True)])
def test_every_machine_follows_a_forged_deletion_and_withdrawal(
    scene: Scene, live: bool, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any member may delete and withdraw: so may whoever speaks in a member's name, and not once the hours are over."""
    if broken:
        forever(monkeypatch)
    counts = live or broken
    thief = Thief.looked(scene.seized, DAY)
    reply = scene.reader.answer(scene.source, "come on Monday")
    (letter,) = letters(scene.reader.vault)
    scene.to(ENDED - 10 if live else ENDED)
    thief.says("news-1", {"kind": DELETE, "gone": [mark_of(letter.msg_id)]}, {"kind": WITHDRAW, "reply": reply.id})
    for desk in (scene.reader, scene.other, scene.seized):
        desk.sync()
        assert desk.texts() == ([] if counts else [TEXT])
        assert is_withdrawn(desk.vault, reply.id) is counts


def test_a_memo_takes_the_key(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is public makes no memo: under a desk key that was guessed it is nothing."""
    (epoch,) = Thief.looked(scene.seized, DAY).epochs
    guessed = replace(epoch, desk_key=bytes(32))
    guesser = Thief(scene.world, [guessed], {})
    guesser.says("news-1", scene.note(SAID))
    tally = scene.other.sync().tally
    assert (tally.memos, tally.malformed) == (0, 1)
    assert notes(scene.other.vault, scene.thread, "news-2") == ()
    monkeypatch.setattr(memo_module, "_memo_mac", lambda *_: bytes(MAC_SIZE))
    guesser.says("news-1", scene.note(SAID))
    assert scene.other.sync().tally.memos == 1
    assert [n.text for n in notes(scene.other.vault, scene.thread, "news-2")] == [SAID]


# --- in a source's name ----------------------------------------------------------------------------


@WHEN
def test_letters_in_a_known_source_s_thread_until_the_72_hours_are_over(
    scene: Scene, batch: int, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = Thief.looked(scene.seized, DAY)
    (opened,) = thief.letters()
    counts = before(scene, batch, broken, monkeypatch)
    thief.writes_as(opened, LATER)
    tally = scene.other.sync().tally
    assert (tally.new, tally.unverified) == (1, int(not counts))
    assert threads(scene.other.vault) == (scene.thread,)
    assert scene.other.texts() == ([TEXT, LATER] if counts else [TEXT])
    assert scene.other.texts(verified=False) == ([] if counts else [LATER])  # shown outside the thread


# --- what it opens ---------------------------------------------------------------------------------


def test_a_day_s_key_opens_that_day_s_letters_and_memos_and_no_other_s(scene: Scene) -> None:
    forger = Thief.looked(scene.other, DAY)
    forger.says("news-2", scene.note("of the first day"))
    scene.to((DAY + 1) * TICKS_PER_DAY)
    scene.source.write(LATER, tell=False)
    scene.world.close()
    Thief.looked(scene.other, DAY + 1).says("news-2", scene.note("of the second day", b"2" * 16))
    first, second = (Thief.looked(scene.seized, day).reads() for day in (DAY, DAY + 1))
    assert first == {TEXT, "of the first day"}
    assert second == {LATER, "of the second day"}


@pytest.mark.parametrize("broken", [False, True])
def test_once_the_epoch_is_erased_the_vault_has_neither_the_memos_nor_a_way_to_forge_them(
    scene: Scene, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes a week later, with all that the server ever held. `broken`: the machine does not erase."""
    Thief.looked(scene.other, DAY).says("news-2", scene.note("of the first day"))
    held = dict(scene.world.core.private.files)
    at_once = Thief(scene.world, Thief.looked(scene.seized, DAY).epochs, held)
    assert at_once.reads() == {TEXT, "of the first day"}
    if broken:
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    scene.to((DAY + DEFAULT_ERASE_DAYS) * TICKS_PER_DAY - 1)
    assert Thief.looked(scene.seized, DAY).epochs, "kept for as long as the desk may need it"
    scene.to((DAY + DEFAULT_ERASE_DAYS) * TICKS_PER_DAY)
    late = Thief(scene.world, Thief.looked(scene.seized, DAY).epochs, held)
    assert late.reads() == (at_once.reads() if broken else set())
    assert bool(late.epochs) is broken
    others = [s.open() for s in epoch_secrets(scene.seized.vault) if s.day != DAY]
    assert Thief(scene.world, others, held).reads() == set()


@pytest.mark.parametrize(
    ("act", "broken"),
    [
        (Thief.says, False),
        pytest.param(Thief.says, True, marks=pytest.mark.matrix),
        (Thief.writes_as, False),
        (Thief.writes_as, True),
    ],
)
def test_a_key_that_was_kept_is_worth_nothing_to_a_desk_that_has_erased_it(
    scene: Scene, act: Callable[..., None], broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thief still has it: no machine so much as opens what is sealed to it. `broken`: they keep it, for ever."""
    if broken:
        forever(monkeypatch)
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    thief = Thief.looked(scene.seized, DAY)
    (opened,) = thief.letters()
    scene.to((DAY + DEFAULT_ERASE_DAYS) * TICKS_PER_DAY)
    if act is Thief.says:
        thief.says("news-1", scene.note(SAID))
    else:
        thief.writes_as(opened, LATER)
    for desk in (scene.reader, scene.other, scene.seized):
        tally = desk.sync().tally
        assert (tally.batches, tally == Tally(batches=1)) == (1, not broken)
        assert (tally.memos + tally.new, tally.unverified) == (int(broken), 0)
