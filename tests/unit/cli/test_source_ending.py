# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source at a door that its organisation has closed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.protocol.closing import Closing
from tests.builders import successor
from tests.unit.cli.test_source import AT, PHRASE, Person, with_reply
from tests.visits import BATCH, FOUNDING, Parts, entry_of_directory

CLOSING = Closing({"en": "Thank you.\x1b[31m", "uk": "Дякуємо."}, ("https://example.org",))


def closed_door() -> Parts:
    parts = with_reply("The answer.")
    last = successor(FOUNDING, closed=CLOSING)
    raw = last.signed
    parts = replace(parts, directories=(*parts.directories, raw), before=(*parts.before, entry_of_directory(raw)))
    return replace(parts, manifest=replace(parts.manifest, directory=last.opened.hash))


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Person:
    someone = Person(monkeypatch, capfd, tmp_path)
    someone.door.parts = closed_door()
    someone.door.raw = someone.door.parts.raw
    return someone


@pytest.mark.parametrize(
    ("language", "text"), [("uk_UA.UTF-8", "Дякуємо."), ("C", "Thank you."), ("fr_FR", "Thank you.")]
)
def test_who_comes_sees_the_statement_in_their_language(
    person: Person, monkeypatch: pytest.MonkeyPatch, language: str, text: str
) -> None:
    monkeypatch.setenv("LANG", language)
    for command in ("check", "read"):
        _, err = person.run(command, *AT, passphrase=PHRASE)
        assert "closed for good" in err
        assert text in err
        assert "Turn here instead: https://example.org" in err
        assert "out of date" not in err


def test_answers_are_read_and_nothing_is_written(person: Person) -> None:
    out, _ = person.run("read", *AT, passphrase=PHRASE)
    assert "The answer." in out
    _, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=1)
    assert "Nothing was sent" in err
    assert person.door.letters == []
    assert {method for method, *_ in person.door.asked} == {"GET"}


def test_check_says_so(person: Person) -> None:
    out, _ = person.run("check", *AT, passphrase=PHRASE)
    assert out.startswith("The door is closed for good; your thread has 1 reply.\n")
    value = json.loads(person.run("check", *AT, "--json", passphrase=PHRASE)[0])
    assert (value["open"], value["replies"]) == (False, 1)
    assert value["closed"]["instead"] == ["https://example.org"]


def test_years_later_the_last_files_still_say_it(person: Person) -> None:
    person.door.now += 5 * 365 * 86_400
    out, err = person.run("read", *AT, passphrase=PHRASE)
    assert "The answer." in out
    assert "closed for good" in err


# --- a directory that has run out ---------------------------------------------------------------------


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Person:
    """At a door whose directory ran out an hour ago."""
    someone = Person(monkeypatch, capfd, tmp_path)
    parts = with_reply("The answer.")
    last = successor(FOUNDING, expires=BATCH - 6)
    raw = last.signed
    parts = replace(parts, directories=(*parts.directories, raw), before=(*parts.before, entry_of_directory(raw)))
    someone.door.parts = replace(parts, manifest=replace(parts.manifest, directory=last.opened.hash))
    someone.door.raw = someone.door.parts.raw
    return someone


def test_reading_goes_on_with_a_warning_and_writing_stops(late: Person) -> None:
    out, err = late.run("read", *AT, passphrase=PHRASE)
    assert "The answer." in out
    assert "out of date: you can read, but not write" in err
    out, err = late.run("check", *AT, passphrase=PHRASE)
    assert "closed for letters just now; your thread has 1 reply" in out
    assert "out of date" in err
    _, err = late.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=1)
    assert "letters stop until the organisation renews it" in err
    for command in (("write", "--file", "letter.txt"), ("change",)):  # nobody learns ten words in vain
        _, err = late.run(command[0], *AT, *command[1:], code=1)
        assert "letters stop until the organisation renews it" in err
        assert "Your passphrase" not in err
        assert "Your new passphrase" not in err
    assert late.door.letters == []
