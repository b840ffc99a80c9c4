# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever the page takes apart, it takes and refuses as Python does: thousands of changes of valid bytes."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from latchstring.log.checkpoint import parse_text
from latchstring.log.errors import LogError
from latchstring.log.note import parse_note
from latchstring.protocol.attachment import parse_admitted
from latchstring.protocol.directory import decode_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, lp, parse_lp
from latchstring.protocol.epoch import EpochNote, EpochSignature
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.receipt import open_receipt
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.root_note import RootNote
from latchstring.protocol.sheet import parse_sheet
from latchstring.protocol.visit import parse_visit
from tests.browser.peer import Peer, packed
from tests.vectors.make import load_vectors

V, K, Q = load_vectors("structures"), load_vectors("keys"), load_vectors("questions")
KEY = bytes.fromhex(V["receipt_key"])
SHEET = bytes.fromhex(load_vectors("published")["sheet"]["bytes"])
REPLY = bytes.fromhex(load_vectors("sealed")["reply"]["cbor"])
DIRECTORY = bytes.fromhex(Q["directory_body"])
CHECKPOINT = load_vectors("cosigned")["note"].encode()
CHANGES = 300  # of each kind
TOO_LARGE = "a count that is too large for this program"  # in LP: the page's numbers end at 2^53

PARSERS: Mapping[str, tuple[Callable[[bytes], object], bytes]] = {
    "admitted": (parse_admitted, bytes.fromhex(load_vectors("attachment")["admitted"])),
    "checkpoint": (lambda raw: parse_text(parse_note(raw).text), CHECKPOINT),
    "directory": (decode_directory, DIRECTORY),
    "epoch": (EpochNote.parse, bytes.fromhex(K["epoch"]["note"])),
    "manifest": (Manifest.parse, bytes.fromhex(V["manifest"])),
    "receipt": (lambda raw: open_receipt(raw, KEY), bytes.fromhex(V["receipt"])),
    "reply body": (ReplyBody.parse, REPLY),
    "root note": (RootNote.parse, bytes.fromhex(load_vectors("roots")["note"])),
    "sheet": (parse_sheet, SHEET),
    "signature": (EpochSignature.parse, bytes.fromhex(K["signature"])),
    "visit": (parse_visit, bytes.fromhex(load_vectors("visit")["bytes"])),
}
OTHERS: tuple[object, ...] = (
    None, True, False, 0, 1, -1, 2**32, 2**53, 2**63 - 1, 2**63, "", "a", "A", "ї" * 40, "x" * 10_001, b"", bytes(31),
    bytes(32), bytes(33), [], [1], {}, {"en": "a"},
)  # fmt: skip


def turned(raw: bytes, dice: random.Random) -> bytes:
    """One byte changed, cut, dropped, put in, or a piece doubled. The first bytes more often: there heads stand."""
    at = dice.randrange(len(raw) if dice.random() < 0.5 else min(len(raw), 400))
    return dice.choice(
        (
            raw[:at] + bytes([raw[at] ^ dice.randrange(1, 256)]) + raw[at + 1 :],
            raw[:at],
            raw[:at] + raw[at + 1 :],
            raw[:at] + bytes([dice.randrange(256)]) + raw[at:],
            raw[:at] + raw[at : at + 40] * 2 + raw[at + 40 :],
        )
    )


def spoiled(value: Any, dice: random.Random) -> Any:
    """The same value with one part of it, however deep, replaced, left out or doubled."""
    places = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not places or dice.random() < 0.1:
        return dice.choice(OTHERS)
    at = dice.choice(places)
    made = value.copy()
    match dice.randrange(6):
        case 0:
            del made[at]
        case 1 if isinstance(made, list):
            made.insert(at, made[at])
        case 1:
            made["more"] = made[at]
        case 2:
            made[at] = dice.choice(OTHERS)
        case _:
            made[at] = spoiled(made[at], dice)
    return made


def spoiled_inside(kind: str, valid: bytes, dice: random.Random) -> bytes:
    """For what is CBOR, or has some in it: canonical all the same, so that it gets as far as the fields."""
    if kind == "sheet":
        parts: list[bytes] = parse_lp("sheet", 5, valid)
        return lp("sheet", *parts[:3], encode_cbor(spoiled(decode_cbor(parts[3]), dice)), parts[4])
    if kind == "manifest":
        parts = parse_lp("manifest", 8, valid)
        return lp("manifest", *parts[:5], encode_cbor(spoiled(decode_cbor(parts[5]), dice)), *parts[6:])
    if kind in ("directory", "reply body", "visit"):
        return encode_cbor(spoiled(decode_cbor(valid), dice))
    return turned(valid, dice)


def refused(parse: Callable[[bytes], object], raw: bytes) -> bool:
    """Does Python refuse it, in one of its two ways?"""
    try:
        parse(raw)
    except (ProtocolError, LogError):
        return True
    return False


def has_large(value: object) -> bool:
    """Is there a number in it that the page cannot hold?"""
    if isinstance(value, (dict, list)):
        return any(has_large(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and value >= 2**53


def in_the_page(peer: Peer, kind: str, raws: Sequence[bytes]) -> list[tuple[str, str] | None]:
    """For each, what the page's half threw, and its message; None for what it takes."""
    said: list[list[str] | None] = peer.ask("parse", kind=kind, key=KEY, raws=[packed(raw) for raw in raws])
    return [(thrown[0], thrown[1]) if thrown else None for thrown in said]


@pytest.mark.parametrize("kind", sorted(PARSERS))
def test_what_is_changed_is_taken_and_refused_alike(kind: str, peer: Peer) -> None:
    parse, valid = PARSERS[kind]
    dice = random.Random(kind)
    raws = [valid, *(turned(valid, dice) for _ in range(CHANGES))]
    raws += [spoiled_inside(kind, valid, dice) for _ in range(CHANGES)]
    said = [thrown for at in range(0, len(raws), 50) for thrown in in_the_page(peer, kind, raws[at : at + 50])]
    assert said[0] is None
    expected = [refused(parse, raw) for raw in raws]
    for raw, no, thrown in zip(raws, expected, said, strict=True):
        if thrown is not None and not no:
            assert thrown[1] == TOO_LARGE or has_large(decode_cbor(raw)), (thrown, raw[:200].hex())
        else:
            assert no == (thrown is not None), raw[:200].hex()
        assert thrown is None or thrown[0] in ("ProtocolError", "LogError"), (thrown, raw[:200].hex())
    assert sum(expected) > CHANGES // 3


def test_signing_keys_are_taken_and_refused_alike(peer: Peer) -> None:
    """Numbers about 0 and p with either sign, and any others, in a place of a directory: one curve, two libraries."""
    v, dice = load_vectors("signing_keys"), random.Random(5)
    body = bytes.fromhex(v["directory_body"])
    numbers = [*range(40), *(2**255 - 19 + n for n in range(-40, 19))]
    keys = [(number | sign << 255).to_bytes(32, "little") for number in numbers for sign in (0, 1)]
    keys += [dice.randbytes(32) for _ in range(200)]
    raws = []
    for key in keys:
        at = dice.choice(list(v["places"].values()))
        raws.append(body[:at] + key + body[at + 32 :])
    said = [
        thrown is not None
        for at in range(0, len(raws), 50)
        for thrown in in_the_page(peer, "directory", raws[at : at + 50])
    ]
    expected = [refused(decode_directory, raw) for raw in raws]
    assert said == expected
    assert 50 < sum(expected) < len(keys) - 50
