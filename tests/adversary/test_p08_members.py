# SPDX-License-Identifier: AGPL-3.0-or-later
"""P8 at a desk of three: what a seized vault proves to a third party of who wrote a letter, a note or an answer.

| Attacker                 | Holds                                      | Tries                                       |
|--------------------------|--------------------------------------------|---------------------------------------------|
| whoever seized the vault | news-1's vault and passphrase, every pack, | to prove to a judge that a letter is the    |
| of one member            | the log                                    | source's, that a note or answer is news-2's |

The proof of deniability is forging: news-3, who holds what every member holds and nothing more, makes another of each.
The judge finds no difference in the vault between what is true and what is made up.
"""

from dataclasses import dataclass, replace

import pytest

from latchstring.desk import marks
from latchstring.desk.identity import identity
from latchstring.desk.letters import letters, thread_keys
from latchstring.desk.marks import add_note, notes
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.shared_replies import reply_fact, shared_replies
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import LetterBody, OpenedLetter, frame_letter, letter_info, open_letter
from latchstring.protocol.memo import Fact, MemoBody, seal_memo
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.primitives import ed25519_sign, ed25519_verify
from latchstring.protocol.reply import ReplyBody
from latchstring.server.api import Request
from latchstring.source import acts
from tests.adversary.test_p08_deniable import signer, signing
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage, World

pytestmark = pytest.mark.usefixtures("short_sessions")

TEXT = "I saw the lorries leave"
MARK = "\n--"


def epoch_now(desk: Desk) -> OpenEpoch:
    """The epoch that letters of now are sealed to, as every member holds it."""
    note = Source(desk.world, "anybody").look().note("news")
    assert note is not None
    return next(s for s in epoch_secrets(desk.vault) if s.note_hash == note.hash).open()


def post(world: World, sealed: bytes) -> None:
    assert world.answer(Request("POST", "/v1/letters", body=sealed)).status == 201


def signed_by(key: bytes, text: str) -> bool:
    """Does a text carry its author's signature?"""
    said, _, signature = text.partition(MARK)
    return bool(signature) and ed25519_verify(key, said.encode(), bytes.fromhex(signature))


# --- letters -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """All that a judge can check of one letter in the vault."""

    row: tuple[object, ...]  # as the vault keeps it, without number, id, place and text
    keys: tuple[bytes, bytes, bytes]
    in_log: int  # how many leaves of the log are this letter
    mac_holds: bool
    text: str
    rest: LetterBody
    signed: bool


def opens(epoch: OpenEpoch, sealed: bytes) -> OpenedLetter | None:
    try:
        return open_letter(epoch, sealed)
    except (NotOurs, ProtocolError):
        return None


def judge(seized: Desk, source: Source) -> list[Verdict]:
    """Every letter of the thread: the vault's row, and the sealed letter found again in the packs and the log."""
    world, vault, found = seized.world, seized.vault, []
    visit = source.look()
    for letter in letters(vault, seized.thread(source)):
        pack = world.core.private.get(f"packs/{letter.batch}")
        sealed = [pack[at : at + LETTER_SIZE] for at in range(0, len(pack), LETTER_SIZE)]
        tried = ((one, opens(s.open(), one)) for one in sealed for s in epoch_secrets(vault) if s.day == letter.day)
        again = [(one, o) for one, o in tried if o is not None and o.msg_id == letter.msg_id]
        assert letter.body is not None
        found.append(
            Verdict(
                (letter.thread, letter.day, letter.batch, letter.verified, letter.stale, letter.passed_on_by),
                (again[0][1].thread_keys.seal_key.raw, again[0][1].thread_keys.dh, again[0][1].thread_keys.psk),
                sum(visit.has_leaf(entry(Kind.LETTER, one)) for one, _ in again),
                all(o.thread == letter.thread for _, o in again),
                letter.body.text.partition(MARK)[0],
                replace(letter.body, text=""),
                signed_by(signer(source.keys()), letter.body.text),
            )
        )
    return found


@pytest.mark.parametrize("broken", [False, True])
def test_a_seized_vault_does_not_tell_a_source_s_letter_from_a_member_s(
    three: TeamStage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """news-3 takes the thread's keys out of its own vault. Broken: the source's program signs what it says."""
    world, (seized, _, forger) = three.world, three.team.values()
    source = Source(world, "a")
    source.write("the first letter", tell=False)
    world.close()
    forger.sync()
    if broken:
        signing(monkeypatch)
    source.write(TEXT, tell=False)
    epoch = epoch_now(forger)
    pair = pair_of_desk(epoch, thread_keys(forger.vault, forger.thread(source)))
    plain = frame_letter(pair, Stream("forged")(16), LetterBody("en", acts.WAY, TEXT).encode())
    post(world, epoch.note.seal_key.seal(plain, letter_info(epoch.note)))
    world.close()
    seized.sync()
    _, *two = judge(seized, source)
    assert [(v.text, v.in_log, v.mac_holds) for v in two] == [(TEXT, 1, True)] * 2
    assert (two[0] == two[1]) is not broken


# --- what members say ----------------------------------------------------------------------------


def told(desk: Desk, source: Source) -> list[tuple[str, str, bool]]:
    """Who said what in the thread, as the vault has it, and whether the author's own key says so too."""
    thread, directory = desk.thread(source), desk.world.founding.directory
    said = [(n.author, n.text) for n in notes(desk.vault, thread, desk.member)]
    said += [(r.author, r.body.text) for r in shared_replies(desk.vault, thread)]
    found = []
    for author, text in said:
        named = directory.member(author)
        assert named is not None
        found.append((author, text.partition(MARK)[0], signed_by(named[1].sign_key, text)))
    return found


def sign_what_is_told(patch: pytest.MonkeyPatch) -> None:
    """The broken program: what a member notes carries their signature, by the key that the directory names."""

    def signed(vault: Vault, fact: Fact, *, later: bool = False) -> None:
        text = str(fact["text"])
        signature = ed25519_sign(identity(vault).sign_seed, text.encode()).hex()
        tell(vault, {**fact, "text": f"{text}{MARK}{signature}"}, later=later)

    patch.setattr(marks, "tell", signed)


@pytest.mark.parametrize("broken", [False, True])
def test_a_seized_vault_does_not_tell_what_a_member_said_from_what_another_put_into_their_mouth(
    three: TeamStage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, (seized, author, forger) = three.world, three.team.values()
    source = Source(world, "a")
    source.write(TEXT, tell=False)
    world.close()
    for desk in (seized, author, forger):
        desk.sync()
    thread = author.thread(source)
    if broken:
        sign_what_is_told(monkeypatch)
    add_note(author.vault, thread, "she is credible", world.now, author.random)
    author.answer(source, "come on Monday")
    author.memos = True
    while waiting(author.vault, "note") or waiting(author.vault, "reply"):
        assert world.batch < 100
        world.close(world.batch + 6)
        author.sync()
    forged: list[Fact] = [
        {"kind": "note", "id": bytes(16), "thread": thread, "text": "she is credible", "written": world.now},
        reply_fact(bytes(16), thread, ReplyBody("come on Monday"), world.now, world.batch),
    ]
    post(world, seal_memo(epoch_now(forger), bytes(16), MemoBody("news-2", tuple(forged))))
    world.close()
    seized.sync()
    said = told(seized, source)
    assert [(who, text) for who, text, _ in said] == [("news-2", "she is credible")] * 2 + [
        ("news-2", "come on Monday")
    ] * 2
    (true_note, made_up_note), answers = [s for s in said if "credible" in s[1]], said[2:]
    assert (true_note == made_up_note) is not broken
    assert answers[0] == answers[1]
