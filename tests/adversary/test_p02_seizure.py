# SPDX-License-Identifier: AGPL-3.0-or-later
"""P2: who seizes every machine of a desk, W after a letter's day, with all passphrases and everything that the server
ever held, does not get back a letter that the desk deleted.

One member deletes it as the command does; the others hear of it in a memo, one of them a week later. The attacker
decrypts each vault and its journal, free pages too, takes every secret that the vaults hold, and tries them on all
wraps that were ever published and on all letters that were ever stored. The broken variants show that he succeeds when
a program does not erase keys, leaves a row, does not overwrite, or does not follow what another deleted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from latchstring.desk import deletion
from latchstring.desk.deletion import Deleted, delete_letters
from latchstring.desk.letters import letters
from latchstring.desk.outbox import waiting
from latchstring.desk.scrub import owe, scrub
from latchstring.desk.secrets import epoch_secrets, transport_secrets
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import DEFAULT_ERASE_DAYS, TICKS_PER_DAY
from latchstring.protocol.encoding import ProtocolError, decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, OpenEpoch, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.letter import LetterBody, open_letter
from tests.vaults import everything
from tests.world.world import Desk, Source, TeamStage, World

pytestmark = pytest.mark.usefixtures("short_sessions")

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
    """As `desk delete` does it."""
    (letter,) = letters(desk.vault)
    delete_letters(desk.vault, [letter.msg_id], desk.world.batch)
    scrub(desk.vault, lambda *_: None)


@dataclass
class Raid:
    """A desk of three that read a letter of day 1, of whom one deleted it; W after its day everything is seized.

    `secrets`: the keys that opened it. `held`: all that the server ever had.
    """

    desks: list[Desk]
    secrets: list[bytes]
    held: dict[str, bytes]

    @classmethod
    def of(
        cls, three: TeamStage, delete: Callable[[Desk], None] = delete_letter, days: int = DEFAULT_ERASE_DAYS
    ) -> "Raid":
        """So many days pass, and everyone's program runs on time, but for one that runs again on the last day."""
        world, desks = three.world, [*three.team.values()]
        world.close(TICKS_PER_DAY)
        Source(world, "a").write(TEXT)
        world.close()
        for desk in desks:
            desk.memos = True
            desk.sync()
            assert desk.texts() == [TEXT]
        secrets = [s.secret for desk in desks for s in epoch_secrets(desk.vault) if s.day == 1]
        secrets += [key for desk in desks for key in transport_secrets(desk.vault, 1)]
        raid = cls(desks, secrets, kept(world))
        delete(desks[0])
        while waiting(desks[0].vault, "delete"):
            raid._to(world, world.batch + 12, desks[:1])
        assert world.batch < TICKS_PER_DAY * 2
        for day in range(2, 2 + days):
            raid._to(world, TICKS_PER_DAY * day, desks[: 2 if day <= days else 3])
        return raid

    def _to(self, world: World, batch: int, running: Sequence[Desk]) -> None:
        world.close(batch)
        self.held |= kept(world)
        for desk in running:
            desk.sync()

    def text_left(self) -> list[str]:
        """Whose vault or journal has the letter."""
        return [desk.member for desk in self.desks if TEXT.encode() in everything(desk)]

    def keys_left(self) -> list[str]:
        """Whose has one of the keys."""
        return [d.member for d in self.desks if any(secret in everything(d) for secret in self.secrets)]


def test_a_deleted_letter_is_gone_seven_days_after_its_day(three: TeamStage) -> None:
    raid = Raid.of(three)
    assert recovered(raid.held, raid.desks) == set()
    assert raid.text_left() == []
    assert raid.keys_left() == []


def test_a_letter_that_nobody_deleted_is_there(three: TeamStage) -> None:
    """The search finds what is to be found; its keys are gone all the same."""
    raid = Raid.of(three, lambda _desk: None)
    assert raid.text_left() == [*three.team]
    assert raid.keys_left() == []


# --- broken variants -------------------------------------------------------------------------------


def test_the_attacker_recovers_it_when_nothing_is_erased(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    raid = Raid.of(three)
    assert recovered(raid.held, raid.desks[2:]) == {TEXT}
    assert raid.keys_left() == [*three.team]


def test_a_machine_that_does_not_overwrite_is_seen(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One vault lets SQLite leave what it deletes where it lies, and does not write its tables anew."""
    careless = [*three.team.values()][1].vault
    careless._db.execute("PRAGMA secure_delete = OFF")
    monkeypatch.setattr(deletion, "owe", lambda vault: None if vault is careless else owe(vault))
    assert Raid.of(three, days=1).text_left() == ["news-2"]


def test_a_deletion_that_leaves_a_row_is_seen(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vaults call it deleted, and keep what it said in another table: among the letters passed on."""
    real = deletion._delete_letter

    def keeping(vault: Vault, msg_id: bytes) -> int:
        vault.do(
            "INSERT OR IGNORE INTO letter_apart (thread, msg_id, raw, by, at) SELECT thread, x'', cbor, '', 0"
            " FROM letter WHERE msg_id = ?",
            msg_id,
        )
        return real(vault, msg_id)

    monkeypatch.setattr(deletion, "_delete_letter", keeping)
    monkeypatch.setattr(deletion, "_forget", lambda *_: 0)
    raid = Raid.of(three, days=1)
    assert all(desk.texts() == [] for desk in raid.desks)
    assert raid.text_left() == [*three.team]


def test_a_machine_that_does_not_follow_is_seen(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memo came, and nothing happens."""
    real = deletion._delete

    def own_alone(vault: Vault, marks: Sequence[bytes], batch: int, at: int | None, by: str | None) -> Deleted:
        return real(vault, marks, batch, at, by) if at is None else Deleted()

    monkeypatch.setattr(deletion, "_delete", own_alone)
    assert Raid.of(three, days=1).text_left() == ["news-2", "news-3"]


def test_one_vault_that_has_not_run_gives_it_away(three: TeamStage) -> None:
    """What is stated: erased on machines that have run since."""
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
