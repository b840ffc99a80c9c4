# SPDX-License-Identifier: AGPL-3.0-or-later
"""With the script the window is called after the step, as without it, and never after what somebody typed."""

from itertools import pairwise

from playwright.sync_api import expect

from tests.browser.person import Person

TEXT = "Secret of mine"


def test_the_window_is_called_after_the_step(person: Person) -> None:
    seen: list[str] = []

    def called(title: str) -> None:
        expect(person.page).to_have_title(title, timeout=30_000)
        seen.append(title)

    person.open("/en/write")
    called("Write")
    person.page.get_by_role("textbox", name="Your letter").fill(TEXT)
    person.press("Go on")
    called("Please look again: Write")
    person.writes(TEXT)
    called("Files, if you like")
    person.page.get_by_role("button", name="Go on").click()
    called("Your ten words")
    words = person.shown_words()
    person.press("I have them in mind")
    called("Do you have them?")
    person.page.get_by_role("textbox", name="Ten words").fill("mistyped")
    person.press("Check and send")
    called("Please look again: Do you have them?")
    person.page.get_by_role("textbox", name="Ten words").fill(words)
    person.press("Check and send")
    called("What happens next")
    person.comes_back(words)
    called("Your thread")
    person.press("Write again")
    called("Write")
    person.left_nothing(TEXT, *words.split())
    pairs = [
        f"{one} {two}" for one, two in pairwise(words.split())
    ]  # one alone may stand in a title by chance: "thread"
    assert not [one for one in seen if any(secret in one for secret in (TEXT, "news", "mistyped", *pairs))]


def test_in_the_language_of_the_page(person: Person) -> None:
    person.open("/ru/write")
    expect(person.page).to_have_title("Написать")
    person.page.locator("button[value=text]").click()
    expect(person.page).to_have_title("Посмотрите, пожалуйста, ещё раз: Написать")
