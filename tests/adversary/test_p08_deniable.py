# SPDX-License-Identifier: AGPL-3.0-or-later
"""P8: no letter and no reply proves to a third party who wrote it; an unknown passphrase opens an empty thread.

| Attacker             | Holds                                      | Tries                                            |
|----------------------|--------------------------------------------|--------------------------------------------------|
| desk, to a judge     | all its keys, the vault, every letter, the | to prove that a letter is the source's           |
|                      | log and its receipts                       |                                                  |
| source, to a judge   | passphrase, every sheet, the log           | to prove that a reply is the desk's              |
| somebody who coerces | a passphrase that they were told           | to learn from the door whether it was ever used  |
| server               | every request                              | to learn a passphrase, or that it is a wrong one |

The proof of deniability is forging: whoever could convince the judge could have made everything themselves.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol import letter as letter_module
from latchstring.protocol import passphrase as passphrase_module
from latchstring.protocol.encoding import h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, OpenEpoch
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info, open_letter, seal_letter
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, parse_passphrase
from latchstring.protocol.primitives import ed25519_public, ed25519_sign, ed25519_verify
from latchstring.protocol.receipt import open_receipt
from latchstring.protocol.reply import Place, ReplyBody, open_reply, reply_tag, seal_reply
from latchstring.protocol.source_keys import SourceKeys, ThreadKeys
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from latchstring.source import acts
from latchstring.source.acts import CannotWrite
from tests.adversary.tools import Stage
from tests.builders import Stream
from tests.world.world import Source

TEXT = "I saw the lorries leave"


@dataclass(frozen=True)
class Verdict:
    """All that a judge can check of a letter when the desk lays its keys on the table."""

    in_log: bool
    receipt: bool
    thread: bytes
    text: str
    signed: bool
    rest: bytes  # what the plaintext holds besides id and text


def judge(stage: Stage, sealed: bytes, receipt: bytes, epoch: OpenEpoch) -> Verdict:
    """Opens the letter, looks it up in the log, checks the receipt; looks for a signature of the thread's."""
    directory = stage.world.founding.directory
    letter = open_letter(epoch, sealed)
    assert letter.body is not None
    text, _, signature = letter.body.text.partition("\n--")
    leaf = entry(Kind.LETTER, sealed)
    return Verdict(
        stage.source.look().has_leaf(leaf),
        open_receipt(receipt, directory.receipt_key).leaf == leaf,
        letter.thread,
        text,
        bool(signature) and ed25519_verify(signer(stage.source.keys()), text.encode(), bytes.fromhex(signature)),
        letter.thread_keys.seal_key.raw + letter.thread_keys.dh + letter.thread_keys.psk,
    )


def signer(keys: SourceKeys) -> bytes:
    """The key that a source would sign with, if it did."""
    return ed25519_public(h(keys.dh))


def signing(patch: pytest.MonkeyPatch) -> None:
    """The broken client: it signs what it says."""

    def signed(keys: SourceKeys, note: EpochNote, msg_id: bytes, body: LetterBody) -> bytes:
        signature = ed25519_sign(h(keys.dh), body.text.encode())
        text = f"{body.text}\n--{signature.hex()}"
        return seal_letter(keys, note, msg_id, LetterBody(body.language, body.way, text, body.read))

    patch.setattr(acts, "seal_letter", signed)


def forged_by_the_desk(stage: Stage, keys: ThreadKeys, epoch: OpenEpoch) -> tuple[bytes, bytes]:
    """A letter that the source never wrote, and the server's receipt for it."""
    body = LetterBody("en", acts.WAY, TEXT)
    plain = frame_letter(pair_of_desk(epoch, keys), Stream("forged")(16), body.encode())
    sealed = epoch.note.seal_key.seal(plain, letter_info(epoch.note))
    return sealed, stage.world.answer(Request("POST", "/v1/letters", body=sealed)).body


@pytest.mark.parametrize("broken", [False, True])
def test_the_desk_can_make_every_proof_that_it_could_show(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken:
        signing(monkeypatch)
    epoch = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1).open()
    true = stage.source.write(TEXT, tell=False)
    sealed = stage.world.traffic[-1].body
    forged, receipt = forged_by_the_desk(stage, stage.source.keys().thread_keys, epoch)
    stage.world.close()
    verdicts = [judge(stage, sealed, true.receipt_raw, epoch), judge(stage, forged, receipt, epoch)]
    assert (verdicts[0] == verdicts[1]) is not broken
    assert verdicts[0].text == TEXT


def test_source_and_desk_make_the_very_same_plaintext(stage: Stage) -> None:
    """Not only does the check pass: byte for byte there is nothing in it that one of them could not have made."""
    keys = stage.source.keys()
    epoch = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1).open()
    cbor, msg_id = LetterBody("en", acts.WAY, TEXT).encode(), bytes(16)
    by_source = frame_letter(pair_of_source(keys, epoch.note), msg_id, cbor)
    assert by_source == frame_letter(pair_of_desk(epoch, keys.thread_keys), msg_id, cbor)


def test_a_whole_thread_can_be_made_up_by_the_desk(stage: Stage) -> None:
    """Even the source: a passphrase invented at the desk gives a transcript as good as any."""
    stranger = Source(stage.world, "made up at the desk")
    epoch = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1).open()
    sealed, receipt = forged_by_the_desk(stage, stranger.keys().thread_keys, epoch)
    stage.world.close()
    verdict = judge(stage, sealed, receipt, epoch)
    assert (verdict.in_log, verdict.receipt, verdict.text) == (True, True, TEXT)
    assert verdict.thread == stage.desk.thread(stranger)


def test_the_source_can_make_every_reply_that_it_could_show(stage: Stage) -> None:
    keys = stage.source.keys()
    epoch = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1).open()
    place, body = Place(6, 1, bytes(16), 0), ReplyBody("we promise you everything")
    slots = [
        seal_reply(pair, place, bytes(16), body)
        for pair in (pair_of_desk(epoch, keys.thread_keys), pair_of_source(keys, epoch.note))
    ]
    opened = [open_reply(pair_of_source(keys, epoch.note), keys.open_key, place, slot) for slot in slots]
    assert opened[0] == opened[1]
    assert slots[0][:16] == slots[1][:16] == reply_tag(pair_of_desk(epoch, keys.thread_keys).key("tag"), place)


# --- passphrases -----------------------------------------------------------------------------------


def requests_of(stage: Stage, source: Source, act: Callable[[Source], object]) -> tuple[list[bytes], object]:
    before = len(stage.world.traffic)
    result = act(source)
    return [crossing.sent + crossing.answer for crossing in stage.world.traffic[before:]], result


def test_an_unknown_passphrase_opens_an_empty_thread(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Used with an answer, used without one, never used, all zeros: the server sees one and the same."""
    stage.desk.answer(stage.source, "for you alone")
    stage.desk.sync()
    used = Source(stage.world, "used, no answer")
    used.write("hello")
    stage.world.close(180)
    people = [stage.source, used, Source(stage.world, "never used"), Source(stage.world, "z", Passphrase(bytes(13)))]
    seen = [requests_of(stage, person, Source.heard) for person in people]
    assert [found for _, found in seen] == [["for you alone"], [], [], []]
    assert all(requests == seen[0][0] for requests, _ in seen)
    assert len(seen[0][0]) == 1

    def asking(source: Source) -> object:
        """A client that asks whether the thread exists."""
        thread = source.keys().thread_keys.thread(stage.world.door, "news")
        return source.wire.request("GET", f"/v1/threads/{thread.hex()}").status

    assert requests_of(stage, people[0], asking)[0] != requests_of(stage, people[2], asking)[0]


@pytest.mark.parametrize("broken", [False, True])
def test_a_first_letter_and_a_later_one_are_taken_alike(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server cannot tell a new passphrase from one that has been used for years, whose letter names what was read.
    `broken`: a letter is as long as what it says."""
    stage.desk.answer(stage.source, "for you alone")
    stage.desk.sync()
    stage.world.close(180)
    assert stage.source.heard() == ["for you alone"]
    frame = letter_module.frame_letter
    if broken:
        monkeypatch.setattr(letter_module, "frame_letter", lambda *parts: frame(*parts).rstrip(b"\0"))
    shapes = []
    for person in (stage.source, Source(stage.world, "new")):
        before = len(stage.world.traffic)
        with suppress(CannotWrite):  # the server takes none of another length, but has seen it
            person.write("hello")
        seen = stage.world.traffic[before:]
        shapes.append([(x.shape, x.status, len(x.answer), [name for name, _ in x.headers]) for x in seen])
    assert [shape[0][1] for shape in shapes[0]] == ["/visit", "/v1/letters"]
    assert (shapes[0] == shapes[1]) is not broken


class AnyCheck(int):
    """A check that fits whatever was typed."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = int.__hash__


def test_a_mistyped_passphrase_is_seen_on_the_device_and_sends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = load()
    typed = list(stage.source.passphrase.words(words))
    typed[3] = next(w for w in words.words if w not in typed)
    before = len(stage.world.traffic)
    with pytest.raises(MistypedPassphrase) as caught:
        Source(stage.world, "a", parse_passphrase(" ".join(typed), words)).heard()
    assert len(stage.world.traffic) == before
    assert not any(word in str(caught.value).split() for word in typed)
    with monkeypatch.context() as patch:
        patch.setattr(passphrase_module, "_check", lambda _bits: AnyCheck())
        assert Source(stage.world, "a", parse_passphrase(" ".join(typed), words)).heard() == []
        assert len(stage.world.traffic) == before + 1
    typed[3] = stage.source.passphrase.words(words)[3]
    assert parse_passphrase(" ".join(typed), words) == stage.source.passphrase
