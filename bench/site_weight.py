# SPDX-License-Identifier: AGPL-3.0-or-later
"""site-weight: what a browser loads for the first page, with and without JavaScript, counted from the pages as they are
served: heads and bodies, packed as the server packs them for browsers and not; beside SecureDrop and GlobaLeaks."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from html.parser import HTMLParser
from typing import Final

from bench.figure import Figure, Goal, number
from bench.world import BenchDoor, found_door
from latchstring.client.transport import Progress, Response
from latchstring.protocol.root import Door
from latchstring.site.app import Site
from latchstring.site.settings import Settings
from tests.reader import ask

_STARTED: Final = 1_700_000_000
_KB: Final = 1000
_AGENT: Final = {"host": "door.example", "accept-language": "en-US,en;q=0.5"}
_TRACKED: Final = {"link": "href", "img": "src", "script": "src", "video": "poster", "audio": "src", "source": "src"}
_IN_STYLES: Final = re.compile(rb"url\(\"?'?(/[^\"')]+)")
_IN_SCRIPTS: Final = re.compile(rb"[\"'`](/static/[A-Za-z0-9._-]+\.[a-z]+)[\"'`]")
_META: Final = "/static/meta.js"  # when a file is chosen, not before (tests/browser/test_pages_files.py)
_QUESTIONS: Final = "/static/questions.js"  # where a desk of the door asks something (test_pages_questions.py)
_LISTS: Final = re.compile(rb"[\"'`]/static/words-")  # a name that the script puts together: the page's own list
# The files of the source interface's first page in its repository, as they lie there (bytes of text, not packed):
_SECUREDROP: Final = (
    ("source_templates/index.html", 5_030, "723aebc"),
    ("static/css/source.css", 39_456, "d1075d9"),
    ("static/js/source.js", 4_183, "8b8c8e1"),
)
_GLOBALEAKS: Final = (861_000, 228_000)  # as it is, packed: its own figures, in the issue named below


class _Store:
    """The way to the door's published files."""

    authority = "door.example"

    def __init__(self, door: BenchDoor) -> None:
        self._door = door

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        """As `client.transport.Transport`, for what the pages fetch."""
        return Response(200, self._door.shelves.public.get(path.removeprefix("/")))


class _Loads(HTMLParser):
    """Which files a page has a browser load before anybody presses anything."""

    def __init__(self, script: bool) -> None:
        super().__init__()
        self.files: list[str] = []
        self._script, self._templates = script, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._templates += tag == "template"  # what is in one is not loaded
        address = dict(attrs).get(_TRACKED.get(tag, ""))
        if address and not self._templates and (tag != "script" or self._script):
            self.files.append(address)

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template"


def _ask(site: Site, path: str, packed: bool) -> tuple[int, bytes]:
    """The bytes of an answer as HTTP/1.1 has them, and the body."""
    said = asyncio.run(ask(site, "GET", path, {**_AGENT, "accept-encoding": "gzip, deflate"} if packed else _AGENT))
    if said.status != 200:
        raise ValueError(f"{path} is not served")
    lines = sum(len(name) + len(value) + 4 for name, value in said.head.items())
    return len(b"HTTP/1.1 200 OK\r\n\r\n") + lines + len(said.body), said.body


def visited(site: Site, page: str, script: bool, packed: bool) -> dict[str, int]:
    """Every request of a first visit, in its order, and the bytes of its answer. /visit is not among them: it comes in
    the background."""
    loaded: dict[str, int] = {}
    left = [page]
    while left:
        path = left.pop(0)
        if path in loaded:
            continue
        loaded[path], _ = _ask(site, path, packed)
        _, plain = _ask(site, path, False)
        left += _next(path, plain, script)
    return loaded


def _next(path: str, body: bytes, script: bool) -> Iterator[str]:
    if path.endswith(".css"):
        yield from (found.decode() for found in _IN_STYLES.findall(body))
    elif path.endswith(".js"):
        yield from (name for found in _IN_SCRIPTS.findall(body) if (name := found.decode()) not in (_META, _QUESTIONS))
        if _LISTS.search(body):
            yield "/static/words-english.txt"
    elif not path.startswith("/static/") and body.startswith(b"<!doctype"):
        loads = _Loads(script)
        loads.feed(body.decode())
        yield from loads.files


def make_site() -> Site:
    """The pages of a door that is open, with nothing of an organisation's own."""
    door = found_door(None, _STARTED)
    now = door.directory.policy.closes_at(1) + 1
    return Site(
        Settings(),
        Door(door.directory.door),
        lambda: nullcontext(_Store(door)),
        bytes(32),
        lambda: now,
        running=lambda: float(now),
    )


def run(quick: bool) -> Figure:
    """The invitation, and the page on which one writes."""
    site = make_site()
    rows: list[tuple[str, ...]] = []
    goals = []
    for page, name in (("/en/", "invitation"), ("/en/write", "writing")):
        for script in (False, True):
            plain, packed = (visited(site, page, script, way) for way in (False, True))
            way = "with JavaScript" if script else "without JavaScript"
            whole = [sum(loaded.values()) / _KB for loaded in (plain, packed)]
            scripts = any(path.endswith(".js") for path in packed)
            rows.append((f"{name}, {way}", str(len(packed)), *map(number, whole)))
            if not script:
                goals.append(Goal(f"{name}, {way}, not packed", whole[0], 60, False, " kB"))
            elif scripts:
                goals.append(Goal(f"{name}, {way}, packed", whole[1], 120, False, " kB"))
            else:
                rows[-1] = (f"{rows[-1][0]} (it loads no script)", *rows[-1][1:])
    rows.append(
        (
            "SecureDrop: first page's template, style, script; without its pictures",
            str(len(_SECUREDROP)),
            number(sum(size for _, size, _ in _SECUREDROP) / _KB),
            "",
        )
    )
    rows.append(("GlobaLeaks: its client (2015)", "", *(number(size / _KB) for size in _GLOBALEAKS)))
    files = ", ".join(f"{path} {size:,} ({commit})" for path, size, commit in _SECUREDROP)
    return Figure(
        "What a browser loads for the first page",
        ("page", "requests", "kB, not packed", "kB, packed"),
        tuple(rows),
        tuple(goals),
        (
            "Heads of answers are counted, those of requests not. Beside it a script fetches /visit in the background.",
            f"{_META}, which looks into files, is not among them: it is loaded when a file is chosen.",
            f"{_QUESTIONS} is neither: it is loaded where a desk of the door asks whoever writes something.",
            f"SecureDrop: freedomofpress/securedrop, in securedrop/: {files}. Its pictures could not be weighed.",
            "GlobaLeaks: globaleaks/globaleaks-whistleblowing-software, issue 1372 of 2015. No newer figure was found.",
        ),
    )
