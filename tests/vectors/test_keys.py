# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every key of a CBOR map in the vectors stands in the row of docs/protocol.md, section 11, that says what its map is:
whoever writes another implementation has nothing else to go by."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from latchstring.desk.shared import FACT_KINDS
from latchstring.protocol.constants import LP_PREFIX
from latchstring.protocol.encoding import ProtocolError, decode_cbor
from tests.vectors.make import load_vectors

HERE = Path(__file__).parent
PROTOCOL = (HERE.parents[1] / "docs" / "protocol.md").read_text("utf-8")
OWN = {"states", "locked", "tlog", "encoding"}  # what a program keeps for itself, formats of others, CBOR of any kind
WRONG = ("refused", "kept", "server_keys")  # what no reader takes, and a server's own file
BY_LANGUAGE = {"titles", "greetings", "help", "texts"}

Maps = Iterator[tuple[str, Mapping[str, object]]]


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def rows(text: str) -> dict[str, set[str]]:
    """Section 11: what stands in backticks, by a row's first cell; of facts by their kind, one after another."""
    section = text.split("\n## 11. ")[1].split("\n## ")[0]
    told = dict[str, set[str]]()
    for line in section.splitlines():
        what, _, said = line.removeprefix("| ").partition(" | ")
        told[what] = set(spans(said))
        for part in said.split(";") if what.startswith("Facts of ") else ():
            kind, *keys = spans(part)
            told[f"Fact {kind}"] = {"kind", *keys}
    return told


def framed(raw: bytes) -> list[bytes]:
    """The fields of an LP; none when it is something else."""
    found, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        found.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return found[1:] if at == len(raw) and found and found[0].startswith(LP_PREFIX) else []


def row_of(value: Mapping[str, object]) -> str:
    """Which row has the keys of a map that stands by itself."""
    for key, row in BY_KEY.items():
        if key in value:
            return row
    match value.get("kind"):
        case "change":
            return "Change"
        case str(kind):
            return f"Fact {kind}"
    return "no row"


BY_KEY = {
    "policy": "Directory",
    "checkpoint": "`/visit`",
    "facts": "Memo body",
    "acks": "Reply body",
    "lang": "Letter body",
    "step": "Question",
}
INSIDE = {"policy": "Policy", "witnesses": "Witness", "desks": "Desk", "members": "Desk", "closed": "Closing"}


def maps(value: object, row: str = "") -> Maps:
    """All maps in a value and in what is packed inside it, each with its row; those whose keys are somebody's own
    words (languages, ids of questions) are left out."""
    match value:
        case bytes():
            for part in framed(value):
                yield from maps(part)
            try:
                yield from maps(decode_cbor(value))
            except ProtocolError:
                return
        case [int() | str(), dict()]:  # a choice with its titles, answers
            return
        case list():
            for item in value:
                yield from maps(item, row)
        case dict():
            row = row or row_of(value)
            if row.startswith("Fact ") and row.removeprefix("Fact ") not in FACT_KINDS:
                return  # of a later version
            yield row, value
            for key, item in value.items():
                if key not in BY_LANGUAGE:
                    yield from maps(item, INSIDE.get(key, "") if "kind" not in value else "")


def in_json(value: object, path: str) -> Maps:
    """The maps in what a vector's JSON has as hexadecimal digits."""
    match value:
        case str():
            try:
                yield from maps(bytes.fromhex(value))
            except ValueError:
                return
        case list():
            for item in value:
                yield from in_json(item, path)
        case dict():
            for key, item in value.items():
                if not key.startswith(WRONG):
                    yield from in_json(item, f"{path} {key}")


def found() -> list[tuple[str, str]]:
    """Each row and key that the vectors have."""
    names = {path.stem for path in HERE.glob("*.json")} - OWN
    return sorted({(row, key) for name in names for row, value in in_json(load_vectors(name), name) for key in value})


FOUND = found()


def untold(text: str) -> list[tuple[str, str]]:
    """What the protocol's text does not say."""
    told = rows(text)
    return [(row, key) for row, key in FOUND if key not in told.get(row, ())]


def test_every_key_is_told_where_its_map_is() -> None:
    assert untold(PROTOCOL) == []


def test_every_structure_is_there() -> None:
    facts = {f"Fact {kind}" for kind in FACT_KINDS}
    assert {row for row, _ in FOUND} == {*BY_KEY.values(), *INSIDE.values(), "Change"} | facts


@pytest.mark.parametrize(("row", "key"), [("Directory", "issued"), ("Policy", "erase-days"), ("Reply body", "acks")])
def test_a_key_that_is_called_otherwise_is_seen(row: str, key: str) -> None:
    before, line, after = PROTOCOL.partition(f"\n| {row} | ")
    assert line
    assert untold(before + line + after.replace(f"`{key}`", "`something`", 1)) == [(row, key)]
