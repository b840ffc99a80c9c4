# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second passphrase to show under pressure, with the pages' script in Chromium: the harmless letter, gone through
with. Without a script: `tests/world/test_site.py`."""

from datetime import UTC, datetime

from playwright.sync_api import expect

from latchstring.protocol.passphrase import generate, parse_in_any
from latchstring.protocol.wordlist import load
from tests.browser.person import Person, answered_each, delivered
from tests.browser.serving import ServedDoor
from tests.builders import Stream
from tests.world.world import Desk, Source

BYTES = len(generate(Stream("any")).bits)
HARMLESS = "When are you open?"


def harmless_too(person: Person, door: ServedDoor, news: Desk) -> dict[str, str]:
    """A letter, and a harmless one by the button that follows it; each answered. The ten words by what was written."""
    person.open("/en/write")
    words: dict[str, str] = {}
    for text in ("The ferry tickets.", HARMLESS):
        person.writes(text)
        words[text] = person.takes_words()
        person.heading("Your letter is in")
        person.press("Write a harmless letter too")
        person.heading("A letter that you could show")
        expect(person.page.locator("ol.words, #words")).to_have_count(0)
    delivered(door, news)
    sources = {text: Source(door.world, text, parse_in_any(ten, (load(),))) for text, ten in words.items()}
    answered_each(door, news, {f"To: {text}": source for text, source in sources.items()})
    person.page.clock.set_system_time(datetime.fromtimestamp(door.world.now, UTC))
    return words


def opened(person: Person, words: dict[str, str]) -> dict[str, set[str]]:
    """Which answers the words of each letter show."""
    shown = {}
    for text, ten in words.items():
        person.comes_back(ten)
        person.says("To: ")
        thread = person.page.get_by_role("main").inner_text()
        shown[text] = {other for other in words if f"To: {other}" in thread}
    return shown


def test_the_harmless_letter_has_words_and_a_thread_of_its_own(person: Person, door: ServedDoor, news: Desk) -> None:
    words = harmless_too(person, door, news)
    assert len(set(words.values())) == 2
    assert opened(person, words) == {text: {text} for text in words}


def test_a_harmless_letter_under_the_first_words_would_show_everything(
    person: Person, door: ServedDoor, news: Desk
) -> None:
    """Broken on purpose: chance gives the second letter the words of the first."""
    person.page.add_init_script(f"""
        const drawn = crypto.getRandomValues.bind(crypto);
        crypto.getRandomValues = (into) => (into.byteLength === {BYTES} ? into.fill(7) : drawn(into));
    """)
    assert opened(person, harmless_too(person, door, news))[HARMLESS] == {"The ferry tickets.", HARMLESS}
