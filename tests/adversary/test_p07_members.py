# SPDX-License-Identifier: AGPL-3.0-or-later
"""P7 at a desk of three, with seized vaults and a former member.

| Attacker                 | Holds                                    | Tries                                         |
|--------------------------|------------------------------------------|-----------------------------------------------|
| member with the server,  | one member's vault, and with it the      | to put an epoch of their own in the desk's    |
| or whoever seized a vault| signing key; the log's key               | place                                         |
| the same with two vaults | the signing keys of two                  | the same: two are believed                    |
| former member with the   | all keys of their vault; the log's key   | to sign for the desk after the removal; to    |
| server                   |                                          | show people a log in which it never was       |

Sources ask for two members' signatures, and nobody signs what they did not open. The keys of attachments are shown to
nobody: they lie in the letter that names them, so P7 says nothing of those (`test_p01_attachments.py` does).
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from latchstring.client import visit as checks
from latchstring.client.visit import VisitRefused
from latchstring.desk.identity import identity
from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol.constants import EPOCH_DAYS_AHEAD, TICKS_PER_DAY, day_of
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.letter import open_letter
from latchstring.protocol.visit import parse_visit
from latchstring.source.acts import compose, seal
from tests.adversary.tools import naming, own_epoch, reforge
from tests.world.world import Desk, Source, TeamStage, World

TEXT = "to the desk, I thought"


def seed_in(vault_of: Desk) -> bytes:
    """The signing key, as whoever has the vault and its passphrase reads it."""
    return identity(vault_of.vault).sign_seed


def stolen_desk(three: TeamStage, *more: bytes, signers: Sequence[str] = ("news-3",)) -> tuple[OpenEpoch, Source]:
    """A source to whom the server shows an epoch of the attacker's own, signed by `signers` out of their vaults and
    with `more` signatures."""
    world, gen = three.world, three.world.founding.directory.desks[0].gen
    first, *others = [(name, seed_in(three.team[name])) for name in signers]
    epoch, (note, signatures) = own_epoch(world.door, day_of(world.batch), gen=gen, member=first[0], sign_seed=first[1])
    made = [EpochSignature.make(epoch.note.hash, name, seed).raw for name, seed in others]
    raw = world.core.public.get("visit")
    epochs = (*parse_visit(raw).epochs, (note, tuple(sorted((*signatures, *made, *more)))))
    forged = reforge(world, raw, manifest=naming(news=epoch.note.hash), epochs=epochs)
    return epoch, shown(world, forged)


def shown(world: World, raw: bytes) -> Source:
    """A source to whom the server gives this /visit."""
    source = Source(world, "a")
    source.wire.meddle = lambda request, answer: replace(answer, body=raw) if request.path == "/visit" else answer
    return source


def reads(epoch: OpenEpoch, source: Source) -> bool:
    """Does the attacker open what the source seals by what it was shown?"""
    letter = seal(source.look(), source.keys(), compose(TEXT, "en", ()), bytes(16))
    return TEXT.encode() in open_letter(epoch, letter).cbor


def test_one_member_or_one_seized_vault_and_the_server_are_refused(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch, source = stolen_desk(three)
    with pytest.raises(VisitRefused) as refused:
        source.look()
    assert "did not sign" in refused.value.reason
    monkeypatch.setattr("latchstring.protocol.keystate.signatures_needed", lambda _members: 1)  # one would do
    assert reads(epoch, source)


def test_a_signature_twice_or_of_another_key_does_not_help(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    world = three.world
    epoch, _ = own_epoch(world.door, day_of(world.batch), member="news-3", sign_seed=bytes(32))
    seed = world.founding.keys_of("news-3").sign_seed
    for member, key in (("news-3", seed), ("news-2", seed), ("news-9", seed)):
        stolen, source = stolen_desk(three, EpochSignature.make(epoch.note.hash, member, key).raw)
        with monkeypatch.context() as patch:  # the broken variant: signatures are counted, and that is all
            patch.setattr(checks, "_signatures", lambda _note, raws, _directory: dict(enumerate(raws)))
            patch.setattr(checks, "is_valid", lambda _desk, logged: len(logged.signatures) >= 2)
            assert reads(stolen, source)
        with pytest.raises(VisitRefused):
            source.look()


def test_two_seized_vaults_and_the_server_are_believed_until_a_member_is_removed(three: TeamStage) -> None:
    """What is stated: who speaks for as many members as must sign has the desk, for the time being."""
    pair = ("news-2", "news-3")
    assert reads(*stolen_desk(three, signers=pair))
    three.world.remove_member("news-3")
    three.world.close()
    # news-2 is still there, and one of two is enough: both vaults were seized, so both members go
    assert reads(*stolen_desk(three, signers=pair[:1]))
    three.world.remove_member("news-2")
    three.world.close()
    _, source = stolen_desk(three, signers=pair)
    with pytest.raises(VisitRefused):
        source.look()


def removed(three: TeamStage) -> None:
    """The organisation removes news-3, and the desk has keys without them."""
    three.world.remove_member("news-3")
    three.world.close()
    for _ in range(2):
        for name in ("news-1", "news-2"):
            three.team[name].sync()
        three.world.close()


def test_a_former_member_and_the_server_are_refused(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """They sign for the new gen, in their own name and in another's; the directory decides who is a member."""
    before = three.world.founding.directory.desk("news")
    assert before is not None
    removed(three)
    epoch, source = stolen_desk(three)
    with pytest.raises(VisitRefused):
        source.look()
    forged = EpochSignature.make(epoch.note.hash, "news-1", seed_in(three.team["news-3"])).raw
    _, again = stolen_desk(three, forged)
    with pytest.raises(VisitRefused):
        again.look()
    # the broken variant: whoever was a member when the door was founded may sign
    real = checks._signatures
    monkeypatch.setattr(checks, "_signatures", lambda note, made, _desk: real(note, made, before))
    monkeypatch.setattr(checks, "is_valid", lambda _desk, logged: bool(logged.signatures))
    assert reads(epoch, source)


def test_a_log_in_which_a_removal_never_was_is_refused_by_the_pin(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server forks its log before the removal, and goes on under notes that the true members had signed already.
    Whoever pinned the log sees it. Whoever did not is deceived, as is stated of doors without witnesses, for as many
    days as notes were made ahead: nobody signs further ones."""
    world, gone = three.world, three.team["news-3"]
    gone.sync()
    fork = world.copy()
    removed(three)
    source = Source(world, "a")
    pin = source.look().pin
    while fork.now < world.now or fork.batch <= world.batch:
        fork.close()
    deceived = shown(world, fork.core.public.get("visit"))
    with pytest.raises(VisitRefused):
        deceived.look(pin)
    note = deceived.look().note("news")
    assert note is not None
    (epoch,) = [secret.open() for secret in epoch_secrets(gone.vault) if secret.note_hash == note.hash]
    assert reads(epoch, deceived)
    with monkeypatch.context() as patch:
        patch.setattr(checks, "_follows", lambda *_: None)  # the broken variant: nobody compares with the pin
        assert deceived.look(pin).note("news") == note
    fork.close((day_of(fork.batch) + EPOCH_DAYS_AHEAD + 1) * TICKS_PER_DAY)
    world.now = fork.now
    assert shown(world, fork.core.public.get("visit")).look().note("news") is None
