# SPDX-License-Identifier: AGPL-3.0-or-later
"""P1 and P9: a wrap for someone else. An epoch's secret is sealed to one member's transport key and logged under that
member's name; here the name, the key and the desk do not belong together.

| Attacker                 | Holds                                    | Tries                                         |
|--------------------------|------------------------------------------|-----------------------------------------------|
| member of another desk   | a wrap for somebody of this desk, seen   | to open it; to have it taken as their own     |
| server                   | its log                                  | to log a wrap for a member of another desk    |
| member who lies          | a seat at the desk                       | to log, under a member's name, what is sealed |
|                          |                                          | to another one                                |

What is refused is said in words, and nothing is lost: what the vault had stays, what was sealed wrongly is sealed again
by another.
"""

from dataclasses import dataclass, replace

import pytest

from latchstring.desk.colleagues import transport_of
from latchstring.desk.errors import ServerFault
from latchstring.desk.marks import add_note, notes
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.sync import SyncReport
from latchstring.protocol import epoch as epochs
from latchstring.protocol import keystate
from latchstring.protocol.constants import EPOCH_DAYS_AHEAD, TICKS_PER_DAY
from latchstring.protocol.encoding import ProtocolError, lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.keystate import KeyState, apply_note, next_state
from latchstring.protocol.root import Door
from latchstring.server.accept import Refusal, Refused, accept_key_notes
from latchstring.store import notes as stored
from tests.adversary.tools import Stage, fewer_pages
from tests.builders import Founding, Stream, found
from tests.faults import cbor_notes
from tests.world.world import Desk, Source, TeamStage

TEXT, NOTE = "the first letter", "she is a nurse"
FIRST_OF_LIAR = EPOCH_DAYS_AHEAD + 1  # the day whose note is made on day 1, by whose turn it is: news-1


@dataclass(frozen=True)
class Sealed:
    """An epoch of the newsroom, and members' transport keys for its day."""

    founding: Founding
    epoch: OpenEpoch

    @classmethod
    def make(cls) -> "Sealed":
        founding = found("wraps", ("legal", "news"), each=2)
        return cls(founding, OpenEpoch.make(bytes(32), founding.door, "news", 1, 1, 0))

    def key(self, member: str) -> OpenKey:
        return OpenKey.from_secret(Stream(member)(32))

    def transport(self, member: str, desk: str = "news") -> TransportNote:
        seed, key = self.founding.keys_of(member).sign_seed, self.key(member).seal_key()
        return TransportNote.make(self.founding.door, desk, member, 0, key, seed)

    def logged(self, wrap: Wrap) -> KeyState:
        """After a log with the directory, the epoch's note and this wrap."""
        door = self.founding.door
        state = next_state(KeyState(), 0, [(Kind.DIRECTORY, self.founding.signed)], door)
        return next_state(state, 1, [(Kind.EPOCH, self.epoch.note.raw), (Kind.WRAP, wrap.raw)], door)


def nameless(label: str, *fields: object) -> bytes:
    """The broken variant: what is sealed does not say for whom."""
    return lp(label, *(fields[:1] if label == "wrap" else fields))  # type: ignore[arg-type]  # as `lp` takes them


@pytest.mark.parametrize("broken", [False, True])
def test_a_wrap_for_someone_else_does_not_open(monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    """Neither with another's key nor, under another's name, with the right one."""
    sealed = Sealed.make()
    if broken:
        monkeypatch.setattr(epochs, "lp", nameless)
    wrap = Wrap.parse(Wrap.make(sealed.epoch, sealed.transport("news-1")).raw)
    assert wrap.open(sealed.epoch.note, sealed.key("news-1")) == sealed.epoch
    with pytest.raises(NotOurs):
        wrap.open(sealed.epoch.note, sealed.key("news-2"))
    renamed = Wrap.parse(replace(wrap, member="news-2").raw)
    if broken:
        assert renamed.open(sealed.epoch.note, sealed.key("news-1")) == sealed.epoch
        return
    with pytest.raises(NotOurs):
        renamed.open(sealed.epoch.note, sealed.key("news-1"))


class AnyDesk(str):
    """Equal to every desk's name."""

    __slots__ = ()

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False

    __hash__ = str.__hash__


def test_a_wrap_for_someone_else_s_desk_is_not_made() -> None:
    sealed = Sealed.make()
    theirs = sealed.transport("legal-1", "legal")
    with pytest.raises(ProtocolError, match="another desk"):
        Wrap.make(sealed.epoch, theirs)
    wrap = Wrap.make(sealed.epoch, replace(theirs, desk=AnyDesk()))  # the check finds no difference
    assert wrap.open(sealed.epoch.note, sealed.key("legal-1")) == sealed.epoch


@pytest.mark.parametrize(
    ("member", "said"), [("legal-1", "no epoch of its member's desk"), ("stranger", "not a member")]
)
def test_a_wrap_for_someone_else_is_nothing_that_a_log_may_hold(
    member: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = Sealed.make()
    wrap = Wrap.make(sealed.epoch, sealed.transport("news-1"))
    assert sealed.logged(wrap).batch == 1
    with pytest.raises(ProtocolError, match=said):
        sealed.logged(replace(wrap, member=member))
    monkeypatch.setattr(keystate, "apply_note", whatever_wrap)
    assert sealed.logged(replace(wrap, member=member)).batch == 1


@pytest.mark.parametrize(("member", "refusal"), [("legal-1", Refusal.NOTES_FOREIGN), ("stranger", Refusal.NOTES_BAD)])
def test_a_wrap_for_someone_else_is_refused_by_the_server_in_words(
    stage: Stage, member: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was posted with it waits for no batch."""
    core, note = stage.world.core, epoch_secrets(stage.desk.vault)[-1].note_hash
    posted = [(Kind.WRAP, Wrap(note, name, bytes(1168)).raw) for name in ("news-1", member)]
    with pytest.raises(Refused) as refused:
        accept_key_notes(core.intake, "news-1", cbor_notes(posted), stage.world.now)
    assert refused.value.why is refusal

    def waiting() -> set[bytes]:
        with core.sql.read() as connection:
            return {row.body for row in stored.waiting(connection)} & {raw for _, raw in posted}

    assert not waiting()
    # a server that takes whoever is named for a member of the desk
    monkeypatch.setattr("latchstring.server.accept.check_key_note", lambda *_: "news-1")
    assert accept_key_notes(core.intake, "news-1", cbor_notes(posted), stage.world.now) == 2
    assert waiting() == {raw for _, raw in posted}


def whatever_wrap(state: KeyState, kind: Kind, raw: bytes, door: Door | None) -> KeyState:
    """A rule that does not ask for whom a wrap is."""
    return replace(state, count=state.count + 1) if kind is Kind.WRAP else apply_note(state, kind, raw, door)


@pytest.mark.parametrize("broken", [False, True])
def test_a_wrap_for_someone_else_that_a_server_logs_is_seen_and_nothing_is_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """For a member of the other desk. `broken`: the desk's program does not ask either."""
    world, desk = stage.world, stage.desk
    wrap = Wrap(epoch_secrets(desk.vault)[-1].note_hash, "legal-1", bytes(1168)).raw
    with monkeypatch.context() as patch:
        patch.setattr(keystate, "apply_note", whatever_wrap)
        patch.setattr("latchstring.server.publisher.apply_note", whatever_wrap)
        with world.core.sql.write() as connection:
            stored.add(connection, Kind.WRAP, entry(Kind.WRAP, wrap), wrap, "news-1", 2)
        world.close(2 * TICKS_PER_DAY)
    assert desk.texts() == [TEXT]
    if broken:
        monkeypatch.setattr(keystate, "apply_note", whatever_wrap)
        assert desk.sync().faults == ()
        return
    held = epoch_secrets(desk.vault)
    with pytest.raises(ServerFault) as told:
        desk.sync()
    assert told.value.what == f"Batch {world.batch} of the server's log holds a key note that breaks the rules."
    assert "nothing that came after was believed" in told.value.next
    assert epoch_secrets(desk.vault) == held
    assert desk.texts() == [TEXT]
    add_note(desk.vault, desk.thread(stage.source), NOTE, world.now, desk.random)
    assert [n.text for n in notes(desk.vault, desk.thread(stage.source), "news-1")] == [NOTE]


# --- from a member who lies --------------------------------------------------------------------------

VISITS = (2, 3, 4, 9, FIRST_OF_LIAR)  # days on which all come by; day 9: its note is fixed


def swapped(liar: Desk, monkeypatch: pytest.MonkeyPatch) -> SyncReport:
    """A session in which each other member is given, under their own name, what is sealed to somebody else."""
    real, others = Wrap.make, [m for m in liar.world.founding.directory.desks[0].members if m.id != liar.member]
    next_one = {m.id: others[i - 1].id for i, m in enumerate(others)}

    def make(epoch: OpenEpoch, transport: TransportNote) -> Wrap:
        other = next_one.get(transport.member)
        theirs = transport_of(liar.vault, other, transport.day) if other else transport
        return replace(real(epoch, theirs), member=transport.member)

    with monkeypatch.context() as patch:
        patch.setattr("latchstring.desk.keys.Wrap.make", make)
        return liar.sync()


@pytest.mark.parametrize("broken", [False, True])
def test_a_wrap_for_someone_else_under_a_member_s_name_is_said_and_made_good(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """news-1 makes the keys of day 15 and seals them crosswise to the others, who say so; the desk is open on that day,
    and all read what came. `broken`: whoever was given something waits for it to open."""
    fewer_pages(monkeypatch)
    world, (liar, *others) = three.world, three.team.values()
    world.close(TICKS_PER_DAY)
    assert swapped(liar, monkeypatch).posted
    if broken:
        monkeypatch.setattr("latchstring.desk.keyplan._Notes.missing", lambda *_: None)
    said = list[str]()
    for day in VISITS:
        world.close(day * TICKS_PER_DAY)
        for desk in (*others, liar):
            report = desk.sync()
            assert report.faults == ()
            said += report.warnings if desk is not liar else ()
    assert any(line.startswith(f"Keys for day {FIRST_OF_LIAR} came to you sealed wrongly") for line in said)
    source = Source(world, "a")
    assert (source.look().note("news") is None) is broken
    if not broken:
        source.write(TEXT)
        world.close()
        for desk in (*others, liar):
            desk.sync()
            assert desk.texts() == [TEXT]
