# SPDX-License-Identifier: AGPL-3.0-or-later
"""P9 and P1 against a former member, who has everything they had: vault, passphrase, signing and request keys.

| Attacker                | Holds                                       | Tries                                       |
|-------------------------|---------------------------------------------|---------------------------------------------|
| former member           | all keys of their vault, all that is public | to read what comes after their removal, to  |
|                         | afterwards                                  | post notes and pages, to fetch letters      |
| former member with the  | the same, the server's store, all packs     | to read it, to answer a source in the       |
| server                  |                                             | desk's name                                 |
| member who lies         | a seat at the desk                          | to keep another from reading                |
"""

from types import SimpleNamespace

import pytest

from latchstring.desk.identity import identity
from latchstring.desk.letters import thread_keys
from latchstring.desk.line import Line
from latchstring.desk.secrets import EpochSecret, epoch_secrets, transport_secrets
from latchstring.protocol.constants import day_of, day_of_sheet
from latchstring.protocol.directory import Desk as DirectoryDesk
from latchstring.protocol.directory import Directory, Member
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, EpochSignature, OpenEpoch, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.keystate import Note, next_state
from latchstring.protocol.letter import LetterBody, open_letter
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.reply import Place, ReplyBody, seal_reply
from latchstring.protocol.request import Asked, sign_request
from latchstring.protocol.sheet import noise_page, page_size
from latchstring.store import pages as stored_pages
from tests.builders import Stream
from tests.world.world import AUTHORITY, Desk, Source, TeamStage, World

pytestmark = pytest.mark.usefixtures("short_sessions")

GONE = "news-3"


class Former:
    """A member who is removed after a letter came, and what they can make of the log afterwards."""

    def __init__(self, three: TeamStage) -> None:
        self.world, self.team = three.world, three.team
        self.source = Source(self.world, "a")
        self.source.write("while they were there")
        self.world.close()
        for desk in self.team.values():
            desk.sync()
        self.desk = self.team[GONE]
        who = identity(self.desk.vault)
        directory = self.world.founding.directory
        self.line = Line.of(self.desk.wire, self.desk.clock, self.desk.random, who, directory)
        self.secrets = epoch_secrets(self.desk.vault)
        self.transports = [key for day in range(28) for key in transport_secrets(self.desk.vault, day)]

    @property
    def stayed(self) -> list[Desk]:
        return [desk for name, desk in self.team.items() if name != GONE]

    def removed(self) -> None:
        """The organisation removes them; the others make new keys, and the source writes again."""
        self.world.remove_member(GONE)
        self.world.close()
        for _ in range(3):
            for desk in self.stayed:
                desk.sync()
            self.world.close()
        self.source.write("after they had gone")
        self.world.close()

    def notes(self) -> list[Note]:
        """All key notes that were ever published."""
        found: list[Note] = []
        for path in sorted(self.world.core.public.paths("keynotes")):
            items = decode_cbor(self.world.core.public.get(path))
            assert isinstance(items, list)
            found += [(Kind(kind), raw) for kind, raw in items]
        return found

    def epochs(self) -> list[OpenEpoch]:
        """Every epoch that their secrets open: those they had, and any whose note or wrap gives way to them."""
        notes = {n.hash: n for n in (EpochNote.parse(raw) for kind, raw in self.notes() if kind is Kind.EPOCH)}
        opened = [_try(secret, note) for secret in self.secrets for note in notes.values()]
        for wrap in (Wrap.parse(raw) for kind, raw in self.notes() if kind is Kind.WRAP):
            for key in self.transports:
                try:
                    opened.append(wrap.open(notes[wrap.note_hash], OpenKey.from_secret(key)))
                except (NotOurs, ProtocolError):
                    continue
        return list({e.note.hash: e for e in opened if e is not None}.values())

    def reads(self) -> set[str]:
        """The texts of all letters that the server ever stored, as far as they open."""
        found: set[str] = set()
        epochs = self.epochs()
        for path in self.world.core.private.paths("packs"):
            pack = self.world.core.private.get(path)
            for at in range(0, len(pack), 4096):
                for epoch in epochs:
                    try:
                        found.add(LetterBody.parse(open_letter(epoch, pack[at : at + 4096]).cbor).text)
                    except (NotOurs, ProtocolError):
                        continue
        return found


def _try(secret: EpochSecret, note: EpochNote) -> OpenEpoch | None:
    try:
        return OpenEpoch.of_note(secret.secret, note)
    except ProtocolError:
        return None


def old_secret_again(patch: pytest.MonkeyPatch, secret: bytes) -> None:
    """The broken variant: a new gen's epochs are made of a secret that the former member knows."""
    again = SimpleNamespace(make=lambda _fresh, *rest: OpenEpoch.make(secret, *rest))
    patch.setattr("latchstring.desk.keys.OpenEpoch", again)


@pytest.mark.parametrize("broken", [False, True])
def test_a_former_member_with_the_server_reads_nothing_that_comes_after(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    former = Former(three)
    with monkeypatch.context() as patch:
        if broken:
            old_secret_again(patch, former.secrets[0].secret)
        former.removed()
    before = {"while they were there"}
    assert former.reads() == (before | {"after they had gone"} if broken else before)
    for desk in former.stayed:
        desk.sync()
        assert desk.texts() == ["while they were there", "after they had gone"]


@pytest.mark.parametrize("broken", [False, True])
def test_a_former_member_with_the_server_cannot_answer_in_the_desks_name(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The server puts what they made into the newest sheet, in the place of a member's page."""
    former = Former(three)
    with monkeypatch.context() as patch:
        if broken:
            old_secret_again(patch, former.secrets[0].secret)
        former.removed()
    world, number = former.world, world_sheet(former.world)
    ours = {e.note.hash for e in former.epochs()}
    day = day_of_sheet(number)
    chosen = [e for e in former.epochs() if e.note.day == day]
    epoch = max(chosen, key=lambda e: e.note.gen)
    r = Stream("forged")(16)
    keys = thread_keys(former.desk.vault, former.desk.thread(former.source))
    slot = seal_reply(pair_of_desk(epoch, keys), Place(number, 0, r, 0), bytes(16), ReplyBody("come to the old place"))
    with world.core.sql.write() as connection:
        mark = world.founding.keys_of("news-1").public.keys_mark
        stored_pages.put(connection, number, 0, 1 << 60, mark, r + slot)
    assert len(r + slot) == page_size(1)
    world.close(number * 36)
    assert former.source.heard() == (["come to the old place"] if broken else [])
    named = dict(world.core.publisher._memory.state.named(world.batch))["news"]
    assert (named in ours) is broken


def world_sheet(world: World) -> int:
    """The next sheet that closes."""
    return world.batch // 36 + 1


def asks(former: Former, method: str, path: str, query: str = "", body: bytes = b"") -> int:
    """The bare status of a signed request."""
    line = former.line
    asked = Asked(method, AUTHORITY, path, query, body)
    headers = sign_request(asked, line.key, line.member, line.clock(), line.random(24))
    return line.transport.request(method, path, query, body, headers).status


def once_a_member(patch: pytest.MonkeyPatch, before: Directory) -> None:
    """The broken variant: whoever a directory ever named is a member."""
    real = Directory.member

    def member(self: Directory, name: str) -> tuple[DirectoryDesk, Member] | None:
        return real(self, name) or real(before, name)

    patch.setattr(Directory, "member", member)


def test_from_the_batch_of_the_removal_on_a_former_members_requests_are_refused(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, before = Former(three), three.world.founding.directory
    note: Note = next(n for n in former.notes() if n[0] is Kind.TRANSPORT)
    page = noise_page(1, Stream("page"))
    requests = (
        ("GET", "/v1/packs/1", "", b""),
        ("PUT", "/v1/pages/9/2", f"v={1 << 59}", page),
        ("POST", "/v1/keynotes", "", encode_cbor([[note[0].value, note[1]]])),
    )
    assert [asks(former, *request) for request in requests] == [200, 201, 403]  # the last one is another member's note
    former.world.remove_member(GONE)
    assert asks(former, *requests[0]) == 200  # until it is logged
    former.world.close()
    assert [asks(former, *request) for request in requests] == [401, 401, 401]
    once_a_member(monkeypatch, before)
    assert asks(former, *requests[0]) == 200, "the letters, as before"


def test_a_server_that_logs_a_former_members_notes_is_seen(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with the server's help nothing that they sign counts: everybody's rule refuses such a log."""
    former, before = Former(three), three.world.founding.directory
    former.removed()
    world, state = former.world, former.world.core.publisher._memory.state
    desk = world.founding.directory.desks[0]
    epoch = OpenEpoch.make(bytes(32), world.door, "news", desk.gen, 9, day_of(world.batch) + 12)
    keys = world.founding.keys_of(GONE)
    forged = [(Kind.EPOCH, epoch.note.raw)]
    forged.append((Kind.SIGNATURE, EpochSignature.make(epoch.note.hash, GONE, keys.sign_seed).raw))
    with pytest.raises(ProtocolError, match="signature"):
        next_state(state, world.batch + 1, forged, world.door)
    once_a_member(monkeypatch, before)
    taken = next_state(state, world.batch + 1, forged, world.door)
    assert set(taken.epochs[epoch.note.hash].signatures) == {GONE}
