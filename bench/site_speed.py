# SPDX-License-Identifier: AGPL-3.0-or-later
"""site-speed: the pages for sources in Chromium over a slow line, until a page can be used and until a letter is in."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from bench.figure import Figure, Goal, number
from latchstring.demo.door import TITLES, DemoDoor, found, free_port
from tests.browser.chromium import CHROMIUM, MISSING, launched

LINE: Final = 50_000  # bytes per second, either way
DELAY: Final = 400  # milliseconds until an answer begins
USABLE: Final = 6.0  # seconds, aimed at
ACCEPTED: Final = 3.0
PAGES: Final = ("", "before", "write", "return", "help")
_TITLE: Final = f"The pages over a line of {LINE // 1000} KB/s with {DELAY} ms delay, nothing in the browser's cache"
_COLUMNS: Final = ("what", "JavaScript", "kB", "requests", "seconds")


@contextmanager
def _door() -> Iterator[DemoDoor]:
    with tempfile.TemporaryDirectory() as folder:
        made = found(Path(folder) / "door", free_port(), 1, 0)
        try:
            made.post_directory()
            made.wait_batch(0)
            for _ in range(2):
                for desk in TITLES:
                    made.sync(desk)
                made.wait_batch(made.visit().manifest.n + 1)
            yield made
        finally:
            made.stop()


class Slow:
    """A window of somebody new, on the slow line; counts what came over it."""

    def __init__(self, browser: Browser, script: bool) -> None:
        self._context = browser.new_context(java_script_enabled=script, viewport={"width": 360, "height": 740})
        self.page: Page = self._context.new_page()
        self.bytes = self.requests = 0
        line = self._context.new_cdp_session(self.page)
        line.send("Network.enable")
        slow = {"offline": False, "latency": DELAY, "downloadThroughput": LINE, "uploadThroughput": LINE}
        line.send("Network.emulateNetworkConditions", slow)
        line.on("Network.loadingFinished", self._count)

    def _count(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1

    def load(self, address: str) -> float:
        """Seconds until the page stands there whole: words, looks, pictures."""
        start = time.perf_counter()
        self.page.goto(address, wait_until="load", timeout=120_000)
        return time.perf_counter() - start

    def send(self, address: str) -> float:
        """Write a letter without a script; seconds from the last button to 'Your letter is in'."""
        page = self.page
        page.goto(f"{address}/en/write", timeout=120_000)
        page.get_by_role("radio").first.check()
        page.locator("#text").fill("May I ask something first?")
        page.locator("button[value=text]").click()
        page.locator("button[value=words]").click()
        words = " ".join(page.locator("ol.words.large li").all_inner_texts())
        page.locator("button[value=practise]").click()
        page.locator("#words").fill(words)
        start = time.perf_counter()
        page.locator("button[value=send]").click()
        page.get_by_role("heading", name="Your letter is in").wait_for(timeout=120_000)
        return time.perf_counter() - start

    def close(self) -> None:
        """End it."""
        self._context.close()


def run(quick: bool) -> Figure:
    """Each page as the first that somebody opens; the slowest counts."""
    if CHROMIUM is None:
        return Figure(_TITLE, _COLUMNS, (), (), (MISSING,))
    rows, goals = [], []
    with _door() as door, launched() as browser:
        for script in (False, True):
            slowest = 0.0
            for name in PAGES[:2] if quick else PAGES:
                slow = Slow(browser, script)
                took = slow.load(f"{door.address}/en/{name}")
                slowest = max(slowest, took)
                kilobytes = number(slow.bytes / 1000)
                rows.append((f"/en/{name}", "on" if script else "off", kilobytes, str(slow.requests), number(took)))
                slow.close()
            how = "with" if script else "without"
            goals.append(Goal(f"the slowest page {how} JavaScript", slowest, USABLE, False, " s"))
        slow = Slow(browser, False)
        took = slow.send(door.address)
        slow.close()
        rows.append(("a letter: from 'send' to 'Your letter is in'", "off", "", "", number(took)))
        goals.append(Goal("a letter without JavaScript", took, ACCEPTED, False, " s"))
    return Figure(
        _TITLE,
        _COLUMNS,
        tuple(rows),
        tuple(goals),
        ("Delay and speed are set in the browser; a circuit of Tor that must first be built takes longer.",),
    )
