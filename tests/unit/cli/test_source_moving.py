# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source at a door that moves: old addresses, stale mirrors, false ones, and what a source is told."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.client.visit import SENTENCE
from latchstring.protocol.doorwords import format_link
from tests.builders import successor
from tests.unit.cli.test_source import AT, PHRASE, Line, Person, with_reply
from tests.visits import FOUNDING, Parts, entry_of_directory

NEW = "http://new.onion"
OLD = "http://door.example"


def moved() -> Parts:
    """The newest directory names a new address."""
    parts = with_reply("The answer.")
    last = successor(FOUNDING, addresses=(NEW, "https://door.example"))
    raw = last.signed
    parts = replace(parts, directories=(*parts.directories, raw), before=(*parts.before, entry_of_directory(raw)))
    return replace(parts, manifest=replace(parts.manifest, directory=last.opened.hash))


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Person:
    someone = Person(monkeypatch, capfd, tmp_path)
    someone.door.parts = moved()
    someone.door.raw = someone.door.parts.raw
    return someone


def serve(person: Person, by_address: dict[str, bytes | NetworkFailed | int]) -> None:
    """What each address answers to a GET; a number is a status for POST."""

    def request(
        self: Line,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        if method == "POST":
            return Response(405, b"That cannot be done here.\n")
        answer = by_address[f"http://{self.authority}"]
        if isinstance(answer, NetworkFailed):
            raise answer
        assert isinstance(answer, bytes)
        return Response(200, answer)

    person.patch.setattr(Line, "request", request)


def stale(person: Person) -> bytes:
    """Somebody's copy: an honest file under which five days have passed."""
    person.door.now += 5 * 86_400
    return person.door.raw


def fresh(person: Person) -> bytes:
    parts = person.door.parts
    n = FOUNDING.directory.policy.batch_at(int(person.door.now))
    day = replace(parts, manifest=replace(parts.manifest, n=n, notes=()))
    return day.raw


def test_who_comes_by_an_address_that_is_not_named_is_told(person: Person) -> None:
    out, err = person.run("check", *AT, passphrase=PHRASE)
    assert "does not name the address by which you came" in err
    assert NEW in err
    assert f"Its addresses: {NEW}, https://door.example" in out
    value = json.loads(person.run("check", *AT, "--json", passphrase=PHRASE)[0])
    assert value["addresses"] == [NEW, "https://door.example"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_who_comes_by_one_that_is_named_is_not(person: Person, slash: str) -> None:
    person.door.parts = with_reply("The answer.")
    last = successor(FOUNDING, addresses=(OLD + slash,))
    raw = last.signed
    parts = replace(
        person.door.parts,
        directories=(*person.door.parts.directories, raw),
        before=(*person.door.parts.before, entry_of_directory(raw)),
    )
    person.door.raw = replace(parts, manifest=replace(parts.manifest, directory=last.opened.hash)).raw
    _, err = person.run("read", *AT, passphrase=PHRASE)
    assert "does not name" not in err


def test_a_stale_mirror_leads_on_through_tor(person: Person) -> None:
    old = stale(person)
    serve(person, {OLD: old, NEW: fresh(person)})
    _, err = person.run("read", *AT, "--tor", passphrase=PHRASE)
    assert [address for address, _ in person.door.opened] == [OLD, NEW]
    assert all(via for _, via in person.door.opened)
    assert "this one does" in err


def test_and_in_the_open_it_says_where(person: Person) -> None:
    serve(person, {OLD: stale(person)})
    _, err = person.run("read", *AT, passphrase=PHRASE, code=3)
    assert [address for address, _ in person.door.opened] == [OLD]
    assert "published nothing for 120 h" in err
    assert f"names these addresses: {NEW}, https://door.example. Try them with --tor." in err


@pytest.mark.parametrize("order", [1, -1])
def test_a_link_with_an_onion_address_is_not_followed_in_the_open(person: Person, order: int) -> None:
    """Whoever forgets --tor is told, and not seen at the other address instead."""
    link = format_link(FOUNDING.door, (NEW, OLD)[::order])
    _, err = person.run("read", "--door", link, "--desk", "news", passphrase=PHRASE, code=2)
    assert "add --tor" in err
    assert person.door.opened == []
    serve(person, {OLD: person.door.raw, NEW: person.door.raw})
    person.run("read", "--door", link, "--desk", "news", "--at", OLD, passphrase=PHRASE)
    person.run("read", "--door", link, "--desk", "news", "--tor", passphrase=PHRASE)
    first = (NEW, OLD)[::order][0]
    assert [(address, bool(via)) for address, via in person.door.opened] == [(OLD, False), (first, True)]


@pytest.mark.parametrize(("typed", "why"), [("new.onion", "add --tor"), ("http:/new.onion", "not an address")])
def test_an_address_that_was_typed_otherwise_is_not_passed_over(person: Person, typed: str, why: str) -> None:
    """The next one is not asked in the open instead."""
    for at in ((typed, OLD), (OLD, typed)):
        _, err = person.run("read", *AT, "--at", at[0], "--at", at[1], passphrase=PHRASE, code=2)
        assert why in err
    assert person.door.opened == []


def test_through_tor_an_onion_address_needs_no_http(person: Person) -> None:
    serve(person, {NEW: person.door.raw})
    person.run("read", *AT, "--at", NEW.removeprefix("http://"), "--tor", passphrase=PHRASE)
    assert [(address, bool(via)) for address, via in person.door.opened] == [(NEW, True)]


def test_a_false_address_keeps_nobody_from_the_next(person: Person) -> None:
    at = ("--at", "http://false.example", "--at", OLD)
    serve(person, {"http://false.example": b"something else", OLD: person.door.raw})
    out, err = person.run("read", *AT, *at, passphrase=PHRASE)
    assert "The answer." in out
    assert "Not every address serves this door" in err
    serve(person, {"http://false.example": b"something else", OLD: NetworkFailed("no answer")})
    _, err = person.run("read", *AT, *at, passphrase=PHRASE, code=3)
    assert SENTENCE in err, "the graver of the two is what is said"


def test_a_mirror_that_takes_no_letters_names_where_to_send_them(person: Person) -> None:
    serve(person, {OLD: person.door.raw})
    _, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=1)
    assert "not taken" in err
    assert f"answers at these addresses too: {NEW}" in err
