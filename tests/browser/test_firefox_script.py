# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages' script in Firefox ESR, which Tor Browser is made of: a first letter; with --matrix (`make test-all`)
all the main paths. A page asks this machine's clock, and no other: the door's is a few hours behind it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_passphrase
from latchstring.protocol.wordlist import load
from latchstring.workers.bodies import Application, Receive, Scope, Send
from tests.attached import bring, listed, saved
from tests.browser.firefox import Firefox, opened
from tests.browser.photographs import exif, picture
from tests.browser.photographs import saved as saved_picture
from tests.browser.serving import ServedDoor
from tests.builders import Stream
from tests.slow_line import SLOW, port_of, slow_line
from tests.world.world import Desk, Source, open_door

BEHIND = 8 * 3600  # at its founding; a sheet comes within six hours
FILE = Stream("a file")(c.ATTACHMENT_PLAIN + 5)
LETTER = "Вы слышите меня?"
SAYS = '//main//p[not(@hidden)][contains(., "%s")]'
DELAY = 1.0  # seconds until an answer begins
PART = 30_000  # bytes of a second chunk that is under way when the line breaks
LEFT_BEHIND = (
    "return [document.cookie, localStorage.length, sessionStorage.length, location.href, document.title].join()"
)


@pytest.fixture
def door_and_desk(tmp_path: Path, quick: None) -> Iterator[tuple[ServedDoor, Desk]]:
    world, desks = open_door(tmp_path / "door", "legal", "news", started=int(time.time()) - BEHIND)
    served = ServedDoor(world)
    yield served, desks["news"]
    served.close()


def words_of(browser: Firefox) -> str:
    """Once they are there: the step in which their list is waited for has the same heading."""
    browser.wait_until_found("ol.words.large li")
    return " ".join(browser.texts("ol.words.large li"))


def says(browser: Firefox, text: str) -> None:
    """Until it does."""
    browser.do("WebDriver:SetTimeouts", implicit=60_000)
    browser.do("WebDriver:FindElement", using="xpath", value=SAYS % text)
    browser.do("WebDriver:SetTimeouts", implicit=0)


def goes_to(browser: Firefox, address: str, page: str) -> None:
    browser.go(f"{address}/en/{page}")
    browser.do("WebDriver:SetTimeouts", implicit=60_000)
    browser.find('html[data-page="ready"]')
    browser.do("WebDriver:SetTimeouts", implicit=0)


def writes(browser: Firefox, address: str, file: Path | None = None) -> str:
    """A first letter, up to its receipt; the ten words."""
    goes_to(browser, address, "write")
    browser.press("text")
    browser.wait_for_focus("errors")
    browser.click("#desk-news")
    browser.type("#text", LETTER)
    browser.press("text")
    browser.wait_for("Files, if you like")
    if file:
        browser.type("#file", str(file))
        browser.wait_for("What this file says")
        browser.press("as-it-is")
        browser.wait_for("Files, if you like")
        assert file.name in browser.text()
    browser.press("words")
    browser.wait_for("Your ten words")
    words = words_of(browser)
    assert len(words.split()) == 10
    browser.press("practise")
    browser.wait_for("Do you have them?")
    return words


def delivered(door: ServedDoor, desk: Desk) -> None:
    with door.lock:
        door.world.close()
        desk.sync()


def test_a_first_letter(door_and_desk: tuple[ServedDoor, Desk], tmp_path: Path) -> None:
    door, news = door_and_desk
    with opened(tmp_path, script=True) as browser:
        words = writes(browser, door.address)
        browser.type("#words", words)
        browser.press("send")
        browser.wait_for("Your letter is in")
    assert not [x for x in door.world.traffic if x.who == "the pages" and x.method == "POST"], "the page sealed it"
    delivered(door, news)
    assert news.texts() == [LETTER]


class Once:
    """The pages, of which one file does not come the first time."""

    def __init__(self, site: Application, path: str) -> None:
        self._site, self._path, self._failed = site, path, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != self._path or self._failed:
            await self._site(scope, receive, send)
            return
        self._failed = True
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def test_what_did_not_come_once_comes_when_it_is_tried_again(
    door_and_desk: tuple[ServedDoor, Desk], tmp_path: Path
) -> None:
    """Firefox remembers of an address that it failed; what looks into files is fetched once more all the same."""
    door, _ = door_and_desk
    once: Any = Once(door.site, "/static/meta.js")
    door.site = once
    file = tmp_path / "a.jpg"
    file.write_bytes(saved_picture(picture(), "JPEG", exif=exif(1)))
    with opened(tmp_path, script=True) as browser:
        goes_to(browser, door.address, "write")
        browser.click("#desk-news")
        browser.type("#text", LETTER)
        browser.press("text")
        browser.wait_for("Files, if you like")
        browser.type("#file", str(file))
        says(browser, "What is hidden in this file was not looked at.")
        browser.press("again")
        says(browser, "As it is, it may be evidence")
        assert "50.45010, -30.52340" in browser.text()


@pytest.mark.matrix
def test_from_a_letter_with_a_file_to_other_words(door_and_desk: tuple[ServedDoor, Desk], tmp_path: Path) -> None:
    door, news = door_and_desk
    file = tmp_path / "план.bin"
    file.write_bytes(FILE)
    with opened(tmp_path, script=True) as browser:
        words = writes(browser, door.address, file)
        browser.type("#words", words.replace(" ", "q ", 1))
        browser.press("send")
        browser.wait_for("Do you have them?")
        browser.wait_for_focus("errors")
        assert "is not in the list" in browser.text("#errors")
        browser.press("show")
        browser.wait_for("Your ten words")
        assert words_of(browser) == words
        browser.press("practise")
        browser.wait_for("Do you have them?")
        browser.type("#words", words)
        browser.press("send")
        browser.wait_for("Your letter is in")
        delivered(door, news)
        assert news.texts() == [LETTER]
        bring(news)
        (item,) = listed(news)
        assert (item.attachment.name, saved(news, item, tmp_path / "out")) == (file.name, FILE)

        with door.lock:
            them = Source(door.world, "them", parse_passphrase(words, load()))
            news.show(them)
            news.answer(them, "Every word.")
            news.sync()
            door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
            news.sync()
        goes_to(browser, door.address, "return")
        browser.type("#words", words.upper())
        browser.press("open")
        browser.wait_for("Your thread")
        assert "Every word." in browser.text()
        assert "was opened and read by a person" in browser.text()

        browser.press("change")
        browser.wait_for("Your new ten words")
        new = words_of(browser)
        browser.press("practise")
        browser.wait_for("Do you have them?")
        browser.click("#desk-news")
        browser.type("#words", new)
        browser.press("told")
        browser.wait_for("Your words are changed")
        left = str(browser.do("WebDriver:ExecuteScript", script=LEFT_BEHIND, args=[]))
        assert left.startswith(",0,0,")
        assert not [one for one in (words, new) if " ".join(one.split()[:2]) in left]
    delivered(door, news)
    renamed = Source(door.world, "renamed", parse_passphrase(new, load()))
    assert len(letters(news.vault, news.thread(renamed))) == 1, "the thread goes on under the new words"


@pytest.mark.matrix
def test_without_webassembly(door_and_desk: tuple[ServedDoor, Desk], tmp_path: Path) -> None:
    door, news = door_and_desk
    with opened(tmp_path, script=True, wasm=False) as browser:
        browser.go(f"{door.address}/en/write")
        assert browser.do("WebDriver:ExecuteScript", script="return typeof WebAssembly", args=[]) == "undefined"
        words = writes(browser, door.address)
        browser.type("#words", words)
        browser.press("send")
        says(browser, "without its fast mode")
        browser.wait_for("Your letter is in", 240)
    delivered(door, news)
    assert news.texts() == [LETTER]


@pytest.mark.matrix
def test_over_a_slow_line_that_breaks_within_a_file(door_and_desk: tuple[ServedDoor, Desk], tmp_path: Path) -> None:
    """50 KB a second, an answer a second later, and the connections are gone in the middle of the second chunk."""
    door, news = door_and_desk
    file = tmp_path / "a.bin"
    file.write_bytes(FILE)
    with slow_line(port_of(door.address), SLOW, DELAY) as line, opened(tmp_path, script=True) as browser:
        browser.type("#words", writes(browser, line.address, file))
        before = line.sent
        line.break_after(c.ATTACHMENT_CHUNK + PART)
        browser.press("send")
        says(browser, "The connection broke. It goes on by itself in")
        assert line.broken
        line.mend()
        browser.wait_for("Your letter is in", 120)
        sent = line.sent - before
    put = [x.path for x in door.world.traffic if x.who == "a script" and x.method == "PUT"]
    assert len(put) == len(set(put)) == 2
    assert sent < 2 * c.ATTACHMENT_CHUNK + PART + 30_000, "the first chunk was not sent again"
    delivered(door, news)
    assert news.texts() == [LETTER]
    bring(news)
    (item,) = listed(news)
    assert (item.attachment.name, saved(news, item, tmp_path / "out")) == (file.name, FILE)
