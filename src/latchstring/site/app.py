# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side of the pages: a plain ASGI application that writes no record of requests."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.root import Door
from latchstring.site import files
from latchstring.site.acts import Acts, Busy
from latchstring.site.archive import source_archive
from latchstring.site.door import Connect, DoorKeeper, NoDoor
from latchstring.site.forms import BadForm, Forms, parse_form
from latchstring.site.headers import FRESH, HTML, NO_STORE, VARIES, headers
from latchstring.site.http import (
    PIECE,
    Asked,
    Bodies,
    Gone,
    Receive,
    Reply,
    Scope,
    Send,
    TooLong,
    next_part,
    parts,
    patient,
    see,
    send_reply,
    start,
)
from latchstring.site.languages import preferred
from latchstring.site.media import OpenMedia, open_media, span_of
from latchstring.site.multipart import FilePost, boundary_of
from latchstring.site.pages import reading
from latchstring.site.pages.door import DoorView, view
from latchstring.site.pages.flow import Flow
from latchstring.site.pages.turn import Turn
from latchstring.site.render import Page, Renderer
from latchstring.site.routes import CARD, FORMS, ROBOTS, Route, route
from latchstring.site.settings import Settings
from latchstring.site.spent import Spent
from latchstring.site.texts import Texts
from latchstring.site.through import Through
from latchstring.site.uploading import Arriving, Uploads
from latchstring.site.wordlists import WordLists
from latchstring.source.sending import CannotWrite
from latchstring.source.upload import Cut
from latchstring.workers.slots import Slots

LOOKING: Final = 8  # threads that wait for the door
FORM_MOST: Final = 2_000_000  # bytes of a form without a file
FORMS_AT_ONCE: Final = 64
COMING: Final = 32  # forms with a file
PLAYERS: Final = 256  # readers of pictures and recordings, each with an open file
READERS: Final = 1024  # of pages and the files beside them
READ_SECONDS: Final = 1800.0
DRAIN: Final = 4_000_000  # bytes that are still taken in from who is refused, so that they see why


class Site:
    """One worker's pages."""

    def __init__(
        self,
        settings: Settings,
        door: Door,
        connect: Connect,
        key: bytes,
        now: Callable[[], int] = lambda: int(time.time()),
        random: Callable[[int], bytes] = secrets.token_bytes,
        running: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key`: 32 random bytes, the same in all workers of a run, for what rides in forms.

        `now`: Unix seconds; `running`: seconds of a clock that never goes back.
        """
        self._settings = settings
        self._now = now
        lists = WordLists.load()
        self._words = lists.lists["english"]  # in which doors are written on cards
        self._door = DoorKeeper(lambda shown: shown == door, connect, now, running)
        self._renderers = {code: Renderer(code, settings) for code in settings.languages}
        self._looking = ThreadPoolExecutor(LOOKING)
        self._static = files.load_static(door)
        self._acts, self._uploads = Acts(connect, random), Uploads(connect, random)
        self._forms, spent = Forms(key, random, now), Spent()
        self._through = Through(connect, self._acts, self._door.raw)
        self._bodies, self._coming = Bodies(FORMS_AT_ONCE), 0
        self._players, self._readers = Slots(PLAYERS, READ_SECONDS), Slots(READERS, READ_SECONDS)
        self._flows = {
            code: Flow(renderer.texts, self._forms, self._acts, lists, spent, random, settings.plain)
            for code, renderer in self._renderers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose address is the pages' own (`routes.is_ours`)."""
        if scope["type"] != "http":
            return
        asked = Asked.of(scope)
        try:
            found = route(asked.path, self._settings.languages)
            if found.kind == "store" and asked.method in found.methods:
                return await self._through.answer(asked, receive, send)
            if found.kind == "media" and asked.method in found.methods:
                media = open_media(self._settings.media, found.name)
                if media is not None:
                    with media.file, suppress(TimeoutError):  # broken off: shorter than its length says
                        async with self._players.hold():  # the oldest gives way
                            await _send_media(media, asked, patient(send))
                    return
            reply = await self._answer(asked, receive)
        except Gone:
            return
        except Exception:  # the last line: one calm page, and no trace of what it was
            reply = self._problem(asked, 500)
        with suppress(TimeoutError):
            async with self._readers.hold():
                await send_reply(reply, asked, patient(send))

    async def _answer(self, asked: Asked, receive: Receive) -> Reply:
        found = route(asked.path, self._settings.languages)
        if asked.method not in found.methods:
            reply = self._problem(asked, 405)
            return Reply(405, reply.kind, reply.body, NO_STORE, (("allow", ", ".join(found.methods)),))
        if found.kind == "page":
            return await self._page(found, asked, receive)
        if found.kind == "choose":
            code = preferred(asked.headers.get("accept-language", ""), self._settings.languages)
            return see(f"/{code}/", (("vary", "accept-language"),))
        if found.kind == "leave":
            return see(self._settings.leave)
        if found.kind == "static" and found.name in self._static:
            return _static(self._static[found.name], asked)
        if found.kind == "file":
            return await self._file(found, asked)
        if found.kind == "signed" and (signed := files.signed_list(self._settings.signed)) is not None:
            return Reply(200, "application/octet-stream", signed)
        return self._problem(asked, 404)

    async def _page(self, found: Route, asked: Asked, receive: Receive) -> Reply:
        if asked.method == "POST" and asked.from_elsewhere:
            return await self._first(found, asked, receive)
        renderer = self._renderers[found.language]
        visit, why = await self._look()
        if found.name in FORMS and visit is not None:
            page = await self._step(found, asked, visit, receive)
            return self._rendered(page, found, asked, self._view(visit, found.language))
        if asked.method == "POST":
            return self._rendered(await self._kept(renderer.texts, why, asked, receive), found, asked, None)
        door = self._view(visit, found.language)
        page = reading.reading(found.name, door, why, renderer.words, renderer.texts)
        return self._rendered(page, found, asked, door)

    async def _first(self, found: Route, asked: Asked, receive: Receive) -> Reply:
        """For what another site's form sent: the page as it is first seen, which says so. Nothing of it is read."""
        with suppress(TimeoutError):
            await _drain(parts(receive))
        visit, why = await self._look()
        door, texts = self._view(visit, found.language), self._renderers[found.language].texts
        if visit is None:
            page = reading.reading(found.name, door, why, None, texts)
        else:
            turn = Turn(found.name, found.language, {}, self._now(), visit)
            page = self._flows[found.language].begin(found.name, turn, elsewhere=True)
        shown = replace(page, status=403, after_form=False, pad=1)
        return replace(self._rendered(shown, found, asked, door), cache=NO_STORE)

    async def _step(self, found: Route, asked: Asked, visit: VerifiedVisit, receive: Receive) -> Page:
        """A step of writing or coming back."""
        flow, texts = self._flows[found.language], self._renderers[found.language].texts
        turn = Turn(found.name, found.language, {}, self._now(), visit)
        if asked.method != "POST":
            return replace(flow.begin(found.name, turn), after_form=False, pad=1)
        try:
            if asked.headers.get("content-type", "").lower().startswith("multipart/"):
                return await self._file_step(flow, turn, asked, receive)
            turn = replace(turn, fields=parse_form(await self._bodies.whole(receive, FORM_MOST, DRAIN)))
            return await self._acts.run(lambda: flow.step(turn))
        except Busy:
            return reading.not_now(turn.fields, "", texts) if turn.fields else reading.problem(503, texts)
        except TimeoutError:
            return reading.problem(408, texts)
        except TooLong:
            return reading.problem(413, texts)
        except BadForm:
            return reading.problem(400, texts)

    async def _kept(self, texts: Texts, why: str, asked: Asked, receive: Receive) -> Page:
        """For a form that comes while there is no door: what was typed, to be sent again, but for a file."""
        fields: dict[str, str] = {}
        with suppress(Busy, TimeoutError, TooLong, BadForm):
            if asked.headers.get("content-type", "").lower().startswith("multipart/"):
                pieces = parts(receive)
                fields = {**(await _begun(asked, pieces)).fields, "do": "files"}  # the button comes behind the file
                await _drain(pieces)
            else:
                fields = parse_form(await self._bodies.whole(receive, FORM_MOST, DRAIN))
        return reading.not_now(fields, why, texts)

    async def _file_step(self, flow: Flow, turn: Turn, asked: Asked, receive: Receive) -> Page:
        """A file comes: sealed and stored as it streams in, then the step with what is wrong or with the file."""
        if self._coming >= COMING:
            return await self._kept(flow.texts, "", asked, receive)
        self._coming += 1
        try:
            return await self._file_comes(flow, turn, asked, receive)
        finally:
            self._coming -= 1

    async def _file_comes(self, flow: Flow, turn: Turn, asked: Asked, receive: Receive) -> Page:
        pieces = parts(receive)
        post = await _begun(asked, pieces)
        turn = replace(turn, fields=post.fields)
        refused = flow.refuses(turn, post.size, post.name)
        if refused is not None:
            await _drain(pieces)
            return refused
        state = self._forms.open(post.fields["state"], turn.page, turn.code)
        if self._uploads.full:
            await _drain(pieces)
            return flow.did_not_arrive(turn, state)
        content = Arriving(post.size or 0)
        name = flow.name_for(post.fields, post.name, len(state.files) + 1)
        future = self._uploads.begin(content, name)
        try:
            await self._bring(post, pieces, content)
            return await self._acts.run(partial(flow.attached, turn, state, await future))
        except (Busy, CannotWrite, Cut, NetworkFailed, TimeoutError):
            return flow.did_not_arrive(turn, state)
        finally:
            content.stop()

    async def _bring(self, post: FilePost, pieces: AsyncIterator[bytes], content: Arriving) -> None:
        """The file's bytes, to whoever seals them, up to the body's end or until nobody wants them."""
        wanted = True
        while wanted:
            for piece in post.pieces:
                wanted = wanted and await self._uploads.bring(content, piece)
            post.pieces.clear()
            data = await next_part(pieces)
            if data is None:
                break
            post.feed(data)
        content.close(post.whole and wanted)

    def _view(self, visit: VerifiedVisit | None, code: str) -> DoorView | None:
        return view(visit, self._renderers[code].texts, self._words, self._now()) if visit else None

    def _rendered(self, page: Page, found: Route, asked: Asked, door: DoorView | None) -> Reply:
        body = self._renderers[found.language](page, found.name, asked.onion)
        more: tuple[tuple[str, str], ...] = ()
        if door and door.onions and not asked.onion and not page.after_form:
            more = (("onion-location", door.onions[0].rstrip("/") + asked.path),)
        if page.after_form:  # never packed: the length of what is packed tells of what was typed
            return Reply(page.status, HTML, body, NO_STORE, more)
        packed = files.pack(body) if asked.takes_gzip else body
        return _shared(Reply(page.status, HTML, body, FRESH, more), packed, asked)

    async def _file(self, found: Route, asked: Asked) -> Reply:
        if found.name == "robots.txt":
            return Reply(200, "text/plain; charset=utf-8", ROBOTS)
        if found.name == "source.tar.gz":
            return Reply(200, "application/gzip", await self._acts.run(source_archive))
        visit, _ = await self._look()
        if visit is None:
            return self._problem(asked, 503)
        if found.name == CARD:
            texts = self._renderers[found.language].texts
            kind, body = files.card(visit.directory, texts.pick(self._settings.names), self._words, texts)
        else:
            kind, body = files.picture(found.name, visit.directory, self._words)
        return Reply(200, kind, body)

    async def _look(self) -> tuple[VerifiedVisit | None, str]:
        """The door, or why there is none."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._looking, self._door.visit), ""
        except NoDoor as none:
            return None, none.why

    def _problem(self, asked: Asked, status: int) -> Reply:
        found = route(asked.path, self._settings.languages)
        code = found.language or preferred(asked.headers.get("accept-language", ""), self._settings.languages)
        renderer = self._renderers[code]
        page = reading.problem(status, renderer.texts)
        return Reply(status, HTML, renderer(page, found.name, asked.onion), NO_STORE)


async def _send_media(media: OpenMedia, asked: Asked, send: Send) -> None:
    """A picture or recording in pieces. The connection is broken off when the file becomes shorter meanwhile."""
    span = span_of(asked.headers, media.size)
    ranges = (("accept-ranges", "bytes"),)
    https = asked.https and not asked.onion
    if span is None:
        more = (*ranges, ("content-range", f"bytes */{media.size}"))
        await send(start(416, headers(media.kind, 0, NO_STORE, https, more)))
        await send({"type": "http.response.body", "body": b""})
        return
    last = span.start + span.length - 1
    part = (("content-range", f"bytes {span.start}-{last}/{span.size}"),) if span.part else ()
    await send(start(206 if span.part else 200, headers(media.kind, span.length, media.cache, https, (*ranges, *part))))
    left = 0 if asked.method == "HEAD" else span.length
    while left:
        piece = media.read(span.start + span.length - left, min(PIECE, left))
        if not piece:
            raise Gone
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    if asked.method == "HEAD" or not span.length:
        await send({"type": "http.response.body", "body": b""})


async def _begun(asked: Asked, pieces: AsyncIterator[bytes]) -> FilePost:
    """What stands before the file of a form, and its first bytes. BadForm, TimeoutError."""
    length = asked.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or len(length) > 15:
        raise BadForm
    post = FilePost(int(length), boundary_of(asked.headers["content-type"]))
    while post.size is None and (data := await next_part(pieces)) is not None:
        post.feed(data)
    return post


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Take in what is refused, within bounds: a browser shows no answer before it has sent."""
    drained = 0
    while drained < DRAIN and (data := await next_part(pieces)) is not None:
        drained += len(data)


def _static(file: files.Static, asked: Asked) -> Reply:
    return _shared(Reply(200, file.kind, file.body, file.cache), file.packed, asked)


def _shared(reply: Reply, packed: bytes, asked: Asked) -> Reply:
    """What everybody gets alike, but for random bytes: packed for whoever unpacks it, its length tells nothing."""
    more = (*reply.more, VARIES)
    if asked.takes_gzip and len(packed) < len(reply.body):
        return replace(reply, body=packed, more=(*more, ("content-encoding", "gzip")))
    return replace(reply, more=more)
