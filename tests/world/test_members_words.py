# SPDX-License-Identifier: AGPL-3.0-or-later
"""What another member says, late or with ill will, brings nothing back that is gone and keeps nobody unheard."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.desk import changes
from latchstring.desk.deletion import delete_thread, sweep
from latchstring.desk.facts import At, Reader, Taken, Told, apply_fact
from latchstring.desk.gone import mark_of
from latchstring.desk.letters import letters, thread_keys
from latchstring.desk.marks import assignments
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.replies import replies
from latchstring.desk.retention import quiet_threads
from latchstring.desk.scrub import scrub
from latchstring.desk.search import search
from latchstring.desk.seen import add_gap, seen
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, LETTER_CBOR_MAX, TICKS_PER_DAY, sheet_of
from latchstring.protocol.memo import Fact
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.source_keys import ThreadKeys
from tests.builders import Stream
from tests.vaults import everything
from tests.world.world import Desk, Source, World, open_door

SAID = "meet behind the mill"
NOTE = b"n" * 16
REPLY = b"r" * 16


@dataclass
class Scene:
    """A desk with one thread, opened and answered; what another member says is taken in by `hear`."""

    world: World
    desk: Desk

    def __post_init__(self) -> None:
        self.old, self.new = Source(self.world, "old"), Source(self.world, "new")

    @property
    def vault(self) -> Vault:
        return self.desk.vault

    @property
    def thread(self) -> bytes:
        return self.desk.thread(self.old)

    def hear(self, fact: Fact, batch: int | None = None, place: int = 0) -> Taken:
        at = At(self.world.batch if batch is None else batch, place, 0)
        with self.vault.transaction():
            return apply_fact(self.vault, FACT_KINDS, Told(at, "ben", Reader(self.world.door, "news", "news-1")), fact)

    def keys_fact(self, keys: ThreadKeys) -> Fact:
        return {"kind": "thread", "seal": keys.seal_key.raw, "dh": keys.dh, "psk": keys.psk}

    def change(self) -> None:
        self.old.change(self.new)
        self.world.close()
        self.desk.sync()

    def left(self, *parts: bytes) -> list[bool]:
        scrub(self.vault, lambda *_: None)
        self.vault.wipe_journal()
        found = everything(self.desk)
        return [part in found for part in parts]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    world, desks = open_door(tmp_path_factory.mktemp("first"))
    scene = Scene(world, desks["news"])
    scene.old.write("hello")
    world.close()
    scene.desk.sync()
    scene.desk.show(scene.old)
    scene.desk.answer(scene.old, "an answer")
    scene.desk.sync()
    return scene


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    world = first.world.copy()
    return Scene(world, first.desk.copy(world, tmp_path))


def _note(thread: bytes, text: str = SAID) -> Fact:
    return {"kind": "note", "id": NOTE, "thread": thread, "text": text, "written": 5}


def _reply(thread: bytes, text: str = SAID) -> Fact:
    return {"kind": "reply", "id": REPLY, "thread": thread, "body": ReplyBody(text).encode(), "written": 5, "knew": 0}


# --- P3 ------------------------------------------------------------------------------------------


def test_old_keys_that_a_member_passes_on_late_do_not_come_back(scene: Scene) -> None:
    keys = thread_keys(scene.vault, scene.thread)
    scene.change()
    assert scene.hear(scene.keys_fact(keys)).applied == 1
    assert scene.vault.rows("SELECT id FROM thread") == [(scene.desk.thread(scene.new),)]
    assert scene.left(keys.psk, keys.dh) == [False, False]


def test_what_waits_to_be_passed_on_has_the_new_keys(scene: Scene) -> None:
    keys, old = thread_keys(scene.vault, scene.thread), scene.thread
    with scene.vault.transaction():
        tell(scene.vault, scene.keys_fact(keys), later=True)
        tell(scene.vault, {"kind": "again", "by": "ben", "at": 0, "fact": dict(_note(old))}, later=True)
    scene.change()
    new = scene.desk.thread(scene.new)
    told = [w.fact for w in waiting(scene.vault)]
    assert scene.keys_fact(thread_keys(scene.vault, new)) in told
    assert {"kind": "again", "by": "ben", "at": 0, "fact": dict(_note(new))} in told
    assert scene.left(keys.psk, keys.dh) == [False, False]


# --- P2 ------------------------------------------------------------------------------------------


def test_what_is_said_of_a_thread_after_its_deletion_goes_too(scene: Scene) -> None:
    thread = scene.thread
    delete_thread(scene.vault, thread, scene.world.batch)
    assert scene.hear(_note(thread)).applied == scene.hear(_reply(thread), place=1).applied == 1
    assert sweep(scene.vault, scene.world.batch) == 1
    assert search(scene.vault, "mill") == ()
    assert scene.left(SAID.encode(), thread) == [False, False]
    assert sweep(scene.vault, scene.world.batch) == 0


def test_what_is_swept_is_ended_on_all_machines(scene: Scene) -> None:
    """One of them may have a newer letter by now, and would go on with what the others have not."""
    thread = scene.thread
    delete_thread(scene.vault, thread, scene.world.batch)
    scene.hear(_note(thread))
    scene.hear({"kind": "assign", "thread": thread, "to": "ben"}, place=1)
    with scene.vault.transaction():
        scene.vault.do("DELETE FROM fact_waiting")
    assert sweep(scene.vault, scene.world.batch) == 1
    told = [item.fact for item in waiting(scene.vault)]
    assert told == [{"kind": "forget", "threads": [mark_of(thread)]}, {"kind": "delete", "gone": [mark_of(NOTE)]}]
    assert sweep(scene.vault, scene.world.batch) == 0, "once"


def test_what_may_be_about_a_letter_that_is_still_to_come_is_not_swept(scene: Scene) -> None:
    """A member answered it, and this vault misses it; for 35 days."""
    thread, batch = scene.thread, scene.world.batch
    delete_thread(scene.vault, thread, batch)
    with scene.vault.transaction():
        add_gap(scene.vault, batch, batch + 1)
    scene.hear(_reply(thread))
    assert sweep(scene.vault, batch) == 0
    assert scene.left(SAID.encode()) == [True]
    assert sweep(scene.vault, batch + BODY_DAYS * TICKS_PER_DAY + 1) == 1
    assert scene.left(SAID.encode(), thread) == [False, False]


def test_a_thread_that_quiet_has_ended_here_is_ended_for_nobody_else(scene: Scene) -> None:
    """By the policy, not by a member's word: another may have marked it to stay."""
    thread = scene.thread
    delete_thread(scene.vault, thread, scene.world.batch, told=False)
    scene.hear({"kind": "keep", "thread": thread, "on": True})
    with scene.vault.transaction():
        scene.vault.do("DELETE FROM fact_waiting")
    assert sweep(scene.vault, scene.world.batch) == 1
    assert waiting(scene.vault) == ()


@pytest.mark.parametrize("broken", [False, True])
def test_a_thread_forgotten_under_its_old_words_is_so_under_the_new(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Heard before its change is followed; and what is told late names it by its new id. `broken`: the word stays with
    the old id."""
    if broken:
        monkeypatch.setattr(changes, "forgotten_too", lambda *_: None)
    late = scene.world.batch
    scene.hear({"kind": "forget", "threads": [mark_of(scene.thread)]}, batch=late, place=4000)
    scene.change()
    scene.hear({"kind": "assign", "thread": scene.desk.thread(scene.new), "to": "ben"}, batch=late, place=1)
    assert (assignments(scene.vault, "news-1") != {}) is broken


def test_a_thread_that_begins_again_keeps_what_is_said_of_it(scene: Scene) -> None:
    thread = scene.thread
    delete_thread(scene.vault, thread, scene.world.batch)
    scene.old.random = Stream("another id")
    scene.old.write("once more")
    scene.world.close()
    scene.hear(_note(thread))
    scene.desk.sync()
    assert scene.desk.texts() == ["once more"]
    assert [hit.kind for hit in search(scene.vault, "mill")] == ["note"]


def test_a_deletion_takes_what_waits_to_be_told_again(scene: Scene) -> None:
    with scene.vault.transaction():
        tell(scene.vault, {"kind": "again", "by": "ben", "at": 0, "fact": dict(_note(scene.thread))}, later=True)
    delete_thread(scene.vault, scene.thread, scene.world.batch)
    assert scene.left(SAID.encode()) == [False]


# --- retention -----------------------------------------------------------------------------------


def test_a_reply_of_another_member_breaks_the_quiet(scene: Scene) -> None:
    day = 20
    assert scene.hear(_reply(scene.thread), batch=day * TICKS_PER_DAY).applied == 1
    assert [q.since for q in quiet_threads(scene.vault, scene.world.policy)] == [day]


def test_a_letter_that_another_member_opened_is_opened(scene: Scene) -> None:
    scene.new.write("hello too")
    scene.world.close()
    scene.desk.sync()
    thread = scene.desk.thread(scene.new)
    mark = letters(scene.vault, thread)[0].mark

    def unopened() -> set[bytes]:
        return {q.thread for q in quiet_threads(scene.vault, scene.world.policy) if q.unopened}

    assert unopened() == {thread}
    scene.hear({"kind": "read", "thread": thread, "letters": [mark]})
    assert unopened() == set()


# --- ill will ------------------------------------------------------------------------------------


def test_a_letter_that_no_letter_could_be_is_not_passed_on(scene: Scene) -> None:
    """It would fill a memo, and not fit that of a member with a longer name: all that waits behind it would stay."""

    def long(size: int) -> Fact:
        return {"kind": "letter", "thread": scene.thread, "msg_id": b"m" * 16, "batch": 0, "place": 0, "day": 0,
                "verified": True, "cbor": bytes(size)}  # fmt: skip

    assert scene.hear(long(LETTER_CBOR_MAX + 1)).malformed == 1
    assert scene.hear(long(LETTER_CBOR_MAX)).applied == 1


def test_a_sheet_that_is_not_out_yet_holds_no_reply(scene: Scene) -> None:
    (reply,) = replies(scene.vault)
    now = sheet_of(scene.world.batch)
    for n in range(1, 30):
        assert scene.hear({"kind": "placed", "reply": reply.id, "sheet": now + n}).malformed == 1
    assert replies(scene.vault)[0].wants_a_place


def test_nobody_is_said_to_have_seen_what_is_to_come(scene: Scene) -> None:
    """A member who is forged to have followed the log to its end would never say again how far they are."""
    batch = scene.world.batch
    assert scene.hear({"kind": "seen", "batch": batch + 1, "gaps": []}).malformed == 1
    assert seen(scene.vault) == {}
    assert scene.hear({"kind": "seen", "batch": batch, "gaps": []}).applied == 1


def test_the_words_of_a_fact_that_does_not_hold_are_not_found(scene: Scene) -> None:
    scene.hear(_note(scene.thread))
    scene.hear(_note(scene.thread, "forged words"), place=1)
    scene.hear(_reply(scene.thread))
    scene.hear(_reply(scene.thread, "forged words"), place=1)
    assert search(scene.vault, "forged") == ()
    assert {hit.kind for hit in search(scene.vault, "mill")} == {"note", "reply"}
