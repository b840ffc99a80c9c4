# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rotation files: what is read is what was written, and one that another rotation overtook says so."""

import pytest

from latchstring.org.errors import OrgError
from latchstring.org.rotation import format_rotation, parse_rotation, rotated_by
from latchstring.protocol.encoding import encode_cbor, lp
from latchstring.protocol.root_note import RootChain
from tests.builders import found, rotated

FOUNDING = found("rotation file")
FIRST = rotated(FOUNDING, "first")
SECOND = rotated(FIRST, "second")
SPARE = rotated(FOUNDING, "spare")


@pytest.mark.parametrize("roots", [FIRST.roots, SECOND.roots])
def test_the_file_comes_back(roots: RootChain) -> None:
    assert parse_rotation(format_rotation(roots)) == roots


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        format_rotation(SECOND.roots)[:-1],
        format_rotation(SECOND.roots) + b"\0",
        FOUNDING.signed,
        FIRST.posted,
        lp("root-chain", encode_cbor([])),
        lp("root-chain", encode_cbor(["x"])),
        lp("root-chain", encode_cbor({"a": FIRST.rotations[0]})),
        lp("root-chain", encode_cbor([SECOND.rotations[1]])),
        lp("root-chain", encode_cbor([*FIRST.rotations, *FIRST.rotations])),
    ],
    ids=["empty", "cut", "more", "a directory", "one with roots", "none", "text", "a map", "the second alone", "twice"],
)
def test_what_is_no_rotation_file(raw: bytes) -> None:
    with pytest.raises(OrgError, match="not a rotation file"):
        parse_rotation(raw)


def test_a_rotation_follows_the_keys_in_force() -> None:
    start = RootChain(FOUNDING.door)
    assert rotated_by(start, FIRST.roots) == FIRST.roots
    assert rotated_by(FIRST.roots, SECOND.roots) == SECOND.roots
    assert rotated_by(start, SECOND.roots) == SECOND.roots
    for roots, rotation, said in (
        (FIRST.roots, SPARE.roots, "Another rotation came first"),
        (SECOND.roots, FIRST.roots, "Another rotation came first"),
        (FIRST.roots, FIRST.roots, "done already"),
        (start, rotated(found("other")).roots, "another door's"),
    ):
        with pytest.raises(OrgError, match=said):
            rotated_by(roots, rotation)
