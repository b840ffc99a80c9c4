# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source write --attach, as a person types it, against a server in the same process."""

import json
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from latchstring.cli import attaching, ui, visiting
from latchstring.cli import source as cli
from latchstring.cli.main import run
from latchstring.client.transport import NetworkFailed
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment, Opener, parse_list
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.letter import LetterBody, open_letter
from latchstring.server.accept import accept_key_notes
from latchstring.server.api import Answer, Request
from latchstring.server.attachments import chunk_path
from latchstring.source import acts
from latchstring.source.upload import numbered
from latchstring.store import letters
from tests.builders import Founding, Stream, found, make_epoch
from tests.desk_world import LocalTransport, World
from tests.faults import cbor_notes


class Context(LocalTransport):
    """A line that the command opens; each remembers its own requests."""

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_: object) -> None: ...


def _once(line: Context) -> None:
    """Cut one request, not all that come after it."""
    if line.fail is not None and line.fail < 0:
        line.fail = None


class Clock:
    """The module `time`: the world's, and waiting takes none."""

    def __init__(self, world: World) -> None:
        self.world, self.slept = world, 0.0

    def time(self) -> float:
        return self.world.now + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Person:
    """Somebody who types, at a door whose desk's epoch we hold."""

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        founding: Founding | None = None,
    ) -> None:
        self.folder, self.capfd, self.world = folder, capfd, World(founding)
        self.lines: list[tuple[str | None, Context]] = []
        self.epoch = self._open()
        self.next: list[int] = []  # at which request the line of that number is cut, in order of opening
        patch.setattr(visiting, "HttpTransport", self._line)
        clock = Clock(self.world)
        for module in (cli, attaching, visiting, ui):
            patch.setattr(module, "time", clock)
        patch.setattr(acts, "seed_of", lambda bits, door: (bits + door)[:32])
        patch.setattr(ui, "_terminal", lambda: False)
        patch.setattr(ui, "out", Console(highlight=False, soft_wrap=True, width=200))
        patch.chdir(folder)
        (folder / "letter.txt").write_text("Look at this.")

    def _open(self) -> OpenEpoch:
        self.world.close()
        epoch, notes = make_epoch(self.world.founding, "news", 0, Stream("epoch"))
        accept_key_notes(self.world.intake, "news-1", cbor_notes(notes), self.world.now)
        self.world.close()
        return epoch

    def _line(self, _address: str, proxy: str | None) -> Context:
        line = Context(self.world)
        self.lines.append((proxy, line))
        if self.next:
            line.fail = self.next.pop(0)
            line.before_request = lambda _method, _path: _once(line)
        return line

    def write(self, *args: str, code: int = 0) -> str:
        link = format_link(self.world.founding.door, ("http://door.example",))
        status = run(["source", "write", "--door", link, "--file", "letter.txt", *args])
        printed = self.capfd.readouterr()
        assert status == code, printed
        assert "Traceback" not in printed.err
        return printed.out + printed.err

    def arrived(self) -> LetterBody:
        """The one letter that waits, as the desk opens it."""
        with self.world.intake.sql.read() as connection:
            (waiting,) = letters.oldest(connection, 9)
        body = open_letter(self.epoch, waiting.body).body
        assert body is not None
        return body

    def open(self, attachment: Attachment) -> bytes:
        opener = Opener(attachment)
        chunks = (self.world.shelves.private.get(chunk_path(name)) for name in attachment.chunk_names())
        plain = b"".join(opener.open(chunk) for chunk in chunks)
        opener.done()
        return plain

    def letters_sent(self) -> int:
        return sum(path == "/v1/letters" for _, line in self.lines for _, path, _ in line.requests)


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Person:
    return Person(tmp_path, monkeypatch, capfd)


def test_a_letter_with_two_files(person: Person) -> None:
    (person.folder / "a.txt").write_bytes(b"first")
    (person.folder / "b.bin").write_bytes(Stream("b")(c.ATTACHMENT_PLAIN + 1))
    said = person.write("--attach", "a.txt", "--attach", "b.bin")
    assert "Your letter was accepted" in said
    assert "hidden inside them" in said
    body = person.arrived()
    assert [(a.name, a.size) for a in body.attachments] == [("a.txt", 5), ("b.bin", c.ATTACHMENT_PLAIN + 1)]
    assert [person.open(a) for a in body.attachments] == [b"first", Stream("b")(c.ATTACHMENT_PLAIN + 1)]


def test_a_long_letter_goes_along_as_an_attachment(person: Person) -> None:
    text = "Ось що я бачив. " * 300
    (person.folder / "letter.txt").write_text(text)
    (person.folder / "a.txt").write_bytes(b"first")
    assert "Your letter is long" in person.write("--attach", "a.txt")
    body = person.arrived()
    assert [(a.name, person.open(a)) for a in body.attachments] == [("letter.txt", text.encode()), ("a.txt", b"first")]
    assert text.startswith(body.text.partition(" …")[0])


def test_each_file_has_a_circuit_of_its_own_and_the_letter_another(person: Person) -> None:
    for name in ("a", "b"):
        (person.folder / name).write_bytes(b"x")
    person.write("--attach", "a", "--attach", "b", "--tor")
    used = [
        (proxy, {path.split("/")[2] for _, path, _ in line.requests if "/v1/" in path}) for proxy, line in person.lines
    ]
    assert [what for _, what in used] == [{"letters"}, {"attachments"}, {"attachments"}]
    assert len({proxy for proxy, _ in used}) == 3, "a SOCKS identity each"
    assert person.letters_sent() == 1


def test_names_can_stay_here(person: Person) -> None:
    (person.folder / "anna-smith.pdf").write_bytes(b"x")
    assert "names go along" not in person.write("--attach", "anna-smith.pdf", "--nameless")
    assert [a.name for a in person.arrived().attachments] == ["1.pdf"]


def test_more_files_than_a_letter_can_name_are_named_by_a_list(person: Person) -> None:
    for n in range(20):
        (person.folder / f"{n}.txt").write_bytes(b"%d" % n)
    args = [arg for n in range(20) for arg in ("--attach", f"{n}.txt")]
    said = person.write(*args, "--json")
    assert json.loads(said[said.index("{") : said.rindex("}") + 1])["attachments"] == 20
    body = person.arrived()
    assert body.attachments == ()
    assert body.listed is not None
    listed = parse_list(person.open(body.listed))
    assert [a.name for a in listed] == [f"{n}.txt" for n in range(20)]
    assert [person.open(a) for a in listed] == [b"%d" % n for n in range(20)]


def test_a_cut_in_the_middle_is_gone_on_from(person: Person) -> None:
    (person.folder / "a").write_bytes(Stream("a")(3 * c.ATTACHMENT_PLAIN))
    person.next = [99, 2]  # the second line, the file's, at its third request
    person.write("--attach", "a")
    (attachment,) = person.arrived().attachments
    assert person.open(attachment) == Stream("a")(3 * c.ATTACHMENT_PLAIN)
    assert [m for m, _, _ in person.lines[1][1].requests] == ["POST", "PUT", "PUT", "HEAD", "PUT", "PUT", "POST"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _p: None, "cannot be read"),
        (lambda p: p.mkdir(), "not a file"),
        (lambda p: p.touch(), "is empty"),
        (lambda p: os.truncate(p.open("wb").name, c.DEFAULT_ATTACHMENT + 1), "takes at most 5,000,000,000"),
    ],
)
def test_files_that_cannot_go_are_named_before_anything_is_sent(person: Person, make: object, said: str) -> None:
    (person.folder / "good").write_bytes(b"x")
    make(person.folder / "bad")  # type: ignore[operator]  # one of the above
    text = person.write("--attach", "good", "--attach", "bad", code=1)
    assert said in text
    assert "nothing was sent" in text
    assert all(method == "GET" for _, line in person.lines for method, _, _ in line.requests)


def test_a_file_that_changes_before_its_turn_stops_the_letter(person: Person) -> None:
    for name in ("a", "b"):
        (person.folder / name).write_bytes(b"x")
    real = person.world.api.handle
    changed: list[str] = []

    def handle(request: Request, authority: str, now: int) -> Answer:
        if request.method == "PUT" and not changed:
            (person.folder / "b").write_bytes(b"something else")
            changed.append(request.path)
        return real(request, authority, now)

    person.world.api.handle = handle  # type: ignore[method-assign]
    assert "'b' changed while it was being sent" in person.write("--attach", "a", "--attach", "b", code=1)
    assert person.letters_sent() == 0


def test_files_are_not_kept_open_while_others_are_sent(person: Person) -> None:
    paths = [person.folder / f"{n}" for n in range(50)]
    for path in paths:
        path.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    files = attaching.look_at_files(paths, 10, nameless=True)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(files.drafts()) == 50


def test_too_many_files_are_refused_in_words(person: Person) -> None:
    (person.folder / "a").write_bytes(b"x")
    assert "Pack the files into one" in person.write(*["--attach", "a"] * 1001, code=1)


def test_a_letter_that_is_too_long_is_said_before_anything_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    person = Person(tmp_path, monkeypatch, capfd, found(attachment=1599))
    (person.folder / "a").write_bytes(b"x")
    (person.folder / "letter.txt").write_text("x" * 1600)
    said = person.write("--attach", "a", code=1)
    assert re.search(r"\b\d+ bytes too long", said)
    assert "Your passphrase" not in said
    assert all(method == "GET" for _, line in person.lines for method, _, _ in line.requests)


def test_no_letter_goes_without_its_file(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    (person.folder / "a").write_bytes(b"x")
    real = person._line

    def dead(address: str, proxy: str | None) -> Context:
        line = real(address, proxy)
        if len(person.lines) > 1:
            line.meddle = lambda method, path, answer: type(answer)(503, b"There is no room just now.\n")
        return line

    monkeypatch.setattr(visiting, "HttpTransport", dead)
    text = person.write("--attach", "a", code=1)
    assert "did not arrive whole, and the letter was not sent" in text
    assert "no room just now" in text
    assert person.letters_sent() == 0


def test_somebody_who_waits_is_asked_and_goes_on_without_sending_anything_twice(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person.folder / "a").write_bytes(Stream("a")(2 * c.ATTACHMENT_PLAIN))
    real, down, asked = person._line, [False], list[str]()

    def line(address: str, proxy: str | None) -> Context:
        made = real(address, proxy)

        def before(method: str, path: str) -> None:
            puts = [m for m, _, _ in made.requests if m == "PUT"]
            down[0] = down[0] or (len(puts) == 1 and not asked)
            if down[0] and path.startswith("/v1/attachments"):
                raise NetworkFailed("The door does not answer.")

        made.before_request = before
        return made

    def ask(question: str) -> str:
        asked.append(question)
        down[0] = False
        return ""

    monkeypatch.setattr(visiting, "HttpTransport", line)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(ui, "ask", ask)
    person.write("--attach", "a")
    assert "Go on from where it stopped" in asked[0]
    assert [m for m, _, _ in person.lines[1][1].requests if m in ("PUT", "HEAD")] == ["PUT", "PUT"]
    assert person.open(person.arrived().attachments[0]) == Stream("a")(2 * c.ATTACHMENT_PLAIN)


def test_help_has_an_example(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["source", "write", "--help"]) == 0
    assert "--attach scan.pdf" in " ".join(capfd.readouterr().out.split())


def test_a_suffix_that_is_no_text_stays_here(person: Person) -> None:
    path = person.folder / os.fsdecode(b"scan.\xff\xfe")
    path.write_bytes(b"x")
    person.write("--attach", path.name, "--nameless")
    assert [a.name for a in person.arrived().attachments] == ["1"]


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        ("scan.pdf", "7.pdf"),
        ("IMG_1.JPG", "7.JPG"),
        ("a.tar.gz", "7.gz"),
        ("Meeting with A.Petrova", "7"),
        ("report.anna.smith", "7"),
        ("to A.Amr", "7"),
        ("pdf", "7"),
        ("a.pdf\n", "7"),
        ("a.MK\u212aV", "7"),
    ],
)
def test_a_part_of_a_name_is_no_kind_of_file(name: str, goes: str) -> None:
    assert numbered(7, name) == goes
