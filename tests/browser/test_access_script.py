# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps as the pages' script shows them, for everybody: what axe and `look.js` say of each, and whether Tab leads
through all of it. A first visit and the way back; with --matrix every state of every step, in every language."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from latchstring.protocol.wordlist import load
from latchstring.site.languages import LANGUAGES
from latchstring.site.pages.scripted import STEPS
from tests.browser.eyes import Eyes
from tests.browser.keys import Keys
from tests.browser.steps import Walk, walk
from tests.states import Stage

WINDOW: Final = {"viewport": {"width": 320, "height": 256}, "reduced_motion": "reduce"}
FOCUSED: Final = "() => document.activeElement !== document.body"
PARTS: Final = """() => [...document.querySelectorAll("#main [data-if]")]
  .filter((el) => el.checkVisibility()).map((el) => el.dataset.if)"""
CARRIED: Final = """() => [...document.querySelectorAll("template")].flatMap((step) =>
  [...step.content.querySelectorAll("[data-if]")].map((el) => `${step.id.slice(5)} ${el.dataset.if}`))"""
FOREIGN: Final = ("ru", "uk", "ar")  # written in other letters than English
WORSE: Final = """() => {
  document.activeElement.blur();
  document.querySelector("main button").tabIndex = -1;
  document.querySelector("main h1").textContent = "Attachments";
  document.querySelector("main label[for=text]").remove();
}"""
KNOWN: Final = {"tor", "browser", "new", "identity", "utc", "pdf", "javascript", "http", "txt", "jpg", "bin", "none"}
SAID: Final = """() => {
  const walker = document.createTreeWalker(document.getElementById("main"), NodeFilter.SHOW_TEXT);
  const out = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const theirs = node.parentElement.closest("bdi, #main [lang], [translate=no], .said, textarea");
    if (node.parentElement.checkVisibility() && !theirs) out.push(node.data);
  }
  return out.join(" ");
}"""


def english(said: str) -> list[str]:
    """What is left in Latin letters, but for names, kinds of files, words of a passphrase, digits of a mark."""
    words = {word.lower() for word in re.findall(r"\b[A-Za-z]{3,}\b", said)} - KNOWN
    own = {*load().words, *(f"{word}q" for word in load().words)}
    return [f"is in English: {word}" for word in sorted(words - own) if word.strip("abcdef")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.make(tmp_path_factory.mktemp("stage"))


class Look:
    """`strong`: with more contrast too. `found`: what is wrong; `seen`: the steps, and the parts of them that were on
    the screen; `carried`: all parts that the pages have for their script."""

    def __init__(self, strong: bool = False) -> None:
        self._strong = strong
        self.found: list[str] = []
        self.seen: set[str] = set()
        self.carried: set[str] = set()

    def __call__(self, walk: Walk, step: str, state: str) -> None:
        page = walk.page
        self.seen |= {step, *(f"{step} {part}" for part in page.evaluate(PARTS))}
        self.carried |= set(page.evaluate(CARRIED))
        wrong = [] if page.evaluate(FOCUSED) or state == "unscripted" else ["nothing has the focus"]
        wrong += Eyes(walk.door).wrong(page)
        wrong += Eyes(walk.door).strong(page) if self._strong else []
        wrong += english(page.evaluate(SAID)) if walk.code in FOREIGN else []
        wrong += Keys(page).through_main()
        self.found += [f"{step} {state}: {one}" for one in wrong]


def test_a_first_visit_and_the_way_back_are_for_everybody(chromium: Browser, stage: Stage, node: Path) -> None:
    look = Look()
    walk(chromium, stage, "en", look, False, **WINDOW)
    assert not look.found, "\n".join(look.found)


@pytest.mark.matrix
@pytest.mark.parametrize("code", LANGUAGES)
def test_every_step_in_every_state_is_for_everybody(chromium: Browser, stage: Stage, node: Path, code: str) -> None:
    look = Look(strong=code == "en")
    walk(chromium, stage, code, look, True, **WINDOW)
    assert not look.found, "\n".join(look.found)
    assert look.carried - look.seen == set(), "no part of a step is left out"
    assert {step for steps in STEPS.values() for step in steps} <= look.seen


@pytest.mark.matrix
def test_flaws_are_found(chromium: Browser, stage: Stage, node: Path) -> None:
    """The same look at a step that somebody made worse."""
    one, look = Walk(chromium, stage, "ru", lambda *_: None, **WINDOW), Look()
    one.opens("write")
    one.page.evaluate(WORSE)
    look(one, "write", "")
    one.close()
    for said in ("nothing has the focus", "Tab does not lead to <button>", "is in English: attachments", "label"):
        assert any(said in found for found in look.found), (said, look.found)
