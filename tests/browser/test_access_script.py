# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps as the pages' script shows them, for everybody: what axe and `look.js` say of each, through a first visit
and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.documents import docx, packed
from tests.browser.eyes import Eyes
from tests.browser.serving import ServedDoor
from tests.browser.test_pages_script import Person


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Person]:
    one = Person(chromium, door, viewport={"width": 320, "height": 256})
    yield one
    one.context.close()


def test_every_step_is_for_everybody(person: Person, door: ServedDoor, node: Path) -> None:
    eyes, found = Eyes(door), list[str]()

    def look(step: str) -> None:
        found.extend(f"{step}: {one}" for one in eyes.wrong(person.page))

    person.open("/en/write")
    look("write")
    person.press("Go on")
    person.says("Please look again")
    look("an empty letter")
    person.writes("May I ask something first?")
    person.heading("Files, if you like")
    look("files")
    person.page.get_by_label("Files").set_input_files({"name": "a.docx", "mimeType": "", "buffer": packed(docx())})
    person.says("Anna Kovalenko")
    look("what a file says")
    person.press("Remove")
    person.heading("What is left in the copy")
    look("what is left in a copy")
    person.press("Leave out")
    person.heading("Files, if you like")
    person.page.get_by_role("button", name="Go on").click()
    person.heading("Your ten words")
    words = " ".join(person.page.locator("ol.words.large li").all_inner_texts())
    look("the ten words")
    person.press("I have them in mind")
    person.page.get_by_role("textbox", name="Ten words").fill("one two")
    person.press("Check and send")
    person.says("Please look again")
    look("words mistyped")
    person.page.get_by_role("textbox", name="Ten words").fill(words)
    person.press("Check and send")
    person.heading("Your letter is in")
    look("sent")
    person.open("/en/return")
    look("return")
    person.comes_back(words)
    person.heading("Your thread")
    look("an empty thread")
    assert not found, "\n".join(found)
