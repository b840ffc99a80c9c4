# SPDX-License-Identifier: AGPL-3.0-or-later
"""What these pages answer, address by address: the list that an organisation signs.

Worked out from the settings and the directory alone, where the signing key is: no server has a say in it. Pages that
say how the door is just now, and those that carry a fresh form, have no bytes of their own to list; `markup.py` has the
rules that are left for them.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from latchstring.protocol.directory import Directory
from latchstring.protocol.site_manifest import Content, SiteItem
from latchstring.protocol.wordlist import load
from latchstring.site import files
from latchstring.site.archive import source_archive
from latchstring.site.headers import FRESH, HTML, NO_STORE, VARIES, headers
from latchstring.site.http import PIECE
from latchstring.site.media import open_media
from latchstring.site.pages import reading
from latchstring.site.pages.door import lasting_view
from latchstring.site.render import Renderer
from latchstring.site.routes import CARD, FILES, FORMS, PAGES, ROBOTS
from latchstring.site.settings import Settings

FREE: Final = frozenset(  # they say how an answer travels, and of nothing in it
    (
        "age", "connection", "content-encoding", "content-length", "date", "keep-alive", "server", "transfer-encoding",
        "via",
    )
)  # fmt: skip
MOVING: Final = (*FORMS, "status")


def list_site(settings: Settings, directory: Directory) -> tuple[SiteItem, ...]:
    """Every address of the pages of this directory's door, sorted. SettingsError when the settings cannot be used."""
    items = [*_static(directory), *_made(settings, directory), *_media(settings), *_pages(settings, directory)]
    items.append(_item("/leave", "text/plain; charset=utf-8", NO_STORE, b"", ("location", settings.leave), status=303))
    return tuple(sorted(items, key=lambda item: item.path))


def _static(directory: Directory) -> Iterator[SiteItem]:
    for name, file in files.load_static(directory.door).items():
        yield _item(f"/static/{name}", file.kind, file.cache, file.body, VARIES)


def _made(settings: Settings, directory: Directory) -> Iterator[SiteItem]:
    for path, name in FILES.items():
        if name == "robots.txt":
            yield _item(path, "text/plain; charset=utf-8", FRESH, ROBOTS)
        elif name == "source.tar.gz":
            yield _item(path, "application/gzip", FRESH, source_archive())
        else:
            kind, body = files.picture(name, directory, load())
            yield _item(path, kind, FRESH, body)


def _media(settings: Settings) -> Iterator[SiteItem]:
    for path in sorted(settings.media.iterdir()) if settings.media else ():
        media = open_media(settings.media, path.name)
        if media is not None:
            with media.file:
                digest = hashlib.sha256()
                for at in range(0, media.size, PIECE):
                    digest.update(media.read(at, min(PIECE, media.size - at)))
            content = Content(media.size, digest.digest())
            yield SiteItem(
                f"/media/{path.name}", 200, _headers(media.kind, media.cache, ("accept-ranges", "bytes")), (content,)
            )


def _pages(settings: Settings, directory: Directory) -> Iterator[SiteItem]:
    words = load()
    for code in settings.languages:
        renderer = Renderer(code, settings)
        door = lasting_view(directory, renderer.texts, words)
        kind, body = files.card(directory, renderer.texts.pick(settings.names), words, renderer.texts)
        yield _item(f"/{code}/{CARD}", kind, FRESH, body)
        for name in PAGES:
            bodies: tuple[Content, ...] = ()
            if name not in MOVING:
                page = reading.reading(name, door, "", renderer.words, renderer.texts)
                bodies = tuple(dict.fromkeys(Content.of(renderer(page, name, onion)) for onion in (False, True)))
            yield SiteItem(f"/{code}/{name}", 200, _headers(HTML, FRESH, VARIES), bodies)


def _item(path: str, kind: str, cache: str, body: bytes, *more: tuple[str, str], status: int = 200) -> SiteItem:
    return SiteItem(path, status, _headers(kind, cache, *more), (Content.of(body),))


def _headers(kind: str, cache: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    named = ((name.decode(), value.decode("latin-1")) for name, value in headers(kind, 0, cache, False, more))
    return tuple(sorted((name, value) for name, value in named if name not in FREE))
