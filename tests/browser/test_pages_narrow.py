# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words that are longer than a narrow window: none makes a page wider than 320 px."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.person import Person
from tests.browser.serving import ServedDoor

LONG = "Rechtsschutzversicherungsgesellschaften"
FILE = "Protokoll_der_Vorstandssitzung_2024_03_05_vertraulich_final.pdf"


def ten_words_in_one(person: Person) -> None:
    person.open("/en/return")
    person.types("Ten words", LONG * 3)
    person.press("Open my thread")
    person.says("Please look again")


def an_empty_file(person: Person) -> None:
    person.open("/en/write")
    person.writes("a letter")
    person.heading("Files, if you like")
    person.page.get_by_label("Files").set_input_files({"name": FILE, "mimeType": "application/pdf", "buffer": b""})
    person.says("is empty")


def a_question(person: Person) -> None:
    person.open("/en/write")
    person.page.evaluate(f"document.querySelector('legend').textContent = '{LONG}{LONG}'")


@pytest.mark.parametrize("shown", [ten_words_in_one, an_empty_file, a_question])
def test_no_word_is_wider_than_the_window(chromium: Browser, door: ServedDoor, shown: Callable[[Person], None]) -> None:
    person = Person(chromium, door, viewport={"width": 320, "height": 640})
    shown(person)
    assert person.page.evaluate("document.documentElement.scrollWidth") == 320
    person.context.close()
