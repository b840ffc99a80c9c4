# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with a page, for who sees little, hears it read, has no mouse: axe (npm `axe-core`), `look.js`
and, where the system's colours replace the page's, `forced.js`."""

from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page

from tests.browser.peer import FRONTEND
from tests.browser.serving import ServedDoor
from tests.reader import Answer

LOOK: Final = (Path(__file__).parent / "look.js").read_text("utf-8")
FORCED: Final = (Path(__file__).parent / "forced.js").read_text("utf-8")
_AXE: Final = FRONTEND / "node_modules/axe-core/axe.min.js"
_WHOLE: Final = '{ rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] }'
_RUN: Final = """async () => (await axe.run(%s)).violations.flatMap(
  (found) => found.nodes.map((node) => `${found.id} (${found.help}): ${node.html.slice(0, 160)}`))"""
_SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

# autofocus comes with the first drawing, which may be after loading
_DRAWN: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Eyes:
    """For the pages of one door, as they stand in a window where JavaScript is on (axe needs its timers)."""

    def __init__(self, door: ServedDoor) -> None:
        """The door gives axe from its shelf: the pages' policy lets in nothing from elsewhere."""
        body = _AXE.read_bytes()
        head = {"content-type": "text/javascript", "cache-control": "max-age=3600", "content-length": str(len(body))}
        door.shelf["axe"] = Answer(200, {**head, "cross-origin-resource-policy": "same-origin"}, body)

    def wrong(self, page: Page) -> list[str]:
        """All that is wrong with the page, by day and by night; a sentence each. The focus is elsewhere afterwards."""
        page.emulate_media(color_scheme="light")
        page.keyboard.press("Shift")  # the focus is shown to who uses the keyboard
        page.evaluate(_DRAWN)
        found: list[str] = page.evaluate(LOOK)
        found += self._axe(page, _WHOLE)
        page.emulate_media(color_scheme="dark")
        return found + [f"{one} (by night)" for one in self.pale(page)]

    def pale(self, page: Page, rules: tuple[str, ...] = ("color-contrast",)) -> list[str]:
        """What has too little contrast, as the page is now."""
        listed = ", ".join(f'"{rule}"' for rule in rules)
        return self._axe(page, f'{{ runOnly: [{listed}], resultTypes: ["violations"] }}')

    def strong(self, page: Page) -> list[str]:
        """What has too little contrast for who asks for more of it, by day and by night."""
        found: list[str] = []
        for scheme in _SCHEMES:
            page.emulate_media(contrast="more", color_scheme=scheme)
            wrong = self.pale(page, ("color-contrast", "color-contrast-enhanced"))
            found += [f"{one} (more contrast, {scheme})" for one in wrong]
        page.emulate_media(contrast="no-preference")
        return found

    def forced(self, page: Page) -> list[str]:
        """What cannot be seen where the system's colours replace the page's, light ones and dark. The focus is
        elsewhere afterwards."""
        found: list[str] = []
        page.keyboard.press("Shift")
        for scheme in _SCHEMES:
            page.emulate_media(forced_colors="none", color_scheme=scheme)
            marks = page.evaluate_handle(f"({FORCED}).marks()")
            page.emulate_media(forced_colors="active")
            found += [f"{one} (forced colours, {scheme})" for one in page.evaluate(f"({FORCED}).lost", marks)]
        page.emulate_media(forced_colors="none")
        return found

    def _axe(self, page: Page, how: str) -> list[str]:
        if page.evaluate("typeof axe") == "undefined":
            page.add_script_tag(url="/files/axe?state=axe")
        found: list[str] = page.evaluate(_RUN % how)
        return found
