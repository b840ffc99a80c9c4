# SPDX-License-Identifier: AGPL-3.0-or-later
"""site-speed: the pages for sources in Chromium over a slow line, until a page can be used and until a letter is in."""

import secrets
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from playwright.sync_api import Browser, Page

from bench.figure import Figure, Goal, number
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from tests.browser.chromium import CHROMIUM, MISSING, launched
from tests.demo_door import running
from tests.slow_line import SLOW, port_of, slow_line

DELAY: Final = 0.4  # seconds until an answer begins
USABLE: Final = 6.0  # seconds, aimed at
ACCEPTED: Final = 3.0
PAGES: Final = ("", "before", "write", "return", "help")
_TITLE: Final = f"The pages over a line of {SLOW // 1000} KB/s with {DELAY} s delay, nothing in the browser's cache"
_COLUMNS: Final = ("what", "JavaScript", "kB", "requests", "seconds")


class Slow:
    """A window of somebody new; counts what came."""

    def __init__(self, browser: Browser, script: bool) -> None:
        self._context = browser.new_context(java_script_enabled=script, viewport={"width": 360, "height": 740})
        self.page: Page = self._context.new_page()
        self.bytes = self.requests = 0
        network = self._context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", self._count)

    def _count(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1

    def load(self, address: str) -> float:
        """Seconds until the page stands there whole: words, looks, pictures."""
        start = time.perf_counter()
        self.page.goto(address, wait_until="load", timeout=120_000)
        return time.perf_counter() - start

    def send(self, address: str) -> tuple[float, str]:
        """Write a letter; seconds from the last button to 'Your letter is in', and its ten words. A script has had time
        to fetch what the door has published, in the background, while the person wrote."""
        page = self.page
        page.goto(f"{address}/en/write", timeout=120_000)
        page.get_by_text("Fetching what the door has published").wait_for(state="hidden", timeout=300_000)
        page.get_by_role("radio").first.check()
        page.locator("#text").fill("May I ask something first?")
        page.locator("button[value=text]").click()
        page.locator("button[value=words]").click()
        page.locator("ol.words.large").wait_for()
        words = " ".join(page.locator("ol.words.large li").all_inner_texts())
        page.locator("button[value=practise]").click()
        page.locator("#words").fill(words)
        start = time.perf_counter()
        page.locator("button[value=send]").click()
        page.get_by_role("heading", name="Your letter is in").wait_for(timeout=120_000)
        return time.perf_counter() - start, words

    def close(self) -> None:
        """End it."""
        self._context.close()


def _opens(browser: Browser, address: str, words: str) -> float:
    """Seconds from ten words to an empty thread, with the script, once /visit has come."""
    page = browser.new_page()
    page.goto(f"{address}/en/return")
    page.get_by_text("Fetching what the door has published").wait_for(state="hidden")
    page.locator("#words").fill(words)
    start = time.perf_counter()
    page.locator("button[value=open]").click()
    page.get_by_role("heading", name="Your thread").wait_for()
    took = time.perf_counter() - start
    page.close()
    return took


def _range(some: list[float]) -> str:
    return f"{number(min(some))} to {number(max(some))} s"


def _alike(browser: Browser, address: str, used: str, times: int) -> list[tuple[str, ...]]:
    """Words with a letter behind them, and words of which nobody ever heard, in turn; neither has an answer."""
    words = {"were used": used, "were never used": " ".join(generate(secrets.token_bytes).words(load()))}
    took: dict[str, list[float]] = {name: [] for name in words}
    for _ in range(times):
        for name, ten in words.items():
            took[name].append(_opens(browser, address, ten))
    return [
        (f"an empty thread, words that {name}: {_range(some)}", "on", "", "", number(median(some)))
        for name, some in took.items()
    ]


def run(quick: bool) -> Figure:
    """Each page as the first that somebody opens; the slowest counts."""
    if CHROMIUM is None:
        return Figure(_TITLE, _COLUMNS, (), (), (MISSING,))
    rows: list[tuple[str, ...]] = []
    goals = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as door,
        slow_line(port_of(door.address), SLOW, DELAY) as line,
        launched() as browser,
    ):
        for script in (False, True):
            slowest = 0.0
            for name in PAGES[:2] if quick else PAGES:
                slow = Slow(browser, script)
                took = slow.load(f"{line.address}/en/{name}")
                slowest = max(slowest, took)
                kilobytes = number(slow.bytes / 1000)
                rows.append((f"/en/{name}", "on" if script else "off", kilobytes, str(slow.requests), number(took)))
                slow.close()
            how = "with" if script else "without"
            goals.append(Goal(f"the slowest page {how} JavaScript", slowest, USABLE, False, " s"))
        for script in (False, True):
            slow = Slow(browser, script)
            took, words = slow.send(line.address)
            slow.close()
            rows.append(
                ("a letter: from 'send' to 'Your letter is in'", "on" if script else "off", "", "", number(took))
            )
            how = "with" if script else "without"
            goals.append(Goal(f"a letter {how} JavaScript", took, ACCEPTED, False, " s"))
        rows += _alike(browser, door.address, words, 2 if quick else 7)
    return Figure(
        _TITLE,
        _COLUMNS,
        tuple(rows),
        tuple(goals),
        (
            "Delay and speed are those of a proxy in between; a circuit of Tor that must first be built takes longer.",
            "With JavaScript the letter is sent once /visit has come in the background: 2.4 MB, most of a minute here.",
            "Empty threads are opened over a quick line: what is compared is what the page does.",
        ),
    )
