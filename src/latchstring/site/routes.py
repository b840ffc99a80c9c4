# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an address to what answers it. Pure; everything that is not named here belongs to the store, or is not there."""

import re
from dataclasses import dataclass
from typing import Final

from latchstring.protocol.site_manifest import SITE_PATH
from latchstring.site.languages import LANGUAGES

PAGES: Final = ("", "before", "write", "return", "status", "help", "guide", "about", "card")
FORMS: Final = ("write", "return")
_PAGE: Final = re.compile(rf"/({'|'.join(LANGUAGES)})(?:/([a-z]*))?\Z", re.ASCII)
CARD: Final = "card.svg"  # one in each language
CODE: Final = "code.png"  # of the card
_CARD: Final = re.compile(rf"/({'|'.join(LANGUAGES)})/card\.svg\Z", re.ASCII)
_NAME: Final = re.compile(r"/(static|media)/([A-Za-z0-9_][A-Za-z0-9._-]{0,99})\Z", re.ASCII)
ROBOTS: Final = b"User-agent: *\nDisallow: /\n"
FILES: Final = {
    "/card.png": "card.png",
    "/code.png": CODE,
    "/robots.txt": "robots.txt",
    "/source.tar.gz": "source.tar.gz",
}
_STORE: Final = re.compile(r"/visit\Z|/v1/letters\Z|/v1/attachments(?:/[0-9a-f]{64})?\Z", re.ASCII)
_OURS: Final = re.compile(rf"/(?:(?:{'|'.join(LANGUAGES)}|static|media)(?:/.*)?)?\Z|/leave\Z", re.ASCII | re.DOTALL)

_ASKED: Final = {"visit": ("GET", "HEAD"), "letters": ("POST",), "attachments": ("POST",), "chunk": ("HEAD", "PUT")}


@dataclass(frozen=True, slots=True)
class Route:
    """`kind`: `page`, `static`, `media`, `file`, `signed`, `leave`, `choose` (a language), `store` (what a page's
    script asks of the store, when the pages are served alone) or `none`. `name`: which one."""

    kind: str
    name: str = ""
    language: str = ""

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be asked of it."""
        if self.kind == "store":
            return _ASKED[self.name]
        return ("GET", "HEAD", "POST") if self.kind == "page" and self.name in FORMS else ("GET", "HEAD")


def is_ours(path: str) -> bool:
    """Does an address belong to the pages, whether there is something or not? Of the store's own none does."""
    return bool(_OURS.match(path)) or path in FILES or path == SITE_PATH


def route(path: str, languages: tuple[str, ...]) -> Route:
    """What answers `path`; `languages`: those that the organisation offers."""
    if path == "/":
        return Route("choose")
    if path == "/leave":
        return Route("leave")
    if path in FILES:
        return Route("file", FILES[path])
    if path == SITE_PATH:
        return Route("signed")
    if found := _NAME.match(path):
        return Route(found[1], found[2])
    if _STORE.match(path):
        return Route(
            "store", path.split("/")[2] if path.count("/") == 2 else "chunk" if path.count("/") == 3 else "visit"
        )
    found = _CARD.match(path)
    if found and found[1] in languages:
        return Route("file", CARD, found[1])
    found = _PAGE.match(path)
    if found and found[1] in languages and (found[2] or "") in PAGES:
        return Route("page", found[2] or "", found[1])
    return Route("none", "", found[1] if found and found[1] in languages else "")
