# SPDX-License-Identifier: AGPL-3.0-or-later
"""What comes over a line: answers of a server, of a SOCKS proxy, forms with a file; and an organisation's own words.
Arbitrary bytes and valid bytes with a change give a value or the one error, and never more than was sent."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latchstring.cli.desk_attachments import read_cap
from latchstring.cli.ui import USAGE, CliError
from latchstring.client.transport import HttpTransport, NetworkFailed, Response, Transport, read_address
from latchstring.desk.follow import fetch_notes
from latchstring.desk.line import Line
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.entry import Kind
from latchstring.site.forms import BadForm
from latchstring.site.markup import faults
from latchstring.site.media import span_of
from latchstring.site.multipart import FilePost, boundary_of
from latchstring.site.settings import SettingsError
from latchstring.site.texts import Texts
from latchstring.site.words import render
from tests.builders import Stream
from tests.mutations import anything

HTTP = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n"
SOCKS = (b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")  # method, password, connected
NAMED = b"\x05\x00\x00\x03\x01a\x00\x50"


@contextmanager
def answering(pieces: Sequence[bytes]) -> Iterator[int]:
    """A server that sends each piece after it has heard something, then closes; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        with contextlib.suppress(OSError):
            link, _ = listener.accept()
            with link:
                link.settimeout(5)
                for piece in pieces:
                    if not link.recv(65_536):
                        return
                    link.sendall(piece)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(5)


def ask(pieces: Sequence[bytes], by_proxy: bool) -> Response | None:
    """What a program makes of it; None when it says that the door does not answer. Any other error ends the test."""
    with answering(pieces) as port:
        address = "http://a.onion" if by_proxy else f"http://127.0.0.1:{port}"
        proxy = f"socks5h://a:b@127.0.0.1:{port}" if by_proxy else None
        try:
            with HttpTransport(address, proxy) as line:
                return line.request("GET", "/visit")
        except NetworkFailed:
            return None


@pytest.mark.parametrize("valid", [HTTP, CHUNKED], ids=["length", "chunks"])
def test_valid_answers_are_read(valid: bytes) -> None:
    assert ask([valid], False) == Response(200, b"ok")
    for connected in (SOCKS[2], NAMED):
        assert ask([*SOCKS[:2], connected, valid], True) == Response(200, b"ok")


@given(anything(HTTP) | anything(CHUNKED))
@example(HTTP.replace(b"length: 2", b"length: " + b"9" * 5000))
@example(HTTP.replace(b"length: 2", b"length: 2, 3"))
@example(HTTP.replace(b"200", b"099"))
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n" + b"f" * 5000 + b"\r\n"))
@example(b"HTTP/1.1 103 Early\r\n\r\n" * 50 + HTTP)
@settings(max_examples=60)
def test_any_answer_is_read_or_is_none(raw: bytes) -> None:
    answer = ask([raw], False)
    assert answer is None or len(answer.body) <= len(raw)


@given(st.integers(0, 2), st.data())
@example(0, None)
@settings(max_examples=60)
def test_any_answer_of_a_proxy_is_read_or_is_none(at: int, data: st.DataObject | None) -> None:
    """A port at which something else listens says something else."""
    said = b"HTTP/1.1 400 Bad Request\r\n\r\n" if data is None else data.draw(anything(SOCKS[at]).filter(bool))
    answer = ask([*SOCKS[:at], said, *SOCKS[at + 1 :], HTTP], True)
    assert answer in (None, Response(200, b"ok"))


# --- forms with a file -----------------------------------------------------------------------------

FORM = (
    b'--xyz\r\ncontent-disposition: form-data; name="token"\r\n\r\nabc\r\n'
    b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n'
    b"content-type: application/pdf\r\n\r\n%PDF-1.7\r\n--xyz--\r\n"
)


def post(raw: bytes, cuts: Sequence[int]) -> FilePost | None:
    """A form as it streams in, cut at these places."""
    made = FilePost(len(raw), b"xyz")
    ends = sorted({min(cut, len(raw)) for cut in cuts} | {len(raw)})
    try:
        for start, end in zip([0, *ends], ends, strict=False):
            made.feed(raw[start:end])
    except BadForm:
        return None
    return made


def test_a_valid_form_is_read() -> None:
    made = post(FORM, [])
    assert made is not None
    assert (made.fields, made.name, made.whole) == ({"token": "abc"}, "a.pdf", True)
    assert b"".join(made.pieces) == b"%PDF-1.7"
    assert made.size == len(b"%PDF-1.7")


@given(anything(FORM), st.lists(st.integers(0, 400), max_size=6))
@example(FORM.replace(b'name="file"; filename="a.pdf"', b"name=file; filename*=UTF-8''%ff"), [])
@example(FORM.replace(b"form-data", b'form-data; name="\\'), [])
def test_any_form_is_read_or_refused_in_one_way_however_it_comes(raw: bytes, cuts: list[int]) -> None:
    whole, cut = post(raw, []), post(raw, cuts)
    assert (whole is None) == (cut is None)
    if whole is None or cut is None:
        return
    assert (cut.fields, cut.name, cut.whole, cut.size) == (whole.fields, whole.name, whole.whole, whole.size)
    assert b"".join(cut.pieces) == b"".join(whole.pieces)
    assert sum(map(len, whole.pieces)) <= len(raw)


@given(anything(b"multipart/form-data; boundary=xyz").map(lambda raw: raw.decode("latin-1")))
@example('multipart/form-data; boundary="')
@example("multipart/form-data; boundary*=utf-8''%ff")
def test_any_content_type_has_a_boundary_or_is_refused(text: str) -> None:
    try:
        boundary = boundary_of(text)
    except BadForm:
        return
    assert 1 <= len(boundary) <= 200
    with contextlib.suppress(BadForm):
        FilePost(100, boundary)


@given(st.text("bytes=-0123456789, \u0663", max_size=40), st.integers(0, 1000))
@example("bytes=" + "9" * 15 + "-", 10)
def test_any_range_lies_within_its_file(header: str, size: int) -> None:
    span = span_of({"range": header}, size)
    assert span is None or (span.start >= 0 and span.length >= 0 and span.start + span.length <= span.size == size)


class Answering:
    """A transport whose server says one thing."""

    authority = "door.example"

    def __init__(self, body: bytes) -> None:
        self._body = body

    def request(self, *_: object) -> Response:
        return Response(200, self._body)


NOTES = encode_cbor([[Kind.DIRECTORY.value, b"one"], [Kind.TRANSPORT.value, b"two"]])


@given(anything(NOTES))
@example(NOTES)
@example(encode_cbor([["letter", b"one"]]))
def test_any_list_of_key_notes_is_read_as_it_stands_or_is_none(raw: bytes) -> None:
    line = Line(cast(Transport, Answering(raw)), lambda: 0, Stream("notes"), "news-1", bytes(32))
    notes = fetch_notes(line, 1)
    assert notes == () or encode_cbor([[kind.value, body] for kind, body in notes]) == raw
    assert notes or raw != NOTES


@given(anything(b"http://door.example:80/").map(lambda raw: raw.decode("utf-8", "replace")) | st.text(max_size=60))
@example("x.onion")
@example("http://a@door.example")
@example("http://door.example?at=a")
@example("http://door.example/#a")
def test_any_typed_address_is_one_as_typed_or_none(typed: str) -> None:
    said, address = "", ""
    try:
        address = read_address(typed)
    except NetworkFailed as refused:
        said = str(refused)
    assert bool(said) is not bool(address)
    assert (said + " ").isprintable()
    if said:
        return
    assert address.removeprefix("http://").endswith(typed.strip().removeprefix("http://"))
    assert re.match(r"https?://[^/@%?#]+/?\Z", address, re.IGNORECASE)


SIZE = st.text(max_size=24) | st.from_regex(r"[0-9]{0,20}[a-zA-Z]?", fullmatch=True)


def cap_of(typed: str) -> int | None:
    """None: refused in words. Any other error is the test's end."""
    try:
        return read_cap(typed)
    except CliError as refused:
        said, code = refused.what + refused.next_step, refused.code
    assert said.isprintable()
    assert code == USAGE
    return None


@given(SIZE | anything(b"500M").map(lambda raw: raw.decode("utf-8", "replace")))
@example("500M")
@example("999999T")
@example("9" * 18)
@example("9" * 15 + "T")
@example("9" * 5000)
@example("\u00b2")
@example("5\u212a")
def test_any_typed_size_is_a_number_that_reads_the_same_or_is_refused(typed: str) -> None:
    """Only what looks like one is one, and its plain number of bytes is the same size."""
    count = cap_of(typed)
    looks = re.fullmatch(r"([0-9]+)([KMGT]?)", typed, re.ASCII | re.IGNORECASE)
    if count is None:
        assert not (looks and len(looks[1]) <= 6)
        return
    assert looks
    assert count == int(looks[1]) * 1000 ** " KMGT".index(looks[2].upper() or " ")
    assert cap_of(str(count)) == count


def test_a_size_that_only_looks_like_a_number_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.read_cap", int)  # which takes other digits and blanks, and raises its own error
    with pytest.raises((AssertionError, ValueError, ExceptionGroup)):
        test_any_typed_size_is_a_number_that_reads_the_same_or_is_refused()


PAGE = b'<!doctype html>\n<html lang="en"><head><title>a</title></head><body><a href="/b#c">d</a></body></html>'


@given(anything(PAGE))
@example(PAGE)
def test_any_page_is_read_by_its_narrow_grammar_or_refused_in_words(raw: bytes) -> None:
    """In a page that is taken every `<` begins a tag whose name was looked at."""
    found = faults(raw, {"/b": "text/html"})
    assert all(one.isprintable() for one in found)
    if not found:
        assert all(re.match(rb"/?[a-z][a-z0-9-]*[ \n>]", after) for after in raw[15:].split(b"<")[1:])
    assert not found or raw != PAGE


# --- an organisation's own words -------------------------------------------------------------------

WORDS = b"# Come in\n\nA [link](/en/before), ![one](/media/a.png), <b>no tag</b>.\n\n![talk](/media/talk.mp4)\n"
ENGLISH = Texts.load("en")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for name in ("a.png", "talk.mp4", "talk.en.vtt"):
        (folder / name).write_bytes(b"x")
    return folder


def test_valid_words_are_shown(media: Path) -> None:
    shown = render(WORDS.decode(), media, ENGLISH)
    assert "<video" in shown
    assert '<a href="/en/before">' in shown
    assert "&lt;b&gt;" in shown


@given(text=anything(WORDS).map(lambda raw: raw.decode("utf-8", "replace")))
@example(text="[" * 5000)
@example(text="> " * 2000 + "a")
@example(text="![a](/media/a\u0000b.png)")
@example(text="![a](/media/%00.mp4)")
@example(text='![" onload="a](/media/talk.mp4)')
def test_any_words_are_shown_without_a_tag_of_their_own_or_refused(media: Path, text: str) -> None:
    try:
        shown = render(text, media, ENGLISH)
    except SettingsError:
        return
    assert "<b>" not in shown
    assert not re.search(r"<(?:script|style|iframe)", shown, re.IGNORECASE)
    tags = re.findall(r"<[a-z][^>]*>", shown)
    assert not any("onload" in re.sub(r'"[^"]*"', "", tag) for tag in tags)
