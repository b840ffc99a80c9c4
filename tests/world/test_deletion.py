# SPDX-License-Identifier: AGPL-3.0-or-later
"""Deleting letters and threads: nothing is left in the file, nothing brings them back, every machine does it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from latchstring.client.transport import Response
from latchstring.desk import deletion
from latchstring.desk import letters as desk_letters
from latchstring.desk.changes import forget_old_ids
from latchstring.desk.deletion import Deleted, delete_letters, delete_thread, sweep
from latchstring.desk.errors import VaultError
from latchstring.desk.facts import Reader, apply_facts
from latchstring.desk.gone import KEPT_TICKS, again_gone, forget_marks, is_gone, mark_of
from latchstring.desk.letters import letters, threads
from latchstring.desk.outbox import carried_by, tell, waiting
from latchstring.desk.replies import replies
from latchstring.desk.scrub import is_owed, scrub
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, open_vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY, day_of
from latchstring.protocol.memo import Fact, MemoBody
from latchstring.server.api import Request
from tests.builders import Stream
from tests.vaults import everything
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_door

SECRET = "the ledger is under the third stair"
OTHER = "nothing of note"
NOTE = "her sister has the other ledger"
ANSWER = "leave the ledger where it lies"


class Scene:
    """A desk with two threads: one with two letters and a reply, one with a letter."""

    def __init__(self, world: World, desk: Desk) -> None:
        self.world, self.desk = world, desk
        self.anna, self.berta = Source(world, "anna"), Source(world, "berta")
        self.anna.random = Stream(f"ids at {world.batch}")

    def copy(self, folder: Path) -> "Scene":
        world = self.world.copy()
        return Scene(world, self.desk.copy(world, folder))

    @property
    def batch(self) -> int:
        return self.world.batch

    def ids(self, text: str) -> list[bytes]:
        return [x.msg_id for x in letters(self.desk.vault) if x.body and x.body.text == text]

    def erase(self) -> None:
        """What the command does after it deleted."""
        scrub(self.desk.vault, lambda *_: None)

    def another_machine(self, folder: Path) -> Desk:
        folder.mkdir()
        there = self.desk.copy(self.world, folder)
        there.random = Stream("another machine")
        return there

    def tell(self, there: Desk) -> None:
        """The facts in the outbox reach another machine."""
        facts = tuple(w.fact for w in waiting(self.desk.vault))
        reader = Reader(self.world.door, "news", "news-1")
        with there.vault.transaction():
            taken = apply_facts(there.vault, FACT_KINDS, reader, MemoBody("news-1", facts), self.batch, 0)
        assert taken.applied == len(facts)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    world, desks = open_door(tmp_path_factory.mktemp("first"), letters=4)
    scene = Scene(world, desks["news"])
    for source, text in ((scene.anna, SECRET), (scene.anna, OTHER), (scene.berta, "hello")):
        source.write(text)
        world.close()
    scene.desk.sync()
    scene.desk.show(scene.anna)
    scene.desk.answer(scene.anna, ANSWER)
    scene.desk.sync()
    return scene


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    return first.copy(tmp_path)


def key_bytes(source: Source) -> list[bytes]:
    keys = source.keys().thread_keys
    return [keys.psk, keys.dh, keys.seal_key.raw[:24], keys.seal_key.raw[600:624]]


def test_a_letter_is_erased_and_the_rest_stays(scene: Scene) -> None:
    assert SECRET.encode() in everything(scene.desk)
    assert delete_letters(scene.desk.vault, scene.ids(SECRET), scene.batch) == Deleted(letters=1)
    scene.erase()
    found = everything(scene.desk)
    assert SECRET.encode() not in found
    assert OTHER.encode() in found
    assert ANSWER.encode() in found
    assert scene.desk.texts() == [OTHER, "hello"]


def test_a_thread_is_erased_with_its_replies_and_keys(scene: Scene) -> None:
    desk = scene.desk
    assert delete_thread(desk.vault, desk.thread(scene.anna), scene.batch) == Deleted(2, 1, 1)
    scene.erase()
    found = everything(desk)
    for gone in (SECRET, OTHER, ANSWER):
        assert gone.encode() not in found
    assert not any(part in found for part in (*key_bytes(scene.anna), desk.thread(scene.anna)))
    assert all(part in found for part in key_bytes(scene.berta))
    assert desk.texts() == ["hello"]
    desk.sync()
    scene.world.close(36)
    assert scene.anna.heard() == []  # it was not out yet: the coming pages are made without it


def test_the_last_letter_takes_the_thread_along(scene: Scene) -> None:
    ids = [*scene.ids(SECRET), *scene.ids(OTHER)]
    assert delete_letters(scene.desk.vault, ids, scene.batch) == Deleted(2, 1, 1)
    scene.erase()
    assert not any(part in everything(scene.desk) for part in key_bytes(scene.anna))


def test_what_is_deleted_without_care_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variants: SQLite need not overwrite; and the journal keeps images."""
    scene.desk.vault._db.execute("PRAGMA secure_delete = OFF")
    monkeypatch.setattr(deletion, "owe", lambda _vault: None)
    delete_letters(scene.desk.vault, scene.ids(SECRET), scene.batch)
    scene.erase()
    assert SECRET.encode() in everything(scene.desk)


def test_a_journal_that_is_not_wiped_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "owe", lambda _vault: None)
    delete_letters(scene.desk.vault, scene.ids(SECRET), scene.batch)
    assert SECRET.encode() in everything(scene.desk)
    scene.desk.vault.wipe_journal()
    assert SECRET.encode() not in everything(scene.desk)


def logged_again(scene: Scene) -> None:
    """The server forgets what it took and puts the same letters into its log once more."""
    posted = [x.body for x in scene.world.traffic if x.path == "/v1/letters"]
    with scene.world.core.sql.write() as connection:
        connection.exec_driver_sql("DELETE FROM letters")
    for body in posted:
        assert scene.world.answer(Request("POST", "/v1/letters", body=body)).status == 201
    scene.world.close()
    scene.world.close()


def test_the_same_letter_in_the_log_again_does_not_bring_it_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    delete_thread(scene.desk.vault, scene.desk.thread(scene.anna), scene.batch)
    logged_again(scene)
    tally = scene.desk.sync().tally
    assert (tally.new, tally.repeated) == (0, 3)
    assert SECRET.encode() not in everything(scene.desk)
    monkeypatch.setattr(desk_letters, "is_gone", lambda *_: False)
    logged_again(scene)
    assert scene.desk.sync().tally.new == 2  # the broken variant: nothing remembers


def test_a_pack_that_comes_late_does_not_bring_it_back(scene: Scene, tmp_path: Path) -> None:
    """Another machine hears of the deletion before it gets the letter."""
    world, desk = scene.world, scene.desk
    there = scene.another_machine(tmp_path / "there")
    scene.berta.write("come at noon")
    world.close()
    held = f"/v1/packs/{world.batch}"

    def keep(request: Request, answer: Response) -> Response:
        return replace(answer, status=404, body=b"") if request.path == held else answer

    there.wire.meddle = keep
    desk.sync()
    there.sync()
    delete_letters(desk.vault, scene.ids("come at noon"), scene.batch)
    scene.tell(there)
    there.wire.meddle = lambda _request, answer: answer
    assert there.sync().tally.repeated == 1
    assert "come at noon" not in there.texts()
    assert b"come at noon" not in everything(there)


def test_other_machines_do_the_same_at_their_next_sync(scene: Scene, tmp_path: Path) -> None:
    there = scene.another_machine(tmp_path / "there")
    delete_thread(scene.desk.vault, scene.desk.thread(scene.anna), scene.batch)
    scene.tell(there)
    assert is_owed(there.vault)
    there.sync()
    found = everything(there)
    assert not any(text.encode() in found for text in (SECRET, OTHER, ANSWER))
    assert not any(part in found for part in key_bytes(scene.anna))
    assert there.texts() == scene.desk.texts() == ["hello"]
    scene.tell(there)  # twice is once
    assert there.texts() == ["hello"]


def test_a_letter_that_came_meanwhile_stays_with_its_thread(scene: Scene, tmp_path: Path) -> None:
    """What was deleted is what was seen: a letter that another machine has already is not lost."""
    there = scene.another_machine(tmp_path / "there")
    scene.anna.write("one more thing", tell=False)
    scene.world.close()
    there.sync()
    delete_thread(scene.desk.vault, scene.desk.thread(scene.anna), scene.batch)
    scene.tell(there)
    scene.desk.sync()
    there.sync()
    for desk in (scene.desk, there):
        assert desk.texts() == ["hello", "one more thing"]
        assert set(threads(desk.vault)) == {desk.thread(scene.berta), desk.thread(scene.anna)}
        assert replies(desk.vault) == ()
    there.answer(scene.anna, "I am listening")
    there.sync()
    scene.world.close(36)
    assert scene.anna.heard() == ["I am listening"]


@pytest.mark.parametrize("broken", [False, True])
def test_a_note_goes_where_no_letter_of_its_thread_ever_was(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Of a member who was away: the notes came, the letters were still to be passed on. `broken`: notes are not named
    one by one, and stay in such a vault for ever."""
    if broken:
        monkeypatch.setattr(deletion, "_said_in", deletion._replies_of)
    there = Desk(scene.world, tmp_path / "there")
    said = _note_of(scene)
    reader = Reader(scene.world.door, "news", "news-1")

    def hear(place: int) -> None:
        for vault in (scene.desk.vault, there.vault):
            with vault.transaction():
                apply_facts(vault, FACT_KINDS, reader, MemoBody("news-2", (said,)), scene.batch, place)

    hear(0)
    assert NOTE.encode() in everything(there)
    delete_thread(scene.desk.vault, scene.desk.thread(scene.anna), scene.batch)
    scene.tell(there)
    hear(1)  # told again, by whoever had not heard of it
    scrub(there.vault, lambda *_: None)
    there.vault.wipe_journal()
    assert (NOTE.encode() in everything(there)) is broken


@pytest.mark.parametrize("broken", [False, True])
def test_a_note_that_is_being_passed_on_is_told_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """It waits as it was told again, and another machine deletes it while a letter of the thread stays. `broken`: the
    vault alone is looked at."""
    if broken:
        monkeypatch.setattr(deletion, "_untell_named", lambda *_: None)
    vault, said = scene.desk.vault, _note_of(scene)
    reader = Reader(scene.world.door, "news", "news-1")
    with vault.transaction():
        apply_facts(vault, FACT_KINDS, reader, MemoBody("news-2", (said,)), scene.batch, 0)
        tell(vault, {"kind": "again", "by": "news-2", "at": 1, "fact": dict(said)}, later=True)
    gone: Fact = {"kind": "delete", "gone": [mark_of(i) for i in (bytes(16), *scene.ids(SECRET))]}
    with vault.transaction():
        apply_facts(vault, FACT_KINDS, reader, MemoBody("news-2", (gone,)), scene.batch, 1)
    scene.erase()
    assert scene.desk.texts() == [OTHER, "hello"]
    assert (NOTE.encode() in everything(scene.desk)) is broken


def test_keys_that_wait_to_be_passed_on_go_with_their_thread(scene: Scene) -> None:
    vault, thread = scene.desk.vault, scene.desk.thread(scene.anna)
    seal_key, dh, psk = vault.rows("SELECT seal_key, dh, psk FROM thread WHERE id = ?", thread)[0]
    with vault.transaction():
        tell(vault, {"kind": "thread", "seal": seal_key, "dh": dh, "psk": psk}, later=True)
    delete_thread(vault, thread, scene.batch)
    scene.erase()
    assert waiting(vault, "thread") == ()
    assert not any(part in everything(scene.desk) for part in key_bytes(scene.anna))


def test_a_note_in_a_memo_on_its_way_is_named(scene: Scene, tmp_path: Path) -> None:
    """Its author deletes the thread before the log holds the memo: it goes where it comes, letters or none."""
    there = Desk(scene.world, tmp_path / "there")
    vault, said = scene.desk.vault, _note_of(scene)
    with vault.transaction():
        tell(vault, said)
        carried_by(vault, bytes(16), waiting(vault, "note"))
    delete_thread(vault, scene.desk.thread(scene.anna), scene.batch)
    scene.erase()
    assert NOTE.encode() not in everything(scene.desk)
    with there.vault.transaction():
        reader = Reader(scene.world.door, "news", "news-1")
        apply_facts(there.vault, FACT_KINDS, reader, MemoBody("news-2", (said,)), scene.batch, 0)
    assert NOTE.encode() in everything(there)
    scene.tell(there)
    scrub(there.vault, lambda *_: None)
    assert NOTE.encode() not in everything(there)


def _note_of(scene: Scene) -> Fact:
    return {"kind": "note", "id": bytes(16), "thread": scene.desk.thread(scene.anna), "text": NOTE, "written": 5}


def test_malformed_facts_delete_nothing(scene: Scene) -> None:
    reader = Reader(scene.world.door, "news", "news-1")
    marks = [mark_of(i) for i in scene.ids(SECRET)]
    bad = (
        {"kind": "delete", "gone": [marks[0][:31]]},
        {"kind": "delete", "gone": [1, *marks]},
        {"kind": "delete", "gone": marks * 65},
        {"kind": "delete"},
        {"kind": "delete", "gone": marks, "more": 1},
    )
    with scene.desk.vault.transaction():
        taken = apply_facts(scene.desk.vault, FACT_KINDS, reader, MemoBody("news-1", bad), scene.batch, 0)
    assert (taken.applied, taken.malformed) == (0, 5)
    assert scene.desk.texts() == [SECRET, OTHER, "hello"]


def test_the_marks_of_what_is_gone_hold_no_content_and_go_too_while_untold(scene: Scene) -> None:
    ids = scene.ids(SECRET)
    delete_letters(scene.desk.vault, ids, scene.batch)
    rows = scene.desk.vault.rows("SELECT mark, batch FROM gone")
    assert rows == [(mark_of(ids[0]), scene.batch)]
    assert ids[0] not in rows[0][0]
    forget_marks(scene.desk.vault, scene.batch + KEPT_TICKS)
    assert scene.desk.vault.rows("SELECT count(*) FROM gone") == [(1,)]
    forget_marks(scene.desk.vault, scene.batch + KEPT_TICKS + 1)
    assert scene.desk.vault.rows("SELECT count(*) FROM gone") == [(0,)]


@pytest.mark.parametrize("months", [0, 3, 36])
def test_what_was_deleted_is_told_again_to_who_missed_it(scene: Scene, tmp_path: Path, months: int) -> None:
    """By the marks alone, the ids are gone; however long they were away, for their vault holds the letters still."""
    there = scene.another_machine(tmp_path / "there")
    late = scene.another_machine(tmp_path / "late")
    delete_thread(scene.desk.vault, scene.desk.thread(scene.anna), scene.batch)
    scene.tell(there)
    forget_marks(there.vault, scene.batch + months * 30 * 144)
    ((_, by, fact),) = again_gone(there.vault, 0, 1 << 60)
    assert by == "news-1"
    reader = Reader(scene.world.door, "news", "news-1")
    with late.vault.transaction():
        apply_facts(late.vault, FACT_KINDS, reader, MemoBody("news-2", (fact,)), scene.batch, 1)
    assert late.texts() == ["hello"]


def test_keys_that_are_passed_on_to_us_afterwards_are_forgotten_again(scene: Scene) -> None:
    vault, thread = scene.desk.vault, scene.desk.thread(scene.anna)
    seal_key, dh, psk = vault.rows("SELECT seal_key, dh, psk FROM thread WHERE id = ?", thread)[0]
    (letter,) = scene.ids(SECRET)
    delete_thread(vault, thread, scene.batch)
    assert is_gone(vault, letter)
    keys = {"kind": "thread", "seal": seal_key, "dh": dh, "psk": psk}
    again = {"kind": "letter", "thread": thread, "msg_id": letter, "batch": 1, "place": 0, "day": 0, "verified": True}
    reader = Reader(scene.world.door, "news", "news-1")
    with vault.transaction():
        memo = MemoBody("news-2", (keys, {**again, "cbor": b"\xa0"}))
        assert apply_facts(vault, FACT_KINDS, reader, memo, scene.batch, 0).applied == 2
    assert thread in {row[0] for row in vault.rows("SELECT id FROM thread")}
    scene.desk.sync()
    assert not any(part in everything(scene.desk) for part in key_bytes(scene.anna))


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_words_that_were_changed_do_not_count_again_when_the_thread_is_gone(scene: Scene, twice: bool) -> None:
    """Whoever got hold of them opens no verified thread, and moves none; the new words do, as they always did."""
    world, desk, vault = scene.world, scene.desk, scene.desk.vault
    new, other = Source(world, "new"), Source(world, "other")
    scene.anna.change(new)
    world.close()
    desk.sync()
    if twice:
        new.change(other)
        world.close()
        desk.sync()
        new = other
    delete_thread(vault, desk.thread(new), scene.batch)
    scene.erase()
    found = everything(desk)
    assert not any(part in found for part in key_bytes(scene.anna))
    scene.anna.write("it is me, truly", tell=False)
    new.write("it is me", tell=False)
    world.close()
    assert desk.sync().tally.unverified == 1
    scene.anna.change(Source(world, "thief"))
    world.close()
    assert desk.sync().tally.changed == 0
    assert desk.thread(scene.anna) not in threads(vault)
    assert {(x.verified, x.stale) for x in letters(vault, desk.thread(new))} == {(True, False), (False, True)}
    forget_marks(vault, scene.batch + KEPT_TICKS + 1)
    assert vault.rows("SELECT count(*) FROM gone") == [(0,)]


def test_what_waits_for_letters_under_old_words_goes_with_the_last_day_on_which_they_may_come(scene: Scene) -> None:
    """The ids and the new keys of a thread that is deleted after its words were changed."""
    world, desk, vault = scene.world, scene.desk, scene.desk.vault
    new, changed = Source(world, "new"), day_of(world.batch)
    scene.anna.change(new)
    world.close()
    desk.sync()
    delete_thread(vault, desk.thread(new), scene.batch)
    traces = (*key_bytes(new), desk.thread(new), desk.thread(scene.anna))
    for day, stays in ((changed + BODY_DAYS, True), (changed + BODY_DAYS + 1, False)):
        with vault.transaction():
            forget_old_ids(vault, day)
        sweep(vault, day * TICKS_PER_DAY)
        scene.erase()
        found = everything(desk)
        assert [part in found for part in traces] == [stays] * len(traces)


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    armed = False
    stored = False

    def _commit(self) -> None:
        if not self.armed:
            return super()._commit()
        self.armed = False
        if self.stored:
            super()._commit()
        raise VaultError("The disk with the vault is full.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
@pytest.mark.parametrize("whole", [False, True], ids=["letter", "thread"])
def test_a_deletion_whose_write_fails_is_whole_or_nothing(scene: Scene, stored: bool, whole: bool) -> None:
    desk = scene.desk
    desk.vault.__class__ = Failing
    assert isinstance(desk.vault, Failing)
    desk.vault.armed, desk.vault.stored = True, stored
    ids = scene.ids(SECRET)
    act = partial(delete_thread, thread=desk.thread(scene.anna)) if whole else partial(delete_letters, ids=ids)
    with pytest.raises(VaultError):
        act(desk.vault, batch=scene.batch)
    desk.vault.close()
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    assert (SECRET in desk.texts()) is not stored
    assert bool(waiting(desk.vault, "delete")) is stored
    desk.sync()  # and what is owed is erased by the next session
    assert (SECRET.encode() in everything(desk)) is not stored
