# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three members of one desk with real vaults, a real server and sockets, four minutes between their clocks: one is away
for ten days, two answer one letter at once, and in the end all three hold the same facts.

The days pass by the server's clock (`clocked.py`). `test_three_members.py` plays five weeks, with commands as typed,
and who comes and goes.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.demo.door import PASSPHRASE, found, free_port
from latchstring.desk import keeping
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.letters import mark_opened
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.promises import evidence
from latchstring.desk.replies import write_reply
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.timeline import find_thread
from latchstring.desk.vault import create_vault, open_vault
from latchstring.org.rootfile import unlock_root
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS, TICKS_PER_DAY
from latchstring.protocol.directory import Member, PageOwner, sign_directory
from latchstring.protocol.passphrase import generate
from latchstring.source import acts
from tests.adversary.tools import fewer_pages
from tests.desk_world import CHEAP
from tests.integration.clocked import Clock, Facts, Person, Running

DESK = "newsroom"
SKEWS = {"anna": 0, "ben": -120, "carl": 120}  # seconds; a signed request counts for 300
LETTERS, QUEUE = 8, 32  # of a batch, which each tries their keys at; that may wait: few are closed after each jump
HOURS = 18  # ticks, between two rounds: a few memos each
ROUNDS = 12  # more than enough until all have told what they have to tell


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, list[Person]]]:
    """A door whose first directory names all three."""
    fewer_pages(monkeypatch)
    clock = Clock(tmp_path, monkeypatch)
    made = found(tmp_path / "door", free_port(), DEFAULT_TICK_SECONDS, 0, cost=CHEAP)
    try:
        people = [_join(Running(made, clock), name, tmp_path / f"{name}.vault") for name in SKEWS]
        members = tuple(member for member, _ in people)
        first = made.directory
        three = replace(
            first,
            desks=tuple(replace(d, members=members) if d.id == DESK else d for d in first.desks),
            pages=(*(p for p in first.pages if p.desk != DESK), *(PageOwner(DESK, m.id) for m in members)),
            policy=replace(first.policy, slots=2, letters=LETTERS, queue=QUEUE),
        )
        signed = sign_directory(three, unlock_root((made.folder / "root.key").read_bytes(), PASSPHRASE))
        door = replace(made, directory=three, signed=signed)
        door.post_directory()
        yield Running(door, clock), [replace(person, door=door) for _, person in people]
    finally:
        made.stop()


def _join(running: Running, name: str, file: Path) -> tuple[Member, Person]:
    who = new_identity(running.door.link, DESK, name, (running.door.address,), secrets.token_bytes)
    vault = create_vault(file, PASSPHRASE, secrets.token_bytes, CHEAP)
    keep_identity(vault, who)
    person = Person(name, file, vault, SKEWS[name], running.door, running.clock)
    return Member(name, who.sign_public, who.request_public), person


def write(running: Running, bits: bytes, text: str) -> None:
    """A source writes; the letter is in the log by the next jump of the clock."""
    visit, msg_id = running.visit(), secrets.token_bytes(16)
    letter = acts.seal(visit, acts.keys_for(bits, visit, DESK), acts.compose(text, "en", ()), msg_id)
    with running.door.transport() as transport:
        acts.send(transport, visit, letter, msg_id, lambda _attempt: None)


def answer(person: Person, to: str) -> None:
    letter = person.letter(to)
    mark_opened(person.vault, (letter.number,))
    write_reply(person.vault, letter.thread, f"{person.name} to {to}", person.now(), secrets.token_bytes)


def crossed(*people: Person) -> list[set[str]]:
    """Of each one's last own reply: whose replies crossed it."""
    seen = []
    for person in people:
        sent = find_thread(person.vault, person.letter("two").thread.hex()).sent
        seen.append({c.author for s in sent if s.author is None for c in s.crossed})
    return seen


def test_three_members_share_what_they_do(
    team: tuple[Running, list[Person]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, everybody = team
    anna, ben, carl = everybody
    for _ in range(6):
        running.let_pass(1)
        if all([person.session(memos=False).desk_open for person in everybody]):
            break
    bits = generate(secrets.token_bytes).bits
    write(running, bits, "one")
    running.rounds(*everybody, ticks=1)
    assert [person.texts() for person in everybody] == [["one"]] * 3

    thread = anna.letter("one").thread  # carl is away from here on
    answer(anna, "one")
    add_note(anna.vault, thread, "be kind", anna.now(), secrets.token_bytes)
    for person in (anna, ben, anna, ben, anna):
        running.rounds(person, ticks=2 * TICKS_PER_DAY)
    assign(ben.vault, thread, "carl")
    write(running, bits, "two")
    running.rounds(anna, ben, ticks=HOURS)
    away = carl.here().batch
    running.rounds(carl, ticks=1)
    assert carl.here().batch - away > 10 * TICKS_PER_DAY
    early = tmp_path / "early.vault"
    early.write_bytes(carl.file.read_bytes())

    for person in (ben, carl):  # before either has heard of the other
        answer(person, "two")
    for _ in range(ROUNDS):
        running.rounds(*everybody, ticks=HOURS)
        if crossed(ben, carl) == [{"carl"}, {"ben"}]:
            break
    assert crossed(ben, carl) == [{"carl"}, {"ben"}], "both see it"
    running.rounds(*everybody, ticks=36)
    visit = running.let_pass(36)
    heard = {reply.text for reply in acts.read_thread(visit, acts.keys_for(bits, visit, DESK))}
    assert {"ben to two", "carl to two"} <= heard, "and both go out"

    for person in everybody:  # what was told is in the log: nobody adds anything now
        assert not person.session(memos=False).faults
    held = Facts.of(anna.vault)
    said = {("anna", "anna to one"), ("ben", "ben to two"), ("carl", "carl to two")}
    for person in everybody:
        assert Facts.of(person.vault) == held, person.name
        assert {(r.author, r.body.text) for r in shared_replies(person.vault)} == said
        given = assignments(person.vault, person.name)[thread]
        assert (given.member, given.by, given.pending) == ("carl", "ben", False)
        assert [(n.text, n.author, n.pending) for n in notes(person.vault, thread, person.name)] == [
            ("be kind", "anna", False)
        ]
        assert person.letter("one").acked
        assert (own_gaps(person.vault), evidence(person.vault)) == ((), ())

    # carl's vault of that day: where ben's memos are dropped from then on, it is seen
    first_time = keeping.first_time
    monkeypatch.setattr(keeping, "first_time", lambda vault, by, *memo: by != "ben" and first_time(vault, by, *memo))
    broken = replace(carl, file=early, vault=open_vault(early, PASSPHRASE, CHEAP))
    broken.session(memos=False)
    assert Facts.of(broken.vault) != held
    for person in (*everybody, broken):
        person.vault.close()
