# SPDX-License-Identifier: AGPL-3.0-or-later
"""P2: who seizes every machine of a desk, W after a letter's day, with all passphrases and everything that the server
ever held, does not get back a letter that the desk deleted.

The attacker decrypts each vault and its journal, free pages too, takes every secret that the vaults hold, and tries
them on all wraps that were ever published and on all letters that were ever stored. The broken variant shows that he
succeeds when the program does not erase.
"""

from collections.abc import Callable

import pytest

from latchstring.desk.secrets import epoch_secrets, transport_secrets
from latchstring.protocol.encoding import ProtocolError, decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, OpenEpoch, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.letter import LetterBody, open_letter
from tests.unit.desk.test_erasure import journal_bytes, vault_bytes
from tests.world.world import VAULT_PASSPHRASE, Desk, Source, TeamStage, World

TEXT = "the ledger is in the blue house"


def kept(world: World) -> dict[str, bytes]:
    """All that the server ever held: taken before it drops anything."""
    return {**dict(world.core.private.files), **dict(world.core.public.files)}


def secrets_of(desk: Desk) -> tuple[list[bytes], list[bytes]]:
    """All epoch secrets and transport keys of a vault."""
    days = [row[0] for row in desk.vault.rows("SELECT DISTINCT day FROM secret")]
    epochs = [s.secret for s in epoch_secrets(desk.vault)]
    return epochs, [key for day in days for key in transport_secrets(desk.vault, day)]


def recovered(held: dict[str, bytes], desks: list[Desk]) -> set[str]:
    """The letters that the seized secrets open."""
    notes: dict[bytes, EpochNote] = {}
    wraps: list[Wrap] = []
    for path, body in held.items():
        if path.startswith("keynotes/"):
            items = decode_cbor(body)
            assert isinstance(items, list)
            for kind, raw in items:
                if kind == Kind.EPOCH:
                    note = EpochNote.parse(raw)
                    notes[note.hash] = note
                elif kind == Kind.WRAP:
                    wraps.append(Wrap.parse(raw))
    epochs: dict[bytes, OpenEpoch] = {}

    def attempt(act: Callable[[], OpenEpoch]) -> None:
        try:
            epoch = act()
        except (NotOurs, ProtocolError):
            return
        epochs[epoch.note.hash] = epoch

    for desk in desks:
        made, keys = secrets_of(desk)
        for secret in made:
            for note in notes.values():
                attempt(lambda secret=secret, note=note: OpenEpoch.of_note(secret, note))  # type: ignore[misc]
        for key in keys:
            opener = OpenKey.from_secret(key)
            for wrap in wraps:
                attempt(lambda wrap=wrap, opener=opener: wrap.open(notes[wrap.note_hash], opener))  # type: ignore[misc]
    found: set[str] = set()
    for path, body in held.items():
        if path.startswith("packs/"):
            for at in range(0, len(body), 4096):
                for epoch in epochs.values():
                    try:
                        found.add(LetterBody.parse(open_letter(epoch, body[at : at + 4096]).cbor).text)
                    except (NotOurs, ProtocolError):
                        continue
    return found


def delete_letter(desk: Desk) -> None:
    """As the desk deletes it."""
    with desk.vault.transaction():
        desk.vault.do("DELETE FROM letter")
    desk.vault.wipe_journal()


def seized(three: TeamStage) -> tuple[World, list[Desk], list[bytes], dict[str, bytes]]:
    """A letter of day 1, read by all, deleted; then seven days pass, and everyone's program runs, one late."""
    world, team = three.world, three.team
    desks = [*team.values()]
    world.close(144)
    for desk in desks:
        desk.sync()
    Source(world, "a").write(TEXT)
    world.close()
    for desk in desks:
        desk.sync()
        assert desk.texts() == [TEXT]
    secrets = [s.secret for desk in desks for s in epoch_secrets(desk.vault) if s.day == 1]
    secrets += [key for desk in desks for key in transport_secrets(desk.vault, 1)]
    held = kept(world)
    for desk in desks:
        delete_letter(desk)
    for day in range(2, 9):
        world.close(144 * day)
        held |= kept(world)
        for desk in desks[: 2 if day < 8 else 3]:  # the third comes late
            desk.sync()
    return world, desks, secrets, held


def test_a_deleted_letter_is_gone_seven_days_after_its_day(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.desk.test_erasure.PASSPHRASE", VAULT_PASSPHRASE)
    _, desks, secrets, held = seized(three)
    assert recovered(held, desks) == set()
    for desk in desks:
        everything = vault_bytes(desk.path) + journal_bytes(desk.path)
        assert TEXT.encode() not in everything
        assert not any(secret in everything for secret in secrets)


def test_the_attacker_recovers_it_when_nothing_is_erased(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant."""
    monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    monkeypatch.setattr("tests.unit.desk.test_erasure.PASSPHRASE", VAULT_PASSPHRASE)
    _, desks, secrets, held = seized(three)
    assert recovered(held, desks[2:]) == {TEXT}
    everything = b"".join(vault_bytes(desk.path) for desk in desks)
    assert all(secret in everything for secret in secrets)


def test_one_vault_that_has_not_run_gives_it_away(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stated: erased on machines that have run since."""
    monkeypatch.setattr("tests.unit.desk.test_erasure.PASSPHRASE", VAULT_PASSPHRASE)
    world, team = three.world, three.team
    *others, away = team.values()
    world.close(144)
    for desk in team.values():
        desk.sync()
    Source(world, "a").write(TEXT)
    world.close()
    held = kept(world)
    for day in range(2, 9):
        world.close(144 * day)
        for desk in others:
            desk.sync()
    assert recovered(held, others) == set()
    assert recovered(held, [away]) == {TEXT}
