# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source, as a person types it, against a door that is a few values."""

import getpass
import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from latchstring.cli import sending, ui, words
from latchstring.cli import source as cli
from latchstring.cli import visiting as way
from latchstring.cli.main import run
from latchstring.client.pin import Pin
from latchstring.client.transport import HttpTransport, NetworkFailed, Progress, Response
from latchstring.client.visit import SENTENCE, VerifiedVisit, check_visit
from latchstring.protocol import constants as c
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.encoding import h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.knock import HEADER, NO_KNOCK
from latchstring.protocol.letter import open_letter
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.passphrase import Passphrase, generate
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import Receipt, open_receipt
from latchstring.protocol.reply import Place, ReplyBody, noise_slot, seal_reply
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import source_keys
from latchstring.protocol.wordlist import LANGUAGES, load
from latchstring.source import acts
from tests.builders import Stream, found
from tests.visits import BATCH, FOUNDING, NOW, Parts, epoch_of, make_parts

WORDS = load()
ANNA = generate(Stream("anna"))
PHRASE = " ".join(ANNA.words(WORDS))
LINK = format_link(FOUNDING.door, ("http://door.example",))
DOOR_WORDS = " ".join(door_words(FOUNDING.door, WORDS))
LETTER = "There is something\nyou should know."


def cheap_seed(bits: bytes, door: Door) -> bytes:
    """In place of Argon2id, which takes a tenth of a second."""
    return h(bits + door)


KEYS = source_keys(cheap_seed(ANNA.bits, FOUNDING.door), FOUNDING.door, "news")


def with_reply(text: str) -> Parts:
    def page(sheet: int, number: int, epoch: OpenEpoch) -> bytes:
        r = Stream(f"r {sheet} {number}")(c.PAGE_RANDOM)
        slots = [noise_slot(Stream(f"noise {sheet} {number} {j}")) for j in range(3)]
        if (sheet, number) == (8, 1):
            body = ReplyBody(text, (bytes(range(8)),))
            slots[2] = seal_reply(pair_of_desk(epoch, KEYS.thread_keys), Place(sheet, number, r, 2), bytes(16), body)
        return r + b"".join(slots)

    return make_parts(page)


@dataclass
class FakeDoor:
    """What the command's transport reaches. `down`: addresses that do not answer; `letters`: what was posted."""

    parts: Parts
    raw: bytes
    now: float = float(NOW)
    down: tuple[str, ...] = ()
    status: list[int] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    opened: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[tuple[str, str, str, Mapping[str, str] | None]] = field(default_factory=list)
    in_log: bool = True
    on_time: bool = True  # what it publishes goes on


class Line:
    """In place of HttpTransport."""

    door: FakeDoor

    def __init__(self, address: str, proxy: str | None = None) -> None:
        if not address.startswith("http"):
            raise NetworkFailed("That is not an address.")
        self.authority = address.removeprefix("http://")
        self.door.opened.append((address, proxy))

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None: ...

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        door = self.door
        door.asked.append((method, path, query, headers))
        if f"http://{self.authority}" in door.down:
            raise NetworkFailed("The door does not answer at this address.")
        if method == "GET":
            return Response(200, door.raw)
        status = door.status.pop(0) if door.status else 201
        if status != 201:
            return Response(status, b"The door is full just now.\n")
        door.letters.append(body)
        leaf = entry(Kind.LETTER, body)
        if door.in_log:
            before = (*door.parts.before, leaf)
            door.raw = replace(door.parts, before=before).raw
        elif door.on_time:
            door.raw = replace(door.parts, manifest=replace(door.parts.manifest, n=BATCH + 2)).raw
        seed = ed25519_key(FOUNDING.receipt_seed)
        return Response(201, Receipt(FOUNDING.directory.origin, leaf, BATCH + 2).sign(seed))


class Clock:
    """The module `time` on the door's clock."""

    def __init__(self, door: FakeDoor) -> None:
        self._door = door

    def time(self) -> float:
        return self._door.now

    def sleep(self, seconds: float) -> None:
        self._door.now += seconds


class Person:
    """Somebody at a terminal, or without one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        parts = with_reply("Thank you. \x1b[31mCome \u202eback.")
        self.door, self.capfd, self.folder = FakeDoor(parts, parts.raw), capfd, folder
        self.patch = monkeypatch
        Line.door = self.door
        monkeypatch.setattr(way, "HttpTransport", Line)
        monkeypatch.setattr(cli, "time", Clock(self.door))
        monkeypatch.setattr(way, "time", Clock(self.door))
        monkeypatch.setattr(sending, "time", Clock(self.door))
        monkeypatch.setattr(ui, "time", Clock(self.door))
        monkeypatch.setattr(acts, "seed_of", cheap_seed)
        monkeypatch.setattr(ui, "out", Console(highlight=False, soft_wrap=True, width=200))
        monkeypatch.setattr(ui, "_terminal", lambda: False)
        monkeypatch.setenv("TZ", "UTC")
        monkeypatch.chdir(folder)
        (folder / "letter.txt").write_text(LETTER)

    def run(self, *args: str, passphrase: str | None = None, code: int = 0) -> tuple[str, str]:
        """Run a command; what it printed on standard output and error."""
        more: tuple[str, ...] = ()
        read = -1
        if passphrase is not None:
            read, write = os.pipe()
            os.write(write, passphrase.encode() + b"\n")
            os.close(write)
            more = ("--passphrase-fd", str(read))
        try:
            status = run(["source", *args, *more])
        finally:
            if read >= 0:
                os.close(read)
        printed = self.capfd.readouterr()
        assert status == code, printed
        assert "Traceback" not in printed.err
        assert "\x1b[31m" not in printed.out + printed.err
        assert "\u202e" not in printed.out + printed.err
        return printed.out, printed.err

    def type(self, *answers: str) -> None:
        """At the next prompts, without echo."""
        left = list(answers)
        self.patch.setattr(ui, "_terminal", lambda: True)
        self.patch.setattr(getpass, "getpass", lambda _prompt: left.pop(0))

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"letter.txt"}


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Person:
    return Person(monkeypatch, capfd, tmp_path)


AT = ("--door", LINK, "--desk", "news")


# --- writing -------------------------------------------------------------------------------------


def test_a_first_letter(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "generate", lambda _random: ANNA)
    person.type("wrong words", PHRASE)
    out, err = person.run("write", *AT, "--file", "letter.txt")
    shown = re.findall(r"\d+\. ([a-z]+)", err)
    assert " ".join(shown) == PHRASE
    assert "Right. You can come back with it." in err
    assert DOOR_WORDS in err
    assert "accepted" in out
    assert "in the public log soon" in out
    for word in ANNA.words(WORDS):
        assert err.count(word) == 1, "shown once"
        assert word not in out
    (letter,) = person.door.letters
    opened = open_letter(epoch_of(FOUNDING, "news", 2), letter)
    assert opened.body is not None
    assert (opened.body.text, opened.body.read) == (LETTER, ())
    assert person.files() == set()


def test_new_words_come_in_the_language_of_the_letter(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "generate", lambda _random: ANNA)
    mine = ANNA.words(load("russian"))
    person.type(" ".join(mine))
    _, err = person.run("write", *AT, "--file", "letter.txt", "--language", "ru")
    assert re.findall(r"\d+\. ([а-яё]+)", err) == list(mine)
    assert "Right. You can come back with it." in err
    assert DOOR_WORDS in err, "doors are named in English everywhere"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_in_any_language_open_the_thread(person: Person, language: str) -> None:
    out, _ = person.run("read", *AT, passphrase=" ".join(ANNA.words(load(language))).upper())
    assert "Thank you." in out


def test_a_second_letter_says_what_was_read(person: Person) -> None:
    out, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE)
    assert "Thank you." in out
    opened = open_letter(epoch_of(FOUNDING, "news", 2), person.door.letters[0])
    assert opened.body is not None
    assert opened.body.read == (bytes(16),)
    assert not [word for word in ANNA.words(WORDS) if f" {word} " in out + err.replace(DOOR_WORDS, "")]


def test_a_letter_from_standard_input(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Слово".encode())))
    person.run("write", *AT, "--file", "-", "--language", "uk", passphrase=PHRASE)
    opened = open_letter(epoch_of(FOUNDING, "news", 2), person.door.letters[0])
    assert opened.body is not None
    assert (opened.body.text, opened.body.language) == ("Слово", "uk")


def test_without_a_terminal_there_is_no_practice(person: Person) -> None:
    """A letter is not lost, and no passphrase shown in vain, because nobody can type."""
    out, err = person.run("write", *AT, "--file", "letter.txt")
    assert len(re.findall(r"\d+\. [a-z]+", err)) == 10
    assert "accepted" in out
    assert len(person.door.letters) == 1


def test_json_of_a_letter(person: Person) -> None:
    out, _ = person.run("write", *AT, "--file", "letter.txt", "--json", "--wait", passphrase=PHRASE)
    value = json.loads(out)
    leaf = entry(Kind.LETTER, person.door.letters[0]).hex()
    assert value.pop("mark") == open_letter(epoch_of(FOUNDING, "news", 2), person.door.letters[0]).msg_id[:8].hex()
    assert value == {
        "accepted": True,
        "leaf": leaf,
        "publish_by": BATCH + 2,
        "publish_at": FOUNDING.directory.policy.closes_at(BATCH + 2),
        "in_log": True,
        "attachments": 0,
        "answers": 0,
    }


def test_a_receipt_is_kept_only_where_it_is_asked_for(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.run("write", *AT, "--file", "letter.txt", "--receipt", "receipt", passphrase=PHRASE)
    receipt = open_receipt((person.folder / "receipt").read_bytes(), FOUNDING.directory.receipt_key)
    assert receipt.leaf == entry(Kind.LETTER, person.door.letters[0])
    assert (person.folder / "receipt").stat().st_mode & 0o777 == 0o600
    _, err = person.run("write", *AT, "--file", "letter.txt", "--receipt", "receipt", passphrase=PHRASE, code=1)
    assert "Nothing was sent" in err
    assert len(person.door.letters) == 1
    (person.folder / "dangling").symlink_to(person.folder / "nothing")
    _, err = person.run("write", *AT, "--file", "letter.txt", "--receipt", "dangling", passphrase=PHRASE, code=1)
    assert "there already" in err
    assert len(person.door.letters) == 1
    _, err = person.run("write", *AT, "--file", "letter.txt", "--receipt", "no/where", passphrase=PHRASE, code=1)
    assert "Nothing was sent" in err
    assert len(person.door.letters) == 1

    def full(_path: Path, _data: bytes) -> None:
        raise ui.CliError("It could not be written whole.")

    monkeypatch.setattr(ui, "write_private", full)  # the letter is in by then
    out, err = person.run("write", *AT, "--file", "letter.txt", "--receipt", "another", passphrase=PHRASE)
    assert "could not be kept" in err
    assert "accepted" in out


def test_waiting_for_a_promise_that_is_broken(person: Person) -> None:
    person.door.in_log = False
    _, err = person.run("write", *AT, "--file", "letter.txt", "--wait", passphrase=PHRASE, code=3)
    assert "not in the log although the server promised" in err


def test_waiting_for_a_promise_while_nothing_is_published(person: Person) -> None:
    person.door.in_log = person.door.on_time = False
    _, err = person.run("write", *AT, "--file", "letter.txt", "--wait", passphrase=PHRASE, code=1)
    assert "has not come so far yet" in err


def test_waiting_while_the_door_is_gone(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    real = acts.send

    def sent(*args: object) -> acts.Sent:
        done = real(*args)  # type: ignore[arg-type]  # passed on as it came
        person.door.down = ("http://door.example",)
        return done

    monkeypatch.setattr(acts, "send", sent)
    _, err = person.run("write", *AT, "--file", "letter.txt", "--wait", passphrase=PHRASE, code=1)
    assert "Your letter was accepted, but" in err


def test_a_full_door(person: Person) -> None:
    person.door.status = [503, 503]
    person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE)
    assert len(person.door.letters) == 1
    start, person.door.status = person.door.now, [503] * 1000
    _, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=1)
    assert "The door is full" in err
    assert "tried again by itself" in err
    assert "with the same passphrase and --continue" in err
    assert 5.9 < (person.door.now - start) / 3600 <= 6
    assert 100 < 1000 - len(person.door.status) < 300
    person.door.status = [503] * 2
    person.run("write", *AT, "--file", "letter.txt", "--try-for", "0", passphrase=PHRASE, code=1)
    assert person.door.status == [503], "one try"
    assert len(person.door.letters) == 1


@pytest.mark.parametrize(("status", "said"), [(503, "The letter was not taken"), (500, "It is not sure")])
def test_ctrl_c_while_it_waits(person: Person, status: int, said: str) -> None:
    person.door.status = [status]

    def stop(_clock: Clock, _seconds: float) -> None:
        raise KeyboardInterrupt

    person.patch.setattr(Clock, "sleep", stop)
    _, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=130)
    assert f"Stopped. {said}" in err
    assert "--continue" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"  \n", "empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_letters_that_cannot_be_sent(person: Person, text: bytes, said: str) -> None:
    (person.folder / "bad.txt").write_bytes(text)
    out, err = person.run("write", *AT, "--file", "bad.txt", code=1)
    assert said in err
    assert out == ""
    assert "Your passphrase" not in err, "shown for a letter that was never sent"
    assert person.door.letters == []


def test_a_file_that_is_not_there(person: Person) -> None:
    _, err = person.run("write", *AT, "--file", "nothing.txt", code=1)
    assert "cannot be read" in err


def test_a_closed_desk(person: Person) -> None:
    closed = replace(person.door.parts, manifest=replace(person.door.parts.manifest, notes=()))
    person.door.raw = closed.raw
    _, err = person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE, code=1)
    assert "takes no letters just now" in err
    out, _ = person.run("check", *AT, passphrase=PHRASE)
    assert "closed for letters" in out


# --- passphrases ---------------------------------------------------------------------------------


def test_a_slip_is_explained_here_and_nothing_is_sent(person: Person) -> None:
    words = list(ANNA.words(WORDS))
    slip = next(w for w in WORDS.words if w not in words)
    wrong = " ".join([*words[:3], slip, *words[4:]])
    _, err = person.run("read", *AT, passphrase=wrong, code=1)
    assert "not a whole passphrase" in err
    assert "Nothing was sent" in err
    letters = words[0] + "q"
    _, err = person.run("read", *AT, passphrase=" ".join([letters, *words[1:]]), code=1)
    assert words[0] in err  # what was probably meant
    assert {each[:2] for each in person.door.asked} == {("GET", "/visit")}


def test_a_slip_at_the_terminal_may_be_mended(person: Person) -> None:
    person.type("one two", PHRASE)
    out, err = person.run("read", *AT)
    assert "Thank you." in out
    assert "10" in err


def test_an_unknown_passphrase_opens_an_empty_thread(person: Person) -> None:
    other = " ".join(Passphrase.words(generate(Stream("boris")), WORDS))
    out, _ = person.run("read", *AT, passphrase=other)
    assert "There is no reply in this thread yet" in out
    assert json.loads(person.run("read", *AT, "--json", passphrase=other)[0]) == []


def test_without_a_passphrase_and_a_terminal(person: Person) -> None:
    _, err = person.run("read", *AT, code=2)
    assert "--passphrase-fd" in err
    _, err = person.run("read", *AT, passphrase="", code=1)
    assert "No passphrase came" in err


# --- reading -------------------------------------------------------------------------------------


def test_a_reply(person: Person) -> None:
    out, err = person.run("read", *AT, passphrase=PHRASE)
    assert "Thank you. <U+001B>[31mCome <U+202E>back." in out
    assert "Your letter 0001 0203 0405 0607 was opened and read by a person" in out
    assert person.door.letters == []
    assert person.files() == set()
    assert not [word for word in ANNA.words(WORDS) if word in err]


def test_json_of_a_reply(person: Person) -> None:
    (reply,) = json.loads(person.run("read", *AT, "--json", passphrase=PHRASE)[0])
    assert reply == {
        "at": FOUNDING.directory.policy.closes_at(288),
        "text": "Thank you. \x1b[31mCome \u202eback.",
        "acks": [bytes(range(8)).hex()],
        "known": False,
        "id": bytes(16).hex(),
    }


def test_check(person: Person) -> None:
    out, _ = person.run("check", *AT, passphrase=PHRASE)
    assert "The door is open; your thread has 1 reply; the next answers appear at" in out
    value = json.loads(person.run("check", *AT, "--json", passphrase=PHRASE)[0])
    assert value == {
        "open": True,
        "closed": None,
        "replies": 1,
        "next_sheet": FOUNDING.directory.policy.closes_at(9 * 36),
        "batch": BATCH,
        "addresses": ["http://127.0.0.1:8400"],
    }


# --- the door ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--door", DOOR_WORDS), 2, "address is missing"),
        (("--door", "one two three", "--at", "http://door.example"), 2, "12 words; you gave 3"),
        (("--door", LINK[:70]), 2, "not a whole door link"),
        (("--door", LINK, "--at", "ftp:door"), 2, "not an address"),
        (("--door", LINK, "--desk", "nobody"), 2, "There are: legal, news"),
        (("--door", format_link(bytes(32), ("http://door.example",))), 3, SENTENCE),
    ],
)
def test_wrong_use(person: Person, args: tuple[str, ...], code: int, said: str) -> None:
    out, err = person.run("read", *args, passphrase=PHRASE, code=code)
    assert said in err
    assert out == ""
    assert person.door.letters == []


def test_one_wrong_word_of_the_door_is_named(person: Person) -> None:
    words = DOOR_WORDS.split()
    words[4] = next(w for w in WORDS.words if w not in words)
    door = ("--door", " ".join(words), "--at", "http://door.example", "--desk", "news")
    _, err = person.run("read", *door, passphrase=PHRASE, code=3)
    assert SENTENCE in err
    assert "Word 5 of the door differs" in err
    person.door.raw = make_parts(founding=found("another", ("legal", "news"), slots=3, letters=2)).raw
    _, err = person.run("read", *door, passphrase=PHRASE, code=3)
    assert "differs" not in err


def test_a_wrong_clock_is_said(person: Person) -> None:
    person.door.now += 10 * 86_400
    _, err = person.run("read", *AT, passphrase=PHRASE, code=3)
    assert "nothing for 240 h" in err
    assert SENTENCE not in err


def test_addresses_are_tried_in_turn(person: Person) -> None:
    at = ("--at", "http://first.example", "--at", "http://second.example")
    person.door.down = ("http://first.example",)
    out, _ = person.run("read", *AT, *at, passphrase=PHRASE)
    assert "Thank you." in out
    assert [address for address, _ in person.door.opened] == ["http://first.example", "http://second.example"]
    person.door.down = ("http://first.example", "http://second.example")
    _, err = person.run("read", *AT, *at, passphrase=PHRASE, code=1)
    assert "does not answer" in err


def test_tor_and_proxy(person: Person) -> None:
    person.run("read", *AT, "--tor", passphrase=PHRASE)
    person.run("read", *AT, "--proxy", "127.0.0.1:9150", passphrase=PHRASE)
    (_, tor), (_, proxy) = person.door.opened
    assert re.fullmatch(r"socks5h://[0-9a-f]{16}:[0-9a-f]{16}@127\.0\.0\.1:9050", tor or "")
    assert (proxy or "").endswith("@127.0.0.1:9150")


def test_a_pin(person: Person) -> None:
    person.run("read", *AT, "--pin", "pin", passphrase=PHRASE)
    pin = Pin.parse((person.folder / "pin").read_bytes())
    assert pin.batch == BATCH
    assert person.files() == {"pin"}
    (person.folder / "pin").write_bytes(replace(pin, size=pin.size + 1).encode())
    _, err = person.run("read", *AT, "--pin", "pin", passphrase=PHRASE, code=3)
    assert SENTENCE in err
    assert Pin.parse((person.folder / "pin").read_bytes()).size == pin.size + 1, "a refused file moves no pin"
    (person.folder / "pin").write_bytes(b"pin")
    _, err = person.run("read", *AT, "--pin", "pin", passphrase=PHRASE, code=1)
    assert "is not a pin" in err


def test_a_desk_is_asked_for_when_there_are_several(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("news\n"))
    out, err = person.run("read", "--door", LINK, "--json", passphrase=PHRASE)
    assert "Legal" in err
    assert len(json.loads(out)) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    person.run("read", "--door", LINK, passphrase=PHRASE, code=2)


def test_nothing_that_is_asked_of_the_door_names_the_thread(person: Person) -> None:
    """Reading is one GET of the file that everybody gets; writing is that and the letter."""
    for command in ("read", "check"):
        person.run(command, *AT, passphrase=PHRASE)
    person.run("write", *AT, "--file", "letter.txt", passphrase=PHRASE)
    get, post = ("GET", "/visit", "", None), ("POST", "/v1/letters", "", {HEADER: NO_KNOCK})
    assert person.door.asked == [get, get, get, post]


@pytest.mark.parametrize(("ticks", "again"), [(143, False), (144, True)])
def test_a_letter_that_took_a_day_to_write_is_sealed_to_what_is_fetched_anew(
    ticks: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = check_visit(with_reply("").raw, lambda _door: True, NOW, None)
    new = replace(old, expired=True)
    fetched: list[Pin] = []

    def fetch(pin: Pin) -> VerifiedVisit:
        fetched.append(pin)
        return new

    sealed_to: list[VerifiedVisit] = []

    def seal(visit: VerifiedVisit, *_rest: object) -> bytes:
        sealed_to.append(visit)
        raise acts.CannotWrite("far enough")

    monkeypatch.setattr(acts, "seal", seal)
    monkeypatch.setattr("time.time", lambda: float(old.directory.policy.closes_at(old.manifest.n + ticks)))
    line = HttpTransport("http://door.example")
    visitor = way.Visitor(line, old, WORDS, fetch, "http://door.example", lambda: line)
    with pytest.raises(ui.CliError):
        sending.send_letter(visitor, KEYS, acts.compose("a", "en", ()), (), False, 6)
    assert sealed_to[0] is (new if again else old)
    assert fetched == ([old.pin] if again else [])
