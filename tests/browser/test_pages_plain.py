# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages without JavaScript in Chromium: a letter and its answer, a whole visit by keyboard alone, nothing from
elsewhere on any page."""

from playwright.sync_api import Browser, expect

from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_passphrase
from latchstring.protocol.wordlist import load
from tests.browser.chromium import Watched, ten_words
from tests.browser.keys import Keys
from tests.browser.serving import ServedDoor
from tests.browser.shelf import Shelves
from tests.reader import Answer
from tests.world.world import Desk, Source


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
    words = ten_words(page)
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
        news.answer(person, "Every word.\u202e\x07")
        news.sync()
        door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)

    page.get_by_role("link", name="Come back").click()
    page.get_by_role("textbox", name="Ten words").fill(words)
    page.get_by_role("button", name="Open my thread").click()
    expect(page.get_by_role("main")).to_contain_text("Every word.<U+202E><U+0007>")
    assert context.cookies() == []
    assert watched.asked
    assert watched.elsewhere == []
    context.close()


def test_a_whole_visit_by_keyboard_alone(chromium: Browser, door: ServedDoor) -> None:
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 640}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.on("filechooser", lambda _: None)  # from now on: asked for with the key itself, it can come too late
    keys = Keys(page)
    page.goto(f"{door.address}/en/")
    keys.to("To the content")
    page.keyboard.press("Enter")
    keys.press("Start here: before you write")
    assert "Leave this page now" not in keys.stops, "the skip link skips"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    keys.press("Write")
    keys.to("Legal")
    page.keyboard.press("ArrowDown")
    keys.write("Your letter", "May I ask something first?")
    keys.press("Go on")
    keys.to("A file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"what I saw"})
    keys.press("Add this file")
    keys.press("Go on")
    words = ten_words(page)
    keys.press("I have them in mind")
    keys.write("Ten words", words.replace(words.split()[3], "zzzz"))
    keys.press("Check and send")
    keys.comes("errors")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    keys.comes("words")
    keys.over(words)
    keys.press("Check and send")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your letter is in")
    keys.press("Come back")
    keys.write("Ten words", words)
    keys.press("Open my thread")
    expect(page.get_by_role("status")).to_have_text("There is no reply here yet.")
    context.close()


def test_nothing_comes_from_elsewhere(chromium: Browser, shelves: Shelves) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page, watched = context.new_page(), Watched(context, shelves.door.address)
    for name in shelves.states("en"):
        page.goto(shelves.address("en", name))
        assert watched.elsewhere == [], name
    assert {url.removeprefix(shelves.door.address) for url in watched.asked} >= {"/static/site.css", "/code.png"}
    context.close()


def test_what_comes_from_elsewhere_is_seen(chromium: Browser, shelves: Shelves) -> None:
    """The watch on a page that names something foreign: seen even where the policy holds it back."""
    good = (shelves.states("en"), shelves.door.shelf["en-"])[1]
    body = good.text.replace("<h1>", '<img src="http://127.0.0.1:9/pixel.png" alt=""><h1>').encode()
    shelves.door.shelf["foreign"] = Answer(200, {**good.head, "content-length": str(len(body))}, body)
    context = chromium.new_context(java_script_enabled=False)
    page, watched = context.new_page(), Watched(context, shelves.door.address)
    page.goto(f"{shelves.door.address}/en/?state=foreign")
    assert watched.elsewhere == ["http://127.0.0.1:9/pixel.png"]
    context.close()
