# SPDX-License-Identifier: AGPL-3.0-or-later
"""Without a script in Firefox ESR, which Tor Browser is made of: a letter and its answer; with --matrix
(`make test-all`) pictures where SVG is off, and the back button."""

from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_passphrase
from latchstring.protocol.wordlist import load
from latchstring.site.forms import LIFE
from tests.browser.firefox import Firefox, opened
from tests.browser.serving import ServedDoor
from tests.world.world import Desk, Source, World


def words_of(browser: Firefox) -> str:
    return " ".join(browser.texts("ol.words.large li"))


def test_a_letter_and_its_answer_without_a_script(
    open_world: tuple[World, dict[str, Desk]], door: ServedDoor, tmp_path: Path
) -> None:
    news = open_world[1]["news"].copy(door.world, tmp_path)
    file = tmp_path / "a.txt"
    file.write_text("what I saw")
    with opened(tmp_path, script=False) as browser:
        browser.go(f"{door.address}/en/")
        browser.follow('main a[href="/en/before"]')
        browser.follow('main a[href="/en/write"]')
        browser.press("text")
        browser.wait_for_focus("errors")
        browser.click("#desk-news")
        browser.type("#text", "Вы слышите меня?")
        browser.press("text")
        browser.type("#file", str(file))
        browser.follow('form[enctype="multipart/form-data"] button')
        assert "a.txt" in browser.text()
        browser.press("words")
        words = words_of(browser)
        browser.press("practise")
        browser.type("#words", "abandon ability zzzzz")
        browser.press("send")
        browser.wait_for_focus("errors")
        browser.press("show")
        assert words_of(browser) == words
        browser.press("practise")
        browser.type("#words", words)
        browser.press("send")
        assert browser.text("h1") == "Your letter is in"
        with door.lock:
            door.world.close()
            news.sync()
            assert news.texts() == ["Вы слышите меня?"]
            person = Source(door.world, "them", parse_passphrase(words, load()))
            assert len(letters(news.vault, news.thread(person))) == 1
            news.answer(person, "Every word.")
            news.sync()
            door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
        browser.go(f"{door.address}/en/return")
        browser.type("#words", words)
        browser.press("open")
        assert "Every word." in browser.text()


@pytest.mark.matrix
def test_where_svg_is_off_every_picture_is_shown(door: ServedDoor, tmp_path: Path) -> None:
    """Tor Browser's "Safest" has `svg.disabled`."""
    with opened(tmp_path, script=False, svg=False) as browser:
        for path in ("", "card", "about"):
            browser.go(f"{door.address}/en/{path}")
            assert browser.width("main img") > 300, path


@pytest.mark.matrix
def test_nothing_is_left_for_the_back_button(door: ServedDoor, tmp_path: Path) -> None:
    """Firefox keeps a page that it leaves as it is: the script takes everything off it before."""
    with opened(tmp_path, script=True) as browser:
        for field, path in (("#text", "write"), ("#words", "return")):
            browser.go(f"{door.address}/en/{path}")
            browser.type(field, "a secret of mine")
            browser.go(f"{door.address}/en/help")
            browser.do("WebDriver:Back")
            browser.do("WebDriver:SetTimeouts", implicit=20_000)
            assert browser.address() == f"{door.address}/en/{path}"
            assert browser.value(field) == ""


@pytest.mark.matrix
def test_without_a_script_the_back_button_shows_it_again_until_the_window_is_closed(
    door: ServedDoor, tmp_path: Path
) -> None:
    """As the guide for sources warns."""
    with opened(tmp_path, script=False) as browser:
        for field, path in (("#text", "write"), ("#words", "return")):
            browser.go(f"{door.address}/en/{path}")
            browser.type(field, "a secret of mine")
            browser.go(f"{door.address}/en/help")
            browser.back()
            assert browser.value(field) == "a secret of mine"

        browser.go(f"{door.address}/en/write")
        browser.click("#desk-news")
        browser.type("#text", "a letter to send")
        browser.press("text")
        browser.press("words")
        words = words_of(browser)
        browser.back(again=True)
        browser.wait_for("Files, if you like")
        browser.press("back")
        assert browser.value("#text") == "a letter to send"
        browser.press("text")
        browser.press("words")
        browser.press("practise")
        browser.press("unchecked")
        assert browser.text("h1") == "Your letter is in"
        with door.lock:
            sent = door.world.now
            while door.world.now <= sent + LIFE:
                door.world.close()
        browser.back(3, again=True)
        browser.wait_for("Write")
        assert browser.value("#text") == "a letter to send", "also when it is in"

        browser.go(f"{door.address}/en/return")
        browser.type("#words", words)
        browser.press("open")
        assert browser.text("h1") == "Your thread"
        browser.go(f"{door.address}/en/help")
        browser.back(again=True)
        browser.wait_for("Your thread")

        browser.new_window()
        browser.back()
        assert not browser.address().startswith(door.address)
