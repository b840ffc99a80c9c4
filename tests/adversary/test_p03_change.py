# SPDX-License-Identifier: AGPL-3.0-or-later
"""P3: a source can change the passphrase; what comes after belongs to the new words alone.

| Attacker              | Holds                                       | Tries                                      |
|-----------------------|---------------------------------------------|--------------------------------------------|
| coercer, later        | the old passphrase; every key in the desk's | to read what was written to the new keys,  |
|                       | vault after the change; all that is public  | to write as the thread, to change it back, |
|                       |                                             | to find the old keys                       |
| who seizes the vault  | live epochs, all packs that the server held | to find the old keys and the change there  |
| member                | the thread's keys, live epochs              | to make a change without c0                |
| member who read a     | c0 of the old keys too                      | to change the thread once more             |
| change                |                                             |                                            |
| former member         | the thread's keys, epochs of before         | to make a change                           |
| server                | the order of what it logs, which letters it | to have members' machines follow different |
|                       | hands out; the coercer's help               | changes; the same change again             |

What lies in the vault as text is read by whoever opens the vault; that is the matter of P2.
"""

from pathlib import Path

import pytest

from latchstring.client.transport import Response
from latchstring.desk import changes, follow, keeping
from latchstring.desk import letters as desk_letters
from latchstring.desk.changes import Place
from latchstring.desk.letters import letters, thread_keys, threads
from latchstring.desk.opening import Opened
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.vault import Row, Vault
from latchstring.protocol import change as change_module
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.constants import LONE_ERASE_DAYS
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import OpenedLetter, frame_change, letter_info, open_letter
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.reply import Place as Slot
from latchstring.protocol.reply import open_reply, reply_tag
from latchstring.protocol.source_keys import SourceKeys, ThreadKeys
from latchstring.server.api import Request
from tests.adversary.tools import Stage
from tests.builders import Stream
from tests.world.world import Desk, Source


def changed(stage: Stage) -> Source:
    """The source has changed the passphrase, the desk has followed and answers; the answer is out."""
    new = Source(stage.world, "new words")
    stage.source.change(new)
    stage.world.close()
    stage.desk.sync()
    stage.desk.show(new)
    stage.desk.answer(new, "for the new words")
    stage.desk.sync()
    stage.world.close((stage.world.batch // 36 + 1) * 36)
    return new


def opened_by(stage: Stage, words: SourceKeys, known: ThreadKeys) -> list[str]:
    """What somebody reads who tries every public slot with these private keys: by their own tags, and by those that
    the desk's vault lets them compute for the thread it holds."""
    texts = []
    visit = stage.source.look()
    held = {s.note_hash: s.open() for s in epoch_secrets(stage.desk.vault)}
    for sheet in visit.sheets:
        for page, head in enumerate(sheet.heads):
            if head.desk != "news" or head.note not in visit.notes:
                continue
            pairs = [pair_of_source(words, visit.notes[head.note])]
            if head.note in held:
                pairs.append(pair_of_desk(held[head.note], known))
            for number in range(head.slots):
                place, raw = Slot(sheet.n, page, sheet.r(page), number), sheet.slot(page, number)
                for pair in pairs:
                    if raw[:16] != reply_tag(pair.key("tag"), place):
                        continue
                    try:
                        body = open_reply(pair, words.open_key, place, raw).body
                    except NotOurs:
                        continue  # it is there, and stays shut
                    texts.append(body.text if body else "")
    return texts


def test_the_old_words_and_the_vaults_keys_open_nothing_that_came_after(stage: Stage) -> None:
    new = changed(stage)
    held = thread_keys(stage.desk.vault, stage.desk.thread(new))
    assert new.heard() == ["for the new words"]
    assert opened_by(stage, new.keys(), held) == ["for the new words"] * 2  # the search finds what is there
    assert opened_by(stage, stage.source.keys(), held) == []
    assert stage.source.heard() == []


def test_a_desk_that_goes_on_under_the_old_keys_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: the thread gets its new name and keeps its keys."""
    real = changes._follow

    def keeping_keys(vault: Vault, row: Row) -> bool:
        number, batch, old, new, *_ = row
        keys = thread_keys(vault, old)
        return real(vault, (number, batch, old, new, keys.seal_key.raw, keys.dh, keys.psk))

    monkeypatch.setattr(changes, "_follow", keeping_keys)
    new = changed(stage)
    held = thread_keys(stage.desk.vault, stage.desk.thread(new))
    assert "for the new words" in opened_by(stage, stage.source.keys(), held)


def test_a_letter_under_the_old_words_is_not_the_threads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    new = changed(stage)
    stage.source.write("forget all I said", tell=False)
    stage.world.close()
    stage.desk.sync()
    assert stage.desk.texts() == ["the first letter"]
    assert [(x.verified, x.stale) for x in letters(stage.desk.vault)] == [(True, False), (False, True)]
    assert threads(stage.desk.vault) == (stage.desk.thread(new),)

    def lenient(vault: Vault, letter: Opened, _batch: int) -> Place:
        return Place(changes.thread_now(vault, letter.thread), True, False)

    for module in (desk_letters, keeping):
        monkeypatch.setattr(module, "place_of", lenient)
    stage.source.write("forget all I said, once more", tell=False)
    stage.world.close()
    stage.desk.sync()
    assert stage.desk.texts() == ["the first letter", "forget all I said, once more"]


def test_who_knows_the_old_words_cannot_change_it_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    new, mallory = changed(stage), Source(stage.world, "mallory")
    stage.source.change(mallory)
    stage.world.close()
    tally = stage.desk.sync().tally
    assert (tally.changed, tally.unchanged) == (0, 1)
    assert threads(stage.desk.vault) == (stage.desk.thread(new),)

    real = changes._follow

    def by_any_name(vault: Vault, row: Row) -> bool:  # the broken variant: what it was called before will do
        number, batch, old, *rest = row
        return real(vault, (number, batch, changes.thread_now(vault, old), *rest))

    monkeypatch.setattr(changes, "_follow", by_any_name)
    stage.source.change(Source(stage.world, "mallory again"))
    stage.world.close()
    assert stage.desk.sync().tally.changed == 1


def test_who_has_the_words_before_they_are_changed_can_change_them_first(stage: Stage) -> None:
    """What is stated, and not promised: the first change in the log counts, and the source's own comes too late."""
    coercer, mallory = Source(stage.world, "coercer", stage.source.passphrase), Source(stage.world, "mallory")
    coercer.change(mallory)
    stage.world.close()
    new = Source(stage.world, "new words")
    stage.source.change(new)
    stage.world.close()
    tally = stage.desk.sync().tally
    assert (tally.changed, tally.unchanged) == (1, 1)
    assert threads(stage.desk.vault) == (stage.desk.thread(mallory),)
    stage.desk.show(mallory)
    stage.desk.answer(mallory, "for whoever was first")
    stage.desk.sync()
    stage.world.close((stage.world.batch // 36 + 1) * 36)
    assert (new.heard(), stage.source.heard()) == ([], [])
    assert mallory.heard() == ["for whoever was first"]


def test_nothing_of_the_old_keys_is_in_the_vault(stage: Stage) -> None:
    """Not even c0, by which the change was proved: with it the desk could have made another."""
    keys = stage.source.keys()
    changed(stage)
    rows = [
        value
        for (table,) in stage.desk.vault.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        for row in stage.desk.vault.rows(f'SELECT * FROM "{table}"')  # noqa: S608  # names of our own schema
        for value in row
        if isinstance(value, bytes)
    ]
    for secret in (keys.c0, keys.psk, keys.thread_keys.dh, keys.thread_keys.seal_key.raw):
        assert not any(secret in value for value in rows)


def read_with(vault: Vault, packs: dict[str, bytes]) -> list[OpenedLetter]:
    """Every letter of these packs that the vault's live epochs open."""
    found = []
    for epoch in [s.open() for s in epoch_secrets(vault)]:
        for pack in packs.values():
            for at in range(0, len(pack), 4096):
                try:
                    found.append(open_letter(epoch, pack[at : at + 4096]))
                except (NotOurs, ProtocolError):
                    continue
    return found


def packs_of(stage: Stage) -> dict[str, bytes]:
    """What the server holds of letters."""
    private = stage.world.core.private
    return {path: private.get(path) for path in private.paths("packs")}


@pytest.mark.parametrize("broken", [False, True])
def test_with_the_servers_packs_the_old_keys_come_back_until_the_epochs_are_erased(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Stated, not promised: the vault seized right after the change, and packs that somebody kept. Afterwards gone."""
    if broken:
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    keys = stage.source.keys()
    packs = packs_of(stage)
    new = changed(stage)
    packs |= packs_of(stage)

    def come_back() -> tuple[bool, bool]:
        """The old keys, by any letter; the change itself, with c0 and the new keys."""
        read = read_with(stage.desk.vault, packs)
        old = any(x.thread_keys == keys.thread_keys for x in read)
        return old, any(x.change == ChangeBody.make(keys, new.keys()) for x in read)

    assert come_back() == (True, True)
    day = stage.world.batch // 144
    for later in range(day + 1, day + LONE_ERASE_DAYS + 1):
        stage.world.close(144 * later)
        stage.desk.sync()
    assert come_back() == (broken, broken)


# --- without c0 ------------------------------------------------------------------------------------


def forged(epoch: OpenEpoch, old: ThreadKeys, new: SourceKeys, c0: bytes) -> bytes:
    """A change as whoever holds the desk's epoch makes it: both MACs are right."""
    note = epoch.note
    body = ChangeBody(c0, new.thread_keys).encode()
    plain = frame_change(pair_of_desk(epoch, old), pair_of_source(new, note), Stream("forged")(16), body)
    return note.seal_key.seal(plain, letter_info(note))


def post(stage: Stage, letter: bytes) -> None:
    assert stage.world.answer(Request("POST", "/v1/letters", body=letter)).status == 201
    stage.world.close()


def live_epoch(stage: Stage) -> OpenEpoch:
    note = stage.source.look().note("news")
    assert note is not None
    return next(s.open() for s in epoch_secrets(stage.desk.vault) if s.note_hash == note.hash)


def test_a_member_with_a_live_epoch_cannot_change_a_thread(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = stage.desk.thread(stage.source)
    old, mallory = thread_keys(stage.desk.vault, thread), Source(stage.world, "mallory").keys()
    letter = forged(live_epoch(stage), old, mallory, Stream("a guess")(32))
    post(stage, letter)
    tally = stage.desk.sync().tally
    assert (tally.malformed, tally.changed) == (1, 0)
    assert threads(stage.desk.vault) == (thread,)

    monkeypatch.setattr(change_module.ChangeBody, "follows", lambda *_: True)
    post(stage, forged(live_epoch(stage), old, mallory, Stream("another guess")(32)))
    assert stage.desk.sync().tally.changed == 1  # the broken variant: whoever can make the MACs


def test_c0_of_the_old_keys_does_not_change_the_new_ones(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member has read the change, and c0 in it."""
    new, mallory = changed(stage), Source(stage.world, "mallory").keys()
    held = thread_keys(stage.desk.vault, stage.desk.thread(new))
    c0 = stage.source.keys().c0
    post(stage, forged(live_epoch(stage), held, mallory, c0))
    tally = stage.desk.sync().tally
    assert (tally.malformed, tally.changed) == (1, 0)
    assert threads(stage.desk.vault) == (stage.desk.thread(new),)

    known = {held.psk, stage.source.keys().psk}
    monkeypatch.setattr(change_module, "same", lambda ours, _theirs: ours in known)
    post(stage, forged(live_epoch(stage), held, mallory, c0))
    assert stage.desk.sync().tally.changed == 1  # the broken variant: any proof that the thread ever had


def test_a_former_member_cannot_change_a_thread(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and an epoch of before: too late for a letter to count, even with c0."""
    first = min(epoch_secrets(stage.desk.vault), key=lambda s: s.day).open()
    thread = stage.desk.thread(stage.source)
    old, mallory = thread_keys(stage.desk.vault, thread), Source(stage.world, "mallory").keys()
    stage.world.close(first.note.day * 144 + 3 * 144 + 1)
    stage.desk.sync()
    post(stage, forged(first, old, mallory, stage.source.keys().c0))
    tally = stage.desk.sync().tally
    assert (tally.changed, tally.unchanged) == (0, 1)
    assert threads(stage.desk.vault) == (thread,)

    monkeypatch.setattr(follow, "counting", lambda *_: {first.note.hash: first.note.day})
    post(stage, forged(first, old, mallory, stage.source.keys().c0))
    assert stage.desk.sync().tally.changed == 1  # the broken variant: an epoch counts for ever


# --- order ---------------------------------------------------------------------------------------


def race(stage: Stage, folder: Path) -> tuple[Desk, Source, Source]:
    """The source changes; the coercer does after; the server keeps the batch of the first from one machine."""
    folder.mkdir()
    there = stage.desk.copy(stage.world, folder)
    there.random = Stream("another machine")
    new, mallory = Source(stage.world, "new words"), Source(stage.world, "mallory")
    stage.source.change(new)
    stage.world.close()
    held = f"/v1/packs/{stage.world.batch}"
    stage.source.change(mallory)
    stage.world.close()

    def keep(request: Request, answer: Response) -> Response:
        return Response(404, b"") if request.path == held else answer

    there.wire.meddle = keep
    stage.desk.sync()
    there.sync()
    return there, new, mallory


def test_of_two_changes_the_first_in_the_log_counts_on_every_machine(stage: Stage, tmp_path: Path) -> None:
    there, new, _ = race(stage, tmp_path / "there")
    assert threads(stage.desk.vault) == (stage.desk.thread(new),)
    assert threads(there.vault) == (there.thread(stage.source),)  # it waits for what the server owes
    there.wire.meddle = lambda _request, answer: answer
    there.sync()
    assert threads(there.vault) == (there.thread(new),)


def test_a_machine_that_does_not_wait_is_seen(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: the coercer and the server get their change followed on one machine."""
    monkeypatch.setattr(changes, "first_owed", lambda _vault: None)
    there, new, mallory = race(stage, tmp_path / "there")
    assert threads(stage.desk.vault) == (stage.desk.thread(new),)
    assert threads(there.vault) == (there.thread(mallory),)


def test_the_same_change_logged_again_is_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Source(stage.world, "new words")
    stage.source.change(new)
    letter = next(x.body for x in reversed(stage.world.traffic) if x.path == "/v1/letters")
    stage.world.close()
    newer = Source(stage.world, "newer words")
    new.change(newer)
    stage.world.close()
    stage.desk.sync()
    assert threads(stage.desk.vault) == (stage.desk.thread(newer),)

    def logged_again() -> tuple[int, int, int]:
        with stage.world.core.sql.write() as connection:
            connection.exec_driver_sql("DELETE FROM letters")  # the server forgets what it took
        post(stage, letter)
        tally = stage.desk.sync().tally
        return tally.changed, tally.unchanged, tally.repeated

    assert logged_again() == (0, 0, 1)
    assert threads(stage.desk.vault) == (stage.desk.thread(newer),)

    now, real = changes.thread_now, changes._follow  # the broken variant: followed again, by any name it ever had
    monkeypatch.setattr(changes, "thread_now", lambda _vault, thread: thread)
    monkeypatch.setattr(changes, "_follow", lambda vault, row: real(vault, (*row[:2], now(vault, row[2]), *row[3:])))
    assert logged_again() == (1, 0, 0)
    assert threads(stage.desk.vault) == (stage.desk.thread(new),), "back under the words of before"
