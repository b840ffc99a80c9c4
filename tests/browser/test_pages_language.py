# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script joins lists and sets quotation marks as the server does in that language: both say the same sentences."""

import pytest
from playwright.sync_api import expect

from latchstring.protocol.passphrase import MistypedPassphrase
from latchstring.protocol.wordlist import CODES, WordList, load
from latchstring.site.languages import LANGUAGES
from latchstring.site.texts import Texts
from latchstring.site.wordlists import WordLists, sentences
from tests.browser.person import Person

QUOTES = {"en": "“”", "ru": "«»", "uk": "«»", "fr": "«»", "es": "«»", "ar": "«»"}
JOINED = """([code, type, items]) => new Intl.ListFormat(code, { type }).format(items)"""


def mistyped(words: WordList) -> str:
    """Ten words, of which each third is one of those that could be two or three others."""
    cut = (word[:-1] for word in words.words)
    unsure = (typed for typed in cut if words.find(typed) is None and len(words.near(typed)) > 1)
    return " ".join(next(unsure) if n % 3 == 0 else words.words[50 * n] for n in range(10))


def test_a_slip_is_told_in_the_same_sentences_with_and_without_the_script(language: str, person: Person) -> None:
    code, typed = language, mistyped(load(CODES.get(language, "english")))
    with pytest.raises(MistypedPassphrase) as slip:
        WordLists.load().parse(typed, code)
    told = sentences(slip.value, Texts.load(code))
    assert len(told) == 4
    assert all(one.count(QUOTES[code][0]) >= 3 and one.count(QUOTES[code][1]) >= 3 for one in told), "a list of words"

    person.open(f"/{code}/return")
    person.page.locator("#words").fill(typed)
    person.page.locator("button[value=open]").click()
    expect(person.page.locator("#errors")).to_be_visible()
    assert person.page.locator("#errors li").all_inner_texts() == told


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_are_joined_alike(code: str, person: Person) -> None:
    texts = Texts.load(code)
    person.page.goto(f"{person.door.address}/{code}/about")
    for names in (["A"], ["A", "B"], ["A", "B", "C"], ["A", "B", "C", "D"]):
        assert person.page.evaluate(JOINED, [code, "conjunction", names]) == texts.all(names)
        assert person.page.evaluate(JOINED, [code, "disjunction", names]) == texts.either(names)
