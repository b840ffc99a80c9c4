# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page in every state, for everybody: axe finds nothing, by day and by night; at 320 px (which is 400 % of 1280)
nothing scrolls sideways; what is touched is large enough; the focus is seen; errors are announced.

`make test` looks at three languages, `make test-all` at all.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from latchstring.site import render
from tests.browser.serving import ServedDoor
from tests.browser.shelf import Shelves
from tests.reader import Answer

TEMPLATES: Final = Path(render.__file__).parent / "templates"
SCRIPTED: Final = {"_scripted.html", "steps/sending.html", "steps/refused.html"}
LOOK: Final = (Path(__file__).parent / "look.js").read_text("utf-8")
WHOLE: Final = '{ rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] }'
COLOURS: Final = '{ runOnly: ["color-contrast"], resultTypes: ["violations"] }'
RUN: Final = """async () => (await axe.run(%s)).violations.flatMap(
  (found) => found.nodes.map((node) => `${found.id} (${found.help}): ${node.html.slice(0, 160)}`))"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window of 320 by 256 px. axe needs a script's timers; the pages' own scripts are not let in."""
    context = chromium.new_context(viewport={"width": 320, "height": 256})
    context.route("**/static/*.js", lambda route: route.abort())
    yield context.new_page()
    context.close()


@pytest.fixture
def shelf(shelves: Shelves, node: Path) -> ServedDoor:
    """A door that gives every state on demand, and axe."""
    axe = (node / "node_modules/axe-core/axe.min.js").read_bytes()
    head = {"content-type": "text/javascript", "cache-control": "max-age=3600", "content-length": str(len(axe))}
    shelves.door.shelf["axe"] = Answer(200, {**head, "cross-origin-resource-policy": "same-origin"}, axe)
    return shelves.door


def axe(page: Page, how: str) -> list[str]:
    """What axe finds."""
    found: list[str] = page.evaluate(RUN % how)
    return found


def looked_at(page: Page, address: str) -> list[str]:
    """All that is wrong with one state."""
    page.emulate_media(color_scheme="light")
    page.goto(address)
    page.keyboard.press("Shift")  # the focus is shown to who uses the keyboard
    found: list[str] = page.evaluate(LOOK)
    page.add_script_tag(url="/files/axe?state=axe")
    found += axe(page, WHOLE)
    page.emulate_media(color_scheme="dark")
    return found + [f"{one} (by night)" for one in axe(page, COLOURS)]


def test_every_state_is_for_everybody(page: Page, shelf: ServedDoor, shelves: Shelves, language: str) -> None:
    found: list[str] = []
    for name in shelves.states(language):
        wrong = looked_at(page, shelves.address(language, name))
        found += [f"{language} {name or 'invitation'}: {one}" for one in wrong]
    assert not found, "\n".join(found)


def test_no_page_and_no_step_is_left_out(shelves: Shelves) -> None:
    """What is not among the states is a script's own, or only ever part of another."""
    shelves.states("en")
    assert {
        path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")
    } - shelves.templates <= SCRIPTED


@pytest.mark.parametrize("name", ["write-practice-slip", "return-thread", "card"])
def test_other_ways_of_seeing(page: Page, shelf: ServedDoor, shelves: Shelves, name: str) -> None:
    """More contrast, by day and by night; the colours of the system alone; no motion."""
    page.goto(shelves.address("en", name))
    page.add_script_tag(url="/files/axe?state=axe")
    for scheme in ("light", "dark"):
        page.emulate_media(contrast="more", color_scheme="dark" if scheme == "dark" else "light")
        assert axe(page, '{ runOnly: ["color-contrast", "color-contrast-enhanced"] }') == []
    page.emulate_media(forced_colors="active", contrast="no-preference")
    page.keyboard.press("Shift")
    assert page.evaluate(LOOK) == []
    edged = "els => els.every((el) => parseFloat(getComputedStyle(el).borderTopWidth) >= 1)"
    assert page.locator(".button, button, .note, .errors, textarea").evaluate_all(edged)
    moving = "getComputedStyle(document.documentElement).scrollBehavior"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "auto"


def test_the_card_is_printed_without_what_is_around_it(page: Page, shelf: ServedDoor, shelves: Shelves) -> None:
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


def test_flaws_are_found(page: Page, shelf: ServedDoor, shelves: Shelves) -> None:
    """The same eyes on a page that somebody made worse."""
    whole = (shelves.states("en"), shelf.shelf["en-write-empty"])[1]
    for (good, bad), said in FLAWS.items():
        assert good in whole.text
        body = whole.text.replace(good, bad, 1).encode()
        shelf.shelf["flaw"] = Answer(422, {**whole.head, "content-length": str(len(body))}, body)
        found = looked_at(page, f"{shelf.address}/en/write?state=flaw")
        assert any(said in one for one in found), (said, found)
