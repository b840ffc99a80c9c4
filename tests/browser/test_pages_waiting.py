# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the pages' script waits for and does not get: it is said, it can be stopped, and nothing is lost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route

from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from tests.browser.person import delivered
from tests.browser.serving import ServedDoor
from tests.browser.test_pages_cuts import Cutting
from tests.builders import Stream
from tests.world.world import Desk

WORDS = " ".join(generate(Stream("nobody")).words(load()))  # never used: they open a thread without answers
WORKER = "**/static/argon2-worker.js"


class Waiting(Cutting):
    """Somebody for whom the browser itself may say that something was not there."""

    def note(self, text: str) -> None:
        if not text.startswith("Failed to load resource: "):
            super().note(text)

    def holds(self, what: str) -> list[Route]:
        """What is asked for at such an address gets no answer."""
        held: list[Route] = []
        self.page.route(what, lambda route: held.append(route))
        return held

    def presses_stop(self) -> None:
        self.page.locator("main button[value=stop]").click()


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Waiting]:
    one = Waiting(chromium, door)
    yield one
    one.context.close()


# --- what works out the keys -------------------------------------------------------------------------


def test_keys_that_are_waited_for_can_be_paused_and_stopped(person: Waiting, door: ServedDoor, news: Desk) -> None:
    held = person.holds(WORKER)
    person.open("/en/write")
    person.writes("my letter")
    person.takes_words()
    person.says("Working out your keys from the ten words.")
    person.until(lambda: len(held) == 1)
    person.press("Pause")
    person.says("Paused. Nothing is lost.")
    person.press("Go on")
    person.until(lambda: len(held) == 2)
    person.says("Working out your keys from the ten words.")
    person.press("Stop, back to the letter")
    person.heading("Write")
    assert person.letter() == "my letter"
    person.page.unroute(WORKER)
    person.press("Go on")
    person.goes_on()
    person.heading("Your letter is in")
    delivered(door, news)
    assert news.texts() == ["my letter"]
    person.left_nothing("my letter")


def test_opening_a_thread_can_be_stopped_while_the_keys_are_waited_for(person: Waiting) -> None:
    held = person.holds(WORKER)
    person.comes_back(WORDS)
    person.until(lambda: len(held) == 1)
    person.presses_stop()
    person.heading("Come back")
    person.left_nothing(WORDS)


@pytest.mark.parametrize("how", ["broken", "refused"])
def test_what_works_out_the_keys_is_asked_for_again_when_it_does_not_come(person: Waiting, how: str) -> None:
    """It is no lack of memory."""

    def fails(route: Route) -> None:
        if how == "broken":
            route.abort()
        else:
            route.fulfill(status=502, body="bad gateway")

    person.page.route(WORKER, fails)
    person.comes_back(WORDS)
    person.says("The connection broke. It goes on by itself in %(span)s.")
    person.waits()
    person.waits()
    person.heading("That did not work")
    person.says("The door does not answer just now. Try again in a few minutes.")
    person.press("Try again")
    person.says("The connection broke. It goes on by itself in %(span)s.")
    person.page.unroute(WORKER)
    person.waits()
    person.heading("Your thread")
    person.left_nothing(WORDS)
