# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files beside the pages: those that ship with them, and what is made from the directory (codes and the card)."""

import gzip
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Final

from latchstring.org.card import CardTexts, card_png, card_svg, code_png
from latchstring.protocol.directory import Directory
from latchstring.protocol.wordlist import LANGUAGES as LISTS
from latchstring.protocol.wordlist import WordList
from latchstring.site.headers import FRESH, KEPT, NO_STORE
from latchstring.site.languages import LANGUAGES
from latchstring.site.routes import CODE
from latchstring.site.texts import Texts

KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".vtt": "text/vtt; charset=utf-8",
}


# What pages name, and so every visit loads: how they look, for an hour, so that no step waits for it again; scripts
# asked for anew each time, so that they are those of the page. Anything else is loaded when somebody acts (the worker
# when a thread is opened, meta.js when a file is chosen): no browser keeps it, or whoever looks at its disk would see
# what was done.
LOOKS: Final = frozenset(("how.png", "icon.svg", "site.css"))
SCRIPTS: Final = frozenset(("app.js", "guard.js"))


@dataclass(frozen=True, slots=True)
class Static:
    """A file that ships, the same for everybody. `packed`: by `pack`; `cache`: how a browser may keep it."""

    kind: str
    body: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    cache: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "Static":
        cache = KEPT if name in LOOKS else FRESH if name in SCRIPTS else NO_STORE
        return cls(KINDS[PurePosixPath(name).suffix], body, pack(body), cache)


def pack(body: bytes) -> bytes:
    """By gzip, the same bytes each time."""
    return gzip.compress(body, mtime=0)


def load_static(door: bytes) -> dict[str, Static]:
    """Every file under /static/, by name: those of the folder, and the word lists. The script names its door."""
    folder = resources.files("latchstring.site").joinpath("static")
    words = resources.files("latchstring.protocol").joinpath("words")
    files = {file.name: file for file in folder.iterdir() if PurePosixPath(file.name).suffix in KINDS}
    files.update({f"words-{language}.txt": words.joinpath(f"{language}.txt") for language in LISTS})
    bodies = {name: file.read_bytes() for name, file in files.items()}
    bodies["app.js"] = door_line(door) + bodies["app.js"]
    return {name: Static.of(name, body) for name, body in bodies.items()}


def door_line(door: bytes) -> bytes:
    """What `app.js` begins with: the door that it believes, so that whatever holds the script holds the door."""
    return f'"use strict";const DOOR="{door.hex()}";\n'.encode()


def signed_list(path: Path | None) -> bytes | None:
    """The signed list of the pages as it lies there now: a new one needs no restart. None when there is none."""
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None


def picture(name: str, directory: Directory, words: WordList) -> tuple[str, bytes]:
    """The kind and bytes of `code.png`, the code alone for the pages, or `card.png`, the whole card in no language: PNG
    because Tor Browser's "Safest" shows no SVG."""
    return KINDS[".png"], code_png(directory) if name == CODE else card_png(directory, words)


def card(directory: Directory, organisation: str, words: WordList, texts: Texts) -> tuple[str, bytes]:
    """The kind and bytes of a language's `card.svg`."""
    said = CardTexts(
        texts("%(name)s: our door"),
        texts("Our door is always open."),
        texts("Is it our door? All twelve words must be these."),
        texts("The door of %(name)s. Its twelve words, in order: %(words)s. A QR code holds this link: %(link)s"),
        LANGUAGES[texts.code].right_to_left,
    )
    return KINDS[".svg"], card_svg(directory, organisation or "Latchstring", words, said).encode()
