# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source change, as a person types it: nothing is sent before the new words are typed back."""

import getpass
import json
import os
import re
from dataclasses import replace

import pytest

from latchstring.cli import source_change as cli
from latchstring.cli import ui, words
from latchstring.protocol.letter import OpenedLetter, open_letter
from latchstring.protocol.passphrase import generate
from latchstring.protocol.source_keys import source_keys
from latchstring.protocol.wordlist import load
from tests.builders import Stream
from tests.unit.cli.test_source import ANNA, LINK, PHRASE, WORDS, Clock, Person, cheap_seed, person
from tests.visits import FOUNDING, epoch_of

__all__ = ["person"]  # the fixture

BERTA = generate(Stream("cora"))
NEW = " ".join(BERTA.words(WORDS))
DOOR = ("--door", LINK)


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words that are made."""
    monkeypatch.setattr(words, "generate", lambda _random: BERTA)


@pytest.fixture(autouse=True)
def clock(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's, too, is the door's."""
    monkeypatch.setattr(cli, "time", Clock(person.door))


def opened(person: Person, desk: str, number: int = 0) -> OpenedLetter:
    return open_letter(epoch_of(FOUNDING, desk, 2), person.door.letters[number])


def check_told(person: Person, desk: str, number: int = 0) -> None:
    """The letter changes Anna's thread at this desk to Berta's words."""
    letter = opened(person, desk, number)
    old, new = (source_keys(cheap_seed(p.bits, FOUNDING.door), FOUNDING.door, desk) for p in (ANNA, BERTA))
    assert letter.thread_keys == old.thread_keys
    assert letter.change is not None
    assert letter.change.keys == new.thread_keys


def test_the_words_are_shown_typed_back_and_told(person: Person) -> None:
    person.type(PHRASE, NEW)
    out, err = person.run("change", *DOOR, "--desk", "news")
    assert " ".join(re.findall(r"\d+\. ([a-z]+)", err)) == NEW
    check_told(person, "news")
    assert len(person.door.letters) == 1
    assert "accepted" in out
    assert "What the old words still show" in out
    for word in BERTA.words(WORDS):
        assert err.count(word) == 1, "shown once"
        assert word not in out
    assert person.files() == set()


def test_the_new_words_come_in_the_language_that_was_asked_for(person: Person) -> None:
    new = BERTA.words(load("russian"))
    person.type(PHRASE, " ".join(new))
    _, err = person.run("change", *DOOR, "--desk", "news", "--language", "ru")
    assert re.findall(r"\d+\. ([а-яё]+)", err) == list(new)
    check_told(person, "news")


def test_each_desk_that_is_chosen_is_told(person: Person) -> None:
    person.type(PHRASE, NEW)
    person.run("change", *DOOR, "--desk", "news", "--desk", "legal", "--desk", "news")
    assert len(person.door.letters) == 2
    check_told(person, "news", 0)
    check_told(person, "legal", 1)


@pytest.mark.parametrize(
    ("answer", "told"), [("news", ["news"]), ("legal, news", ["legal", "news"]), ("all", ["legal", "news"])]
)
def test_desks_are_asked_for(person: Person, monkeypatch: pytest.MonkeyPatch, answer: str, told: list[str]) -> None:
    monkeypatch.setattr(ui, "ask", lambda _question: answer)
    person.type(PHRASE, NEW)
    out, _ = person.run("change", *DOOR, "--json")
    assert json.loads(out)["told"] == told
    assert len(person.door.letters) == len(told)


@pytest.mark.parametrize(("answer", "said"), [("", "No desk was chosen"), ("cellar", "no desk 'cellar'")])
def test_a_desk_that_is_none(person: Person, monkeypatch: pytest.MonkeyPatch, answer: str, said: str) -> None:
    monkeypatch.setattr(ui, "ask", lambda _question: answer)
    _, err = person.run("change", *DOOR, code=2)
    assert said in err
    assert person.door.letters == []


def test_new_words_typed_wrongly_three_times(person: Person) -> None:
    last = " ".join((*BERTA.words(WORDS)[:9], BERTA.words(WORDS)[0]))
    person.type(PHRASE, "", PHRASE, last)
    out, err = person.run("change", *DOOR, "--desk", "news", code=1)
    assert "not typed right, three times" in err
    assert "your old words are the right ones still" in err
    assert out == ""
    assert person.door.letters == []


def test_typed_wrongly_twice_and_then_right(person: Person) -> None:
    person.type(PHRASE, "one two three", PHRASE, NEW)
    person.run("change", *DOOR, "--desk", "news")
    check_told(person, "news")


def test_without_a_terminal_nothing_is_made(person: Person) -> None:
    _, err = person.run("change", *DOOR, "--desk", "news", passphrase=PHRASE, code=2)
    assert "no terminal" in err
    assert not re.findall(r"\d+\. [a-z]+", err)
    assert person.door.letters == []


def test_old_words_with_a_slip(person: Person) -> None:
    person.type("a b c", "a b c", "a b c")
    _, err = person.run("change", *DOOR, "--desk", "news", code=1)
    assert "not a whole passphrase" in err
    assert person.door.letters == []


def test_resumed_with_the_same_words_is_refused(person: Person) -> None:
    person.type(PHRASE, PHRASE)
    _, err = person.run("change", *DOOR, "--desk", "news", "--resume", code=2)
    assert "the words that you have now" in err
    assert person.door.letters == []


def test_half_done_it_is_said_and_resumed(person: Person) -> None:
    """One desk is open, the other closed; later both passphrases finish it."""
    parts = person.door.parts
    person.door.parts = replace(parts, manifest=replace(parts.manifest, notes=parts.manifest.notes[1:]))
    person.door.raw = person.door.parts.raw
    person.type(PHRASE, NEW)
    out, _ = person.run("change", *DOOR, "--desk", "legal", "--desk", "news", code=1)
    assert "'legal' was not told. This desk takes no letters just now." in out
    assert "Keep both passphrases" in out
    assert "--desk legal --resume" in out
    check_told(person, "news")
    person.door.parts, person.door.raw = parts, parts.raw
    person.type(PHRASE, NEW)
    out, err = person.run("change", *DOOR, "--desk", "legal", "--resume")
    check_told(person, "legal", 1)
    assert not re.findall(r"\d+\. [a-z]+", err), "nothing new is made"


def test_an_answer_that_got_lost_is_asked_for_with_the_same_bytes(person: Person) -> None:
    person.door.status = [503, 500, 201]
    person.type(PHRASE, NEW)
    out, _ = person.run("change", *DOOR, "--desk", "news")
    assert "accepted" in out
    assert len(person.door.letters) == 1


def test_a_full_door_is_said_and_can_be_resumed(person: Person) -> None:
    person.door.status = [503] * 4
    person.type(PHRASE, NEW)
    out, _ = person.run("change", *DOOR, "--desk", "news", code=1)
    assert "The door is full" in out
    assert "--resume" in out
    assert "What the old words still show" not in out, "nothing has changed yet"


def test_words_through_descriptors(person: Person) -> None:
    read, write = os.pipe()
    os.write(write, NEW.encode() + b"\n")
    os.close(write)
    person.run("change", *DOOR, "--desk", "news", "--resume", "--new-passphrase-fd", str(read), passphrase=PHRASE)
    os.close(read)
    check_told(person, "news")
    _, err = person.run("change", *DOOR, "--desk", "news", "--new-passphrase-fd", "9", passphrase=PHRASE, code=2)
    assert "--resume" in err


def test_ctrl_c_before_the_words_are_typed_sends_nothing(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [PHRASE]

    def prompt(_prompt: str) -> str:
        if answers:
            return answers.pop()
        raise KeyboardInterrupt

    monkeypatch.setattr(ui, "_terminal", lambda: True)
    monkeypatch.setattr(getpass, "getpass", prompt)
    person.run("change", *DOOR, "--desk", "news", code=130)
    assert person.door.letters == []


def test_ctrl_c_while_it_is_sent_says_who_was_told(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.door.status = [201, 503]

    def stop(_attempt: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_pause", stop)
    person.type(PHRASE, NEW)
    out, _ = person.run("change", *DOOR, "--desk", "news", "--desk", "legal", "--json", code=1)
    value = json.loads(out)
    assert (value["told"], list(value["not_told"])) == (["news"], ["legal"])
    assert len(person.door.letters) == 1


def test_what_is_said_afterwards_is_true_of_the_protocol() -> None:
    text = " ".join(cli.AFTERWARDS)
    for promise in ("next fetches letters", "public for good", "new words alone", "may not be yours"):
        assert promise in text


def test_reading_with_old_words_says_where_to_look(person: Person) -> None:
    """The same sentence for everybody: it does not tell whether these words were ever changed."""
    out, _ = person.run("read", *DOOR, "--desk", "news", passphrase=PHRASE)
    assert "old ones show what was answered before" in out
    out, _ = person.run("read", *DOOR, "--desk", "news", passphrase=NEW)
    assert "If you have changed your words, look with the new ones." in out
