# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vectors of files: each opens and comes back the same, and what must be refused is."""

from collections.abc import Callable
from typing import Any

import pytest

from latchstring.cli.enrolling import format_card
from latchstring.client.visit import VerifiedVisit, VisitRefused, check_visit
from latchstring.desk.identity import Identity
from latchstring.log.addcheckpoint import parse_add_checkpoint
from latchstring.log.errors import LogError
from latchstring.org.draft import add_card, draft_of, format_draft, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.membership import format_invitation, parse_invitation
from latchstring.org.rootfile import unlock_root
from latchstring.org.rotation import format_rotation, parse_rotation
from latchstring.org.sitefile import unlock_site_key
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.sheet import parse_sheet
from latchstring.protocol.visit import encode_visit, parse_visit
from latchstring.server.backup_list import holds, parse_list
from latchstring.server.keys import ServerKeys
from latchstring.store.sql import StoreError
from tests.builders import found
from tests.vectors.make import load_vectors

L, F, P = load_vectors("locked"), load_vectors("files"), load_vectors("published")
DRAFT = format_draft(draft_of(found("vectors").directory))


def _root_seeds(raw: bytes, passphrase: str) -> bytes:
    keys = unlock_root(raw, passphrase)
    return keys.ed25519_seed + keys.mldsa_seed


UNLOCK: dict[str, Callable[[bytes, str], bytes]] = {"root-file": _root_seeds, "site-file": unlock_site_key}


@pytest.mark.parametrize("kind", sorted(UNLOCK))
def test_locked_files(kind: str) -> None:
    v, unlock = L[kind], UNLOCK[kind]
    assert unlock(bytes.fromhex(v["bytes"]), L["the_same"]).hex() == v["secret"]
    for case in v["refused"]:
        with pytest.raises(OrgError, match="not a"):
            unlock(bytes.fromhex(case["bytes"]), L["passphrase"])


def test_a_locked_file_under_another_passphrase_and_one_that_was_changed() -> None:
    v = L["root-file"]
    for raw, passphrase in ((v["bytes"], L["another"]), (v["changed"], L["passphrase"])):
        with pytest.raises(OrgError, match="does not open"):
            unlock_root(bytes.fromhex(raw), passphrase)


def test_a_rotation_file() -> None:
    v, raw = load_vectors("roots"), bytes.fromhex(F["rotation"])
    assert (parse_rotation(raw).head.hex(), format_rotation(parse_rotation(raw))) == (v["hash"], raw)
    notes = [bytes.fromhex(case["note"]) for case in v["refused"]]
    assert len(notes) == 6
    empty: tuple[object, ...] = ([], [7], {})
    for bad in (raw[:-1], raw + b"\0", *(lp("root-chain", encode_cbor(items)) for items in empty)):
        with pytest.raises(OrgError):
            parse_rotation(bad)
    for note in notes[:4]:  # the others are another door's, and cut short
        with pytest.raises(OrgError):
            parse_rotation(lp("root-chain", encode_cbor([note])))


def test_a_backup_s_list() -> None:
    keys, v = ServerKeys(*(bytes([n]) * 32 for n in (0x21, 0x22, 0x23))), F["backup_list"]
    assert keys.encode().hex() == F["server_keys"]["cbor"]
    assert keys.backup_key.hex() == F["server_keys"]["backup_key"]
    raw = v["text"].encode()
    assert parse_list(raw).encode(keys.backup_key) == raw
    assert holds(raw, keys.backup_key)
    assert parse_list(v["forged"].encode()).size == 801
    assert not holds(v["forged"].encode(), keys.backup_key)
    assert not holds(raw[: raw.rfind(b"mac ")] + f"mac {v['mac_with_another_key']}\n".encode(), keys.backup_key)


@pytest.mark.parametrize("case", F["backup_list"]["refused"], ids=lambda c: str(c["why"]))
def test_lists_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(StoreError):
        parse_list(case["text"].encode())


def test_an_invitation() -> None:
    text = F["invitation"]["text"]
    assert format_invitation(parse_invitation(text)) == text


@pytest.mark.parametrize("case", F["invitation"]["refused"], ids=lambda c: str(c["why"]))
def test_invitations_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(OrgError):
        parse_invitation(case["text"])


def test_a_member_s_card() -> None:
    v = F["member_card"]
    who = Identity("", "news", "news-2", (), bytes.fromhex(v["sign_seed"]), bytes.fromhex(v["request_seed"]))
    assert format_card(who) == v["text"]
    (desk,) = parse_draft(add_card(DRAFT, v["text"])).desks
    (member,) = (m for m in desk.members if m.id == who.member)
    assert (desk.id, member.sign_key, member.request_key) == ("news", who.sign_public, who.request_public)


@pytest.mark.parametrize("case", F["member_card"]["refused"], ids=lambda c: str(c["why"]))
def test_cards_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(OrgError):
        add_card(DRAFT, case["text"])


def test_a_sheet() -> None:
    v = P["sheet"]
    sheet = parse_sheet(bytes.fromhex(v["bytes"]))
    assert (sheet.n, sheet.close, sheet.hash.hex()) == (v["n"], v["close"], v["hash"])


@pytest.mark.parametrize("case", P["sheet"]["refused"], ids=lambda c: str(c["why"]))
def test_sheets_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        parse_sheet(bytes.fromhex(case["bytes"]))


def test_what_a_witness_is_asked() -> None:
    v = P["add_checkpoint"]
    asked = parse_add_checkpoint(v["text"].encode())
    assert (asked.old, asked.encode().decode()) == (v["old"], v["text"])
    for case in v["refused"]:
        with pytest.raises(LogError):
            parse_add_checkpoint(case["text"].encode())


def test_a_filler_is_a_letter_s_size_and_opens_with_a_key_that_nobody_has() -> None:
    v = load_vectors("filler")
    key, sealed = OpenKey.from_secret(bytes.fromhex(v["secret"])), bytes.fromhex(v["sealed"])
    assert len(sealed) == 4096
    assert key.open(sealed, lp("filler")).hex() == v["noise"]
    with pytest.raises(NotOurs):
        key.open(sealed, lp("letter"))


VISIT: dict[str, Any] = load_vectors("visit")


def _check(raw: bytes) -> VerifiedVisit:
    return check_visit(raw, lambda door: door.hex() == VISIT["door"], VISIT["now"], None)


def test_a_visit() -> None:
    raw = bytes.fromhex(VISIT["bytes"])
    assert encode_visit(parse_visit(raw)) == raw
    assert len(_check(raw).sheets) == VISIT["sheets"]


def test_a_visit_with_one_bit_turned_is_refused_and_why() -> None:
    assert len(VISIT["refused"]) > 90
    for case in VISIT["refused"]:
        raw = bytearray.fromhex(VISIT["bytes"])
        raw[case["at"]] ^= case["xor"]
        with pytest.raises(VisitRefused) as refused:
            _check(bytes(raw))
        assert refused.value.reason == case["reason"], case["at"]
