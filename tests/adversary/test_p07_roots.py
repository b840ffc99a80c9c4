# SPDX-License-Identifier: AGPL-3.0-or-later
"""P7, the root keys: after a rotation only the new ones say who answers at the door.

| Attacker           | Holds                           | Tries                                                  |
|--------------------|---------------------------------|--------------------------------------------------------|
| thief and server   | the old root keys, the server's | a directory by the old keys; the rotation left out; a  |
|                    | keys                            | rotation of their own beside the true one              |
| a quantum computer | one of the two old keys         | a rotation signed by that one alone                    |
| server             | its keys; rotations of other    | another door's spare; an old rotation again; a         |
|                    | doors and of the past           | rotation without a directory; the rotation hidden      |

Each attempt ends in the one sentence, at the source and at the desk; each succeeds against a client without the check.
What no check of one client can see: thief and server show the old roots to somebody who keeps no pin. Whoever has been
there since the rotation sees it, and the server alone, without the thief, can hide a rotation until the directory runs
out and no longer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from latchstring.client import visit as checks
from latchstring.client.transport import Response
from latchstring.client.visit import SENTENCE, VisitRefused
from latchstring.desk import follow
from latchstring.desk.errors import ServerFault
from latchstring.desk.identity import pinned
from latchstring.log.tree import EMPTY_ROOT
from latchstring.protocol.directory import (
    Directory,
    directory_hash,
    directory_keys,
    encode_directory,
    open_directory,
    sign_directory,
)
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, lp, parse_lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.primitives import ed25519_public, ed25519_verify
from latchstring.protocol.root import Door, RootKeys, RootPublic, RootSignature
from latchstring.protocol.root_note import RootChain, RootNote, rotate
from latchstring.protocol.visit import parse_visit
from latchstring.server.api import Request
from latchstring.source.acts import CannotWrite
from tests.adversary.tools import MALLORY, Stage, reforge
from tests.builders import Stream, found
from tests.world.world import Wire

Weaken = Callable[[pytest.MonkeyPatch], None]


def mallorys() -> RootKeys:
    random = Stream("mallory's roots")
    return RootKeys(random(32), random(32))


def sign_as(root: RootKeys, directory: Directory) -> bytes:
    """A directory under whoever's root keys."""
    public, body = root.public(), encode_directory(directory)
    signature = root.sign(lp("directory", body))
    return lp("directory-signed", body, public.ed25519, public.mldsa, signature.ed25519, signature.mldsa)


def following(raw: bytes, roots: RootChain) -> Directory:
    """What the attacker wants in force after the newest directory of a /visit: his key as the member's."""
    old = open_directory(parse_visit(raw).directories[-1], roots)
    news = next(desk for desk in old.directory.desks if desk.id == "news")
    taken = replace(
        news, gen=old.directory.seq + 1, members=(replace(news.members[0], sign_key=ed25519_public(MALLORY)),)
    )
    desks = tuple(taken if desk is news else desk for desk in old.directory.desks)
    return replace(old.directory, seq=old.directory.seq + 1, previous=old.hash, desks=desks)


def served(stage: Stage, raw: bytes, signed: bytes, roots: tuple[bytes, ...], *extra: bytes) -> bytes:
    """The server logs `extra` and the directory, and names it in its manifest."""
    body = parse_lp("directory-signed", 5, signed)[0]
    return reforge(
        stage.world,
        raw,
        manifest=lambda m: replace(m, directory=directory_hash(body), notes=()),
        append=[*extra, entry(Kind.DIRECTORY, signed)],
        directories=(*parse_visit(raw).directories, signed),
        roots=roots,
    )


def rotate_honestly(stage: Stage) -> RootKeys:
    """The organisation hands over; the old keys, which somebody has copied."""
    old = stage.world.founding.root
    stage.world.rotate()
    stage.world.close()
    return old


# --- forgeries ----------------------------------------------------------------------------------------


def by_the_old_roots(stage: Stage) -> bytes:
    thief = rotate_honestly(stage)
    signed = sign_as(thief, following(stage.raw, stage.world.founding.roots))
    return served(stage, stage.raw, signed, stage.world.founding.rotations)


def a_rotation_of_the_thief_beside_it(stage: Stage) -> bytes:
    """From the founding keys to the thief's, as if the true rotation had never been."""
    before = stage.raw
    thief = rotate_honestly(stage)
    world = stage.world
    theirs = rotate(RootChain(world.door), thief, mallorys())
    signed = sign_as(mallorys(), following(before, RootChain(world.door)))
    return served(stage, before, signed, (theirs,), entry(Kind.ROOT, theirs))


def the_rotation_left_out(stage: Stage) -> bytes:
    """The thief signs on under the founding keys; the log that is shown never saw a rotation, and has grown."""
    before = stage.raw
    thief = rotate_honestly(stage)
    for _ in range(2):
        stage.world.close()
    stage.desk.sync()
    signed = sign_as(thief, following(before, RootChain(stage.world.door)))
    batch = stage.world.batch + 1
    visit = served(stage, before, signed, ())
    return reforge(
        stage.world, visit, manifest=lambda m: replace(m, n=batch), append=[bytes([i]) * 32 for i in range(60)]
    )


def _by_one_key(stage: Stage, ed25519: bool) -> bytes:
    world, old, new = stage.world, stage.world.founding.root, mallorys()
    a, b = old.public(), new.public()
    body = lp("root", world.door, 1, world.door, a.ed25519, a.mldsa, b.ed25519, b.mldsa)
    true, own = old.sign(body), new.sign(body)
    half = (true.ed25519, own.mldsa) if ed25519 else (own.ed25519, true.mldsa)
    note = lp("root-signed", body, *half, own.ed25519, own.mldsa)
    signed = sign_as(new, following(stage.raw, RootChain(world.door)))
    return served(stage, stage.raw, signed, (note,), entry(Kind.ROOT, note))


def signed_by_ed25519_alone(stage: Stage) -> bytes:
    return _by_one_key(stage, True)


def signed_by_mldsa_alone(stage: Stage) -> bytes:
    return _by_one_key(stage, False)


def a_spare_of_another_door(stage: Stage) -> bytes:
    other = found("another organisation")
    note = rotate(RootChain(other.door), other.root, mallorys())
    signed = sign_as(mallorys(), following(stage.raw, RootChain(stage.world.door)))
    return served(stage, stage.raw, signed, (note,), entry(Kind.ROOT, note))


def an_old_rotation_again(stage: Stage) -> bytes:
    """Back to keys that were in force after the first rotation and are known by now."""
    rotate_honestly(stage)
    known = stage.world.founding
    stage.world.rotate("second roots")
    stage.world.close()
    roots = stage.world.founding
    signed = sign_as(known.root, following(stage.raw, roots.roots))
    return served(
        stage, stage.raw, signed, (*roots.rotations, known.rotations[0]), entry(Kind.ROOT, known.rotations[0])
    )


def without_a_directory(stage: Stage) -> bytes:
    """A spare's note was found without its key: shown alone it would stop everything, if it counted."""
    world = stage.world
    spare = rotate(RootChain(world.door), world.founding.root, mallorys())
    return reforge(world, stage.raw, append=[entry(Kind.ROOT, spare)], roots=(spare,))


# --- checks that a weaker client lacks ------------------------------------------------------------------


def any_key_of_the_chain(patch: pytest.MonkeyPatch) -> None:
    real = RootChain.number_of
    patch.setattr(RootChain, "number_of", lambda self, keys: self.number if real(self, keys) is not None else None)


def no_pin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checks, "_follows", lambda *_: None)


def one_signature_is_enough(patch: pytest.MonkeyPatch) -> None:
    def mldsa_holds(self: RootPublic, message: bytes, signature: RootSignature) -> bool:
        try:
            MLDSA44PublicKey.from_public_bytes(self.mldsa).verify(signature.mldsa, message)
        except InvalidSignature:
            return False
        return True

    def verify(self: RootPublic, message: bytes, signature: RootSignature) -> bool:
        return ed25519_verify(self.ed25519, message, signature.ed25519) or mldsa_holds(self, message, signature)

    patch.setattr(RootPublic, "verify", verify)


def any_note_is_the_next(patch: pytest.MonkeyPatch) -> None:
    def then(self: RootChain, raw: bytes) -> RootChain:
        note = replace(RootNote.parse(raw), number=self.number + 1)
        return RootChain(self.door, (*self.notes, note))

    def named(_roots: object, directory: bytes) -> Door:
        return directory_keys(directory).door()

    patch.setattr(RootChain, "then", then)
    patch.setattr(checks, "door_named", named)
    patch.setattr(
        RootChain, "number_of", lambda self, keys: max((n.number for n in self.notes if n.new == keys), default=0)
    )


def never_expired(patch: pytest.MonkeyPatch) -> None:
    real = checks.VerifiedVisit
    patch.setattr(checks, "VerifiedVisit", lambda **parts: real(**{**parts, "expired": False}))


def no_directory_needed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RootChain, "number", property(lambda _self: 0))


@dataclass(frozen=True)
class Attack:
    """`forge`: the /visit that is served; `weaken`: takes away the check that stands against it."""

    forge: Callable[[Stage], bytes]
    weaken: Weaken
    pins: bool = False


ATTACKS = (
    Attack(by_the_old_roots, any_key_of_the_chain),
    Attack(a_rotation_of_the_thief_beside_it, no_pin, pins=True),
    Attack(the_rotation_left_out, no_pin, pins=True),
    Attack(signed_by_ed25519_alone, one_signature_is_enough),
    Attack(signed_by_mldsa_alone, one_signature_is_enough),
    Attack(a_spare_of_another_door, any_note_is_the_next),
    Attack(an_old_rotation_again, any_note_is_the_next),
    Attack(without_a_directory, no_directory_needed),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.forge.__name__)
def test_refused_with_one_sentence(stage: Stage, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = attack.forge(stage)
    pin = stage.source.look().pin if attack.pins else None
    if attack.pins:
        stage.desk.sync()
    known = pinned(stage.desk.vault)
    stage.serve(raw)
    with pytest.raises(VisitRefused) as at_source:
        stage.source.look(pin)
    with pytest.raises(VisitRefused) as at_desk:
        stage.desk.sync()
    assert str(at_source.value) == str(at_desk.value) == SENTENCE
    assert pinned(stage.desk.vault) == known

    attack.weaken(monkeypatch)
    seen = stage.source.look(pin)
    assert seen.manifest_raw == parse_visit(raw).manifest


def test_other_roots_are_refused_by_the_pin_even_where_the_logs_cannot_be_compared(stage: Stage) -> None:
    """The pin's own memory of the roots: whatever log is shown, keys that were seen are not undone."""
    raw = a_rotation_of_the_thief_beside_it(stage)
    pin = stage.source.look().pin
    stage.serve(raw)
    old = replace(pin, size=0, batch=0, seq=0)  # as a pin so old that everything else of it compares to nothing
    same = replace(old, root=EMPTY_ROOT, root256=EMPTY_ROOT, root65536=EMPTY_ROOT)
    with pytest.raises(VisitRefused) as caught:
        stage.source.look(same)
    assert caught.value.reason == "other root keys than those seen before"
    assert stage.source.look(replace(same, head=None)).manifest_raw == parse_visit(raw).manifest


def test_what_a_server_hides_ends_with_the_directory(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The organisation rotates; the server goes on as if nothing had come. Without root keys it can sign nothing."""
    hidden = stage.world.copy()
    stage.source.wire = Wire(hidden, "source")
    stage.world.rotate()
    stage.world.close()
    # who has been there since keeps a pin
    pin = checks.check_visit(stage.raw, stage.world.is_door, stage.world.now, None).pin

    source = stage.source
    source.world = hidden
    expires = hidden.founding.directory.expires
    hidden.close(expires - 1)
    assert not source.look().expired, "who keeps no pin is held behind"
    with pytest.raises(VisitRefused):
        source.look(pin)
    with monkeypatch.context() as patch:
        no_pin(patch)
        assert not source.look(pin).expired, "so is who does not look at it"
    hidden.close(expires + 1)
    assert source.look().expired
    with pytest.raises(CannotWrite, match="out of date"):
        source.write("not under keys that may be stolen")
    never_expired(monkeypatch)
    with pytest.raises(CannotWrite, match="takes no letters just now"):  # no desk's key is left at the hidden door
        source.write("under keys that may be stolen")


@pytest.mark.parametrize("broken", [False, True])
def test_a_desk_sees_a_rotation_that_is_kept_from_its_list_of_notes(
    stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory of the new keys is the first to tell, the log's leaves the second. `broken`: neither does."""
    rotate_honestly(stage)
    batch = stage.world.batch

    def without(request: Request, answer: Response) -> Response:
        if request.path != f"/keynotes/{batch}":
            return answer
        listed = decode_cbor(answer.body)
        assert isinstance(listed, list)
        return replace(answer, body=encode_cbor([item for item in listed if item[0] != "root"]))

    stage.desk.wire.meddle = without
    if broken:
        monkeypatch.setattr(RootChain, "number_of", lambda self, _keys: self.number)
        with pytest.raises(ServerFault, match="does not hand out the key notes"):
            stage.desk.sync()
        monkeypatch.setattr(follow, "same_leaves", lambda *_: True)
        assert stage.desk.sync().faults == ()
        return
    with pytest.raises(ServerFault, match="a key note that breaks the rules"):
        stage.desk.sync()
    stage.desk.wire.meddle = lambda _request, answer: answer
    assert stage.desk.sync().faults == ()


def test_old_roots_sign_for_nobody_who_knows_the_chain(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    thief = rotate_honestly(stage)
    roots, directory = stage.world.founding.roots, stage.world.founding.directory
    with pytest.raises(ProtocolError, match="were replaced"):
        sign_directory(directory, thief, roots)
    with pytest.raises(ProtocolError, match="not in force"):
        rotate(roots, thief, mallorys())
    any_key_of_the_chain(monkeypatch)
    assert open_directory(sign_directory(directory, thief, roots), roots).directory == directory
    assert roots.then(rotate(roots, thief, mallorys())).number == 2


def test_everyone_is_shown_the_same_roots(stage: Stage) -> None:
    rotate_honestly(stage)
    stage.source.look()
    stage.desk.sync()
    shown = {parse_visit(c.answer).roots for c in stage.world.traffic if c.path == "/visit" and c.at == stage.world.now}
    assert shown == {stage.world.founding.rotations}
