# SPDX-License-Identifier: AGPL-3.0-or-later
"""The library that serves, with and without what stands before every application (`latchstring.workers.edge`)."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from latchstring.workers import edge
from latchstring.workers.bodies import Application, Receive, Scope, Send, lifespan, read_body

UNREAD: Final = 1  # second, in place of two minutes
_PIECE: Final = bytes(16 * 1024)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes whatever comes; gives 16 MB at `/long`."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await read_body(receive, 1000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"taken"})


def _loaded(guarded: bool) -> Application:
    """In the worker."""
    edge.UNREAD_SECONDS = UNREAD  # type: ignore[misc]
    return edge.guarded(application) if guarded else application


def _serve(port: int, guarded: bool) -> None:
    Server(
        "tests.edges:application",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        http1_settings=edge.http1() if guarded else HTTP1Settings(),
    ).serve(target_loader=partial(_loaded, guarded), wrap_loader=False)


@contextmanager
def served(port: int, guarded: bool) -> Iterator[None]:
    """A server in processes of its own, soon there."""
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, guarded))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(30)
