# SPDX-License-Identifier: AGPL-3.0-or-later
"""Another site's form at the true address, as Chromium and Firefox send it: 127.0.0.1 is the door, localhost the other.
By raw requests: `tests/unit/site/test_from_elsewhere.py`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from latchstring.site.http import Asked
from tests.browser.chromium import ten_words
from tests.browser.firefox import opened
from tests.browser.serving import ServedDoor

SAID = "Another site sent you here with a form. Nothing of it was taken. Begin here."


@contextmanager
def another_site(action: str, fields: dict[str, str], referrer: str = "") -> Iterator[str]:
    """The address of a page of another origin whose one button posts these fields."""
    boxes = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())
    policy = f'<meta name="referrer" content="{referrer}">' if referrer else ""
    form = f'<form method="post" action="{action}">{boxes}<button id="go">Go</button></form>'
    page = f"<!doctype html>{policy}{form}".encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing is recorded."""

        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def walk(page: Page, door: ServedDoor) -> str:
    """As anybody, to the ten words."""
    page.goto(f"{door.address}/en/write")
    page.locator("#desk-news").check()
    page.locator("#text").fill("a placeholder")
    return on(page)


def on(page: Page) -> str:
    page.locator("main button[value=text]").click()
    page.locator("main button[value=words]").click()
    return ten_words(page)


def lure(chromium: Browser, door: ServedDoor) -> tuple[dict[str, str], str]:
    """What the attacker's form posts, and the words that it knows."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    words = walk(page, door)
    state = page.locator("input[name=state]").first.input_value()
    context.close()
    return {"state": state, "do": "back"}, words


@pytest.mark.parametrize("referrer", ["", "no-referrer"])
@pytest.mark.parametrize("script", [False, True])
def test_another_sites_form_begins_anew(chromium: Browser, door: ServedDoor, script: bool, referrer: str) -> None:
    fields, words = lure(chromium, door)
    page = chromium.new_context(java_script_enabled=script).new_page()
    with another_site(f"{door.address}/en/write", fields, referrer) as address:
        page.goto(address)
        page.locator("#go").click()
        expect(page.get_by_text(SAID)).to_be_visible()
        page.reload()
        expect(page.get_by_text(SAID)).to_be_visible()
    expect(page.locator("#text")).to_have_value("")
    seals = "sealed here, on your device" if script else "works without JavaScript"
    expect(page.get_by_role("main")).to_contain_text(seals)
    if not script:
        page.locator("#desk-news").check()
        page.locator("#text").fill("what I saw")
        assert on(page) not in ("", words)
    page.context.close()


def test_another_sites_form_opens_no_thread(chromium: Browser, door: ServedDoor) -> None:
    _, words = lure(chromium, door)
    page = chromium.new_context(java_script_enabled=False).new_page()
    with another_site(f"{door.address}/en/return", {"words": words, "do": "open"}) as address:
        page.goto(address)
        page.locator("#go").click()
        expect(page.get_by_text(SAID)).to_be_visible()
    expect(page.locator("#words")).to_have_value("")
    page.context.close()


def test_the_attack_works_where_the_browser_is_not_listened_to(
    chromium: Browser, door: ServedDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "from_elsewhere", False)
    fields, words = lure(chromium, door)
    page = chromium.new_context(java_script_enabled=False).new_page()
    with another_site(f"{door.address}/en/write", fields) as address:
        page.goto(address)
        page.locator("#go").click()
    expect(page.locator("#text")).to_have_value("a placeholder")
    assert on(page) == words
    page.context.close()


def test_a_page_of_the_doors_own_may_be_loaded_again(chromium: Browser, door: ServedDoor) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    walk(page, door)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your ten words")
    page.context.close()


@pytest.mark.matrix
def test_another_sites_form_in_firefox(chromium: Browser, door: ServedDoor, tmp_path: Path) -> None:
    fields, words = lure(chromium, door)
    with another_site(f"{door.address}/en/write", fields) as address, opened(tmp_path, script=False) as browser:
        browser.go(address)
        browser.follow("#go")
        assert SAID in browser.text("body")
        browser.again()
        assert SAID in browser.text("body"), "it still says whose form it was"
        browser.click("#desk-news")
        browser.type("#text", "what I saw")
        browser.press("text")
        browser.press("words")
        own = browser.texts("ol.words.large li")
        assert " ".join(own) not in ("", words)
        browser.again()
        assert browser.texts("ol.words.large li") not in ([], words.split()), "a page of the door's own"
