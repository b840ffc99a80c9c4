# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter with a file, and coming back for the answer, over a slow line that breaks within the file: 50 KB a second,
an answer a second later. With the pages' script and without it, in Chromium."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_in_any
from latchstring.protocol.wordlist import load
from tests.attached import bring, listed, saved
from tests.browser.chromium import ten_words
from tests.browser.person import Person, delivered
from tests.browser.serving import ServedDoor
from tests.browser.test_pages_cuts import plain
from tests.builders import Stream
from tests.slow_line import SLOW, SlowLine, port_of, slow_line
from tests.world.world import Desk, Source

DELAY = 1.0
TWO_CHUNKS = Stream("a file")(c.ATTACHMENT_PLAIN + 5)
PART = 30_000  # bytes of what is under way when the line breaks
LETTER = "Вы слышите меня?"
WATCH = """() => {
  window.told = [];
  const main = document.querySelector("main");
  const look = () => {
    const said = [main.querySelector("[role=status]"), main.querySelector("progress ~ p")]
      .map((part) => (part ? part.textContent : "")).join(" | ");
    if (window.told[window.told.length - 1] !== said) window.told.push(said);
  };
  new MutationObserver(look).observe(main, { childList: true, subtree: true, characterData: true });
}"""


class Slow(Person):
    """What the browser itself says of a line that broke, or of a chunk that is not there yet, is no leak."""

    def note(self, text: str) -> None:
        if not text.startswith("Failed to load resource: "):
            super().note(text)


@pytest.fixture
def line(door: ServedDoor) -> Iterator[SlowLine]:
    with slow_line(port_of(door.address), SLOW, DELAY) as one:
        yield one


def answers(door: ServedDoor, desk: Desk, words: str, text: str) -> None:
    """The desk reads what came and answers; the answer is published."""
    them = Source(door.world, "them", parse_in_any(words, (load(),)))
    with door.lock:
        desk.show(them)
        desk.answer(them, text)
        desk.sync()
        door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)


def arrived(door: ServedDoor, desk: Desk, folder: Path) -> list[tuple[str, bytes]]:
    """The one letter's text, and its files."""
    delivered(door, desk)
    assert desk.texts() == [LETTER]
    bring(desk)
    return [(one.attachment.name, saved(desk, one, folder / "out")) for one in listed(desk)]


def until(so: Callable[[], bool], page: Page) -> None:
    """Wait for it."""
    for _ in range(600):
        if so():
            return
        page.wait_for_timeout(50)
    pytest.fail("nothing came of it in 30 s")


@pytest.mark.matrix
def test_with_the_script(chromium: Browser, door: ServedDoor, news: Desk, line: SlowLine, tmp_path: Path) -> None:
    person = Slow(chromium, door, address=line.address)
    person.open("/en/write")
    person.says("Fetching what the door has published.")
    person.writes(LETTER)
    person.heading("Files, if you like")
    person.page.locator("#file").set_input_files(plain("a.bin", TWO_CHUNKS))
    person.press("Send it as it is")
    person.heading("Files, if you like")
    person.page.locator("main button[value=words]").click()
    person.heading("Your ten words")
    words = person.shown_words()
    person.page.evaluate(WATCH)
    person.press("I have them in mind")
    person.types("Ten words", words)
    person.press("Check and send")
    person.says("262.1 kB of 524.3 kB")
    before = line.sent
    line.break_after(PART)
    until(lambda: line.broken, person.page)
    person.says("The connection broke. It goes on by itself in %(span)s.")
    line.mend()
    person.page.clock.fast_forward(200_000)
    person.says("262.1 kB of 524.3 kB")
    person.heading("Your letter is in")
    put = [x.path for x in door.world.traffic if x.who == "a script" and x.method == "PUT"]
    assert len(put) == len(set(put)) == 2
    assert line.sent - before < c.ATTACHMENT_CHUNK + PART + 30_000, "the first half was not sent again"
    told = person.page.evaluate("window.told")
    assert "Sending a.bin, file 1 of 1. | 0 byte of 524.3 kB" in told, told
    person.left_nothing("слышите", words, "a.bin")
    assert arrived(door, news, tmp_path) == [("a.bin", TWO_CHUNKS)]

    answers(door, news, words, "Every word.")
    person.page.clock.set_system_time(datetime.fromtimestamp(door.world.now, UTC))
    person.comes_back(words)
    person.heading("Opening your thread")
    person.says("Every word.")
    person.context.close()


def loaded_anew(page: Page) -> bool:
    """Chromium loads nothing anew while its own page about the break takes the other's place."""
    try:
        page.reload()
    except Error as error:
        if "Not attached to an active page" not in str(error):
            raise
        return False
    return True


def test_without_a_script(chromium: Browser, door: ServedDoor, news: Desk, line: SlowLine, tmp_path: Path) -> None:
    """Where the line breaks the browser says so; loaded once more, the page brings the file."""
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    raw = TWO_CHUNKS[: PART * 2]
    page.goto(f"{line.address}/en/write")
    page.get_by_role("radio", name="news").check()
    page.get_by_role("textbox", name="Your letter").fill(LETTER)
    page.get_by_role("button", name="Go on").click()
    chosen = tmp_path / "a.txt"
    chosen.write_bytes(raw)
    page.get_by_label("A file").set_input_files(chosen)
    line.break_after(PART)
    page.get_by_role("button", name="Add this file").click(no_wait_after=True)
    until(lambda: page.url.startswith("chrome-error:"), page)
    line.mend()
    until(lambda: loaded_anew(page), page)
    expect(page.get_by_role("main")).to_contain_text("a.txt")
    page.get_by_role("button", name="Go on").click()
    words = ten_words(page)
    page.get_by_role("button", name="I have them in mind").click()
    page.get_by_role("textbox", name="Ten words").fill(words)
    page.get_by_role("button", name="Check and send").click()
    expect(page.get_by_role("main")).to_contain_text("Your letter is in")
    assert arrived(door, news, tmp_path) == [("a.txt", raw)]

    answers(door, news, words, "Every word.")
    page.get_by_role("link", name="Come back").click()
    page.get_by_role("textbox", name="Ten words").fill(words)
    page.get_by_role("button", name="Open my thread").click()
    expect(page.get_by_role("main")).to_contain_text("Every word.")
    context.close()
