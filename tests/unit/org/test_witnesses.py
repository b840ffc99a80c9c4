# SPDX-License-Identifier: AGPL-3.0-or-later
"""Witnesses in the draft and in the directory: cards, rules, what is said before signing."""

from dataclasses import replace

import pytest

from latchstring.cli.witness import witness_card
from latchstring.org.changes import changes
from latchstring.org.draft import add_card, draft_of, format_draft, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.witnesses import usual_quorum
from latchstring.protocol.directory import decode_directory, encode_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.witness import Witness
from tests.builders import STARTED, found
from tests.witnesses import as_named, cosigner

FOUNDING = found("witnessed")
W1, W2, W3 = (as_named(cosigner(f"w{i}.example")) for i in (1, 2, 3))
DRAFT = format_draft(draft_of(FOUNDING.directory))


def card(name: str) -> str:
    return witness_card(cosigner(name), f"http://{name}")


def test_cards_go_into_the_draft_and_the_directory() -> None:
    text = add_card(add_card(DRAFT, card("w1.example")), card("w2.example"))
    draft = parse_draft(text)
    assert (draft.witnesses, draft.quorum) == ((W1, W2), 2)
    assert parse_draft(format_draft(draft)) == draft
    directory = next_directory(draft, FOUNDING.opened, STARTED)
    assert (directory.witnesses, directory.quorum) == ((W1, W2), 2)
    assert decode_directory(encode_directory(directory)) == directory
    assert draft_of(directory).witnesses == draft.witnesses
    assert changes(FOUNDING.directory, directory) == [
        "Witness 'w1.example' is added.",
        "Witness 'w2.example' is added.",
        "A checkpoint needs 2 of 2 witnesses: with fewer, nobody reads or writes.",
    ]


def test_a_witness_with_new_keys_takes_its_place() -> None:
    text = add_card(
        add_card(DRAFT, card("w1.example")), witness_card(cosigner("w1.example"), "https://elsewhere.example")
    )
    assert parse_draft(text).witnesses == (replace(W1, address="https://elsewhere.example"),)
    assert parse_draft(text).quorum == 1


def test_what_is_said_when_they_go() -> None:
    old = replace(FOUNDING.directory, witnesses=(W1, W2, W3), quorum=2)
    fewer = replace(old, seq=2, witnesses=(replace(W1, mldsa=None), W2))
    assert changes(old, fewer) == [
        "Witness 'w3.example' is removed.",
        "Witness 'w1.example' has other keys or another address.",
        "A checkpoint needs 2 of 2 witnesses: with fewer, nobody reads or writes.",
    ]
    assert "no witnesses any more" in changes(old, replace(old, seq=2, witnesses=(), quorum=0))[-1]
    assert "needs 3 of 3" in changes(old, replace(old, seq=2, quorum=3))[-1]


def test_a_public_witness_has_one_key_and_no_name_beside_it() -> None:
    key = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    text = (
        DRAFT.replace("quorum = 0", "quorum = 1")
        + f'\n[[witness]]\naddress = "https://remora.n621.de"\nkeys = ["{key}"]\n'
    )
    (witness,) = parse_draft(text).witnesses
    assert (witness.name, witness.mldsa) == ("remora.n621.de", None)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ('[[witness]]\naddress = "http://a.example"\nkeys = []', "keys are not right"),
        ('[[witness]]\naddress = "http://a.example"\nkeys = ["a+b+c"]', "keys are not right"),
        ("[[witness]]\nkeys = []", "address"),
        (card("w1.example").replace("[witness]", "[[witness]]").replace('name = "w1', 'name = "w2'), "another name"),
        (card("w1.example").replace("[witness]", "[[witness]]") + "colour = 1\n", "not a setting"),
    ],
)
def test_blocks_that_are_wrong(block: str, said: str) -> None:
    with pytest.raises(OrgError, match=said):
        parse_draft(f"{DRAFT}\n{block}\n")


SAME_KEY = replace(W2, ed25519=W1.ed25519)


@pytest.mark.parametrize(
    ("witnesses", "quorum", "said"),
    [
        ((W1, W2), 3, "more than there are"),
        ((W1, W2), 1, "more than half"),
        ((W1, W2), 0, "more than half"),
        ((), 1, "more than there are"),
        ((W1, replace(W2, name=W1.name)), 2, "same name"),
        ((W1, SAME_KEY), 2, "same key"),
        ((replace(W1, name="door.example/log"),), 1, "name of the log"),
        ((replace(W1, name="two words"),), 1, "name is"),
        ((replace(W1, address="http://a.example/"),), 1, "slash"),
        ((replace(W1, address="file:///etc"),), 1, "address"),
        ((replace(W1, ed25519=None, mldsa=None),), 1, "no key"),
        ((replace(W1, ed25519=bytes(31)),), 1, "a signing key of the wrong length"),
        ((replace(W1, mldsa=bytes(1311)),), 1, "1312 bytes"),
        (tuple(as_named(cosigner(f"m{i}.example")) for i in range(17)), 12, "at most 16"),
    ],
)
def test_rules(witnesses: tuple[Witness, ...], quorum: int, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        encode_directory(replace(FOUNDING.directory, witnesses=witnesses, quorum=quorum))


def test_the_usual_quorum_is_one_that_may_be_and_no_third_can_break() -> None:
    assert [usual_quorum(n) for n in range(8)] == [0, 1, 2, 3, 3, 4, 5, 5]
    for count in range(1, 17):
        bad = (count - 1) // 3
        assert 2 * usual_quorum(count) > count + bad  # two logs would need more cosignatures than are to be had
        assert usual_quorum(count) <= count - bad
