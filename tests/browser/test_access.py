# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page in every state, for everybody: axe finds nothing, by day and by night; nothing is marked by colours
alone; at 320 px (which is 400 % of 1280) nothing scrolls sideways; what is touched is large enough; the focus is seen;
errors are announced.

`make test` looks at two languages, and at colours alone in three states; `make test-all` at all.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from latchstring.site import render
from tests.browser.eyes import Eyes
from tests.browser.shelf import Shelves
from tests.reader import Answer

TEMPLATES: Final = Path(render.__file__).parent / "templates"
SCRIPTED: Final = {"_scripted.html", "steps/sending.html", "steps/refused.html", "steps/looked.html"}


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window of 320 by 256 px. axe needs a script's timers; the pages' own scripts are not let in."""
    context = chromium.new_context(viewport={"width": 320, "height": 256})
    context.route("**/static/*.js", lambda route: route.abort())
    yield context.new_page()
    context.close()


@pytest.fixture
def eyes(shelves: Shelves, node: Path) -> Eyes:
    return Eyes(shelves.door)


def test_every_state_is_for_everybody(page: Page, eyes: Eyes, shelves: Shelves, language: str) -> None:
    found = in_every_state(page, shelves, language, eyes.wrong)
    assert not found, "\n".join(found)


@pytest.mark.matrix
def test_no_state_is_marked_by_colours_alone(page: Page, eyes: Eyes, shelves: Shelves, language: str) -> None:
    found = in_every_state(page, shelves, language, eyes.forced)
    assert not found, "\n".join(found)


def in_every_state(page: Page, shelves: Shelves, language: str, wrong: Callable[[Page], list[str]]) -> list[str]:
    """What is wrong with each, in a language."""
    found: list[str] = []
    for name in shelves.states(language):
        page.goto(shelves.address(language, name))
        found += [f"{language} {name or 'invitation'}: {one}" for one in wrong(page)]
    return found


def test_no_page_and_no_step_is_left_out(shelves: Shelves) -> None:
    """What is not among the states is a script's own, or only ever part of another."""
    shelves.states("en")
    assert {
        path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")
    } - shelves.templates <= SCRIPTED


@pytest.mark.parametrize("name", ["write-practice-slip", "return-thread", "card"])
def test_other_ways_of_seeing(page: Page, eyes: Eyes, shelves: Shelves, name: str) -> None:
    """More contrast, by day and by night; the colours of the system alone; no motion."""
    page.goto(shelves.address("en", name))
    assert eyes.strong(page) + eyes.forced(page) == []
    moving = "getComputedStyle(document.documentElement).scrollBehavior"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "auto"


def test_the_card_is_printed_without_what_is_around_it(page: Page, shelves: Shelves) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(shelves.address("en", "card"))
    for gone in ("header", "nav", "footer", ".actions", ".no-print"):
        assert not any(one.is_visible() for one in page.locator(gone).all()), gone
    assert page.locator(".card .words li").count() == 12
    assert page.locator(".card img").is_visible()
    ink = "el => [getComputedStyle(el).color, getComputedStyle(document.documentElement).backgroundColor]"
    for part in (".card-name", ".words li", ".address"):
        assert page.locator(f".card {part}").first.evaluate(ink) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], part


FLAWS: Final = {
    ('<label for="text">', '<label for="elsewhere">'): "label",
    ("<h1>", '<table width="900"><tr><td>wide</td></tr></table><h1>'): "scrolls sideways",
    ("<h1>", '<p><font color="#999">pale</font></p><h1>'): "color-contrast",
    ("<h1>", '<p><a href="/en/help">?</a></p><h1>'): "px: <a> ?",
    (" autofocus", ""): "the errors have no focus",
    ('class="error" id="text-error"', 'class="error" id="other"'): "is wrong and does not say why",
}


def test_flaws_are_found(page: Page, eyes: Eyes, shelves: Shelves) -> None:
    """The same eyes on a page that somebody made worse."""
    shelves.states("en")
    whole = shelves.door.shelf["en-write-empty"]
    for (good, bad), said in FLAWS.items():
        assert good in whole.text
        body = whole.text.replace(good, bad, 1).encode()
        shelves.door.shelf["flaw"] = Answer(422, {**whole.head, "content-length": str(len(body))}, body)
        page.goto(f"{shelves.door.address}/en/write?state=flaw")
        found = eyes.wrong(page)
        assert any(said in one for one in found), (said, found)
