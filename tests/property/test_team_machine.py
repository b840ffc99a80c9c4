# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's keys as a state machine: three to five members who come at any time or stay away for weeks, who are added
and removed, posts that are lost, a server that holds the log back, and one member who wraps wrongly and signs blindly.

The server's intake and publisher and the members' vaults are the real ones; what is left out is the network and what
does not touch keys (letters, pages, `/visit`), so that months take seconds.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from latchstring.desk.identity import Identity, keep_identity
from latchstring.desk.keyplan import SIGN_MOST
from latchstring.desk.keys import make_keys, note_logged, waiting_notes
from latchstring.desk.presence import is_here
from latchstring.desk.secrets import due_before, epoch_secrets, erase_before, erase_days
from latchstring.desk.vault import create_vault
from latchstring.protocol import constants as c
from latchstring.protocol.directory import Desk, PageOwner
from latchstring.protocol.encoding import decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.keystate import KeyState, Note, forget, next_state
from latchstring.server.accept import Refused, accept_directory, accept_key_notes
from tests.builders import MemberKeys, Stream, found, successor
from tests.desk_world import CHEAP
from tests.faults import Core, cbor_notes
from tests.files import scratch

LIAR = "news-3"
SETTLED_DAYS = 4  # a day until new keys are logged, one until wraps to them are, and one to come by in between


class Member:
    """A vault, and what its owner has seen of the log."""

    def __init__(self, folder: Path, keys: MemberKeys) -> None:
        self.keys, self.random = keys, Stream(f"{keys.id} {keys.sign_seed.hex()}")
        self.who = Identity("words", keys.desk, keys.id, (), keys.sign_seed, keys.request_seed)
        path = folder / f"{keys.sign_seed.hex()}.vault"
        self.vault = create_vault(path, "seven sleepy otters", self.random, CHEAP)
        keep_identity(self.vault, self.who)
        self.state = KeyState()
        self.read = 0  # how many of the closed batches
        self.opened: set[bytes] = set()  # hashes of epoch notes ever held

    def held(self) -> set[bytes]:
        return {s.note_hash for s in epoch_secrets(self.vault)}


class Team(RuleBasedStateMachine):
    """`batches`: those that closed, with their notes."""

    @initialize()
    def founded(self) -> None:
        self.folder = scratch()
        self.core = Core.make()
        self.core.founding = found("team", ("news",), 10, 3, letters=1, queue=1, slots=1)
        self.core.restart()
        self.core.publisher.start()
        self.core.post_directory(0)
        self.batches: list[tuple[int, list[Note]]] = []
        self.members = {k.id: Member(Path(self.folder.name), k) for k in self.core.founding.members}
        self.former: list[Member] = []
        self.number = len(self.members)
        self.close(0)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.settle()
            for member in (*self.members.values(), *self.former):
                member.vault.close()
            self.folder.cleanup()

    # --- the world -----------------------------------------------------------------------------------

    @property
    def desk(self) -> Desk:
        return self.core.founding.directory.desks[0]

    @property
    def today(self) -> int:
        return c.day_of(self.batches[-1][0])

    def close(self, batch: int) -> None:
        self.core.publisher.close(batch, self.core.random)
        try:
            items = decode_cbor(self.core.public.get(f"keynotes/{batch}"))
        except KeyError:
            items = []
        assert isinstance(items, list)
        self.batches.append((batch, [(Kind(kind), raw) for kind, raw in items]))

    def post(self, member: Member) -> None:
        notes = waiting_notes(member.vault)
        for start in range(0, len(notes), 256):
            body = cbor_notes(notes[start : start + 256])
            accept_key_notes(self.core.intake, member.keys.id, body, self.core.at(self.batches[-1][0]))

    def session(self, member: Member, lost: bool = False, held_back: int = 0) -> None:
        """As `synchronise` does it: follow, open, erase, make, post. `held_back`: batches that the server hides."""
        upto = max(member.read, len(self.batches) - held_back, 1)  # without a batch there is no `/visit`
        for batch, notes in self.batches[member.read : upto]:
            state = next_state(member.state, batch, notes, self.core.founding.door)
            member.state = forget(state, c.day_of(batch) - c.BODY_DAYS)
            with member.vault.transaction():
                note_logged(member.vault, member.who, member.state, batch, notes)
            member.opened |= member.held()
        member.read = upto
        directory = member.state.directory
        if not is_here(directory, member.who):
            return
        today = c.day_of(member.state.batch)
        erase_before(member.vault, due_before(today, erase_days(directory, "news")))
        make_keys(member.vault, member.who, member.state, member.state.batch, member.random)
        member.opened |= member.held()
        if not lost:
            self.post(member)

    def honest(self) -> list[Member]:
        return [m for m in self.members.values() if m.keys.id != LIAR]

    # --- what happens --------------------------------------------------------------------------------

    @rule(ticks=st.sampled_from([1, 1, 6, 144, 144, 300, 144 * 5, 144 * 30]))
    def time(self, ticks: int) -> None:
        """One batch closes after so many ticks; a directory is renewed before it expires."""
        batch = self.batches[-1][0] + ticks
        if self.core.founding.directory.expires < batch + 144 * 40:
            self.sign()
        self.close(batch)

    @rule()
    def day_begins(self) -> None:
        self.close((self.today + 1) * c.TICKS_PER_DAY)

    @rule(which=st.integers(0, 9), lost=st.booleans(), held_back=st.sampled_from([0, 0, 0, 1, 3]))
    def somebody_comes(self, which: int, lost: bool, held_back: int) -> None:
        members = sorted(self.members.values(), key=lambda m: m.keys.id)
        self.session(members[which % len(members)], lost, held_back)

    @rule()
    def all_come(self) -> None:
        for member in self.members.values():
            self.session(member)

    def sign(self, **changes: object) -> None:
        changes.setdefault("expires", self.batches[-1][0] + 144 * 90)
        self.core.founding = successor(self.core.founding, **changes)
        accept_directory(self.core.intake, self.core.founding.signed, self.core.at(self.batches[-1][0]))

    @precondition(lambda self: len(self.members) < 5)
    @rule()
    def added(self) -> None:
        self.number += 1
        seed = Stream(f"new {self.number}")
        keys = MemberKeys(f"news-{self.number}", "news", seed(32), seed(32))
        self.core.founding = replace(self.core.founding, members=(*self.core.founding.members, keys))
        self.sign(desks=(replace(self.desk, members=(*self.desk.members, keys.public)),))
        self.members[keys.id] = Member(Path(self.folder.name), keys)
        self.close(self.batches[-1][0] + 1)

    @precondition(lambda self: len(self.members) > 3 or (len(self.members) > 1 and LIAR not in self.members))
    @rule(which=st.integers(0, 9))
    def removed(self, which: int) -> None:
        ids = sorted(self.members)
        gone = ids[which % len(ids)]
        left = tuple(m for m in self.desk.members if m.id != gone)
        gen = self.core.founding.directory.seq + 1
        self.sign(desks=(replace(self.desk, gen=gen, members=left),), pages=(PageOwner("news", left[0].id),))
        former = self.members.pop(gone)
        self.former.append(former)
        self.close(self.batches[-1][0] + 1)
        try:
            self.post(former)
            assert not waiting_notes(former.vault)
        except Refused:
            pass

    @precondition(lambda self: LIAR in self.members and len(self.members) > 2)
    @rule(
        what=st.sampled_from(["noise", "another secret", "blind", "note"]),
        which=st.integers(0, 30),
        v=st.integers(1, 9),
    )
    def lies(self, what: str, which: int, v: int) -> None:
        """Wraps that do not hold for the newest notes, signatures for what was not opened, notes that nobody gets."""
        liar, door = self.members[LIAR], self.core.founding.door
        known = [e.note for e in self.core.publisher._memory.state.epochs.values() if e.note.gen == self.desk.gen]
        posted: list[Note] = []
        if what == "note":
            day = self.today + which % (c.EPOCH_DAYS_AHEAD + 1)
            epoch = OpenEpoch.make(liar.random(32), door, "news", self.desk.gen, v, day)
            signature = EpochSignature.make(epoch.note.hash, LIAR, liar.keys.sign_seed)
            posted = [(Kind.EPOCH, epoch.note.raw), (Kind.SIGNATURE, signature.raw)]
            posted += [(Kind.WRAP, Wrap(epoch.note.hash, m, bytes(1168)).raw) for m in self.members]
        elif known:
            note = known[-1 - which % len(known)]
            victim = sorted(self.members)[which % len(self.members)]
            if what == "blind":
                posted = [(Kind.SIGNATURE, EpochSignature.make(note.hash, LIAR, liar.keys.sign_seed).raw)]
            elif what == "noise":
                posted = [(Kind.WRAP, Wrap(note.hash, victim, liar.random(1168)).raw)]
            else:
                keys = [
                    TransportNote.parse(raw) for _, notes in self.batches for k, raw in notes if k is Kind.TRANSPORT
                ]
                theirs = [t for t in keys if (t.member, t.day) == (victim, note.day)]
                if theirs:
                    other = OpenEpoch.make(liar.random(32), door, "news", note.gen, note.v, note.day)
                    sealed = Wrap.make(other, theirs[-1]).sealed
                    posted = [(Kind.WRAP, Wrap(note.hash, victim, sealed).raw)]
        if posted:
            accept_key_notes(self.core.intake, LIAR, cbor_notes(posted), self.core.at(self.batches[-1][0]))

    # --- what holds ----------------------------------------------------------------------------------

    @invariant()
    def nobody_signs_what_they_did_not_open(self) -> None:
        if not hasattr(self, "members"):
            return
        everyone = {m.keys.id: m for m in (*self.former, *self.members.values()) if m.keys.id != LIAR}
        for epoch in self.core.publisher._memory.state.epochs.values():
            for signer in epoch.signatures.keys() & everyone.keys():
                assert epoch.note.hash in everyone[signer].opened

    @invariant()
    def keys_die_on_time(self) -> None:
        for member in getattr(self, "members", {}).values():
            if member.state.current is not None and is_here(member.state.directory, member.who):
                due = due_before(c.day_of(member.state.batch), erase_days(member.state.directory, "news"))
                assert all(day >= due for (day,) in member.vault.rows("SELECT day FROM secret"))

    @invariant()
    def a_member_makes_few_notes(self) -> None:
        """No storm: of one day and gen, at most one a member and sign-ins of few."""
        if not hasattr(self, "members"):
            return
        for member in self.members.values():
            waiting = [EpochSignature.parse(raw) for kind, raw in waiting_notes(member.vault) if kind is Kind.SIGNATURE]
            assert len(waiting) <= (SIGN_MOST + 1) * (c.EPOCH_DAYS_AHEAD + 1 + c.EPOCH_LETTER_TICKS // c.TICKS_PER_DAY)

    def settle(self) -> None:
        """When all who are honest come by on some days, the desk is open, and each holds the keys of the week."""
        for _ in range(SETTLED_DAYS):
            self.day_begins()
            for _ in range(2):
                for member in self.honest():
                    self.session(member)
                self.close(self.batches[-1][0] + 1)
        if self.core.founding.directory.expires < self.batches[-1][0]:
            return
        state = self.core.publisher._memory.state
        assert state.named(self.batches[-1][0]), "closed, though enough came"
        for day in range(self.today, self.today + c.NOTE_FIXED_DAYS_AHEAD + 1):
            chosen = state.fixed[("news", self.desk.gen, day)]
            for member in self.honest():
                assert chosen in member.held(), (day, member.keys.id)


TestTeam = Team.TestCase
TestTeam.settings = settings(max_examples=max(4, settings().max_examples // 25), stateful_step_count=15, deadline=None)


def someone_new_comes() -> None:
    """A story by hand: a desk of three opens, a fourth comes once, days pass, all look again."""
    machine = Team()
    machine.founded()
    for _ in range(4):
        machine.all_come()
        machine.time(1)
    machine.added()
    machine.all_come()
    machine.time(144 * 10)
    machine.all_come()
    machine.keys_die_on_time()
    machine.nobody_signs_what_they_did_not_open()
    machine.teardown()


def test_the_story_holds() -> None:
    someone_new_comes()


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("latchstring.desk.keyplan._wants_a_wrap", lambda *_: False),
        ("tests.property.test_team_machine.erase_before", lambda *_: ()),
        ("latchstring.desk.keyplan._Notes.to_sign", lambda *_: ()),
    ],
    ids=["nobody hands on", "nobody erases", "nobody signs what others made"],
)
def test_a_broken_line_is_seen(line: str, instead: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, instead)
    with pytest.raises((AssertionError, KeyError)):
        someone_new_comes()
