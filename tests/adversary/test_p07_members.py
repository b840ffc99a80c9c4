# SPDX-License-Identifier: AGPL-3.0-or-later
"""P7 at a desk of three: one member together with the server cannot put their own key in the desk's place.

The member makes an epoch whose secret nobody else has and signs it; the server logs it and names it in a manifest.
Sources ask for two members' signatures, and nobody signs what they did not open.
"""

from dataclasses import replace

import pytest

from latchstring.client.visit import VisitRefused
from latchstring.protocol.constants import day_of
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.letter import open_letter
from latchstring.protocol.visit import parse_visit
from latchstring.source.acts import compose, seal
from tests.adversary.tools import naming, own_epoch, reforge
from tests.world.world import Source, TeamStage


def stolen_desk(three: TeamStage, *more: bytes) -> tuple[OpenEpoch, Source]:
    """A source to whom the server shows the member's own epoch, signed by the member and with `more` signatures."""
    world = three.world
    seed = world.founding.keys_of("news-3").sign_seed
    epoch, (note, signatures) = own_epoch(world.door, day_of(world.batch), member="news-3", sign_seed=seed)
    raw = world.core.public.get("visit")
    epochs = (*parse_visit(raw).epochs, (note, tuple(sorted((*signatures, *more)))))
    forged = reforge(world, raw, manifest=naming(news=epoch.note.hash), epochs=epochs)
    source = Source(world, "a")
    source.wire.meddle = lambda request, answer: replace(answer, body=forged) if request.path == "/visit" else answer
    return epoch, source


def test_one_member_and_the_server_are_refused(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch, source = stolen_desk(three)
    with pytest.raises(VisitRefused) as refused:
        source.look()
    assert "did not sign" in refused.value.reason
    monkeypatch.setattr("latchstring.protocol.keystate.signatures_needed", lambda _members: 1)  # one would do
    visit = source.look()
    letter = seal(visit, source.keys(), compose("to the desk, I thought", "en", ()), bytes(16))
    assert b"to the desk, I thought" in open_letter(epoch, letter).cbor


def test_a_signature_twice_or_of_another_key_does_not_help(three: TeamStage) -> None:
    world = three.world
    epoch, _ = own_epoch(world.door, day_of(world.batch), member="news-3", sign_seed=bytes(32))
    seed = world.founding.keys_of("news-3").sign_seed
    for member, key in (("news-3", seed), ("news-2", seed), ("news-9", seed)):
        _, source = stolen_desk(three, EpochSignature.make(epoch.note.hash, member, key).raw)
        with pytest.raises(VisitRefused):
            source.look()
