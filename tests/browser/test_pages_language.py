# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script joins lists, sets quotation marks, and says dates and figures as the server does in that language."""

import json
import re
import subprocess
from calendar import timegm
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from latchstring.protocol.passphrase import MistypedPassphrase
from latchstring.protocol.wordlist import CODES, WordList, load
from latchstring.site.languages import LANGUAGES
from latchstring.site.texts import Texts, plural
from latchstring.site.wordlists import WordLists, sentences
from tests.browser.firefox import opened
from tests.browser.peer import FRONTEND
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


MOMENTS = [timegm((2024, month, day, *time)) for month, (day, *time) in product(
    range(1, 13), ((1, 0, 0, 0), (29, 12, 59, 59), (9, 23, 5, 0)),
)]  # fmt: skip
SPANS = [0, 1, 2.5, 59, 71, 72, 90, 150, 600, 3600, 5400, 6 * 3600, 9000, 86_400, 150_000, 11 * 86_400, 400 * 86_400]
SIZES = [0, 1, 2, 999, 1000, 1250, 1350, 262_144, 999_949, 999_960, 1_050_000, 3_200_000, 5 * 10**9]
NUMBERS = [*range(130), 999, 1000, 1234, 9999, 10_000, 1_234_567]
ROOM = ("%(n)s more character fits.", "About %(n)s more characters fit.")
SAYS = """([told, moments, spans, sizes, numbers]) => {
  const texts = new page.Texts(told);
  return [
    moments.map((at) => texts.when(at)), spans.map((one) => texts.span(one)), sizes.map((one) => texts.size(one)),
    numbers.map((one) => texts.number(one)), numbers.map((one) => texts.many("room", one)),
  ];
}"""


@pytest.fixture(scope="module")
def script(node: Path) -> str:
    """What the pages' script says by, alone."""
    how = ("--bundle", "--format=iife", "--global-name=page")
    made = subprocess.run(
        [node / "node_modules/.bin/esbuild", "src/page/texts.ts", *how], cwd=FRONTEND, capture_output=True, check=True
    )
    return made.stdout.decode()


def differing(said: list[list[str]], code: str) -> list[tuple[str, str]]:
    """What a browser says otherwise than the server, but for which kind of space stands in it."""
    texts = Texts.load(code)
    expected = [
        [texts.when(at) for at in MOMENTS],
        [texts.span(seconds) for seconds in SPANS],
        [texts.size(count) for count in SIZES],
        [texts.number(value) for value in NUMBERS],
        [texts.many(*ROOM, value) for value in NUMBERS],
    ]
    return [
        pair
        for some, others in zip(said, expected, strict=True)
        for pair in zip(some, others, strict=True)
        if len({re.sub(r"\s", " ", one) for one in pair}) > 1
    ]


def given(code: str) -> list[object]:
    """What a browser is to say."""
    told = {"language": code, "texts": {}, "plurals": {"room": plural(*ROOM, Texts.load(code))}}
    return [told, MOMENTS, SPANS, SIZES, NUMBERS]


@pytest.mark.parametrize("code", LANGUAGES)
def test_dates_and_figures_are_said_alike(code: str, chromium: Browser, script: str) -> None:
    """But for which kind of space stands in them."""
    page = chromium.new_page()
    said = page.evaluate(f"(given) => {{ {script}; return ({SAYS})(given); }}", given(code))
    page.close()
    assert differing(said, code) == [], "with the script, and without it"
    digits = "".join(one for some in said for one in some)
    assert re.search(r"[0-9]", digits)
    assert not re.search(r"(?![0-9])\d", digits), "one kind of digits on all pages"


@pytest.mark.matrix
def test_dates_and_figures_are_said_alike_in_firefox(script: str, tmp_path: Path) -> None:
    """In all six languages; its library of languages is of another year than Chromium's."""
    with opened(tmp_path, script=True) as browser:
        asked = {code: f"{script}; return ({SAYS})({json.dumps(given(code))})" for code in LANGUAGES}
        said = {code: browser.run(one) for code, one in asked.items()}
        unlike = browser.run(asked["fr"].replace("-u-nu-latn", "-u-nu-arab"))
    assert [pair for code in LANGUAGES for pair in differing(said[code], code)] == []
    assert differing(unlike, "fr"), "other digits would be seen"
