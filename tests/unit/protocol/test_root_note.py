# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root rotation: only the keys in force hand over, to new ones, by all four signatures; and what signs afterwards."""

from collections.abc import Callable

import pytest

from latchstring.protocol.constants import MAX_ROTATIONS
from latchstring.protocol.directory import open_directory, sign_directory
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp, parse_lp
from latchstring.protocol.root import RootKeys, RootSignature
from latchstring.protocol.root_note import RootChain, RootNote, rotate
from latchstring.protocol.rooted import open_rooted, with_roots
from tests.builders import Stream, found, rotated, successor

FOUNDING = found("roots")
DOOR = FOUNDING.door


def keys(name: str) -> RootKeys:
    random = Stream(name)
    return RootKeys(random(32), random(32))


FIRST, SECOND, STRANGER = keys("first"), keys("second"), keys("stranger")
NOTE = rotate(RootChain(DOOR), FOUNDING.root, FIRST)
ONE = RootChain(DOOR).then(NOTE)


def forged(old: RootKeys, new: RootKeys, by_old: RootKeys, by_new: RootKeys, **fields: object) -> bytes:
    """A note whose fields and signers are as the attacker likes."""
    a, b = old.public(), new.public()
    door, number, previous = fields.get("door", DOOR), fields.get("number", 1), fields.get("previous", DOOR)
    assert isinstance(door, bytes)
    assert isinstance(number, int)
    assert isinstance(previous, bytes)
    body = lp("root", door, number, previous, a.ed25519, a.mldsa, b.ed25519, b.mldsa)
    first, second = by_old.sign(body), by_new.sign(body)
    return lp("root-signed", body, first.ed25519, first.mldsa, second.ed25519, second.mldsa)


def test_the_door_stays_and_the_keys_change() -> None:
    assert ONE.door == DOOR
    assert (ONE.number, ONE.head) == (1, RootNote.parse(NOTE).hash)
    assert ONE.in_force(FIRST.public())
    assert not ONE.in_force(FOUNDING.root.public())
    assert (ONE.number_of(FOUNDING.root.public()), ONE.number_of(STRANGER.public())) == (0, None)
    two = ONE.then(rotate(ONE, FIRST, SECOND))
    assert [two.number_of(k.public()) for k in (FOUNDING.root, FIRST, SECOND)] == [0, 1, 2]
    assert RootChain(DOOR).follow(two.raws) == two


@pytest.mark.parametrize("missing", range(4))
def test_each_of_the_four_signatures_is_needed(missing: int) -> None:
    body, *signatures = parse_lp("root-signed", 5, NOTE)
    wrong = STRANGER.sign(body)
    signatures[missing] = (wrong.ed25519, wrong.mldsa)[missing % 2]
    with pytest.raises(ProtocolError, match="signatures do not hold"):
        RootChain(DOOR).then(lp("root-signed", body, *signatures))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (forged(STRANGER, FIRST, STRANGER, FIRST), "does not follow"),
        (forged(FOUNDING.root, FIRST, FOUNDING.root, FIRST, number=2), "does not follow"),
        (forged(FOUNDING.root, FIRST, FOUNDING.root, FIRST, number=0), "does not follow"),
        (forged(FOUNDING.root, FIRST, FOUNDING.root, FIRST, previous=bytes(32)), "does not follow"),
        (forged(FOUNDING.root, FIRST, FOUNDING.root, FIRST, door=bytes(32)), "another door"),
        (rotate(RootChain(found("other").door), found("other").root, FIRST), "another door"),
        (forged(FOUNDING.root, FOUNDING.root, FOUNDING.root, FOUNDING.root), "there before"),
        (forged(FOUNDING.root, FIRST, STRANGER, FIRST), "signatures do not hold"),
        (forged(FOUNDING.root, FIRST, FOUNDING.root, STRANGER), "signatures do not hold"),
    ],
    ids=["a stranger's", "number two", "number nought", "after nothing", "another name", "a spare of another door",
         "to themselves", "old not willing", "new not willing"],
)  # fmt: skip
def test_what_is_no_first_rotation(raw: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        RootChain(DOOR).then(raw)


def test_neither_half_of_a_key_comes_back() -> None:
    for half in (
        RootKeys(FOUNDING.root.ed25519_seed, SECOND.mldsa_seed),
        RootKeys(SECOND.ed25519_seed, FOUNDING.root.mldsa_seed),
    ):
        with pytest.raises(ProtocolError, match="there before"):
            rotate(ONE, FIRST, half)


def test_a_rotation_counts_once_and_of_two_the_one_that_comes_first() -> None:
    spare = rotate(RootChain(DOOR), FOUNDING.root, SECOND)
    for late in (NOTE, spare):
        with pytest.raises(ProtocolError, match="does not follow"):
            ONE.then(late)
    with pytest.raises(ProtocolError, match="not in force"):
        rotate(ONE, FOUNDING.root, SECOND)
    assert RootChain(DOOR).then(spare).in_force(SECOND.public()), "good for as long as no other came first"


def test_a_door_has_an_end_of_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_ROTATIONS == 64
    monkeypatch.setattr("latchstring.protocol.root_note.MAX_ROTATIONS", 1)
    with pytest.raises(ProtocolError, match="more root rotations"):
        rotate(ONE, FIRST, SECOND)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: raw[:60],
        lambda _raw: b"",
        lambda _raw: FOUNDING.signed,
        lambda raw: lp("root-signed", *parse_lp("root-signed", 5, raw)[:4], b"short"),
        lambda raw: lp("root-signed", b"body", *parse_lp("root-signed", 5, raw)[1:]),
    ],
)
def test_bytes_that_are_no_note(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ProtocolError):
        RootNote.parse(spoil(NOTE))


def test_without_the_check_of_signatures_anybody_could_hand_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: it shows what the tests above would miss."""
    theirs = forged(FOUNDING.root, FIRST, STRANGER, FIRST)
    monkeypatch.setattr(RootNote, "holds", lambda _self: True)
    assert RootChain(DOOR).then(theirs).in_force(FIRST.public())


# --- directories ------------------------------------------------------------------------------------

AFTER = rotated(FOUNDING)


def test_directories_of_older_roots_stay_what_they_were() -> None:
    old, new = FOUNDING.opened, AFTER.opened
    assert open_directory(old.raw, AFTER.roots).root == 0
    assert (new.root, new.directory.door) == (1, DOOR)
    with pytest.raises(ProtocolError, match="another door"):
        open_directory(new.raw, DOOR)
    with pytest.raises(ProtocolError, match="were replaced"):
        sign_directory(successor(AFTER).directory, FOUNDING.root, AFTER.roots)


def test_a_directory_with_its_roots_proves_itself() -> None:
    rooted = open_rooted(AFTER.posted, None)
    assert (rooted.roots.head, rooted.signed.hash) == (AFTER.roots.head, AFTER.opened.hash)
    assert open_rooted(rooted.raw, DOOR) == rooted
    assert open_rooted(FOUNDING.signed, DOOR).roots == RootChain(DOOR)
    with pytest.raises(ProtocolError, match="another door"):
        open_rooted(AFTER.posted, found("other").door)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (AFTER.signed, "another door than its own keys"),
        (lp("directory-rooted", encode_cbor([NOTE]), FOUNDING.signed), "were replaced"),
        (lp("directory-rooted", encode_cbor([]), FOUNDING.signed), "something else than root rotations"),
        (lp("directory-rooted", encode_cbor(["x"]), FOUNDING.signed), "something else than root rotations"),
        (lp("directory-rooted", encode_cbor({"a": 1}), FOUNDING.signed), "something else than root rotations"),
        (lp("directory-rooted", encode_cbor([NOTE, NOTE]), AFTER.signed), "does not follow"),
        (AFTER.posted[:-1], "cut short"),
        (bytes(1 << 20), "too long"),
    ],
    ids=["without its rotation", "of the old roots", "none", "no bytes", "no list", "twice", "cut", "too long"],
)
def test_what_is_no_directory_with_its_roots(raw: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        open_rooted(raw, None)


def test_only_the_newest_roots_give_a_directory_with_roots() -> None:
    with pytest.raises(ProtocolError, match="were replaced"):
        with_roots(AFTER.roots, FOUNDING.signed)


def test_signatures_have_their_sizes() -> None:
    with pytest.raises(ProtocolError):
        RootSignature(bytes(63), bytes(2420))
