# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the window is called: another at each step, errors first, and never anything that somebody typed or chose."""

import re
from html import unescape
from importlib import resources

from latchstring.site.languages import LANGUAGES
from latchstring.site.pages.scripted import STEPS
from latchstring.site.pages.titles import titles
from latchstring.site.settings import Settings
from latchstring.site.texts import Texts
from tests.unit.site.conftest import Pages
from tests.world.world import World

TEXT, WRONG = "Secret of mine", "mistyped"


def title(html: str) -> str:
    found = re.search("<title>(.*?)</title>", html, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def test_every_step_has_a_title_of_its_own_in_every_language() -> None:
    folder = resources.files("latchstring.site").joinpath("templates", "steps")
    steps = {file.name.removesuffix(".html") for file in folder.iterdir()}
    for code in LANGUAGES:
        named = titles(Texts.load(code))
        assert set(named) == steps
        assert len(set(named.values())) == len(steps), code


def test_no_title_says_that_a_letter_is_in_or_a_harmless_one() -> None:
    """It stays in the browser's history with the address."""
    named = titles(Texts.load("en"))
    assert not [text for text in named.values() if re.search(r"letter|harmless|show|\bin\b", text)]


def test_the_titles_of_a_letter_and_of_coming_back(pages: Pages) -> None:
    window = pages.browser
    seen = [title(window.get("/en/write").text)]
    seen.append(title(window.press("text", text=TEXT).text))
    seen.append(title(window.press("text", desk="news", text=TEXT).text))
    shown = window.press("words").text
    words = re.findall(r"<li[^>]*>(?:<span[^>]*>)?([a-z]{4,8})(?:</span>)?</li>", shown)
    assert len(words) == 10
    seen.append(title(shown))
    seen.append(title(window.press("practise").text))
    seen.append(title(window.press("send", words=f"{WRONG} {' '.join(words[1:])}").text))
    seen.append(title(window.press("send", words=" ".join(words)).text))
    seen.append(title(window.press("decoy").text))
    seen.append(title(window.get("/en/return").text))
    seen.append(title(window.press("open", words=WRONG).text))
    seen.append(title(window.press("open", words=" ".join(words)).text))
    seen.append(title(window.press("change").text))
    assert seen == [
        "Write", "Please look again: Write", "Files, if you like", "Your ten words", "Do you have them?",
        "Please look again: Do you have them?", "What happens next", "Write", "Come back",
        "Please look again: Come back", "Your thread", "Your ten words",
    ]  # fmt: skip
    told = " ".join(seen)
    assert not [secret for secret in (TEXT, "news", WRONG, *words) if re.search(rf"\b{secret}\b", told)]


def test_the_steps_of_the_script_are_called_the_same(open_world: World) -> None:
    site = Pages(open_world, Settings(names={"en": 'The "Example" Gazette'}))
    named = titles(Texts.load("en"))
    for page, steps in STEPS.items():
        html = site.browser.get(f"/en/{page}").text
        carried = re.findall(r'<template id="step-([a-z]+)" data-title="(.*?)" data-wrong="(.*?)">', html)
        assert [one[0] for one in carried] == list(steps)
        for step, right, wrong in carried:
            assert unescape(right) == f'{named[step]} · The "Example" Gazette'
            assert unescape(wrong) == f'Please look again: {named[step]} · The "Example" Gazette'
        assert title(html) == f'{named[page]} · The "Example" Gazette'
