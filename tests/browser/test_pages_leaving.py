# SPDX-License-Identifier: AGPL-3.0-or-later
"""Going away from the pages, by will or by mischance, with their script: what is on the screen then, what is asked
first, and what is kept."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Route

from latchstring.client.transport import Response
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from tests.browser.person import Person
from tests.browser.serving import ServedDoor
from tests.builders import Stream

SECRET = "a secret of mine"


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Person]:
    one = Person(chromium, door)
    yield one
    one.context.close()


LOOKS = """() => setInterval(() => console.log(
  "seen: " + document.title + " " + (document.body.checkVisibility() ? document.body.innerText : "")), 50)"""


def leaves(person: Person) -> list[str]:
    """With the ten words before them, and a line on which the next page does not come; what can be read then."""
    held: list[Route] = []
    person.page.route("**/leave", lambda route: held.append(route))
    person.open("/en/write")
    person.writes(SECRET)
    person.page.locator("main button[value=words]").click()
    person.heading("Your ten words")
    words = person.shown_words().split()
    person.page.evaluate(LOOKS)
    person.page.get_by_role("banner").get_by_role("link", name="Leave this page now").dispatch_event("click")
    for _ in range(100):
        if held:
            break
        person.page.wait_for_timeout(50)
    person.console.clear()
    for _ in range(100):
        if person.console:
            break
        person.page.wait_for_timeout(50)
    seen = person.console[-1]
    held.pop().fulfill(body="news of the day", content_type="text/html")
    person.page.wait_for_url("**/leave")
    assert seen.startswith("seen: ")
    return [one for one in [*words, "Your ten words", SECRET] if one in seen]


def test_who_leaves_at_once_has_nothing_on_the_screen_while_the_next_page_is_on_its_way(person: Person) -> None:
    assert leaves(person) == []


def test_without_that_the_words_would_stay_there(person: Person) -> None:
    person.page.route("**/static/app.js", lambda route: route.fulfill(
        response=(got := route.fetch()), body=got.text().replace("document.body.hidden=!0", "0")
    ))  # fmt: skip
    assert len(leaves(person)) >= 10


@pytest.mark.parametrize("key", ["Control", "Shift"])
def test_with_a_key_held_down_it_leaves_this_window_too(person: Person, key: Literal["Control", "Shift"]) -> None:
    person.page.route("**/leave", lambda route: route.fulfill(body="news of the day", content_type="text/html"))
    person.open("/en/write")
    person.types("Your letter", SECRET)
    person.page.get_by_role("banner").get_by_role("link", name="Leave this page now").click(modifiers=[key])
    person.page.wait_for_url("**/leave")
    assert len(person.context.pages) == 1


def test_who_looks_for_help_in_the_middle_of_typing_is_asked_first(person: Person) -> None:
    asked: list[str] = []

    def dialog(one: Dialog) -> None:
        asked.append(one.message)
        one.dismiss()

    person.page.on("dialog", dialog)
    person.open("/en/return")
    person.types("Ten words", "magenta gizmo")
    person.page.get_by_role("link", name="I have forgotten my ten words").click()
    assert len(asked) == 1
    with person.context.expect_page() as beside:
        person.page.get_by_role("link", name="Help", exact=True).click(modifiers=["Control"])
    beside.value.close()
    assert len(asked) == 1, "a page beside this one takes nothing away"
    assert person.page.get_by_role("textbox", name="Ten words").input_value() == "magenta gizmo"


def test_files_that_were_chosen_are_not_thrown_away_unasked(person: Person) -> None:
    asked: list[str] = []

    def dialog(one: Dialog) -> None:
        asked.append(one.message)
        one.dismiss()

    person.page.on("dialog", dialog)
    person.comes_back(" ".join(generate(Stream("nobody")).words(load())))
    person.press("Write again")
    person.writes("more")
    person.page.get_by_label("Files").set_input_files({"name": "a.bin", "mimeType": "", "buffer": b"a"})
    person.press("Send it as it is")
    person.press("Back to the letter")
    person.types("Your letter", "")
    person.press("Back to your thread")
    person.heading("Write again")
    assert len(asked) == 1


def test_after_a_fault_of_the_page_itself_the_letter_is_still_there(person: Person) -> None:
    person.open("/en/write")
    person.writes(SECRET)
    person.page.evaluate("() => { crypto.getRandomValues = () => { throw new Error('no randomness') } }")
    person.page.locator("main button[value=words]").click()
    person.says("Something went wrong in this page. It is not your fault. Try again.")
    person.says("What you wrote is kept in this page")
    person.press("Try again")
    assert person.page.get_by_role("textbox", name="Your letter").input_value() == SECRET
    assert person.console == []


def test_a_letter_that_is_not_taken_is_not_said_to_wait_for_room(person: Person, door: ServedDoor) -> None:
    def refuses(request: Request, answer: Response) -> Response:
        return Response(404, b"") if request.path == "/v1/letters" else answer

    door.script.meddle = refuses
    person.open("/en/write")
    person.writes(SECRET)
    person.takes_words()
    person.heading("Your letter is not in yet")
    person.says("If this happens twice, copy what you wrote, and load the page again.")
    assert "The door is full" not in person.page.get_by_role("main").inner_text()
