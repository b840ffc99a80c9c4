# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's Chromium, driven by Playwright. The sync API holds this thread's event loop while it runs, so that
`asyncio.run` works in other threads alone meanwhile: a browser lives no longer than the tests of one file."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from latchstring.protocol import constants as c

CHROMIUM: Final = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
MISSING: Final = "Chromium is missing (on Debian, as root: apt-get install chromium)"
FLAGS: Final = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with a fresh profile; the test is skipped, in words, where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=30_000)  # a machine may be busy
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def ten_words(page: Page) -> str:
    """As the page shows them, which may still be on its way: a press does not always wait for what it asked for."""
    words = page.locator("ol.words.large li")
    expect(words).to_have_count(c.PASSPHRASE_WORDS)
    return " ".join(words.all_inner_texts())


class Watched:
    """What a context asked for beyond `address`: there must be nothing."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self._address = address.rstrip("/") + "/"
        self.asked: list[str] = []
        self.elsewhere: list[str] = []
        context.on("request", self._see)

    def _see(self, request: Request) -> None:
        self.asked.append(request.url)
        if not request.url.startswith(self._address):
            self.elsewhere.append(request.url)
