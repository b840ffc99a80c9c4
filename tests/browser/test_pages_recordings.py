# SPDX-License-Identifier: AGPL-3.0-or-later
"""The organisation's recordings play without JavaScript, in Chromium and in Firefox (of which pictures alone can be
judged where there is no sound): with captions, from where somebody seeks, and the policy has nothing to report."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, Route, expect

from latchstring.site.http import Receive, Scope, Send
from latchstring.site.settings import Settings
from tests.browser.firefox import opened
from tests.browser.person import UNKNOWN
from tests.browser.recordings import captions, opus, webm
from tests.browser.serving import ServedDoor
from tests.slow_line import SLOW, SlowLine, port_of, slow_line
from tests.world.world import Desk, World

SECONDS = 40
LATER = 30  # seconds: where somebody seeks to
LINES = ("You decide what to tell us.", "Nobody hurries you.")
WORDS = "# Hello\n\n![Our editor speaks](/media/talk.webm)\n\n![How we work](/media/work.opus)\n"
CUE = """Array.from(%s.textTracks).filter((track) => track.mode === 'showing')
  .flatMap((track) => Array.from(track.activeCues || [], (cue) => cue.text))"""
VIDEO, AUDIO = "document.querySelector('video')", "document.querySelector('audio')"


class Noting:
    """The pages of a door, and which parts of recordings were asked of them."""

    def __init__(self, door: ServedDoor) -> None:
        self._site, self.address = door.site, door.address
        door.site = self  # type: ignore[assignment]  # all that is asked of it is to be called
        self.ranges: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/media/"):
            self.ranges.append((scope["path"], dict(scope["headers"]).get(b"range", b"").decode()))
        await self._site(scope, receive, send)

    def from_within(self, path: str) -> list[int]:
        """Where somebody began who did not begin at the front."""
        starts = [int(asked[6:].partition("-")[0]) for one, asked in self.ranges if one == path and asked]
        return [start for start in starts if start]


class Reports:
    """What Chromium reports of a page: what a policy forbids, and whatever else is written into its console."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        self._session: CDPSession = page.context.new_cdp_session(page)
        for name in ("Log", "Audits", "Runtime"):
            self._session.send(f"{name}.enable")
        self._session.on("Log.entryAdded", lambda event: self._note(event["entry"]["text"]))
        self._session.on("Audits.issueAdded", lambda event: self._note(event["issue"]["code"]))

    def _note(self, text: str) -> None:
        if text not in UNKNOWN:
            self.said.append(text)


@pytest.fixture
def noting(open_world: tuple[World, dict[str, Desk]], tmp_path: Path) -> Iterator[tuple[Noting, SlowLine]]:
    media = tmp_path / "media"
    media.mkdir()
    (media / "talk.webm").write_bytes(webm(SECONDS))
    (media / "talk.en.vtt").write_text(captions(SECONDS, *LINES))
    (media / "talk.ru.vtt").write_text(captions(SECONDS, "Вы решаете."))
    (media / "talk.en.md").write_text("She says: **you decide**.")
    (media / "work.opus").write_bytes(opus(SECONDS))
    (media / "work.en.md").write_text("Three people read.")
    door = ServedDoor(open_world[0].copy(), Settings(media=media, words={"en": WORDS}))
    noting = Noting(door)
    with slow_line(port_of(door.address), SLOW, 0.1) as line:  # not all of the film is there yet when somebody seeks
        yield noting, line
    door.close()


def until(so: Callable[[], object], wait: Callable[[], None]) -> None:
    """Fails after a minute: a machine may be busy."""
    end = time.monotonic() + 60
    while not so():
        assert time.monotonic() < end, "nothing came of it"
        wait()


def test_in_chromium(chromium: Browser, noting: tuple[Noting, SlowLine]) -> None:
    notes, line = noting
    page = chromium.new_context(java_script_enabled=False).new_page()
    reports = Reports(page)

    def value(what: str) -> Any:
        return page.evaluate(what)

    def waits() -> None:
        page.wait_for_timeout(50)

    page.goto(f"{line.address}/en/")
    assert not [path for path, _ in notes.ranges if not path.endswith(".vtt")], "nothing comes before somebody asks"
    page.locator("video").focus()
    page.keyboard.press("Space")
    until(lambda: value(f"{VIDEO}.currentTime") > 1, waits)
    assert value(CUE % VIDEO) == [LINES[0]]
    assert ("/media/talk.webm", "bytes=0-") in notes.ranges
    value(f"void ({VIDEO}.currentTime = {LATER})")
    until(lambda: value(f"{VIDEO}.currentTime") > LATER + 1, waits)
    assert value(CUE % VIDEO) == [LINES[1]]
    assert notes.from_within("/media/talk.webm")
    page.locator("video").focus()
    page.keyboard.press("Space")
    page.locator("audio").focus()
    page.keyboard.press("Space")
    until(lambda: value(f"{AUDIO}.currentTime") > 0.5, waits)
    for said in ("She says: you decide.", "Three people read."):
        expect(page.get_by_text(said)).to_be_hidden()
    for one in page.get_by_text("Transcript").all():
        one.click()
    for said in ("She says: you decide.", "Three people read."):
        expect(page.get_by_text(said)).to_be_visible()
    assert reports.said == []
    page.context.close()


def test_a_policy_without_recordings_would_be_seen(chromium: Browser, noting: tuple[Noting, SlowLine]) -> None:
    _, line = noting

    def without(route: Route) -> None:
        got = route.fetch()
        policy = got.headers["content-security-policy"].replace("media-src 'self'", "media-src 'none'")
        route.fulfill(response=got, headers={**got.headers, "content-security-policy": policy})

    page = chromium.new_context(java_script_enabled=False).new_page()
    reports = Reports(page)
    page.route("**/en/", without)
    page.goto(f"{line.address}/en/")
    page.locator("video").focus()
    page.keyboard.press("Space")
    until(lambda: reports.said, lambda: page.wait_for_timeout(50))
    assert page.evaluate(f"{VIDEO}.currentTime") == 0
    page.context.close()


def test_in_firefox(noting: tuple[Noting, SlowLine], tmp_path: Path) -> None:
    notes, _ = noting
    with opened(tmp_path, script=False, system=True) as browser:

        def at(css: str) -> float:
            return float(browser.property(css, "currentTime"))

        def waits() -> None:
            time.sleep(0.05)

        browser.go(f"{notes.address}/en/")
        browser.click("video")
        until(lambda: at("video") > 1, waits)
        assert browser.run(f"return {CUE % VIDEO}") == [LINES[0]]
        assert ("/media/talk.webm", "bytes=0-") in notes.ranges
        browser.run(f"{VIDEO}.currentTime = {LATER}")
        until(lambda: at("video") > LATER + 1, waits)
        assert browser.run(f"return {CUE % VIDEO}") == [LINES[1]]
        browser.click("video")
        browser.type("audio", " ")
        until(
            lambda: browser.property("audio", "paused") is False, waits
        )  # without a loudspeaker its time stands still
        browser.click("summary")
        assert "She says: you decide." in browser.text()
        assert browser.policy_reports() == []
