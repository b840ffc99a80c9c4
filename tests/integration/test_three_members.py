# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three members of one desk whose clocks are four minutes apart, with real vaults, a real server and sockets: one is
away for five weeks, a fourth is added meanwhile, two answer one letter at once, one is removed. Whoever is left in the
end holds the same facts, all of them.

The weeks pass by the server's clock (`clocked.py`); commands are as typed wherever somebody joins or leaves.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.demo.door import found, free_port
from latchstring.desk import keeping, placing
from latchstring.desk.deletion import delete_letters
from latchstring.desk.errors import DeskError
from latchstring.desk.follow import split_pack
from latchstring.desk.identity import identity
from latchstring.desk.known import mark_known
from latchstring.desk.letters import mark_opened
from latchstring.desk.line import Line
from latchstring.desk.linking import link
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.opening import Job, Opened, Opener
from latchstring.desk.replies import Reply, write_reply
from latchstring.desk.retention import keep
from latchstring.desk.secrets import epoch_secrets, transport_secrets
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.timeline import find_thread
from latchstring.desk.withdrawal import withdraw
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS, TICKS_PER_DAY
from latchstring.protocol.encoding import decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.passphrase import generate
from latchstring.source import acts
from tests.demo_door import with_policy
from tests.integration.clocked import Clock, Facts, Person, Running, type_command

DESK = "newsroom"
BEN_SKEW, CARL_SKEW = -120, 120  # seconds; a signed request counts for 300
LETTERS = 8  # of a batch: each member tries all their keys at each
QUEUE = 64  # letters that may wait: eight batches, so that few are closed after each jump of the clock
SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, which is most of a session's work
AGAIN_ROUNDS = 40  # of six hours: who was away is passed on all within ten days


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
    clock = Clock(tmp_path, monkeypatch)
    door = with_policy(found(tmp_path / "door", free_port(), DEFAULT_TICK_SECONDS, 0, QUEUE), letters=LETTERS)
    try:
        door.post_directory()
        yield Running(door, clock)
    finally:
        door.stop()


class Story:
    """The desk's members, and the sources by name."""

    def __init__(self, running: Running) -> None:
        self.running, self.folder = running, running.door.folder
        self.words = {name: generate(secrets.token_bytes).bits for name in ("first", "second", "stray")}
        joined = [self.join("ben", BEN_SKEW), self.join("carl", CARL_SKEW)]  # before anybody opens the desk
        file = running.door.vault_file(DESK)
        self.anna = Person.at(f"{DESK}-1", file, 0, running.door, running.clock)
        self.ben, self.carl = joined

    def join(self, name: str, skew: int) -> Person:
        """An invitation, a vault and a card, and the organisation's next directory."""
        folder, door = self.folder, self.running.door
        invite = (
            "org",
            "member",
            "invite",
            "directory.signed",
            "--desk",
            DESK,
            "--member",
            name,
            "--out",
            f"{name}.toml",
        )
        type_command(*invite, folder=folder, secret=False)
        vault = f"{name}.vault"
        join = ("desk", "join", f"{name}.toml", "--vault", vault, "--card", f"{name}-card.toml", "--yes")
        type_command(*join, folder=folder, skew=skew)
        add = ("org", "member", "add", f"{name}-card.toml", "--post", door.address, "--yes")
        type_command(*add, folder=folder)
        return Person.at(name, folder / vault, skew, door, self.running.clock)

    def write(self, name: str, text: str) -> None:
        """A source writes; the letter is in the log by the next jump of the clock."""
        visit, msg_id = self.running.let_pass(1), secrets.token_bytes(16)
        keys = acts.keys_for(self.words[name], visit, DESK)
        letter = acts.seal(visit, keys, acts.compose(text, "en", ()), msg_id)
        with self.running.door.transport() as transport:
            acts.send(transport, visit, letter, msg_id, lambda _attempt: self.drain())

    def drain(self) -> None:
        """What members sent may fill the door."""
        self.running.let_pass(1)

    def until_open(self, *people: Person) -> int:
        """These come by each tick until the desk takes letters; the first of these batches."""
        first = self.running.let_pass(1).manifest.n
        for _ in range(8):
            if all([person.session().desk_open for person in people]):
                return first
            self.running.let_pass(1)
        raise AssertionError("the desk did not open")

    def heard(self, name: str) -> set[str | None]:
        visit = self.running.visit()
        return {r.text for r in acts.read_thread(visit, acts.keys_for(self.words[name], visit, DESK))}

    def days(self, count: int, *people: Person) -> None:
        """Every fourth day the next of these comes by, in turn."""
        for number in range(0, count, 4):
            self.running.rounds(people[number // 4 % len(people)], ticks=4 * TICKS_PER_DAY)


def answer(person: Person, to: str, text: str) -> Reply:
    """Read a letter and write a reply to its source; the next session tells and places it."""
    letter = person.letter(to)
    mark_opened(person.vault, (letter.number,))
    return write_reply(person.vault, letter.thread, text, person.now(), secrets.token_bytes)


def opens(story: Story) -> None:
    """All three come by until the desk takes letters; one letter is for all."""
    everybody = (story.anna, story.ben, story.carl)
    story.until_open(*everybody)
    story.write("first", "one")
    story.write("first", "a mistake")
    story.write("stray", "not for you")
    story.running.rounds(*everybody, count=2)
    assert [p.texts() for p in everybody] == [["a mistake", "not for you", "one"]] * 3


def five_weeks(story: Story) -> Person:
    """carl does not come, and holds no key for the last week; dora, who is added in the fourth."""
    anna, ben = story.anna, story.ben
    story.write("second", "two")
    story.running.rounds(anna, ben)
    first, second = anna.letter("one").thread, anna.letter("two").thread
    answer(anna, "two", "to two")
    taken_back = answer(ben, "one", "too soon")
    assign(ben.vault, second, ben.name)
    add_note(anna.vault, second, "be kind", anna.now(), secrets.token_bytes)
    mark_known(ben.vault, second, True)
    keep(ben.vault, first, True, ben.here())
    link(anna.vault, first, second, anna.here())
    gone = [anna.letter(text).msg_id for text in ("a mistake", "not for you")]  # the second was its whole thread
    delete_letters(anna.vault, gone, anna.here().batch)
    withdraw(ben.vault, taken_back.id)
    story.running.rounds(anna, ben, count=2)
    story.days(24, anna, ben)
    dora = story.join("dora", 0)
    story.days(8, anna, dora)
    story.write("second", "three")
    story.running.rounds(anna, ben)
    answer(ben, "three", "to three")
    assign(anna.vault, second, "carl")
    story.days(4, ben)
    return dora


def comes_back(story: Story, dora: Person) -> None:
    """carl is passed on what happened, dora all that was before her."""
    anna, ben, carl = story.anna, story.ben, story.carl
    carl.session()
    assert own_gaps(carl.vault), "nothing was missed: carl was not away for long"
    for _ in range(AGAIN_ROUNDS):
        story.running.rounds(anna, ben, carl, dora)
        if not own_gaps(carl.vault) and not own_gaps(dora.vault):
            break
    second = anna.letter("two").thread
    for person in (carl, dora):
        assert person.texts() == ["one", "three", "two"], person.name
        said = sorted((r.author, r.body.text) for r in shared_replies(person.vault))
        assert said == sorted([(anna.name, "to two"), ("ben", "to three"), ("ben", "too soon")])
        assert assignments(person.vault, person.name)[second].member == "carl"
        assert [(n.text, n.author) for n in notes(person.vault, second, person.name)] == [("be kind", anna.name)]
    assert carl.letter("three").passed_on_by in {anna.name, "ben"}
    assert carl.letter("one").passed_on_by is None


def both_answer(story: Story, dora: Person) -> None:
    """ben and carl, before either has heard of the other: both go out, and both see it."""
    ben, carl = story.ben, story.carl
    everybody = (story.anna, ben, carl, dora)
    story.write("first", "four")
    story.running.rounds(*everybody)
    for person in (ben, carl):
        answer(person, "four", f"{person.name} to four")

    def crossed() -> bool:
        seen = []
        for person in (ben, carl):
            sent = find_thread(person.vault, person.letter("four").thread.hex()).sent
            seen.append({c.author for s in sent if s.author is None for c in s.crossed})
        return seen == [{"carl"}, {"ben"}]

    for _ in range(8):
        story.running.rounds(*everybody)
        if crossed():
            break
    assert crossed()
    story.running.rounds(*everybody)
    assert {"ben to four", "carl to four"} <= story.heard("first")


def removed(story: Story, dora: Person) -> None:
    """carl's next session is refused in words; his keys open nothing that came under the new ones."""
    left = (story.anna, story.ben, dora)
    story.carl.vault.close()
    remove = ("org", "member", "remove", "carl", "--post", story.running.door.address, "--yes")
    type_command(*remove, folder=story.folder)
    since = story.until_open(*left)
    said = type_command("desk", "sync", "--vault", "carl.vault", folder=story.folder, skew=CARL_SKEW, code=1)
    assert f"You are no longer at desk '{DESK}'" in said
    story.write("first", "not for carl")
    story.running.rounds(*left)
    assert ["not for carl" in p.texts() for p in left] == [True] * 3

    carl = Person.at("carl", story.carl.file, CARL_SKEW, story.running.door, story.running.clock)
    letter, server = story.ben.letter("not for carl"), story.folder / "server"
    with carl.door.transport() as transport:
        line = Line.of(transport, carl.now, secrets.token_bytes, identity(carl.vault), story.running.visit().directory)
        with pytest.raises(DeskError, match="does not accept"):
            line.signed("GET", f"/v1/packs/{letter.batch}")
    pack = split_pack((server / "private" / "packs" / str(letter.batch)).read_bytes())
    published = [server / "published" / "keynotes" / str(n) for n in range(since, letter.batch + 1)]
    logged = [item for file in published if file.exists() for item in _items(file.read_bytes())]
    for person, may in ((story.ben, True), (carl, False)):
        assert (letter.msg_id in _opened(person, pack)) is may, person.name
        assert _unwraps(person, logged) is may, person.name
    carl.vault.close()


def _items(raw: bytes) -> list[tuple[Kind, bytes]]:
    items = decode_cbor(raw)
    assert isinstance(items, list)
    return [(Kind(kind), note) for kind, note in items]


def _opened(person: Person, pack: tuple[bytes, ...]) -> set[bytes]:
    """What a vault's keys open of a pack, in whichever days: as msg_ids."""
    keys = epoch_secrets(person.vault)
    assert keys
    outcomes = Opener(keys).open_many([Job(letter, (), tuple(range(len(keys)))) for letter in pack])
    return {outcome.msg_id for outcome in outcomes if isinstance(outcome, Opened)}


def _unwraps(person: Person, logged: list[tuple[Kind, bytes]]) -> bool:
    """Does a transport key in the vault open any wrap of these epochs, whoever it is for?"""
    epochs = {note.hash: note for note in (EpochNote.parse(raw) for kind, raw in logged if kind is Kind.EPOCH)}
    assert epochs
    for wrap in (Wrap.parse(raw) for kind, raw in logged if kind is Kind.WRAP):
        if wrap.note_hash not in epochs:
            continue
        note = epochs[wrap.note_hash]
        for secret in transport_secrets(person.vault, note.day):
            try:
                wrap.open(note, OpenKey.from_secret(secret))
            except NotOurs:
                continue
            return True
    return False


@pytest.mark.matrix  # `test_members.py` plays three of them for ten days, in every run
def test_three_members(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(running)
    opens(story)
    dora = five_weeks(story)
    comes_back(story, dora)
    early = [dora.copy(tmp_path / f"early-{n}.vault") for n in (1, 2)]
    both_answer(story, dora)
    removed(story, dora)
    left = (story.anna, story.ben, dora)
    running.rounds(*left, count=2)
    running.let_pass(36)
    for person in left:  # what was told is in the log: nobody adds anything now
        assert not person.session(memos=False).faults
    held = Facts.of(story.anna.vault)
    assert Facts.of(story.ben.vault) == held
    assert Facts.of(dora.vault) == held
    assert held.kinds() == FACT_KINDS.keys() - {"again", "thread", "letter"}, "some kind is not compared"

    # the same vault of some days before sees all of it at once; where ben's memos are dropped, it is seen
    whole, broken = early
    whole.session(memos=False)
    assert Facts.of(whole.vault) == held
    heard = keeping.first_time
    monkeypatch.setattr(keeping, "first_time", lambda vault, by, *memo: by != "ben" and heard(vault, by, *memo))
    broken.session(memos=False)
    assert Facts.of(broken.vault) != held
    for person in (*left, *early):
        person.vault.close()
