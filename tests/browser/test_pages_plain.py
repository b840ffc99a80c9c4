# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages without JavaScript in Chromium: one story from the first letter to its answer."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_passphrase
from latchstring.protocol.wordlist import load
from tests.browser.chromium import Watched
from tests.browser.serving import ServedDoor
from tests.world.world import Desk, Source, World


@pytest.fixture
def news(open_world: tuple[World, dict[str, Desk]], door: ServedDoor, tmp_path: Path) -> Desk:
    return open_world[1]["news"].copy(door.world, tmp_path)


def words_of(page: Page) -> str:
    return " ".join(page.locator("ol.words.large li").all_inner_texts())


def test_a_letter_and_its_answer_without_a_script(chromium: Browser, door: ServedDoor, news: Desk) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    watched = Watched(context, door.address)
    page = context.new_page()
    page.goto(door.address)
    assert page.url == f"{door.address}/en/"
    page.get_by_role("link", name="Start here").click()
    page.get_by_role("main").get_by_role("link", name="Write", exact=True).click()
    page.get_by_role("radio", name="news").check()
    page.get_by_role("textbox", name="Your letter").fill("Вы слышите меня?")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("A file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"what I saw"})
    page.get_by_role("button", name="Add this file").click()
    expect(page.get_by_role("main")).to_contain_text("a.txt")
    page.get_by_role("button", name="Go on").click()
    words = words_of(page)
    assert len(words.split()) == 10
    page.get_by_role("button", name="I have them in mind").click()
    page.get_by_role("textbox", name="Ten words").fill(words)
    page.get_by_role("button", name="Check and send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your letter is in")

    with door.lock:
        door.world.close()
        news.sync()
        assert news.texts() == ["Вы слышите меня?"]
        person = Source(door.world, "them", parse_passphrase(words, load()))
        assert len(letters(news.vault, news.thread(person))) == 1
        news.answer(person, "Every word.")
        news.sync()
        door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)

    page.get_by_role("link", name="Come back").click()
    page.get_by_role("textbox", name="Ten words").fill(words)
    page.get_by_role("button", name="Open my thread").click()
    expect(page.get_by_role("main")).to_contain_text("Every word.")
    assert context.cookies() == []
    assert watched.asked
    assert watched.elsewhere == []
    context.close()
