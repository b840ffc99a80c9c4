# SPDX-License-Identifier: AGPL-3.0-or-later
"""page-memory: what Chromium holds while a page's script seals and sends a large file, for a minute; and, to show that
the measure would notice, a page that reads a part of it whole. page-memory-whole: the first of them until the file is
through and the letter is in, on a phone's memory for scripts."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.figure import Figure, Goal, number
from bench.pipe import Window, window
from latchstring.client.transport import Response
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import admitted
from latchstring.server.api import Request
from tests.browser.chromium import CHROMIUM, MISSING
from tests.browser.serving import ServedDoor
from tests.world.world import World, open_door

SIZE: Final = c.DEFAULT_ATTACHMENT
WHOLE: Final = 10**9  # bytes, of the page that reads them at once
AIM: Final = 200.0  # MB more than before the file was chosen
HEAP: Final = 128  # MB: what the scripts of a page may hold on a small phone
LONGEST: Final = 4 * 3600.0  # seconds
_BEHIND: Final = 1800  # seconds that the door's clock is behind: a page asks this machine's
_MB: Final = 10**6
_WHAT: Final = "Memory of all the browser's processes that no file stands behind."
_COLUMNS: Final = ("what", "MB sent", "seconds", "MB more at most", "of it the script's")
_READS: Final = """(size) => addEventListener("change",
  (event) => { window.reading = event.target.files[0].slice(0, size).arrayBuffer(); }, true)"""
_HOLDS: Final = "async () => { window.held = await window.reading; }"


class Swallowing(ServedDoor):
    """Takes every chunk and keeps none. `chunks`: how many came."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.chunks = 0

    def store(self, request: Request) -> Response:
        """As the store, for attachments without one."""
        if request.path == "/v1/attachments":
            return Response(201, admitted(0))
        if request.path.startswith("/v1/attachments/"):
            self.chunks += 1
            return Response(201, b"")
        return super().store(request)


class Memory:
    """What a browser holds that is its own (no files, no shared code): all its processes, and the page's script."""

    def __init__(self, page: Window) -> None:
        self._page = page
        page.do("Performance.enable")
        self._before = self._now()
        self.most = self.script = 0.0

    def look(self) -> None:
        """Now; what was most so far is kept."""
        whole, script = self._now()
        self.most = max(self.most, whole - self._before[0])
        self.script = max(self.script, script - self._before[1])

    def _now(self) -> tuple[float, float]:
        processes = self._page.do("SystemInfo.getProcessInfo")["processInfo"]
        whole = sum(_own(one["id"]) for one in processes)
        metrics = {one["name"]: one["value"] for one in self._page.do("Performance.getMetrics")["metrics"]}
        return whole / _MB, metrics["JSHeapUsedSize"] / _MB


def _own(process: int) -> int:
    """Bytes of a process that no file stands behind; what it shares with others (a large body on its way) too."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0  # gone meanwhile
    found = dict(line.split(":", 1) for line in lines if line.startswith(("RssAnon", "RssShmem")))
    return sum(int(value.split()[0]) * 1024 for value in found.values())


def _at_files(page: Window, address: str) -> Memory:
    """A letter up to its files, and what the browser holds then."""
    page.do("Page.navigate", url=f"{address}/en/write")
    page.wait('html[data-page="ready"]')
    page.press("#desk-news")
    page.run('document.querySelector("#text").value = "see the file"')
    page.press("button[value=text]")
    page.wait("#file")
    return Memory(page)


def _is_in(page: Window) -> bool:
    """Does the page say that the letter is in?"""
    return bool(page.run("document.querySelector('button[value=decoy]') !== null"))


def _sends(page: Window, door: Swallowing, file: Path, seconds: float) -> tuple[Memory, float, float]:
    """The measure, MB that were sent, and in how many seconds: these, or fewer if the letter is in by then."""
    memory = _at_files(page, door.address)
    page.choose("#file", file)
    for button in ("as-it-is", "words", "practise", "unchecked"):
        page.press(f"button[value={button}]")
    until = time.monotonic() + seconds
    while not door.chunks and time.monotonic() < until:
        time.sleep(0.05)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds and not _is_in(page):
        memory.look()
        time.sleep(0.2)
    return memory, door.chunks * c.ATTACHMENT_CHUNK / _MB, time.perf_counter() - start


def _reads_whole(page: Window, door: Swallowing, file: Path) -> Memory:
    memory = _at_files(page, door.address)
    page.run(f"({_READS})({WHOLE})")
    page.choose("#file", file)
    page.run(f"({_HOLDS})()")
    memory.look()
    return memory


@contextmanager
def _served(size: int) -> Iterator[tuple[Path, Swallowing, Path]]:
    """A folder, a door, and a file of zeros that takes no room on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        file = at / "large.bin"
        with file.open("wb") as out:
            out.truncate(size)
        world, _ = open_door(at / "door", "news", "legal", started=int(time.time()) - _BEHIND)
        door = Swallowing(world)
        try:
            yield at, door, file
        finally:
            door.close()


def run(quick: bool) -> Figure:
    """Both pages."""
    title = f"What Chromium holds while a page sends a file of {SIZE / 1e9:.0f} GB"
    if CHROMIUM is None:
        return Figure(title, _COLUMNS, (), (), (MISSING,))
    with _served(SIZE) as (at, door, file):
        with window(CHROMIUM, at / "first") as page:
            memory, sent, took = _sends(page, door, file, 10 if quick else 60)
        with window(CHROMIUM, at / "second") as page:
            other = _reads_whole(page, door, file)
    rows = (
        ("the script of these pages", number(sent), number(took), number(memory.most), number(memory.script)),
        (f"a page that reads {WHOLE / 1e9:.0f} GB of it whole", "", "", number(other.most), number(other.script)),
    )
    return Figure(title, _COLUMNS, rows, _goals(memory), (_WHAT,))


def run_whole(quick: bool) -> Figure:
    """The script of these pages, until the letter is in."""
    size = SIZE // 50 if quick else SIZE
    title = f"What Chromium holds until a page has sent a file of {size / 1e9:g} GB, its scripts kept to {HEAP} MB"
    if CHROMIUM is None:
        return Figure(title, _COLUMNS, (), (), (MISSING,))
    with (
        _served(size) as (at, door, file),
        window(CHROMIUM, at / "first", f"--js-flags=--max-old-space-size={HEAP}") as page,
    ):
        memory, sent, took = _sends(page, door, file, LONGEST)
        if not _is_in(page):
            raise TimeoutError("the letter did not get in")
    rows = (("the script of these pages", number(sent), number(took), number(memory.most), number(memory.script)),)
    return Figure(title, _COLUMNS, rows, _goals(memory), (_WHAT,))


def _goals(memory: Memory) -> tuple[Goal, ...]:
    return (Goal("the pages' script", memory.most, AIM, False, " MB"),)
