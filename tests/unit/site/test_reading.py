# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages that only say something, asked as a browser asks: what they show, their headers, their weight."""

import asyncio
import re
from collections.abc import MutableMapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from latchstring.client.transport import NetworkFailed, Response
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.root import Door
from latchstring.protocol.wordlist import load
from latchstring.site.app import Site
from latchstring.site.headers import POLICY
from latchstring.site.languages import LANGUAGES, preferred
from latchstring.site.routes import FORMS, PAGES
from latchstring.site.settings import Settings
from tests.desk_world import World
from tests.unit.site.conftest import Pages

Answer = tuple[int, dict[str, str], bytes]


class Silent:
    """A store that does not answer."""

    authority = "door.example"

    def request(self, *_: object, **__: object) -> Response:
        raise NetworkFailed("silence")


async def ask(site: Site, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    await site(scope, receive, send)
    head = {name.decode(): value.decode("latin-1") for name, value in said[0]["headers"]}
    return said[0]["status"], head, b"".join(m.get("body", b"") for m in said[1:])


def get(site: Site, path: str, method: str = "GET", **headers: str) -> Answer:
    return asyncio.run(ask(site, method, path, {k.replace("_", "-"): v for k, v in headers.items()}))


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.close(0)
    return made


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    return Site(
        Settings(),
        world.founding.door,
        lambda: nullcontext(world.transport()),
        bytes(32),
        lambda: world.now,
    )


def test_the_first_page_shows_the_door_and_weighs_little(site: Site, world: World) -> None:
    status, _, body = get(site, "/en/")
    assert status == 200
    text = body.decode()
    for word in door_words(world.founding.door, load()):
        assert f"<li>{word}</li>" in text
    weight = len(body)
    for name in set(re.findall(r'(?:src|href)="(/(?:static/|door)[^"]*)"', text)):
        weight += len(get(site, name)[2])
    assert weight <= 60_000


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_page_in_every_language(site: Site, code: str) -> None:
    for name in PAGES:
        status, head, body = get(site, f"/{code}/{name}")
        assert status == 200, name
        assert head["content-security-policy"] == POLICY
        text = body.decode()
        assert f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}">' in text
        assert re.sub(r"<template.*?</template>", "", text, flags=re.S).count("<h1>") == 1
        assert not re.search(r'<script(?! src="/static/[a-z]+\.js"| type="application/json")', text), "inline"
        assert ("<script" in text) == (name in FORMS), "only what has steps needs a script"
        assert "style=" not in text
        assert "http-equiv" not in text


def test_no_picture_of_the_pages_is_one_that_tor_browsers_safest_does_not_show(site: Site) -> None:
    pictures = {}
    for name in PAGES:
        for tag in re.findall(r"<img[^>]*>", get(site, f"/en/{name}")[2].decode()):
            assert re.search(r' width="\d+" height="\d+" alt=', tag), tag
            address = tag.split('src="')[1].split('"')[0]
            status, head, body = get(site, address)
            pictures[address] = (status, head["content-type"], body[:8])
    assert set(pictures) == {"/code.png", "/static/how.png"}
    assert set(pictures.values()) == {(200, "image/png", b"\x89PNG\r\n\x1a\n")}


def test_a_door_that_is_silent_leaves_the_pages_readable() -> None:
    lonely = Site(Settings(), Door(bytes(32)), lambda: nullcontext(Silent()), bytes(32), lambda: 0)
    for name in PAGES:
        assert get(lonely, f"/en/{name}")[0] == 200
    assert b"does not answer just now" in get(lonely, "/en/status")[2]
    assert get(lonely, "/card.png")[0] == get(lonely, "/code.png")[0] == 503


def test_what_is_in_the_way_stands_above_the_organisations_own_words() -> None:
    """They were written for a door that is open, and may say that it is."""
    settings = Settings(words={"en": "# Come in, always"})
    lonely = Site(settings, Door(bytes(32)), lambda: nullcontext(Silent()), bytes(32), lambda: 0)
    text = get(lonely, "/en/")[2].decode()
    main = text.partition("<main")[2]
    assert main.index("The door does not answer just now.") < main.index("<h1>Come in, always</h1>")


def test_where_they_came_from_is_said_and_blocks_nobody(site: Site) -> None:
    by_tor = get(site, "/en/before", host="abc.onion")[2]
    openly = get(site, "/en/before", host="door.example:8400")[2]
    assert b"You came by our Tor address" in by_tor
    assert b"without our Tor address" in openly
    assert b"begins with http://" in openly, "behind a proxy nobody here knows how they came"
    assert b"begins with http://" not in by_tor
    gateway = get(site, "/en/before", host="abc.onion", x_tor2web="encrypted")[2]
    assert b"without our Tor address" in gateway, "it knows who came, and whoever watches its users too"


def test_in_the_open_a_browser_is_told_the_same_page_of_the_onion(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tor Browser offers to go there by itself. Not by that address, not where a form was sent."""
    name, onion = "onion-location", "http://abc.onion"
    assert name not in get(site, "/en/")[1], "a door without one"
    visit = site._door.visit()
    moved = replace(visit.directory, addresses=(*visit.directory.addresses, f"{onion}/"))
    monkeypatch.setattr(site._door, "visit", lambda: replace(visit, directory=moved))
    for path in ("/en/", "/en/before", "/ar/about", "/en/write", "/ru/return"):
        assert get(site, path)[1][name] == onion + path
        assert name not in get(site, path, host="abc.onion")[1]
    assert name not in get(site, "/static/site.css")[1]
    assert name not in get(site, "/en/write", method="POST")[1]


def test_the_language_is_chosen_by_the_browser(site: Site) -> None:
    assert get(site, "/", accept_language="uk-UA,uk;q=0.9,en;q=0.5")[1]["location"] == "/uk/"
    assert get(site, "/", accept_language="xx;q=nan, \x00, de")[1]["location"] == "/en/"
    assert preferred("en;q=0.2, ar;q=0.8", ("en", "ar")) == "ar"
    assert preferred("RU-ru,EN;q=0.5", ("en", "ru")) == "ru", "large letters are the same (RFC 9110, 8.5.1)"
    assert preferred("ru;Q=0.1, en", ("ru", "en")) == "en"


def test_leaving_goes_elsewhere_and_says_nothing(site: Site) -> None:
    status, head, body = get(site, "/leave")
    assert (status, head["location"], head["referrer-policy"], body) == (
        303, "https://www.wikipedia.org/", "no-referrer", b"",
    )  # fmt: skip


@pytest.mark.parametrize(("code", "said"), [("en", "universal time (UTC)"), ("ru", "всемирное (UTC)"), ("ar", "(UTC)")])
def test_of_which_zone_a_time_is_stands_in_words_beside_it(pages: Pages, code: str, said: str) -> None:
    text = pages.browser.get(f"/{code}/status").text
    assert text.count(" UTC") >= 3
    assert said in text


@pytest.mark.parametrize("path", ["/en/nothing", "/static/../app.py", "/static/..", "/media/x", "/xx", "/en/write/x"])
def test_what_is_not_there_is_said_calmly(site: Site, path: str) -> None:
    status, head, body = get(site, path)
    assert status == 404
    assert b"There is nothing here" in body
    assert head["cache-control"] == "no-store"


def test_only_what_is_served_may_be_asked(site: Site) -> None:
    status, head, _ = get(site, "/en/before", "POST")
    assert status == 405
    assert head["allow"] == "GET, HEAD"
    status, head, body = get(site, "/en/", "HEAD")
    assert status == 200
    assert body == b""
    assert int(head["content-length"]) > 1000
