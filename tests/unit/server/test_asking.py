# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking one witness: every answer that it can give, and what is made of it."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.client.quorum import check_fresh
from latchstring.log.addcheckpoint import parse_add_checkpoint
from latchstring.log.cosignature import witnessed
from latchstring.protocol.visit import Visit
from latchstring.server.asking import NoAnswer, Post, Told, ask, http_post
from latchstring.server.candidate import Candidate
from tests import selfsigned
from tests.builders import found
from tests.witnessed import cosign, with_witnesses
from tests.witnesses import Log, as_named, cosigner, witness_for

NOW = 1_700_000_000
LOG = Log()
W1 = as_named(cosigner("w1.example"))
DIRECTORY = with_witnesses(found("asked"), 1, 1).directory


def candidate(size: int) -> Candidate:
    note = LOG.checkpoint(size).sign(LOG.seed)
    return Candidate(size, Visit(note, (), (), (), b"", (), (), ()), DIRECTORY)


def prove(old: int, wanted: Candidate) -> list[bytes]:
    return LOG.proof(old, wanted.size)


def answering(*answers: tuple[int, bytes]) -> tuple[Post, list[int]]:
    """A witness that gives these answers in turn; the old sizes that it was told."""
    olds: list[int] = []
    left = list(answers)

    def post(_address: str, body: bytes) -> tuple[int, bytes]:
        olds.append(parse_add_checkpoint(body).old)
        return left.pop(0)

    return post, olds


def honest(now: int = NOW) -> Post:
    witness = witness_for(LOG)

    def post(address: str, body: bytes) -> tuple[int, bytes]:
        assert address == "http://w1.example"
        answer = witness.add_checkpoint(body, now)
        return answer.status, answer.body

    return post


def test_it_is_asked_again_with_the_size_that_it_tells() -> None:
    post = honest()
    for size, guess in ((4, 0), (9, 0), (9, 4), (20, 20), (30, 9)):
        told = ask(W1, candidate(size), guess, post, prove, NOW)
        assert told.trouble == ""
        assert told.size == size
        assert witnessed(candidate(size).checkpoint + told.lines.encode(), [W1])[0].time == NOW


@pytest.mark.parametrize(
    ("answers", "said", "olds"),
    [
        (((409, b"12\n"),), "longer log, of 12 leaves", [3]),
        (((409, b"9\n"), (409, b"9\n")), "another log of 9 leaves", [3, 9]),
        (((409, b"5\n"), (409, b"6\n"), (409, b"7\n")), "somebody else", [3, 5, 6]),
        (((409, b"many\n"),), "no size", [3]),
        (((404, b""),), "does not know this log", [3]),
        (((403, b""),), "another one", [3]),
        (((422, b""),), "not the log it has seen", [3]),
        (((500, b""),), "status 500", [3]),
        (((200, b""),), "do not hold", [3]),
        (((200, b"\xff"),), "do not hold", [3]),
        (((200, "\u2014 w1.example AAAAAAAAAAAAAAAA\n".encode()),), "not by all", [3]),
    ],
)
def test_what_a_refusal_means(answers: tuple[tuple[int, bytes], ...], said: str, olds: list[int]) -> None:
    post, asked = answering(*answers)
    told = ask(W1, candidate(9), 3, post, prove, NOW)
    assert said in told.trouble
    assert told.lines == ""
    assert asked == olds


def test_a_dead_one_is_said_to_be() -> None:
    def post(_address: str, _body: bytes) -> tuple[int, bytes]:
        raise NoAnswer

    assert ask(W1, candidate(9), 0, post, prove, NOW) == Told("w1.example", trouble="does not answer")


def lines(who: str, size: int, at: int = NOW) -> bytes:
    note = candidate(size).checkpoint
    return cosign(note, [who], at)[len(note) :]


def test_only_lines_of_its_own_keys_that_hold_are_taken() -> None:
    post, _ = answering((200, lines("w2.example", 9) + lines("w1.example", 9)))
    told = ask(W1, candidate(9), 0, post, prove, NOW)
    assert "w2.example" not in told.lines
    assert len(told.lines.splitlines()) == 2
    for bad in (lines("w2.example", 9), lines("w1.example", 8), lines("w1.example", 9).split(b"\n")[0] + b"\n"):
        assert "do not hold" in ask(W1, candidate(9), 0, answering((200, bad))[0], prove, NOW).trouble


@pytest.mark.parametrize("away", [-200_000, 200_000, 6 * 3600, 1200])
def test_a_witness_whose_clock_is_off_does_not_count(away: int) -> None:
    """Clients would refuse its cosignature by their clocks, and the whole file with it."""
    assert "clock" in ask(W1, candidate(9), 0, honest(NOW + away), prove, NOW).trouble


@pytest.mark.parametrize("away", [-40_000, -600, 0, 299])
def test_whatever_is_taken_a_client_takes_too(away: int) -> None:
    told = ask(W1, candidate(9), 0, honest(NOW + away), prove, NOW)
    assert told.trouble == ""
    check_fresh(witnessed(candidate(9).checkpoint + told.lines.encode(), [W1]), DIRECTORY, NOW, NOW, 600)


# --- over the network -----------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what its server is told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer: bytes = self.server.answer  # type: ignore[attr-defined]  # set by the test
        self.server.bodies.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(409)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def listener() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.bodies = b"4\n", []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_over_http(listener: http.server.HTTPServer) -> None:
    post = http_post(None, 10)
    address = f"http://127.0.0.1:{listener.server_port}/prefix"
    assert post(address, b"old 0\n") == (409, b"4\n")
    assert listener.bodies == [("/prefix/add-checkpoint", b"old 0\n")]  # type: ignore[attr-defined]
    listener.answer = bytes(70_000)  # type: ignore[attr-defined]
    with pytest.raises(NoAnswer):
        post(address, b"")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://x.onion", "http://", "nonsense", "http://[::1"])
def test_addresses_that_do_not_answer(address: str) -> None:
    with pytest.raises(NoAnswer):
        http_post(None, 5)(address, b"")


def test_a_witness_whose_certificate_no_authority_signed_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with selfsigned.serving(tmp_path) as (address, certificate):
        with pytest.raises(NoAnswer):
            http_post(None, 5)(address, b"")
        monkeypatch.setattr("certifi.where", lambda: str(certificate))  # as if it were an authority's
        assert http_post(None, 5)(address, b"") == (200, b"ok")
