# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing keys that must be refused are, wherever one is parsed; what they would let anybody do. Signatures that one
library takes and another refuses hold here as they hold in the page."""

import base64
from typing import Any

import pytest

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.cosignature import ED25519_COSIGNATURE, CosignerKey
from latchstring.log.errors import LogError
from latchstring.log.note import ED25519, VerifierKey, key_id
from latchstring.org.draft import add_card, new_draft
from latchstring.org.errors import OrgError
from latchstring.protocol import directory as directories
from latchstring.protocol.constants import ED25519_SIGNATURE, MLDSA_PUBLIC
from latchstring.protocol.directory import decode_directory, encode_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import check_ed25519, ed25519_verify
from latchstring.protocol.root import Door, RootPublic
from tests.builders import STARTED
from tests.vectors.make import load_vectors

V: dict[str, Any] = load_vectors("signing_keys")
REFUSED = {case["why"]: bytes.fromhex(case["key"]) for case in V["refused"]}
TAKEN = [bytes.fromhex(case["key"]) for case in V["taken"]]
BODY = bytes.fromhex(V["directory_body"])
NEUTRAL = b"\x01" + bytes(31)
MLDSA = bytes(MLDSA_PUBLIC)
DRAFT = new_draft(Door(bytes(32)), 600, STARTED)


def put_in(place: str, key: bytes) -> bytes:
    """The directory's body with that key at that place."""
    at = V["places"][place]
    return BODY[:at] + key + BODY[at + 32 :]


def cards(key: bytes) -> list[str]:
    """A card of each kind that names a signing key, with this one."""
    good = TAKEN[0].hex()
    return [
        f'[member]\ndesk = "news"\nid = "a"\nsign = "{key.hex()}"\nrequest = "{"09" * 32}"\n',
        f'[server]\norigin = "a"\nlog = "{key.hex()}"\nreceipt = "{good}"\nrequest = "{"09" * 32}"\n',
        f'[server]\norigin = "a"\nlog = "{good}"\nreceipt = "{key.hex()}"\nrequest = "{"09" * 32}"\n',
        f'[witness]\naddress = "http://w.example"\nkeys = ["{CosignerKey("w", ED25519_COSIGNATURE, key)}"]\n',
        f'[site]\nkey = "{key.hex()}"\n',
    ]


@pytest.mark.parametrize("why", REFUSED)
def test_a_key_that_is_refused(why: str) -> None:
    key = REFUSED[why]
    with pytest.raises(ProtocolError):
        check_ed25519(key)
    with pytest.raises(ProtocolError):
        RootPublic(key, MLDSA)
    for place in V["places"]:
        with pytest.raises(ProtocolError, match="a signing key"):
            decode_directory(put_in(place, key))
    with pytest.raises(LogError, match="a signing key"):
        VerifierKey.parse(str(VerifierKey("log.example", key)))
    with pytest.raises(LogError, match="a signing key"):
        CosignerKey.parse(str(CosignerKey("w1.example", ED25519_COSIGNATURE, key)))
    for card in cards(key):
        with pytest.raises(OrgError):
            add_card(DRAFT, card)


def test_strange_keys_that_are_taken() -> None:
    """Else the test above would hold for a parser that refuses everything."""
    for key in TAKEN:
        assert check_ed25519(key) == RootPublic(key, MLDSA).ed25519 == key
        for place in V["places"]:
            raw = put_in(place, key)
            assert encode_directory(decode_directory(raw)) == raw
        assert VerifierKey.parse(str(VerifierKey("log.example", key))).public == key
        for card in cards(key):
            assert key.hex() in add_card(DRAFT, card) or "[witness]" in card


def test_anybody_signs_a_log_whose_key_is_the_neutral_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a directory is read without the check, checkpoints that nobody signed are the log's: R is the neutral
    point, S is 0, and the equation holds for every message."""
    nobodys = NEUTRAL + bytes(ED25519_SIGNATURE - 32)
    assert all(ed25519_verify(NEUTRAL, message, nobodys) for message in (b"", b"a", bytes(99)))
    with pytest.raises(ProtocolError):
        decode_directory(put_in("log", NEUTRAL))
    monkeypatch.setattr(directories, "check_ed25519", lambda key: key)
    d = decode_directory(put_in("log", NEUTRAL))
    for root in (bytes(32), b"\x01" * 32):
        forged = Checkpoint(d.origin, 7, root)
        line = base64.b64encode(key_id(d.origin, ED25519, d.log_key) + nobodys).decode()
        note = f"{forged.text()}\n\u2014 {d.origin} {line}\n".encode()
        assert open_checkpoint(note, VerifierKey(d.origin, d.log_key)) == forged


@pytest.mark.parametrize("case", V["signatures"], ids=lambda case: str(case["why"]))
def test_a_signature_that_only_who_holds_the_key_can_make(case: dict[str, Any]) -> None:
    """A server that signs so would show a log to pages alone, if they took it: no other program could prove a fork by
    it. `frontend/test/visit.test.ts` holds the page to the same."""
    key, message, signature = (bytes.fromhex(case[part]) for part in ("key", "message", "signature"))
    assert ed25519_verify(check_ed25519(key), message, signature) is case["holds"]
