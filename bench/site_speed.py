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
from latchstring.demo.door import DemoDoor
from latchstring.desk.letters import letters
from latchstring.desk.replies import write_reply
from latchstring.protocol.constants import TICKS_PER_SHEET
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.site.routes import PAGES
from tests.browser.chromium import CHROMIUM, MISSING, launched
from tests.demo_door import running
from tests.slow_line import SLOW, port_of, slow_line

DELAY: Final = 0.4  # seconds until an answer begins
USABLE: Final = 6.0  # seconds, aimed at
ACCEPTED: Final = 3.0
DESK: Final = "newsroom"  # the first of the door's desks, to which the letters go
LETTERS: Final = ("May I ask something first?", "May I ask something else?")
ANSWER: Final = "Ask whatever you like."
EMPTY: Final = "There is no reply here yet."
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

    def send(self, address: str, text: str) -> tuple[float, str]:
        """Write a letter; seconds from the last button to 'Your letter is in', and its ten words. A script has had time
        to fetch what the door has published, in the background, while the person wrote."""
        page = self.page
        page.goto(f"{address}/en/write", timeout=120_000)
        page.get_by_text("Fetching what the door has published").wait_for(state="hidden", timeout=300_000)
        page.get_by_role("radio").first.check()
        page.locator("#text").fill(text)
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


def _opens(browser: Browser, address: str, script: bool, words: str, says: str) -> float:
    """Seconds from ten words to what the thread says, over a quick line; with the script once /visit has come."""
    page = browser.new_page(java_script_enabled=script)
    page.goto(f"{address}/en/return")
    page.get_by_text("Fetching what the door has published").wait_for(state="hidden")
    page.locator("#words").fill(words)
    start = time.perf_counter()
    page.locator("button[value=open]").click()
    page.get_by_role("main").get_by_text(says, exact=True).wait_for()
    took = time.perf_counter() - start
    page.close()
    return took


def _range(some: list[float]) -> str:
    return f"{number(min(some))} to {number(max(some))} s"


def _alike(browser: Browser, address: str, answered: str, used: str, times: int) -> list[tuple[str, ...]]:
    """Words with an answer, words with a letter and no answer, and words of which nobody ever heard, in turn."""
    never = " ".join(generate(secrets.token_bytes).words(load()))
    words = {"have an answer": (answered, ANSWER), "were used": (used, EMPTY), "were never used": (never, EMPTY)}
    rows: list[tuple[str, ...]] = []
    for script in (False, True):
        took: dict[str, list[float]] = {name: [] for name in words}
        for _ in range(times):
            for name, (ten, says) in words.items():
                took[name].append(_opens(browser, address, script, ten, says))
        rows += [
            (f"a thread, words that {name}: {_range(some)}", "on" if script else "off", "", "", number(median(some)))
            for name, some in took.items()
        ]
    return rows


def _answers(door: DemoDoor, text: str) -> None:
    """The desk reads its letters and answers the one that says so; until the answer is published."""
    door.wait_batch(door.visit().manifest.n + 2)  # letters go in with the next tick
    door.sync(DESK)
    with door.vault(DESK) as vault:
        (asked,) = [letter for letter in letters(vault) if letter.body and letter.body.text == text]
        write_reply(vault, asked.thread, ANSWER, int(time.time()), secrets.token_bytes)
    door.sync(DESK)
    sheets = door.visit().manifest.n // TICKS_PER_SHEET + 2  # one may have been closing while the desk answered
    door.wait_batch(sheets * TICKS_PER_SHEET, 3 * TICKS_PER_SHEET * door.directory.policy.tick)


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
        words: dict[bool, str] = {}
        for script in (False, True):
            slow = Slow(browser, script)
            took, words[script] = slow.send(line.address, LETTERS[script])
            slow.close()
            rows.append(
                ("a letter: from 'send' to 'Your letter is in'", "on" if script else "off", "", "", number(took))
            )
            how = "with" if script else "without"
            goals.append(Goal(f"a letter {how} JavaScript", took, ACCEPTED, False, " s"))
        _answers(door, LETTERS[False])
        rows += _alike(browser, door.address, words[False], words[True], 2 if quick else 7)
    return Figure(
        _TITLE,
        _COLUMNS,
        tuple(rows),
        tuple(goals),
        (
            "Delay and speed are those of a proxy in between; a circuit of Tor that must first be built takes longer.",
            "With JavaScript the letter is sent once /visit has come in the background: 2.4 MB, most of a minute here.",
            "Threads are opened over a quick line: what is compared is what the page does, or the server for it.",
        ),
    )
