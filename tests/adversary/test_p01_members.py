# SPDX-License-Identifier: AGPL-3.0-or-later
"""P1 at a desk of three, with attachments and memos.

| Attacker                 | Holds                                      | Tries                                       |
|--------------------------|--------------------------------------------|---------------------------------------------|
| whoever seized the vault | news-1's vault, passphrase and folder of   | to open letters, memos and attachments of   |
| of one member            | attachments; all that the server ever held | all days, eight days later                  |
| former member            | the same of news-3's; all that the server  | to open what came after their removal       |
|                          | ever held, later too                       |                                             |

Whoever opens a letter, or finds one in a vault, tries the keys of the attachments that it names.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.deletion import delete_thread
from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note
from latchstring.desk.outbox import waiting
from latchstring.desk.presence import NoLongerHere
from latchstring.desk.secrets import epoch_secrets, transport_secrets
from latchstring.protocol.attachment import Attachment, Opener
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.encoding import ProtocolError, decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, OpenEpoch, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.letter import open_letter
from latchstring.protocol.memo import open_memo
from latchstring.server.attachments import chunk_path
from tests.adversary.test_p09_members import GONE, Former, old_secret_again
from tests.attached import bring, write_with
from tests.vaults import everything
from tests.world.world import Desk, Source, TeamStage, World

pytestmark = pytest.mark.usefixtures("short_sessions")

DELETED, KEPT, LATER = "the ledger is in the blue house", "I have the second key", "they moved it"
NOTE = "ask her about the driver"


@dataclass
class Held:
    """All files that the server ever had, taken before it drops any."""

    world: World
    files: dict[str, bytes] = field(default_factory=dict)

    def take(self) -> None:
        self.files |= {**self.world.core.private.files, **self.world.core.public.files}

    def close(self, *batches: int) -> None:
        self.world.close(*batches)
        self.take()

    def epochs(self, desk: Desk) -> list[OpenEpoch]:
        """All that the vault's secrets make, of whatever note, and all whose wraps its transport keys open."""
        notes, wraps = dict[bytes, EpochNote](), list[Wrap]()
        for path, body in sorted(self.files.items()):
            for kind, raw in decode_cbor(body) if path.startswith("keynotes/") else ():  # type: ignore[attr-defined]  # a list of pairs
                if kind == Kind.EPOCH:
                    notes[EpochNote.parse(raw).hash] = EpochNote.parse(raw)
                elif kind == Kind.WRAP:
                    wraps.append(Wrap.parse(raw))
        days = [row[0] for row in desk.vault.rows("SELECT DISTINCT day FROM secret WHERE kind = 'transport'")]
        keys = [OpenKey.from_secret(key) for day in days for key in transport_secrets(desk.vault, day)]
        found = dict[bytes, OpenEpoch]()
        for held in epoch_secrets(desk.vault):
            for note in notes.values():
                with suppress(ProtocolError):
                    found[note.hash] = OpenEpoch.of_note(held.secret, note)
        for wrap in wraps:
            for key in keys if wrap.note_hash not in found else ():
                with suppress(NotOurs, ProtocolError):
                    found[wrap.note_hash] = wrap.open(notes[wrap.note_hash], key)
        return list(found.values())

    def letters(self) -> Iterator[bytes]:
        for path, body in sorted(self.files.items()):
            if path.startswith("packs/"):
                yield from (body[at : at + LETTER_SIZE] for at in range(0, len(body), LETTER_SIZE))

    def chunk(self, name: bytes, folder: ChunkFolder) -> bytes:
        return self.files.get(chunk_path(name)) or folder.get(name) or b""


@dataclass(frozen=True)
class Loot:
    """What an attacker reads: letters and notes out of what the server held; files by any key that they come by."""

    letters: frozenset[str]
    notes: frozenset[str]
    files: frozenset[bytes]


def loot(held: Held, desk: Desk) -> Loot:
    texts, notes, attached = set[str](), set[str](), list[Attachment]()
    for epoch in held.epochs(desk):
        for sealed in held.letters():
            with suppress(NotOurs, ProtocolError):
                body = open_letter(epoch, sealed).body
                assert body is not None
                texts.add(body.text)
                attached += body.attachments
            with suppress(NotOurs, ProtocolError):
                memo = open_memo(epoch, sealed).body
                notes |= {str(fact["text"]) for fact in (memo.facts if memo else ()) if fact["kind"] == "note"}
    attached += [a for letter in letters(desk.vault) if letter.body is not None for a in letter.body.attachments]
    folder = ChunkFolder.of(desk.vault)
    return Loot(frozenset(texts), frozenset(notes), frozenset(_opened(attached, held, folder)))


def _opened(attached: Iterable[Attachment], held: Held, folder: ChunkFolder) -> Iterator[bytes]:
    for attachment in attached:
        opener = Opener(attachment)
        yield b"".join(opener.open(held.chunk(name, folder)) for name in attachment.chunk_names())


def file_of(text: str) -> bytes:
    return f"what was attached to: {text}".encode()


def send(source: Source, text: str) -> Attachment:
    """A letter with one file."""
    return write_with(source, text, ("paper.pdf", file_of(text)))[0]


def note_it(held: Held, desk: Desk, source: Source) -> None:
    """A member notes something, and the log takes it."""
    desk.memos = True
    add_note(desk.vault, desk.thread(source), NOTE, held.world.now, desk.random)
    started = held.world.batch
    while waiting(desk.vault, "note"):
        assert held.world.batch < started + 140
        held.close(held.world.batch + 12)
        desk.sync()
    desk.memos = False


@pytest.mark.parametrize("broken", [False, True])
def test_a_seized_vault_with_all_that_the_server_held_opens_live_days_alone(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Two letters of day 1; news-1 deletes the one and keeps the other. `broken`: keys are not erased."""
    if broken:
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    world, (seized, other, _) = three.world, three.team.values()
    held = Held(world)
    held.close(144)
    one, two = Source(world, "one"), Source(world, "two")
    deleted, kept = send(one, DELETED), send(two, KEPT)
    held.close()
    for desk in (seized, other):
        desk.sync()
        bring(desk)
    assert sorted(seized.texts()) == sorted((DELETED, KEPT))
    note_it(held, other, one)
    before = loot(held, seized)
    assert before == Loot(frozenset((DELETED, KEPT)), frozenset((NOTE,)), frozenset(map(file_of, (DELETED, KEPT))))
    delete_thread(seized.vault, seized.thread(one), world.batch)
    held.close(144 * 8)
    send(two, LATER)
    held.close()
    seized.sync()
    after = loot(held, seized)
    if broken:
        assert after == Loot(before.letters | {LATER}, before.notes, before.files | {file_of(LATER)})
        return
    # what a vault keeps, whoever has it reads; of what the server held, the live days' letters and no others
    assert after == Loot(frozenset((LATER,)), frozenset(), frozenset(map(file_of, (KEPT, LATER))))
    found = everything(seized)
    assert kept.key in found
    assert not any(part in found for part in (deleted.key, deleted.id, DELETED.encode()))


@pytest.mark.parametrize("broken", [False, True])
def test_a_former_member_s_vault_opens_nothing_that_was_sealed_after_the_removal(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """`broken`: the new epochs are made of a secret that the former member knows."""
    former = Former(three)
    held = Held(three.world)
    held.take()
    with monkeypatch.context() as patch:
        if broken:
            old_secret_again(patch, former.secrets[0].secret)
        former.removed()
    send(former.source, LATER)
    held.close()
    note_it(held, former.stayed[0], former.source)
    with pytest.raises(NoLongerHere):
        three.team[GONE].sync()
    there, after = {"while they were there"}, {"after they had gone", LATER}
    everything_of = Loot(frozenset(there | after), frozenset((NOTE,)), frozenset((file_of(LATER),)))
    assert loot(held, former.stayed[0]) == everything_of
    nothing_new = Loot(frozenset(there), frozenset(), frozenset())
    assert loot(held, three.team[GONE]) == (everything_of if broken else nothing_new)
