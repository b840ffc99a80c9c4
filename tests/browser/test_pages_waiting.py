# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the pages' script waits for and does not get: it is said, it can be stopped, and nothing is lost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from latchstring.client.transport import Response
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from tests.asked import ASKED
from tests.browser.person import delivered
from tests.browser.serving import ServedDoor
from tests.browser.test_pages_cuts import Cutting, arrived, plain
from tests.browser.test_pages_questions import asks
from tests.builders import Stream
from tests.world.world import Desk

WORDS = " ".join(generate(Stream("nobody")).words(load()))  # never used: they open a thread without answers
MINUTE = 61_000  # milliseconds, and a little more
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

    def sees_nothing_of(self, number: int) -> None:
        """The answer to one of what is held; then it is tried again."""
        self.until(lambda: len(self.held) == number)
        self.page.clock.fast_forward(3 * MINUTE)
        self.waits()

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


# --- lists of words, and what asks ---------------------------------------------------------------------

LIST = "**/static/words-english.txt"
FETCHING = "Fetching what the door has published. It is the same for everyone."
NO_LIST = "A list of words did not come. Try again in a moment."


def test_the_list_in_which_words_are_shown_is_fetched_while_somebody_writes(person: Waiting) -> None:
    person.open("/en/write")
    person.until(lambda: "GET /static/words-english.txt" in person.posted)
    person.fetched()
    person.page.wait_for_load_state("networkidle")
    person.holds("**/static/words-*")
    person.writes("my letter")
    person.page.locator("main button[value=words]").click()
    person.heading("Your ten words")
    assert len(person.shown_words().split()) == 10


def test_a_list_that_stalls_is_told_and_can_be_left(person: Waiting) -> None:
    held = person.holds(LIST)
    person.open("/en/write")
    person.writes("my letter")
    person.page.locator("main button[value=words]").click()
    person.says(FETCHING)
    person.heading("Your ten words")
    person.press("Stop")
    person.heading("Write")
    assert person.letter() == "my letter"
    person.press("Go on")
    person.page.locator("main button[value=words]").click()
    person.says(FETCHING)
    person.press("Pause")
    person.says("Paused. Nothing is lost.")
    person.press("Go on")
    person.says(FETCHING)
    person.page.clock.fast_forward(MINUTE)
    person.heading("That did not work")
    person.says(NO_LIST)
    assert len(held) == 1
    person.page.unroute(LIST)
    person.press("Try again")
    person.heading("Your ten words")
    assert len(person.shown_words().split()) == 10
    person.left_nothing("my letter")


@pytest.mark.parametrize("wrong", ["", "x"])
def test_whatever_is_typed_all_lists_are_waited_for(person: Waiting, wrong: str) -> None:
    """Or who holds one back would see whether the words are in it."""
    held = person.holds("**/static/words-arabic.txt")
    typed = WORDS + wrong
    person.open("/en/return")
    person.fetched()
    before = len(person.posted)
    person.types("Ten words", typed)
    person.press("Open my thread")
    person.says(FETCHING)
    person.heading("Opening your thread")
    person.press("Stop")
    person.heading("Come back")
    box = person.page.get_by_role("textbox", name="Ten words")
    assert box.input_value() == typed
    person.press("Open my thread")
    person.says(FETCHING)
    person.page.clock.fast_forward(MINUTE)
    person.heading("Come back")
    person.says(NO_LIST)
    assert box.input_value() == typed
    assert not any(path.endswith(("/visit", "argon2-worker.js")) for path in person.posted[before:])
    person.until(lambda: len(held) == 2)  # asked for again
    held.pop().continue_()
    person.press("Open my thread")
    if wrong:
        person.says("is not in the list. Did you mean")
    else:
        person.heading("Your thread")


def test_what_asks_stalls(person: Waiting, door: ServedDoor) -> None:
    asks(door, *ASKED)
    person.sets_clock(door.world.now)
    held = person.holds("**/static/questions.js*")
    person.open("/en/write")
    person.fetched()
    person.until(lambda: len(held) == 1)
    person.writes("my letter")
    person.says(FETCHING)
    person.heading("The desk asks")
    person.press("Stop")
    person.heading("Write")
    assert person.letter() == "my letter"
    person.press("Go on")
    person.says(FETCHING)
    person.page.clock.fast_forward(MINUTE)
    person.heading("That did not work")
    person.says("A part of this page did not come. Try again in a moment.")
    person.page.unroute("**/static/questions.js*")
    person.press("Try again")
    person.heading("The desk asks")
    person.says("What is it about?")


# --- a line that is dead and does not say so ------------------------------------------------------------


def test_a_letter_and_a_part_of_a_file_without_an_answer_are_tried_again(
    person: Waiting, door: ServedDoor, news: Desk
) -> None:
    person.open("/en/write")
    person.writes("my letter")
    person.chooses(plain("a.bin", b"some bytes"))
    person.fates = ["hold", "pass", "hold", "pass"]
    person.goes_on()
    person.sees_nothing_of(1)
    person.sees_nothing_of(2)
    person.heading("Your letter is in")
    (item,) = arrived(door, news)
    assert item.attachment.name == "a.bin"
    assert news.texts() == ["my letter"]


# --- other words ----------------------------------------------------------------------------------------


def takes_other_words(person: Waiting, *desks: str) -> str:
    """Up to telling the desks; the new words."""
    person.comes_back(WORDS)
    person.press("Change my words")
    person.heading("Your new ten words")
    new = person.shown_words()
    person.press("I have them in mind")
    person.types("Ten words", new)
    for desk in desks:
        person.page.locator(f"#desk-{desk}").check()
    person.press("Change my words")
    return new


def test_a_desk_whose_answer_was_lost_may_be_told_and_is_tried_again_without_typing(
    person: Waiting, door: ServedDoor
) -> None:
    person.fates = ["pass", "lost"]
    new = takes_other_words(person, "news", "legal")
    person.says("The connection broke. It goes on by itself in %(span)s.")
    person.press("Stop")
    person.says("Told: Legal")
    person.says("Perhaps told: News")
    person.heading("It is not sure that every desk was told")
    assert "Not told yet" not in person.page.get_by_role("main").inner_text()
    person.press("Try again")
    person.heading("Your words are changed")
    told = [x.path for x in door.world.traffic if x.who == "a script" and x.path == "/v1/letters"]
    assert len(told) == 3, "who was told is not told again"
    person.left_nothing(WORDS, new)


def test_a_change_that_was_refused_is_tried_by_what_the_door_says_now(person: Waiting, door: ServedDoor) -> None:
    honest = door.script.meddle
    door.script.meddle = lambda request, answer: (
        Response(410, b"Gone.\n") if request.path == "/v1/letters" else honest(request, answer)
    )
    takes_other_words(person, "news")
    person.heading("Not every desk was told")
    person.says("Not told yet: News")
    door.script.meddle = honest
    asked = person.posted.count("GET /visit")
    person.press("Try again")
    person.heading("Your words are changed")
    assert person.posted.count("GET /visit") == asked + 1


def test_who_cannot_tell_one_desk_can_stop_and_tell_another(person: Waiting, door: ServedDoor) -> None:
    honest = door.script.meddle
    door.script.meddle = lambda request, answer: (
        Response(503, b"Full.\n") if request.path == "/v1/letters" else honest(request, answer)
    )
    new = takes_other_words(person, "news")
    person.says("The door is full just now. The next try is in %(span)s; each try has the same chance.")
    person.press("Stop")
    person.heading("Do you have them?")
    assert "Not told yet" not in person.page.get_by_role("main").inner_text()
    door.script.meddle = lambda request, answer: (
        Response(410, b"Gone.\n") if request.path == "/v1/letters" else honest(request, answer)
    )
    person.types("Ten words", new)
    person.press("Change my words")
    person.heading("Not every desk was told")
    person.press("Choose the desks again")
    person.heading("Do you have them?")
    door.script.meddle = honest
    person.page.locator("#desk-news").uncheck()
    person.page.locator("#desk-legal").check()
    person.types("Ten words", new)
    person.press("Change my words")
    person.heading("Your words are changed")
    person.says("Told: Legal")


def test_what_was_typed_for_other_words_is_kept_when_it_is_stopped(person: Waiting) -> None:
    person.comes_back(WORDS)
    person.heading("Your thread")
    held = person.holds(WORKER)
    person.press("Change my words")
    new = person.shown_words()
    person.press("I have them in mind")
    person.types("Ten words", new)
    person.page.locator("#desk-news").check()
    person.press("Change my words")
    person.until(lambda: bool(held))
    person.press("Stop")
    person.heading("Do you have them?")
    expect(person.page.get_by_role("textbox", name="Ten words")).to_have_value(new)
    expect(person.page.locator("#desk-news")).to_be_checked()
    person.press("Show the words again")
    assert person.shown_words() == new
    person.press("I have them in mind")
    expect(person.page.get_by_role("textbox", name="Ten words")).to_have_value("")
    expect(person.page.locator("#desk-news")).to_be_checked()


def test_there_is_a_way_back_to_the_thread_from_other_words(person: Waiting) -> None:
    person.comes_back(WORDS)
    person.press("Change my words")
    person.heading("Your new ten words")
    person.press("Back to your thread")
    person.heading("Your thread")
    person.press("Change my words")
    person.press("I have them in mind")
    person.heading("Do you have them?")
    person.press("Back to your thread")
    person.heading("Your thread")
