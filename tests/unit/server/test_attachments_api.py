# SPDX-License-Identifier: AGPL-3.0-or-later
"""The endpoints of attachments: statuses and sentences, who may do what, and bodies that nobody needs to read."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask, parse_admitted, parse_names
from latchstring.protocol.primitives import x25519_public
from latchstring.protocol.request import Asked, request_key_of_member, sign_request
from latchstring.server import app as app_module
from latchstring.server.accept import Refusal, accept_directory
from latchstring.server.api import Answer, Api, Request
from latchstring.server.app import App
from latchstring.server.config import Config, format_config, load_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.server.setup import Parts, open_parts
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import open_sqlite
from tests.builders import STARTED, Stream, found
from tests.faults import Core

HOST = "door.example"
OPENED = Core.opened(30)
TOKEN = Stream("token")(32)
BEARER = {"authorization": f"Bearer {TOKEN.hex()}"}
PATH = f"/v1/attachments/{Stream('name')(32).hex()}"
BODY = b"abcd" * (c.ATTACHMENT_CHUNK // 4)


class Side:
    """A server's endpoints, and a member who signs."""

    def __init__(self) -> None:
        self.core = OPENED.copy()
        self.api = Api(self.core.intake, self.core.shelves)
        self.now = self.core.at(31) + 1
        self.nonces = Stream("nonces")

    def ask(
        self, method: str, path: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        return self.api.handle(Request(method, path, query, headers or {}, body), HOST, self.now)

    def member(self, method: str, path: str, query: str = "") -> Answer:
        founding = self.core.founding
        seed = founding.member("news").request_seed
        key = request_key_of_member(founding.directory.origin, seed, x25519_public(founding.request_seed))
        headers = sign_request(Asked(method, HOST, path, query, b""), key, "news-1", self.now, self.nonces(24))
        return self.ask(method, path, b"", query, headers)


@pytest.fixture
def side() -> Side:
    return Side()


def test_from_asking_to_fetching(side: Side) -> None:
    asked = side.ask("POST", "/v1/attachments", Ask(TOKEN, 2).encode())
    assert (asked.status, parse_admitted(asked.body)) == (201, 2)
    assert side.ask("HEAD", PATH).status == 404
    assert side.ask("PUT", PATH, BODY, headers=BEARER).status == 201
    assert side.ask("PUT", PATH, BODY, headers=BEARER).status == 201
    assert side.ask("HEAD", PATH).status == 200
    assert side.ask("PUT", PATH, BODY[::-1], headers=BEARER).status == 409
    listed = side.member("GET", "/v1/attachments", "after=0")
    after, names = parse_names(listed.body)
    assert [f"/v1/attachments/{name.hex()}" for name in names] == [PATH]
    assert parse_names(side.member("GET", "/v1/attachments", f"after={after}").body)[1] == ()
    assert side.member("GET", PATH).body == BODY


def test_only_members_list_and_fetch(side: Side) -> None:
    side.ask("POST", "/v1/attachments", Ask(TOKEN, 1).encode())
    side.ask("PUT", PATH, BODY, headers=BEARER)
    for path, query in (("/v1/attachments", "after=0"), (PATH, "")):
        for headers in ({}, BEARER):
            answer = side.ask("GET", path, query=query, headers=headers)
            assert (answer.status, BODY[:9] in answer.body) == (401, False)
    assert side.member("GET", "/v1/attachments").status == 400
    assert side.member("GET", PATH[:-1] + ("0" if PATH[-1] != "0" else "1")).status == 404


@pytest.mark.parametrize("token", ["", "Bearer ", TOKEN.hex(), f"bearer {TOKEN.hex()}", f"Bearer {TOKEN.hex()}0"])
def test_a_token_has_one_form(side: Side, token: str) -> None:
    side.ask("POST", "/v1/attachments", Ask(TOKEN, 1).encode())
    headers = {"authorization": token}
    answer = side.ask("PUT", PATH, BODY, headers=headers)
    assert (answer.status, answer.body.decode().strip()) == (401, Refusal.UPLOAD_UNKNOWN.value)
    assert side.api.refused_unread(Request("PUT", PATH, "", headers), HOST, side.now) == answer


def test_sizes_methods_and_paths(side: Side) -> None:
    side.ask("POST", "/v1/attachments", Ask(TOKEN, 1).encode())
    assert side.api.refused_unread(Request("PUT", PATH, "", BEARER), HOST, side.now) is None
    assert side.ask("PUT", PATH, BODY + b"x", headers=BEARER).status == 413
    assert side.ask("PUT", PATH, BODY[1:], headers=BEARER).status == 400
    assert side.ask("POST", "/v1/attachments", bytes(257)).status == 413
    assert side.ask("POST", "/v1/attachments", b"what").status == 400
    assert side.ask("DELETE", PATH).status == 405
    assert side.ask("PUT", "/v1/attachments").status == 405
    for path in (PATH.upper(), PATH + "0", PATH[:-1], PATH + "/..", "/v1/attachments/"):
        assert side.ask("PUT", path, headers=BEARER).status == 404


def test_trouble_in_the_store_is_a_sentence(side: Side) -> None:
    side.ask("POST", "/v1/attachments", Ask(TOKEN, 1).encode())
    side.core.fuse.arm(1, stored=False)
    assert side.ask("PUT", PATH, BODY, headers=BEARER).status == 500
    assert side.ask("PUT", PATH, BODY, headers=BEARER).status == 201


# --- over ASGI -----------------------------------------------------------------------------------

Message = MutableMapping[str, Any]


def make_app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    founding = found("app", tick=600)
    keys = ServerKeys(founding.log_seed, founding.receipt_seed, founding.request_seed)
    config = Config(folder, founding.door, founding.directory.origin)
    sql = open_sqlite(folder / "db")  # a database in memory is one connection, which threads cannot share
    parts = Parts(config, sql, keys, FolderObjects(folder / "public"), FolderObjects(folder / "private"))
    publisher = parts.publisher()
    publisher.start()
    accept_directory(parts.intake, founding.signed, STARTED)
    publisher.close(0, Stream("app"))
    monkeypatch.setattr("time.time", lambda: float(STARTED + 60))
    return App(parts)


async def put(app: App, headers: dict[str, str], chunks: list[bytes], wait: asyncio.Event | None = None) -> int:
    """Send a chunk's body in pieces; the status. Counts what was read in `put.read`."""
    scope = {
        "type": "http", "method": "PUT", "path": PATH, "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    left, sent = list(chunks), list[Message]()

    async def receive() -> Message:
        if wait is not None:
            await wait.wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    chunks[:] = left
    return int(sent[0]["status"])


def _admit(app: App) -> None:
    assert app._api.handle(Request("POST", "/v1/attachments", body=Ask(TOKEN, 1).encode()), HOST, STARTED).status == 201


def test_a_body_without_a_token_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path, monkeypatch)
    _admit(app)
    pieces = [BODY[i : i + 65_536] for i in range(0, len(BODY), 65_536)]
    unread = list(pieces)
    assert asyncio.run(put(app, {}, unread)) == 401
    assert unread == pieces
    assert asyncio.run(put(app, BEARER, pieces)) == 201
    assert asyncio.run(put(app, BEARER, [BODY, b"x"])) == 413


def test_who_sends_a_chunk_slowly_gives_way_to_who_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path, monkeypatch)
    _admit(app)
    monkeypatch.setattr(app_module, "UPLOADS", 3)

    async def many() -> list[int]:
        wait = asyncio.Event()
        tasks = []
        for number in range(3):  # one after the other: heads are looked at by several threads
            tasks.append(asyncio.create_task(put(app, BEARER, [BODY], wait)))
            while app._chunks.taken <= number:
                await asyncio.sleep(0.001)
        quick = await put(app, BEARER, [BODY])
        assert app._chunks.taken == 2
        wait.set()
        return [quick, *await asyncio.gather(*tasks)]

    assert asyncio.run(many()) == [201, 408, 201, 201]
    assert app._chunks.taken + app._storing == 0


def test_only_so_many_chunks_are_held_at_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came whole and wait to be stored count, too, and do not give way."""
    app = make_app(tmp_path, monkeypatch)
    _admit(app)
    monkeypatch.setattr(app_module, "UPLOADS", 3)
    stored, later = asyncio.Event(), app._later

    async def slow(request: Request, authority: str, body: bytes) -> Answer:
        await stored.wait()
        return await later(request, authority, body)

    async def many() -> list[int]:
        monkeypatch.setattr(app, "_later", slow)
        wait = asyncio.Event()
        tasks = [asyncio.create_task(put(app, BEARER, [BODY])) for _ in range(2)]
        while app._storing < 2:
            await asyncio.sleep(0.001)
        tasks += [asyncio.create_task(put(app, BEARER, [BODY], wait))]
        while app._chunks.taken < 1:
            await asyncio.sleep(0.001)
        tasks += [asyncio.create_task(put(app, BEARER, [BODY]))]
        while app._storing < 3:
            await asyncio.sleep(0.001)
        assert app._chunks.taken == 0
        refused = await put(app, BEARER, [BODY])
        stored.set()
        return [refused, *await asyncio.gather(*tasks)]

    assert asyncio.run(many()) == [503, 201, 201, 408, 201]
    assert app._chunks.taken + app._storing == 0


def test_the_room_is_the_operator_s(tmp_path: Path) -> None:
    founding = found("app")
    config = Config(tmp_path, founding.door, founding.directory.origin, attachment_room=7)
    (tmp_path / "server.toml").write_text(format_config(config))
    assert load_config(tmp_path / "server.toml") == config
    save_keys(config.keys_file, ServerKeys.make(Stream("keys")))
    intake = open_parts(config).intake
    assert intake.attachment_room == 7
    assert 0 < intake.free() < 1 << 60
