# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m tests.browser.screenshots`: a picture of every page for sources in every state, without the pages' script
and with it, to be looked at."""

import argparse
import base64
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, ViewportSize

from latchstring.site.languages import LANGUAGES
from tests.browser.chromium import launched
from tests.browser.shelf import Shelves, shelved
from tests.browser.steps import Walk, walk

Scheme = Literal["light", "dark"]

OUT: Final = Path(__file__).parents[2] / "docs/pictures"
WIDTHS: Final = {360: 740, 1280: 800}  # px, and how high the window is
SMALLER: Final = {360: 0.56, 1280: 0.38}  # as which they are kept, so that all together stay small
WHOLE: Final = ("invitation.en.1280", "write-passphrase.en.360", "return-thread.ar.360")  # but these, for the README
HIGHEST: Final = 2500  # px; a longer page is cut off there
ALIKE: Final = {
    *(f"script-refused-{state}" for state in ("silent", "untrusted", "no-list", "opening")),
    *(f"script-{state}" for state in ("full-no-receipt", "practice-others", "looked-photograph", "write-too-long")),
}
QUALITY: Final = {True: 60, False: 10}  # of one that is whole, of the others


def taken(page: Page, width: int, scale: float) -> bytes:
    """The page as WebP."""
    session = page.context.new_cdp_session(page)
    high = min(HIGHEST, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": high, "scale": scale}
    how = {"format": "webp", "quality": QUALITY[scale == 1], "captureBeyondViewport": True, "clip": clip}
    picture = base64.b64decode(session.send("Page.captureScreenshot", how)["data"])
    session.detach()
    return picture


class Album:
    """Where pictures go: which are `wanted` (all when empty), `whole` as large as they are. Counts and weighs them."""

    def __init__(self, out: Path, wanted: list[str], whole: bool) -> None:
        self._out, self._wanted, self._whole = out, wanted, whole
        self.count = self.weight = 0

    def wants(self, state: str) -> bool:
        """Was it asked for?"""
        return not self._wanted or state in self._wanted

    def keep(self, page: Page, state: str, code: str, width: int) -> None:
        """The page as it is now, in a window of that width."""
        label = f"{state}.{code}.{width}"
        picture = taken(page, width, 1 if self._whole or label in WHOLE else SMALLER[width])
        (self._out / f"{label}.webp").write_bytes(picture)
        self.count, self.weight = self.count + 1, self.weight + len(picture)


def plain(browser: Browser, shelves: Shelves, album: Album, code: str, width: int, scheme: Scheme) -> None:
    """Every page in every state that it can be in without JavaScript."""
    size = ViewportSize(width=width, height=WIDTHS[width])
    page = browser.new_page(viewport=size, color_scheme=scheme, java_script_enabled=False)
    for name in shelves.states(code):
        state = name if name[:1] not in ("", "-") else f"invitation{name}"
        if album.wants(state):
            page.goto(shelves.address(code, name))
            album.keep(page, state, code, width)
    page.close()


def scripted(browser: Browser, shelves: Shelves, album: Album, code: str, widths: list[int], scheme: Scheme) -> None:
    """The steps as the pages' script shows them, but for those that differ in a sentence alone."""

    def see(walk: Walk, step: str, state: str) -> None:
        name = "-".join(part for part in ("script", step, state) if part)
        if name in ALIKE or not album.wants(name):
            return
        for width in widths:
            walk.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
            album.keep(walk.page, name, code, width)

    walk(browser, shelves.stage, code, see, True, color_scheme=scheme, reduced_motion="reduce")


def main() -> int:
    """Take them, and say how much they weigh."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("state", nargs="*", help="which, such as write or script-sent; all if left out")
    parser.add_argument("--language", nargs="*", default=["en", "ru", "ar"], choices=list(LANGUAGES))
    parser.add_argument("--width", nargs="*", type=int, default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--dark", action="store_true", help="as they look by night")
    parser.add_argument("--whole", action="store_true", help="as large as they are")
    parser.add_argument("--out", type=Path, default=OUT, help="folder (docs/pictures if left out)")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    album = Album(asked.out, asked.state, asked.whole)
    scheme: Scheme = "dark" if asked.dark else "light"
    with tempfile.TemporaryDirectory() as folder, shelved(Path(folder)) as shelves, launched() as browser:
        for code in asked.language:
            for width in asked.width:
                plain(browser, shelves, album, code, width, scheme)
            if not asked.state or any(state.startswith("script-") for state in asked.state):
                scripted(browser, shelves, album, code, asked.width, scheme)
    print(f"{album.count} pictures, {album.weight / 1e6:.1f} MB, in {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
