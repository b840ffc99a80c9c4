# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every endpoint as a plain function from a request to an answer: no sockets, no threads, no clock.

The HTTP server wraps it, and the world in one process calls it directly.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from latchstring.protocol.constants import ATTACHMENT_CHUNK, LETTER_SIZE
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.knock import HEADER, Knock, read_header
from latchstring.protocol.request import Asked, Signer, request_key_of_server, verify_head, verify_request
from latchstring.protocol.rooted import MAX_ROOTED
from latchstring.server.accept import (
    DirectoryCache,
    Intake,
    Refusal,
    Refused,
    accept_directory,
    accept_key_notes,
    accept_letters,
    accept_page,
)
from latchstring.server.attachments import (
    accept_attachment,
    accept_chunk,
    check_token,
    chunk_path,
    has_chunk,
    names_page,
)
from latchstring.server.knocking import accept_knocks
from latchstring.server.publisher import Shelves
from latchstring.store import guard
from latchstring.store.objects import NoObject
from latchstring.store.sql import StoreFailed

MAX_KEY_NOTES: Final = 1024 * 1024
MAX_PAGE: Final = 1024 * 1024
MAX_KNOCKS: Final = 96 * 1024
_STATIC: Final = re.compile(
    r"(?:visit|checkpoint|log\.vkey|(?:manifests|keynotes|sheets)/(?:0|[1-9][0-9]{0,17})|tile/[a-z0-9x/.]{1,80})\Z",
    re.ASCII,
)
_NUMBER: Final = r"(0|[1-9][0-9]{0,17})"
_PACK: Final = re.compile(rf"/v1/packs/{_NUMBER}\Z", re.ASCII)
_PAGE: Final = re.compile(rf"/v1/pages/{_NUMBER}/{_NUMBER}\Z", re.ASCII)
_CHUNK: Final = re.compile(r"/v1/attachments/([0-9a-f]{64})\Z", re.ASCII)
_AFTER: Final = re.compile(rf"after={_NUMBER}\Z", re.ASCII)
_TOKEN: Final = re.compile(r"Bearer ([0-9a-f]{64})\Z", re.ASCII)
MAX_ASK: Final = 256
_VERSION: Final = re.compile(rf"v={_NUMBER}\Z", re.ASCII)


Verify = Callable[[Asked, Mapping[str, str], Callable[[str], bytes | None], int], Signer]


class Cache(Enum):
    """How long a copy of an answer may be kept."""

    NEVER = "no-store"  # `/visit` too: in a browser's cache the newest batch would tell when somebody came
    ALWAYS = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` by lower-case name; `query` without '?'."""

    method: str
    path: str = field(repr=False)
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Either `body`, or the name of a published file to send."""

    status: int
    body: bytes = field(default=b"", repr=False)
    file: str | None = None
    kind: str = "application/octet-stream"
    cache: Cache = Cache.NEVER
    allow: str | None = None


def plain(status: int, sentence: str, allow: str | None = None) -> Answer:
    """One sentence for a person."""
    return Answer(status, sentence.encode() + b"\n", kind="text/plain; charset=utf-8", allow=allow)


NOT_FOUND: Final = plain(404, "There is nothing here.")
TOO_LONG: Final = plain(413, "That is too long.")
TROUBLE: Final = plain(500, "The server could not store this just now. Send the same again: it is never taken twice.")
_STATUS: Final = {
    Refusal.NOT_OPEN: 503,
    Refusal.FULL: 503,
    Refusal.LETTER_SIZE: 400,
    Refusal.NOT_A_MEMBER: 401,
    Refusal.NOT_THIS_DOOR: 403,
    Refusal.NOT_NEXT: 409,
    Refusal.OLD_ROOTS: 403,
    Refusal.EXPIRY: 409,
    Refusal.EXPIRED: 503,
    Refusal.CLOSED: 410,
    Refusal.LETTER_DISK: 503,
    Refusal.NOTES_BAD: 400,
    Refusal.NOTES_FOREIGN: 403,
    Refusal.NOTES_DAY: 409,
    Refusal.NOTES_MANY: 429,
    Refusal.KNOCK: 409,
    Refusal.KNOCKS_BAD: 400,
    Refusal.KNOCKS_FOREIGN: 403,
    Refusal.KNOCKS_AHEAD: 409,
    Refusal.PAGE_FOREIGN: 403,
    Refusal.PAGE_SIZE: 400,
    Refusal.PAGE_FAR: 400,
    Refusal.SHEET_CLOSED: 409,
    Refusal.PAGE_OLD: 412,
    Refusal.ASK_BAD: 400,
    Refusal.UPLOAD_OTHER: 409,
    Refusal.UPLOAD_UNKNOWN: 401,
    Refusal.GONE: 410,
    Refusal.NO_ATTACHMENTS: 403,
    Refusal.ATTACHMENT_SIZE: 413,
    Refusal.NO_ROOM: 503,
    Refusal.DISK_FULL: 507,
    Refusal.CHUNK_SIZE: 400,
    Refusal.CHUNK_OTHER: 409,
    Refusal.CHUNK_MANY: 403,
}


_POSTS: Final = {
    "/v1/letters": LETTER_SIZE,
    "/v1/directory": MAX_ROOTED,
    "/v1/keynotes": MAX_KEY_NOTES,
    "/v1/knocks": MAX_KNOCKS,
    "/v1/attachments": MAX_ASK,
}


def body_limit(method: str, path: str) -> int:
    """The most bytes that a request's body may have."""
    if method == "POST":
        return _POSTS.get(path, 0)
    if method != "PUT":
        return 0
    return MAX_PAGE if path.startswith("/v1/pages/") else ATTACHMENT_CHUNK if is_chunk(path) else 0


def is_chunk(path: str) -> bool:
    """Is it a chunk of an attachment?"""
    return bool(_CHUNK.match(path))


class Api:
    """The endpoints of one door."""

    def __init__(self, intake: Intake, shelves: Shelves) -> None:
        self._intake, self._shelves = intake, shelves
        self._cache = DirectoryCache()

    def letters(self, bodies: Sequence[bytes], now: int, knocks: Sequence[Knock | None] = ()) -> list[Answer]:
        """Answer many letters, each with the knock that came with it, out of one transaction."""
        try:
            outcomes = accept_letters(self._intake, self._cache, bodies, now, knocks)
        except StoreFailed:
            return [TROUBLE] * len(bodies)
        return [plain(_STATUS[o], o.value) if isinstance(o, Refusal) else Answer(201, o) for o in outcomes]

    def handle(self, request: Request, authority: str, now: int) -> Answer:
        """Answer one request. Never raises for anything a stranger can send."""
        try:
            return self._route(request, authority, now)
        except Refused as refused:
            return plain(_STATUS[refused.why], refused.why.value)
        except StoreFailed:
            return TROUBLE
        except NoObject:
            return NOT_FOUND

    def _route(self, request: Request, authority: str, now: int) -> Answer:
        path, method = request.path, request.method
        if _STATIC.match(path[1:]) and path.startswith("/"):
            return self._static(method, path[1:])
        if len(request.body) > body_limit(method, path):
            return TOO_LONG
        match path:
            case "/v1/letters":
                if method != "POST":
                    return _only("POST")
                return self.letters([request.body], now, [read_header(request.headers.get(HEADER))])[0]
            case "/v1/directory":
                if method != "POST":
                    return _only("POST")
                accept_directory(self._intake, request.body, now)
                return plain(201, "Taken: this directory will be in the next batch.")
            case "/v1/keynotes":
                if method != "POST":
                    return _only("POST")
                accept_key_notes(self._intake, self._member(request, authority, now), request.body, now)
                return plain(201, "Taken.")
            case "/v1/knocks":
                if method != "POST":
                    return _only("POST")
                accept_knocks(self._intake, self._member(request, authority, now), request.body, now)
                return plain(201, "Taken, where no newer list is there.")
            case "/v1/attachments":
                return self._attachments(request, authority, now)
        if chunk := _CHUNK.match(path):
            return self._chunk(request, bytes.fromhex(chunk[1]), authority, now)
        if page := _PAGE.match(path):
            if method != "PUT":
                return _only("PUT")
            version = _VERSION.match(request.query)
            if version is None:
                return plain(400, "A page needs its version: ?v=N.")
            member = self._member(request, authority, now)
            numbers = int(page[1]), int(page[2]), int(version[1])
            return Answer(201, accept_page(self._intake, self._cache, member, *numbers, request.body))
        if pack := _PACK.match(path):
            if method != "GET":
                return _only("GET")
            self._member(request, authority, now)
            return Answer(200, self._shelves.private.get(f"packs/{pack[1]}"))
        return NOT_FOUND

    def _attachments(self, request: Request, authority: str, now: int) -> Answer:
        if request.method == "POST":
            knock = read_header(request.headers.get(HEADER))
            return Answer(201, accept_attachment(self._intake, self._cache, request.body, knock, now))
        if request.method != "GET":
            return _only("GET, POST")
        after = _AFTER.match(request.query)
        if after is None:
            return plain(400, "A list of chunks needs to know where to go on: ?after=N, from 0.")
        self._member(request, authority, now)
        return Answer(200, names_page(self._intake.sql, int(after[1])))

    def _chunk(self, request: Request, name: bytes, authority: str, now: int) -> Answer:
        match request.method:
            case "PUT":
                token = _token(request.headers)
                accept_chunk(self._intake, self._cache, self._shelves.private, token, name, request.body, now)
                return plain(201, "Stored.")
            case "HEAD":
                return plain(200, "Stored.") if has_chunk(self._intake.sql, name) else NOT_FOUND
            case "GET":
                self._member(request, authority, now)
                return Answer(200, self._shelves.private.get(chunk_path(name)))
        return _only("GET, HEAD, PUT")

    def _static(self, method: str, name: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return _only("GET, HEAD")
        text = name in ("checkpoint", "log.vkey")
        moving = name in ("visit", "checkpoint")
        return Answer(
            200,
            file=name,
            kind="text/plain; charset=utf-8" if text else "application/octet-stream",
            cache=Cache.NEVER if moving else Cache.ALWAYS,
        )

    def refused_unread(self, request: Request, authority: str, now: int) -> Answer | None:
        """Why the body of this request need not be read: its head shows nobody who may send it."""
        if is_chunk(request.path):
            try:
                check_token(self._intake, self._cache, _token(request.headers), now)
            except Refused as refused:
                return plain(_STATUS[refused.why], refused.why.value)
            except StoreFailed:
                return TROUBLE
            return None
        if not (request.path in ("/v1/keynotes", "/v1/knocks") or _PAGE.match(request.path)):
            return None
        try:
            self._signer(request, authority, now, verify_head)
        except Refused as refused:
            return plain(_STATUS[refused.why], refused.why.value)
        except StoreFailed:
            return TROUBLE
        return None

    def _member(self, request: Request, authority: str, now: int) -> str:
        """The member whose signature the request carries; Refused otherwise, and when it was seen before."""
        signer = self._signer(request, authority, now, verify_request)
        with self._intake.sql.write() as connection:
            if not guard.spend_nonce(connection, signer.nonce, signer.expires, now):
                raise Refused(Refusal.NOT_A_MEMBER)
        return signer.member

    def _signer(self, request: Request, authority: str, now: int, verify: Verify) -> Signer:
        intake = self._intake
        with intake.sql.read() as connection:
            directory = self._cache.get(connection, intake.door).directory

        def key_of(member: str) -> bytes | None:
            found = directory.member(member)
            if found is None:
                return None
            return request_key_of_server(directory.origin, intake.keys.request, found[1].request_key)

        asked = Asked(request.method, authority, request.path, request.query, request.body)
        try:
            return verify(asked, request.headers, key_of, now)
        except ProtocolError:
            raise Refused(Refusal.NOT_A_MEMBER) from None


def _token(headers: Mapping[str, str]) -> bytes | None:
    """The token that a chunk is sent with."""
    found = _TOKEN.match(headers.get("authorization", ""))
    return bytes.fromhex(found[1]) if found else None


def _only(allow: str) -> Answer:
    return plain(405, "That cannot be done here.", allow)
