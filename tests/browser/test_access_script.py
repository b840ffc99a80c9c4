# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps as the pages' script shows them, for everybody: what axe, `look.js` and `forced.js` say of each, with more
contrast too, and whether Tab leads through all of it. A first visit and the way back; with --matrix every state of
every step, in every language."""

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
RUINED: Final = {
    ":focus-visible { outline: none !important; }": "shows no focus",
    "@media (forced-colors: active) { a:focus { outline-color: Canvas !important; } }": "shows no focus: <a",
    ".note { border: none !important; }": "has no mark but its background or shadow: <p class=note",
    ".errors { border: none !important; }": "has no mark but its background or shadow: <div id=errors",
    "legend { box-shadow: 0 0 3px; }": "has no mark but its background or shadow: <legend",
    "button { border: none !important; }": "has no edge: <button",
    "textarea { border-block-start: none !important; }": "has no edge: <textarea",
    "input { appearance: none !important; }": "is not drawn by the system: <input",
    "[aria-invalid=true] { border: 2px solid var(--bad) !important; }": "looks as if it were not wrong: <textarea",
    "nav a { border: none !important; font-weight: 400 !important; }": "looks as if it were not where one is: <a",
    ":disabled + label { font-weight: 600 !important; }": "looks as if it were not disabled: <input",
    ".track i.done { background: var(--act) !important; forced-color-adjust: auto; }": "not done: <i",
}
"""Styles that leave something to backgrounds or colours alone, and what is said of them in the system's colours."""

PALER: Final = "@media (prefers-contrast: more) { .hint { color: #767676 !important; } }"
STYLE: Final = "(rule) => document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length)"
UNSTYLE: Final = "(at) => document.styleSheets[0].deleteRule(at)"
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
    """By day and by night; `whole`: with more contrast and in the system's colours too. `found`: what is wrong;
    `seen`: the steps, and the parts of them that were on the screen; `carried`: all parts that the pages have for their
    script."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self.found: list[str] = []
        self.seen: set[str] = set()
        self.carried: set[str] = set()

    def __call__(self, walk: Walk, step: str, state: str) -> None:
        page = walk.page
        self.seen |= {step, *(f"{step} {part}" for part in page.evaluate(PARTS))}
        self.carried |= set(page.evaluate(CARRIED))
        wrong = [] if page.evaluate(FOCUSED) or state == "unscripted" else ["nothing has the focus"]
        eyes = Eyes(walk.door)
        wrong += eyes.wrong(page)
        wrong += eyes.strong(page) + eyes.forced(page) if self._whole else []
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
    look = Look(whole=True)
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


def test_marks_that_other_colours_take_away_are_found(chromium: Browser, stage: Stage, node: Path) -> None:
    """A step with something wrong, chosen and disabled on it, in styles that somebody made worse."""
    one = Walk(chromium, stage, "en", lambda *_: None, **WINDOW)
    one.opens("write")
    one.fetched()
    one.press("Go on")
    one.says("Please look again")
    one.page.locator("main [name=desk]").first.evaluate("(el) => { el.disabled = true; }")
    eyes = Eyes(one.door)
    assert eyes.forced(one.page) + eyes.strong(one.page) == []
    for rule, said in RUINED.items():
        at = one.page.evaluate(STYLE, rule)
        found = eyes.forced(one.page)
        for scheme in ("light", "dark"):
            assert any(said in each and scheme in each for each in found), (rule, scheme, found)
        one.page.evaluate(UNSTYLE, at)
    one.page.evaluate(STYLE, PALER)
    paler = eyes.strong(one.page)
    for scheme in ("light", "dark"):
        assert any("enhanced" in each and f"(more contrast, {scheme})" in each for each in paler), (scheme, paler)
    one.close()
