# SPDX-License-Identifier: AGPL-3.0-or-later
"""What pages that are served alone hand on to the store for their script: sealed bytes, and nothing of who."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from latchstring.client.visit import check_visit
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask
from latchstring.protocol.knock import HEADER
from latchstring.site import through
from latchstring.site.settings import Settings
from tests.reader import Answer, ask
from tests.unit.site.conftest import Pages

TELLTALE = {"cookie": "who=me", "user-agent": "Mine/1", "x-forwarded-for": "192.0.2.7", "accept-language": "uk"}
CHUNK = "/v1/attachments/" + "ab" * 32


def asked(pages: Pages, method: str, path: str, body: bytes = b"", **head: str) -> Answer:
    return asyncio.run(ask(pages.site, method, path, {**TELLTALE, **head}, [body]))


def test_the_newest_visit_comes_from_memory(pages: Pages) -> None:
    first = asked(pages, "GET", "/visit")
    assert check_visit(first.body, pages.world.is_door, pages.now(), None).directory.door == pages.world.door
    assert first.head["cache-control"] == "no-store"
    head = asked(pages, "HEAD", "/visit")
    assert (head.status, head.head, head.body) == (200, first.head, b"")
    before = len(pages.world.traffic)
    assert asked(pages, "GET", "/visit").body == first.body
    assert len(pages.world.traffic) == before, "the store is not asked again within a tick"


def test_a_letter_goes_on_with_nothing_of_who_sent_it(pages: Pages) -> None:
    letter = bytes(range(256)) * 16
    answer = asked(pages, "POST", "/v1/letters", letter, **{HEADER: "0" * 64})
    crossing = pages.world.traffic[-1]
    assert (answer.status, answer.body) == (crossing.status, crossing.answer)
    assert (crossing.method, crossing.path, crossing.query, crossing.body) == ("POST", "/v1/letters", "", letter)
    assert crossing.headers == ((HEADER, "0" * 64),)


def test_an_attachment_goes_on(pages: Pages) -> None:
    token = bytes(range(32))
    assert asked(pages, "POST", "/v1/attachments", Ask(token, 1).encode()).status == 201
    assert asked(pages, "HEAD", CHUNK).status == 404
    put = asked(pages, "PUT", CHUNK, bytes(c.ATTACHMENT_CHUNK), authorization=f"Bearer {token.hex()}")
    assert put.status == 201
    assert pages.world.traffic[-1].headers == (("authorization", f"Bearer {token.hex()}"),)
    assert asked(pages, "HEAD", CHUNK).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/checkpoint", 404),
        ("POST", "/v1/pages", 405),
        ("GET", "/v1/letters", 405),
        ("DELETE", CHUNK, 405),
        ("PUT", CHUNK + "0", 405),
        ("PUT", CHUNK.upper(), 405),
        ("POST", "/v1/letters/", 405),
    ],
)
def test_nothing_else_is_handed_on(pages: Pages, method: str, path: str, status: int) -> None:
    asked(pages, "GET", "/visit")
    before = len(pages.world.traffic)
    assert asked(pages, method, path, b"1").status == status
    assert len(pages.world.traffic) == before


def test_longer_bodies_than_the_store_takes_are_not_handed_on(pages: Pages) -> None:
    for method, path, most in (
        ("POST", "/v1/letters", c.LETTER_SIZE),
        ("POST", "/v1/attachments", 256),
        ("PUT", CHUNK, c.ATTACHMENT_CHUNK),
    ):
        before = len(pages.world.traffic)
        assert asked(pages, method, path, bytes(most + 1)).status == 413
        assert len(pages.world.traffic) == before


def test_lost_on_the_way_there_or_back_is_said_as_not_known(pages: Pages) -> None:
    asked(pages, "GET", "/visit")
    for fate in ("drop", "cut"):
        pages.wire.fates = [fate]
        assert asked(pages, "POST", "/v1/letters", bytes(c.LETTER_SIZE)).status == 502


def test_a_door_that_is_silent_has_no_visit(pages: Pages) -> None:
    pages.world.up = False
    assert asked(pages, "GET", "/visit").status == 503
    assert asked(pages, "POST", "/v1/letters", bytes(c.LETTER_SIZE)).status == 502


# --- Whoever holds on to what others need -----------------------------------------------------------------------------


async def held_up(pages: Pages, method: str, path: str) -> "asyncio.Task[Answer]":
    """A request whose body does not end, or whose answer is not read."""
    began = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if method == "GET":
            return {"type": "http.request", "body": b""}
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        out.append(message)
        if method == "GET" and message["type"] == "http.response.body":
            began.set()
            await asyncio.Event().wait()

    out: list[MutableMapping[str, Any]] = []
    scope = {"type": "http", "method": method, "path": path, "headers": [], "scheme": "http"}

    async def run() -> Answer:
        await pages.site(scope, receive, send)
        return Answer(out[0]["status"], {}, b"")

    task = asyncio.create_task(run())
    await asyncio.wait_for(began.wait(), 20)
    return task


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/letters"), ("PUT", CHUNK)])
def test_bodies_that_do_not_end_give_way_to_a_letter(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr(through, "LETTERS", 2)
    monkeypatch.setattr(through, "CHUNKS", 2)
    fresh = Pages(pages.world, Settings())

    async def flood() -> tuple[int, int]:
        slow = [await held_up(fresh, method, path) for _ in range(2)]
        head = {"authorization": f"Bearer {'00' * 32}"}
        new = await ask(fresh.site, method, path, head, [bytes(c.LETTER_SIZE if method == "POST" else 1)])
        oldest = await asyncio.wait_for(slow[0], 5)
        slow[1].cancel()
        return new.status, oldest.status

    new, oldest = asyncio.run(flood())
    assert (new not in (408, 503), oldest) == (True, 408)


def test_answers_that_nobody_reads_give_way_to_a_reader(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through, "READERS", 2)
    fresh = Pages(pages.world, Settings())

    async def flood() -> Answer:
        slow = [await held_up(fresh, "GET", "/visit") for _ in range(2)]
        new = await ask(fresh.site, "GET", "/visit", {}, [b""])
        await asyncio.wait_for(slow[0], 5)
        slow[1].cancel()
        return new

    answer = asyncio.run(flood())
    assert answer.status == 200
    assert check_visit(answer.body, pages.world.is_door, pages.now(), None).directory.door == pages.world.door
