# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m tests.browser.screenshots`: a picture of every page for sources in every state, to be looked at."""

import argparse
import base64
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from latchstring.site.languages import LANGUAGES
from tests.browser.chromium import launched
from tests.browser.shelf import shelved

OUT: Final = Path(__file__).parents[2] / "docs/pictures"
WIDTHS: Final = {360: 740, 1280: 800}  # px, and how high the window is
SMALLER: Final = {360: 0.56, 1280: 0.38}  # as which they are kept, so that all together stay small
WHOLE: Final = ("invitation.en.1280", "write-passphrase.en.360", "return-thread.ar.360")  # but these, for the README
HIGHEST: Final = 2500  # px; a longer page is cut off there
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


def main() -> int:
    """Take them, and say how much they weigh."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("state", nargs="*", help="which, such as write or write-sent; all if left out")
    parser.add_argument("--language", nargs="*", default=["en", "ru", "ar"], choices=list(LANGUAGES))
    parser.add_argument("--width", nargs="*", type=int, default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--dark", action="store_true", help="as they look by night")
    parser.add_argument("--whole", action="store_true", help="as large as they are")
    parser.add_argument("--out", type=Path, default=OUT, help="folder (docs/pictures if left out)")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    weight = count = 0
    with tempfile.TemporaryDirectory() as folder, shelved(Path(folder)) as shelves, launched() as browser:
        for code, width in product(asked.language, asked.width):
            page = browser.new_page(
                viewport={"width": width, "height": WIDTHS[width]}, color_scheme="dark" if asked.dark else "light"
            )
            for name in shelves.states(code):
                state = name if name[:1] not in ("", "-") else f"invitation{name}"
                if asked.state and state not in asked.state:
                    continue
                page.goto(shelves.address(code, name))
                label = f"{state}.{code}.{width}"
                picture = taken(page, width, 1 if asked.whole or label in WHOLE else SMALLER[width])
                (asked.out / f"{label}.webp").write_bytes(picture)
                weight, count = weight + len(picture), count + 1
            page.close()
    print(f"{count} pictures, {weight / 1e6:.1f} MB, in {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
