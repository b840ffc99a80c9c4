# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where requests come in, alike for every address: how long a head may be, where a body ends, and for how long an
answer may lie unread. What is no HTTP at all never comes here: the library answers it by itself, with nothing in it.
"""

import os
import socket
import stat
from contextlib import suppress
from typing import Final

from granian.http import HTTP1Settings

from latchstring.workers.bodies import Application, Receive, Scope, Send
from latchstring.workers.headers import BARE, strictly

HEAD_SECONDS: Final = 15  # for a request's head, and between two requests of one connection
HEAD_BYTES: Final = 16 * 1024  # a browser's has some 2 KB, a member's 1 KB
UNREAD_SECONDS: Final = 120  # without a byte taken

_OPEN: Final = "/proc/self/fd"
_TOO_LONG: Final = (431, b"The head of this request is too long.\n")
_NO_LENGTH: Final = (411, b"Say how long the body is (Content-Length), and send it without Transfer-Encoding.\n")


def http1() -> HTTP1Settings:
    """The library's own limits. It looks at a head's length between two reads of as many bytes, so that it holds twice
    as many at most; of an answer that is not read it holds as many, and the piece after them."""
    return HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000, max_buffer_size=HEAD_BYTES)


def guarded(application: Application) -> Application:
    """The application, for requests whose head is taken; any other is answered here, and its connection closed."""
    begun = False

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun
        if scope["type"] == "http":
            if not begun:  # not before: the library begins to listen when the application is made
                begun = True
                end_unread(UNREAD_SECONDS)
            refused = refusal(scope)
            if refused is not None:
                return await _refuse(*refused, scope["method"] == "HEAD", strictly(scope, send))
        await application(scope, receive, send)

    return inside


def refusal(scope: Scope) -> tuple[int, bytes] | None:
    """Status and sentence for a head that is not taken.

    `Transfer-Encoding` is taken from nobody: beside `Content-Length` it makes two ends of one body (RFC 9112, 6.1), of
    which a proxy in front may see the other. No browser sends it, and of the two the library shows only the first.
    """
    line = len(scope["method"]) + len(scope["path"]) + len(scope["query_string"]) + len(" ? HTTP/1.1\r\n")
    if line + sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"]) > HEAD_BYTES:
        return _TOO_LONG
    return _NO_LENGTH if any(name == b"transfer-encoding" for name, _ in scope["headers"]) else None


async def _refuse(status: int, sentence: bytes, head: bool, send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(sentence)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *BARE,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else sentence})


def end_unread(seconds: int) -> None:
    """Have the system end each connection of this process whose other side takes nothing for so long, those too that
    are made later: they have it from the socket that listens. (Linux: TCP_USER_TIMEOUT.)

    The library waits for a reader for ever and shows no socket; without this, what was handed on to it would stay.
    """
    for name in os.listdir(_OPEN) if os.path.isdir(_OPEN) else ():  # another system: as the library has it
        with suppress(OSError):  # closed meanwhile
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):  # or its copy would stay open
                continue
            with socket.socket(fileno=os.dup(int(name))) as found:
                if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
