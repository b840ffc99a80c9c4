# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vectors of facts, told to a vault: what is taken in is, and what is nothing leaves nothing."""

from collections.abc import Iterator

import pytest

from latchstring.desk.facts import At, Reader, Taken, Told, apply_fact
from latchstring.desk.gone import mark_of
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.encoding import decode_cbor
from latchstring.protocol.memo import Fact, MemoBody, kind_of
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE
from tests.vectors.make import load_vectors

V = load_vectors("facts")
TOLD = Told(
    At(V["at"]["batch"], V["at"]["letter"], V["at"]["fact"]),
    V["by"],
    Reader(Door(bytes.fromhex(V["door"])), V["desk"], V["reader"]),
)
TAKEN = [(kind, raw) for kind, facts in V["kinds"].items() for raw in facts["taken"]]
REFUSED = [(kind, case["why"], case["fact"]) for kind, facts in V["kinds"].items() for case in facts["refused"]]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with create_vault(tmp_path_factory.mktemp("facts") / "a.vault", PASSPHRASE, Stream("facts"), CHEAP) as made:
        keep_identity(made, new_identity("words", V["desk"], V["reader"], (), Stream("who")))
        yield made


class _TakeBackError(Exception):
    """What was told is to be forgotten."""


def hear(vault: Vault, raw: str) -> tuple[Taken, bool]:
    """What came of it in an empty vault, and did it leave anything? It is taken back afterwards."""
    fact, before, heard = decode_fact(raw), rows(vault), list[tuple[Taken, bool]]()

    def told_and_taken_back() -> None:
        with vault.transaction():
            taken = apply_fact(vault, FACT_KINDS, TOLD, fact)
            heard.append((taken, rows(vault) != before))
            raise _TakeBackError

    with pytest.raises(_TakeBackError):
        told_and_taken_back()
    return heard[0]


def rows(vault: Vault) -> list[object]:
    names = [row[0] for row in vault.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [vault.rows(f"SELECT * FROM {name}") for name in names]  # noqa: S608  # names of our own tables


def test_every_kind_has_its_vectors() -> None:
    assert set(V["kinds"]) == set(FACT_KINDS)
    again = {kind_of(inner(raw)) for raw in V["kinds"]["again"]["taken"]}
    assert again == set(FACT_KINDS) - {"thread", "letter", "again"}


def inner(raw: str) -> Fact:
    fact = decode_fact(raw)["fact"]
    assert isinstance(fact, dict)
    return fact


def decode_fact(raw: str) -> Fact:
    fact = decode_cbor(bytes.fromhex(raw))
    assert isinstance(fact, dict)
    return fact


@pytest.mark.parametrize(("kind", "raw"), TAKEN, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(TAKEN)])
def test_facts_that_are_taken_in(vault: Vault, kind: str, raw: str) -> None:
    fact = decode_fact(raw)
    assert fact["kind"] == kind
    nothing = kind == "read" and fact["letters"] == []
    assert hear(vault, raw) == (Taken(applied=1), not nothing)
    body = MemoBody(V["by"], (fact,))
    assert MemoBody.parse(body.encode()) == body


@pytest.mark.parametrize(("kind", "why", "raw"), REFUSED, ids=[f"{kind}: {why}" for kind, why, _ in REFUSED])
def test_facts_that_are_nothing(vault: Vault, kind: str, why: str, raw: str) -> None:
    assert decode_fact(raw)["kind"] == kind
    assert hear(vault, raw) == (Taken(malformed=1), False)


def test_a_kind_of_a_later_version_is_kept(vault: Vault) -> None:
    assert hear(vault, V["kept"]) == (Taken(unknown=1), True)


def test_places_marks_and_a_thread_s_id() -> None:
    assert At.of(V["at"]["number"]) == TOLD.at
    assert TOLD.at.number == V["at"]["number"]
    for case in V["marks"]:
        assert mark_of(bytes.fromhex(case["id"])).hex() == case["mark"]


def test_a_check_left_out_would_be_noticed(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that takes gaps in any order fails the vector that says so."""
    monkeypatch.setattr("latchstring.desk.seen._gaps", lambda items: tuple((a, b) for a, b, *_ in items))
    case = next(raw for kind, why, raw in REFUSED if (kind, why) == ("seen", "gaps out of order"))
    assert hear(vault, case) == (Taken(applied=1), True)
