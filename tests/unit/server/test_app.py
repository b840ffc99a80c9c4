# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side without sockets: limits, headers, letters in groups, and calm answers to anything."""

import asyncio
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchstring.protocol.knock import Knock
from latchstring.protocol.receipt import open_receipt
from latchstring.server import app as module
from latchstring.server.accept import accept_directory
from latchstring.server.api import Answer
from latchstring.server.app import BROKEN, App
from latchstring.server.config import Config
from latchstring.server.keys import ServerKeys
from latchstring.server.setup import Parts
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import open_sqlite
from latchstring.workers.bodies import Application, Gone, Send
from latchstring.workers.headers import COMMON, STRICT_TRANSPORT
from latchstring.workers.slots import Slots
from tests.builders import STARTED, Founding, Stream, found
from tests.faults import letter

Message = MutableMapping[str, Any]


def make_app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[App, Founding, Parts]:
    founding = found("app", tick=600)
    keys = ServerKeys(founding.log_seed, founding.receipt_seed, founding.request_seed)
    config = Config(folder, founding.door, founding.directory.origin)
    parts = Parts(config, open_sqlite(None), keys, FolderObjects(folder / "public"), FolderObjects(folder / "private"))
    publisher = parts.publisher()
    publisher.start()
    accept_directory(parts.intake, founding.signed, STARTED)
    publisher.close(0, Stream("app"))
    monkeypatch.setattr("time.time", lambda: float(STARTED + 60))
    return App(parts), founding, parts


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[App, Founding, Parts]:
    return make_app(tmp_path, monkeypatch)


async def ask(
    app: Application, method: str, path: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1", "replace"),
        "headers": [
            (k.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for k, v in (headers or {}).items()
        ],
    }
    sent: list[Message] = []
    chunks = [body[i : i + 3000] for i in range(0, len(body), 3000)] or [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    fields = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], fields, b"".join(m.get("body", b"") for m in sent[1:])


def run(app: App, *args: Any, **kwargs: Any) -> tuple[int, dict[str, str], bytes]:
    return asyncio.run(ask(app, *args, **kwargs))


def test_a_letter_gets_its_receipt_and_again_the_same(made: tuple[App, Founding, Parts]) -> None:
    app, founding, _ = made
    status, fields, raw = run(app, "POST", "/v1/letters", letter(1))
    assert status == 201
    assert open_receipt(raw, founding.directory.receipt_key).publish_by == 2 + 63 // 4
    assert run(app, "POST", "/v1/letters", letter(1))[2] == raw
    assert fields["cache-control"] == "no-store"


def test_a_worker_of_the_store_alone_refuses_a_long_head(
    made: tuple[App, Founding, Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make", lambda: made[0])
    headers = {"x-long": "a" * 20_000, "x-forwarded-proto": "https"}
    status, fields, _ = asyncio.run(ask(module.load(), "GET", "/visit", headers=headers))
    assert status == 431
    assert {*COMMON, STRICT_TRANSPORT, ("connection", "close")} <= set(fields.items())


def test_letters_of_one_moment_share_a_transaction(
    made: tuple[App, Founding, Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = made[0]
    groups: list[int] = []
    real = app._api.letters

    def watch(bodies: list[bytes], now: int, knocks: list[Knock | None]) -> list[Answer]:
        groups.append(len(bodies))
        return real(bodies, now, knocks)

    monkeypatch.setattr(app._api, "letters", watch)

    async def many() -> list[tuple[int, dict[str, str], bytes]]:
        return await asyncio.gather(*(ask(app, "POST", "/v1/letters", letter(i)) for i in range(16)))

    answers = asyncio.run(many())
    assert [status for status, _, _ in answers] == [201] * 16
    assert sum(groups) == 16
    assert len(groups) < 10


def test_one_who_hangs_up_does_not_lose_the_others(made: tuple[App, Founding, Parts]) -> None:
    app = made[0]

    async def some() -> list[Any]:
        tasks = [asyncio.create_task(ask(app, "POST", "/v1/letters", letter(i))) for i in range(6)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(some())
    assert isinstance(answers[2], asyncio.CancelledError)
    assert [a[0] for i, a in enumerate(answers) if i != 2] == [201] * 5


def test_an_error_inside_is_one_calm_sentence(
    made: tuple[App, Founding, Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = made[0]

    def broken(*_: object) -> Answer:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(app._api, "letters", broken)
    monkeypatch.setattr(app._api, "handle", broken)
    for method, path, body in (("POST", "/v1/letters", letter(1)), ("GET", "/visit", b"")):
        status, _, raw = run(app, method, path, body)
        assert (status, raw) == (500, BROKEN.body)


def test_bodies_have_limits_and_time(made: tuple[App, Founding, Parts], monkeypatch: pytest.MonkeyPatch) -> None:
    app = made[0]
    assert run(app, "POST", "/v1/letters", bytes(4097))[0] == 413
    assert run(app, "POST", "/v1/letters", bytes(4095))[0] == 400
    assert run(app, "POST", "/visit", bytes(1))[0] == 413
    monkeypatch.setattr(app, "_bodies", Slots(4, 0.05))

    async def never() -> Message:
        await asyncio.sleep(5)
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/letters", "query_string": b"", "headers": []}
    asyncio.run(app(scope, never, send))
    assert sent[0]["status"] == 408


def test_who_sends_slowly_gives_way_to_who_comes(made: tuple[App, Founding, Parts]) -> None:
    """Four hold connections open with bodies that never end; a person's letter gets in, and one of them is told."""
    app, founding, _ = made
    app._bodies = Slots(4, 100)
    told: list[int] = []

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        told.extend([message["status"]] if "status" in message else [])

    async def scene() -> int:
        scope = {"type": "http", "method": "POST", "path": "/v1/letters", "query_string": b"", "headers": []}
        slow = [asyncio.create_task(app(scope, never, send)) for _ in range(4)]
        await asyncio.sleep(0)
        status, _, raw = await ask(app, "POST", "/v1/letters", letter(1))
        assert open_receipt(raw, founding.directory.receipt_key)
        await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        assert [task.done() for task in slow] == [True, False, False, False]
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return status

    assert asyncio.run(scene()) == 201
    assert told == [408]


def test_a_slow_reader_gives_way_too(made: tuple[App, Founding, Parts]) -> None:
    app = made[0]
    app._downloads = Slots(1, 100)

    async def stuck(_message: Message) -> None:
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def scene() -> None:
        scope = {"type": "http", "method": "GET", "path": "/visit", "query_string": b"", "headers": []}
        slow = asyncio.create_task(app(scope, receive, stuck))
        while not app._downloads.taken:
            await asyncio.sleep(0)
        status, fields, body = await ask(app, "GET", "/visit")
        assert (status, len(body)) == (200, int(fields["content-length"]))
        await slow  # broken off, without a word
        assert app._downloads.taken == 0

    asyncio.run(scene())


def test_visit_is_whole_whatever_is_asked(made: tuple[App, Founding, Parts]) -> None:
    app, _, parts = made
    whole = parts.public.get("visit")
    asked = {"range": "bytes=0-9", "if-none-match": "*", "if-modified-since": "Thu, 01 Jan 2037 00:00:00 GMT"}
    status, fields, raw = run(app, "GET", "/visit", headers=asked)
    assert (status, raw, int(fields["content-length"])) == (200, whole, len(whole))
    assert not {"etag", "last-modified", "accept-ranges", "set-cookie", "server"} & set(fields)
    status, fields, raw = run(app, "HEAD", "/visit")
    assert (status, raw, int(fields["content-length"])) == (200, b"", len(whole))


PUBLIC = ["/visit", "/checkpoint", "/log.vkey", "/manifests/0", "/keynotes/0", "/tile/entries/000.p/6"]


@pytest.mark.parametrize("path", PUBLIC)
def test_published_files_are_served(made: tuple[App, Founding, Parts], path: str) -> None:
    app, _, parts = made
    status, fields, raw = run(app, "GET", path)
    assert (status, raw) == (200, parts.public.get(path[1:]))
    assert fields["x-content-type-options"] == "nosniff"
    assert run(app, "DELETE", path)[0] == 405


@pytest.mark.parametrize(
    "path",
    ["/", "", "/packs/0", "/private/packs/0", "/../private/packs/0", "/tile/../../private/packs/0", "/tile//etc",
     "/visit/", "/manifests/00", "/manifests/-1", "/manifests/1e9", "/store.sqlite", "/keys.cbor", "/visit%00",
     "/tile/0/000.p/../x", "//visit", "/v1", "/v1/", "/v1/letters/", "/log.vkey/../keys"],
)  # fmt: skip
def test_nothing_else_is(made: tuple[App, Founding, Parts], path: str) -> None:
    status, _, raw = run(made[0], "GET", path)
    assert status in (404, 405)
    assert b"/" not in raw


def test_packs_are_for_members(made: tuple[App, Founding, Parts]) -> None:
    status, _, raw = run(made[0], "GET", "/v1/packs/0")
    assert status == 401
    assert len(raw) < 200


DOCUMENTED = {200, 201, 400, 401, 403, 404, 405, 409, 412, 413, 429, 500, 503}


def test_any_request_gets_a_documented_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path, monkeypatch)[0]
    paths = st.sampled_from([*PUBLIC, "/v1/letters", "/v1/directory", "/v1/keynotes", "/v1/pages/1/0", "/v1/packs/0"])

    @given(
        st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"]),
        paths | st.text(max_size=40).map(lambda t: "/" + t),
        st.text(max_size=30),
        st.dictionaries(
            st.sampled_from(["signature", "signature-input", "content-digest", "host", "range"]), st.text(max_size=60)
        ),
        st.binary(max_size=300),
    )
    @settings(max_examples=150)
    def anything(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
        status, _, _ = run(app, method, path, body, query, headers)
        assert status in DOCUMENTED

    anything()
    assert threading.active_count() < 200


FIXED = {
    **dict(COMMON),
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "permissions-policy": "interest-cohort=()",
}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/visit", b"", 200),
        ("HEAD", "/checkpoint", b"", 200),
        ("POST", "/v1/letters", letter(1), 201),
        ("POST", "/v1/letters", b"", 400),
        ("GET", "/v1/packs/0", b"", 401),
        ("GET", "/nothing", b"", 404),
        ("GET", "/manifests/99", b"", 404),
        ("GET", "/v1/letters", b"", 405),
        ("POST", "/v1/directory", bytes(1_000_000), 413),
    ],
)
def test_the_same_headers_on_every_answer(
    made: tuple[App, Founding, Parts], method: str, path: str, body: bytes, status: int
) -> None:
    got, fields, raw = run(made[0], method, path, body, headers={"cookie": "who=you", "origin": "http://evil.example"})
    assert got == status
    allow = {"allow"} if status == 405 else set()
    assert set(fields) == {*FIXED, "content-type", "content-length", "cache-control"} | allow
    assert FIXED.items() <= fields.items()
    if method != "HEAD":
        assert int(fields["content-length"]) == len(raw)
    if status >= 400:
        assert fields["cache-control"] == "no-store"
        assert fields["content-type"] == "text/plain; charset=utf-8"


def heard(app: App, messages: list[Message], method: str = "POST", path: str = "/v1/letters") -> list[Message]:
    """What the application sends to a client that sends these."""
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))
    return sent


def test_a_letter_cut_in_the_middle_is_not_kept(made: tuple[App, Founding, Parts]) -> None:
    app, founding, parts = made
    half: Message = {"type": "http.request", "body": letter(1)[:2000], "more_body": True}
    assert heard(app, [half, {"type": "http.disconnect"}]) == []
    publisher = parts.publisher()
    publisher.start()
    publisher.close(1, Stream("cut"))
    assert letter(1)[:2000] not in parts.private.get("packs/1")
    assert founding.directory.policy.letters * 4096 == len(parts.private.get("packs/1"))


def test_a_body_without_end_is_not_read_to_its_end(made: tuple[App, Founding, Parts]) -> None:
    chunk: Message = {"type": "http.request", "body": bytes(3000), "more_body": True}
    left = [chunk] * 100
    assert heard(made[0], left)[0]["status"] == 413
    assert len(left) == 98


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/keynotes"), ("PUT", "/v1/pages/1/0")])
def test_a_long_body_of_one_who_is_no_member_is_not_read(
    made: tuple[App, Founding, Parts], method: str, path: str
) -> None:
    chunk: Message = {"type": "http.request", "body": bytes(3000), "more_body": True}
    left = [chunk] * 100
    assert heard(made[0], left, method, path)[0]["status"] == 401
    assert len(left) == 100


def test_a_file_that_is_cut_on_disk_is_broken_off(
    made: tuple[App, Founding, Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is sent in place of what is missing: the client sees an answer that is not whole."""
    app, _, parts = made
    path = parts.public.file("visit")
    size = path.stat().st_size
    real = module._start

    async def cut(answer: Answer, length: int, send: Send) -> None:
        await real(answer, length, send)
        path.write_bytes(path.read_bytes()[:100])

    monkeypatch.setattr(module, "_start", cut)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/visit", "query_string": b"", "headers": []}
    with pytest.raises(Gone):
        asyncio.run(app(scope, receive, send))
    assert dict(sent[0]["headers"])[b"content-length"] == str(size).encode()
    assert sum(len(m.get("body", b"")) for m in sent[1:]) <= 100
    assert all(m.get("more_body") for m in sent[1:])


def test_starting_and_stopping(made: tuple[App, Founding, Parts]) -> None:
    messages: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(made[0]({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
