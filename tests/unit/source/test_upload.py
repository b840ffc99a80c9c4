# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending an attachment to a server in this process: what is sent, resumed, noticed and said."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment, Opener
from latchstring.protocol.knock import Knock
from latchstring.server.api import Api, Request
from latchstring.server.attachments import chunk_path, reconcile
from latchstring.source.acts import CannotWrite
from latchstring.source.upload import TRIES, Bytes, Cut, OpenFile, Upload, check_size, name_of, placeholder
from tests.builders import Stream
from tests.faults import Core

OPENED = Core.opened(30)
FULL = c.ATTACHMENT_PLAIN
PLAIN = Stream("a file")(2 * FULL + 100)


@dataclass
class Line:
    """To a server's endpoints. `fates`, one a request: pass, drop (before the server heard), cut (after it acted), or
    a status that is answered in the server's place; then everything passes."""

    core: Core
    fates: list[str | int] = field(default_factory=list)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    seen: list[tuple[str, str, str, bytes, Mapping[str, str]]] = field(default_factory=list)
    authority: str = "door.example"

    def __post_init__(self) -> None:
        self.api = Api(self.core.intake, self.core.shelves)

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        self.asked.append((method, path, len(body)))
        self.seen.append((method, path, query, body, headers or {}))
        fate = self.fates.pop(0) if self.fates else "pass"
        if isinstance(fate, int):
            return Response(fate, b"The server says why.\n")
        if fate == "drop":
            raise NetworkFailed("The door does not answer.")
        answer = self.api.handle(Request(method, path, query, dict(headers or {}), body), "", self.core.at(31))
        if fate == "cut":
            raise NetworkFailed("The door does not answer.")
        return Response(answer.status, answer.body)

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]


class Sending:
    """One upload over one line."""

    def __init__(self, path: Path, *fates: str | int) -> None:
        self.line = Line(OPENED.copy(), list(fates))
        self.pauses: list[int] = []
        self.done: list[tuple[int, int]] = []
        self.file = OpenFile(path)
        self.upload = Upload(self.file, "scan.pdf", Stream("upload"))

    def run(self) -> Attachment:
        return self.upload.run(self.line, self.pauses.append, lambda done, of: self.done.append((done, of)))

    def opened(self, attachment: Attachment) -> bytes:
        """As the desk opens it."""
        opener = Opener(attachment)
        chunks = [self.line.core.private.get(chunk_path(name)) for name in attachment.chunk_names()]
        plain = b"".join(opener.open(chunk) for chunk in chunks)
        opener.done()
        return plain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "scan.pdf"
    file.write_bytes(PLAIN)
    return file


def test_what_is_sent_can_be_opened(path: Path) -> None:
    sending = Sending(path)
    attachment = sending.run()
    assert (attachment.size, attachment.name) == (len(PLAIN), "scan.pdf")
    assert sending.opened(attachment) == PLAIN
    assert sending.line.methods == ["POST", "PUT", "PUT", "PUT", "POST"]
    assert [size for method, _, size in sending.line.asked if method == "PUT"] == [c.ATTACHMENT_CHUNK] * 3
    assert sending.done[-1] == (3 * c.ATTACHMENT_CHUNK, 3 * c.ATTACHMENT_CHUNK)
    assert sending.pauses == []


@pytest.mark.parametrize("fate", ["drop", "cut", 500, 502, 503, 408, 429, 507])
@pytest.mark.parametrize("at", range(5))
def test_one_cut_anywhere(path: Path, at: int, fate: str | int) -> None:
    """At the asking, at each chunk, at the last look: what arrived is not sent again, and all is stored once."""
    sending = Sending(path, *["pass"] * at, fate)
    attachment = sending.run()
    assert sending.opened(attachment) == PLAIN
    assert sending.pauses == [1]
    puts = [(method, size) for method, _, size in sending.line.asked if method in ("PUT", "HEAD")]
    if at in (1, 2, 3):
        assert puts.count(("HEAD", 0)) == 1
        assert puts.count(("PUT", c.ATTACHMENT_CHUNK)) == (3 if fate == "cut" else 4)
    else:
        assert puts == [("PUT", c.ATTACHMENT_CHUNK)] * 3


def test_the_same_bytes_are_sent_again(path: Path) -> None:
    sending = Sending(path, "pass", "drop", "pass", "drop")
    sending.run()
    bodies: dict[str, set[bytes]] = {}
    for method, asked, _, body, _ in sending.line.seen:
        if method == "PUT":
            bodies.setdefault(asked, set()).add(body)
    assert all(len(found) == 1 for found in bodies.values()), "one nonce, two texts"


def test_after_a_long_cut_it_goes_on_from_there(path: Path) -> None:
    sending = Sending(path, "pass", "pass", *["drop"] * TRIES)
    with pytest.raises(Cut, match="does not answer"):
        sending.run()
    assert sending.upload.stored == 1
    before = len(sending.line.asked)
    attachment = sending.run()
    assert sending.line.methods[before:] == ["PUT", "PUT", "POST"]
    assert sending.opened(attachment) == PLAIN


def test_over_another_line_too_and_after_the_server_was_killed(path: Path) -> None:
    sending = Sending(path, "pass", "pass", "cut", *["drop"] * (TRIES - 1))
    with pytest.raises(Cut):
        sending.run()
    first = sending.line
    first.core.restart()
    sending.line = Line(first.core)
    attachment = sending.run()
    assert sending.opened(attachment) == PLAIN


@pytest.mark.parametrize("status", [400, 401, 403, 409, 410, 413])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_refusal_ends_it_in_the_server_s_words(path: Path, at: int, status: int) -> None:
    sending = Sending(path, *["pass"] * at, status)
    with pytest.raises(CannotWrite, match=r"letter was not sent\. The server says why\."):
        sending.run()
    assert sending.pauses == []


def test_a_server_that_lost_a_chunk_is_noticed_before_the_letter(path: Path) -> None:
    sending = Sending(path)
    real = sending.line.request

    def request(method: str, path: str, *args: object, **more: object) -> Response:
        answer = real(method, path, *args, **more)  # type: ignore[arg-type]  # passed on
        if method == "PUT" and len(sending.line.asked) == 4:
            sending.line.core.private.files.clear()
            reconcile(sending.line.core.sql, sending.line.core.private)
        return answer

    sending.line.request = request  # type: ignore[method-assign]
    with pytest.raises(CannotWrite, match="lost a part"):
        sending.run()


def test_a_known_source_knocks_when_there_is_no_room(path: Path) -> None:
    """Refused, then with a knock that is spent, then with one that counts; without a pause."""
    sending = Sending(path, 503, 409)
    knocks = (Knock(bytes(32), b"1" * 32), Knock(bytes(32), b"2" * 32))
    sending.upload = Upload(sending.file, "scan.pdf", Stream("upload"), knocks)
    assert sending.opened(sending.run()) == PLAIN
    assert sending.line.methods == ["POST"] * 3 + ["PUT"] * 3 + ["POST"]
    assert sending.pauses == []


def test_a_door_without_room_says_so_soon(path: Path) -> None:
    sending = Sending(path, 503, 503, 503)
    with pytest.raises(Cut, match="The server says why"):
        sending.run()
    assert len(sending.pauses) == 2


@pytest.mark.parametrize("how", ["longer", "shorter", "other bytes"])
def test_a_file_that_changes_is_noticed(path: Path, how: str) -> None:
    sending = Sending(path)

    def meddle(done: int, _of: int) -> None:
        if done != c.ATTACHMENT_CHUNK:
            return
        with path.open("r+b") as file:
            if how == "longer":
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            elif how == "shorter":
                file.truncate(FULL + 5)
            else:
                file.write(b"others")
        os.utime(path, ns=(1, 1))

    with pytest.raises(CannotWrite, match="changed while it was being sent"):
        sending.upload.run(sending.line, sending.pauses.append, meddle)


def test_files_that_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="cannot be read"):
        OpenFile(tmp_path / "nothing")
    with pytest.raises(CannotWrite, match="not a file"):
        OpenFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CannotWrite, match="not a file"):
        OpenFile(tmp_path / "pipe")
    for size, limit, said in ((0, 10, "is empty"), (11, 10, "takes at most 10"), (5, 0, "takes no attachments")):
        with pytest.raises(CannotWrite, match=said):
            check_size(size, "x", limit)
    check_size(10, "x", 10)


def test_names_are_the_last_part_and_always_text() -> None:
    assert name_of(Path("/home/anna/secret folder/scan.pdf")) == "scan.pdf"
    assert name_of(Path(os.fsdecode(b"/x/\xff\xfe.pdf"))) == "??.pdf"
    assert len(placeholder(7, "n").as_item()) == 5


def test_content_in_memory() -> None:
    content = Bytes(b"abcdef")
    assert (content.size, content.read(2), content.read(4)) == (6, b"ab", b"cdef")


def test_secrets_are_in_no_address_and_no_word(path: Path) -> None:
    """The token goes in a header, id and key nowhere; nothing of the file's name or text is on the line."""
    sending = Sending(path)
    attachment = sending.run()
    line = b"\n".join(
        f"{method} {asked} {query} {dict(headers)}".encode() + body
        for method, asked, query, body, headers in sending.line.seen
    )
    for secret in (attachment.id, attachment.key, b"scan.pdf", PLAIN[:32]):
        assert secret not in line
        assert secret.hex().encode() not in line
    addresses = "".join(asked + query for _, asked, query, _, _ in sending.line.seen)
    assert Stream("token")(32).hex() not in addresses
    assert "Bearer" not in addresses
