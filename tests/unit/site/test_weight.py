# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a first visit loads: within its limits, and counted as a browser counts."""

from typing import Any

from bench.site_weight import run, visited

PAGES = {
    "/en/write": b'<!doctype html><link rel="stylesheet" href="/static/a.css"><script src="/static/app.js"></script>'
    b'<template><img src="/static/later.svg"></template><img src="/static/now.svg">',
    "/static/a.css": b'body { background: url("/static/paper.png") } i { background: url(/static/now.svg) }',
    "/static/app.js": b'new Worker("/static/w.js");fetch(`/static/words-${l}.txt`)'
    b';later=["/static/meta.js","/static/questions.js"]',
    "/static/w.js": b"x" * 1000,
    "/static/words-english.txt": b"abacus",
    "/static/now.svg": b"<svg/>",
    "/static/paper.png": b"png",
}


async def site(scope: Any, _receive: Any, send: Any) -> None:
    body = PAGES[scope["path"]]
    packed = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
    body = body[: len(body) // 2] if packed and len(body) > 500 else body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"bc")]})
    await send({"type": "http.response.body", "body": body})


HEAD = len(b"HTTP/1.1 200 OK\r\na: bc\r\n\r\n")


def test_what_the_served_pages_name_is_counted_once() -> None:
    plain = visited(site, "/en/write", False, False)  # type: ignore[arg-type]  # what is asked is the same
    assert set(plain) == {"/en/write", "/static/a.css", "/static/now.svg", "/static/paper.png"}
    assert plain["/static/paper.png"] == HEAD + 3
    whole = visited(site, "/en/write", True, True)  # type: ignore[arg-type]
    assert set(whole) == set(PAGES)
    assert whole["/static/w.js"] == HEAD + 500


def test_the_first_pages_are_within_their_limits() -> None:
    figure = run(quick=True)
    assert {goal.name for goal in figure.goals} >= {"invitation, without JavaScript, not packed"}
    assert [goal.name for goal in figure.goals if not goal.reached] == []
