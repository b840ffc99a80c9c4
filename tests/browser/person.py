# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody at a window of Chromium, on the pages with their script."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, expect

from latchstring.protocol import constants as c
from latchstring.site.headers import PHONES
from latchstring.site.routes import FORMS
from latchstring.site.texts import Texts
from tests.browser.chromium import Watched, ten_words
from tests.browser.serving import ServedDoor
from tests.world.world import Desk, Source

UNKNOWN: Final = {f"Error with Permissions-Policy header: Unrecognized feature: '{feature}'." for feature in PHONES}
_LEFT_BEHIND: Final = """() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage),
  location.href, document.title, String(history.length), JSON.stringify(history.state)]"""


def delivered(door: ServedDoor, desk: Desk) -> None:
    """A batch closes, and the desk fetches it."""
    with door.lock:
        door.world.close()
        desk.sync()


def answered_each(door: ServedDoor, desk: Desk, texts: Mapping[str, Source]) -> None:
    """The desk reads what came and answers each; the answers are published, a sheet for each."""
    with door.lock:
        for text, source in texts.items():
            desk.show(source)
            desk.answer(source, text)
            desk.sync()
            door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)


class Person:
    """Somebody at a window whose clock is the door's, in one language: what is looked for on a page by its English text
    is looked for as the catalogue has it. What the page says outside itself is noted."""

    def __init__(
        self, chromium: Browser, door: ServedDoor, code: str = "en", address: str | None = None, **options: Any
    ) -> None:
        """`address`: where the door is reached from here; its own, if nothing stands between."""
        self.door, self.code, self.text = door, code, Texts.load(code)
        self.address = there = address or door.address
        self.context: BrowserContext = chromium.new_context(locale="en-GB", **options)
        self.watched = Watched(self.context, there)
        self.posted: list[str] = []
        self.context.on("request", lambda r: self.posted.append(f"{r.method} {r.url.removeprefix(there)}"))
        self.page: Page = self.context.new_page()
        self.console: list[str] = []
        self.page.on("console", lambda message: self.note(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.clock.install(time=datetime.fromtimestamp(door.world.now, UTC))

    def note(self, text: str) -> None:
        if text not in UNKNOWN:
            self.console.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)
        expect(self.page.locator("html")).to_have_attribute("data-page", "ready")

    def press(self, name: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=self.text(name), exact=True).click()

    def heading(self, text: str) -> None:
        one = self.page.get_by_role("heading", level=1)
        expect(one).to_have_text(self.text(text), timeout=30_000, use_inner_text=True)

    def says(self, text: str) -> None:
        """Of a text with a %(name)s in it: what stands before that."""
        expect(self.page.get_by_role("main")).to_contain_text(self.text(text).partition("%(")[0], timeout=30_000)

    def types(self, name: str, text: str) -> None:
        self.page.get_by_role("textbox", name=self.text(name)).fill(text)

    def writes(self, text: str, desk: str = "news") -> None:
        """Up to the files."""
        self.page.locator(f"#desk-{desk}").check()
        self.types("Your letter", text)
        self.press("Go on")

    def shown_words(self) -> str:
        return ten_words(self.page)

    def takes_words(self) -> str:
        """From the files to the way to the door; the ten words."""
        self.page.locator("main button[value=words]").click()
        self.heading("Your ten words")
        words = self.shown_words()
        self.press("I have them in mind")
        self.types("Ten words", words)
        self.press("Check and send")
        return words

    def comes_back(self, words: str) -> None:
        self.open(f"/{self.code}/return")
        self.types("Ten words", words)
        self.press("Open my thread")

    def left_nothing(self, *secrets: str) -> None:
        """Nothing of it is outside the page's memory and the screen, and nothing was asked elsewhere."""
        behind = [*self.page.evaluate(_LEFT_BEHIND), *self.console, *self.watched.asked]
        assert behind[:3] == ["", "{}", "{}"]
        assert self.console == []
        assert self.watched.elsewhere == []
        assert self.context.cookies() == []
        assert not [x for x in self.posted if x.startswith("POST") and x.split("/")[-1] in FORMS], "a form was posted"
        for secret in secrets:
            assert not any(secret in one for one in behind)
