# SPDX-License-Identifier: AGPL-3.0-or-later
"""The headers of every answer, whatever it is and whatever went wrong."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.site_manifest import SITE_PATH
from latchstring.site import through
from latchstring.site.headers import ALWAYS
from latchstring.site.http import Bodies
from latchstring.site.routes import PAGES
from latchstring.site.settings import Settings
from tests.reader import Answer, ask
from tests.unit.site.conftest import Pages
from tests.world.world import World

FORM = {"content-type": "application/x-www-form-urlencoded"}
CHUNK = "/v1/attachments/" + "ab" * 32


def asked(pages: Pages, method: str, path: str, *body: bytes, **head: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in head.items()}
    return asyncio.run(
        ask(pages.site, method, path, {"host": "x", "x-forwarded-proto": "https", **named}, body or [b""])
    )


def wrong(answers: Iterable[Answer]) -> list[str]:
    """What is not as it should be."""
    found = []
    for answer in answers:
        expected = dict(ALWAYS)
        if answer.status >= 400:
            expected["cache-control"] = "no-store"
        found += [f"{answer.status}: {name}" for name, value in expected.items() if answer.head.get(name) != value]
        there = {"cache-control", "strict-transport-security", "content-type", "content-length"}
        found += [f"{answer.status} has no {name}" for name in there - answer.head.keys()]
        found += [f"{answer.status} has {n}" for n in {"set-cookie", "etag", "last-modified"} & answer.head.keys()]
    return found


def test_every_answer_has_every_header(pages: Pages) -> None:
    paths = [f"/en/{name}" for name in PAGES] + [
        "/", "/leave", "/en/card.svg", "/card.png", "/code.png", "/robots.txt", "/source.tar.gz", "/static/site.css",
        "/static/nothing.css", "/media/nothing.mp4", "/en/nothing", "/xx/", SITE_PATH, "/visit", "/v1/letters",
        "/v1/attachments", CHUNK, "/v1/nothing",
    ]  # fmt: skip
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
    answers = [asked(pages, method, path) for path in paths for method in methods]
    assert {a.status for a in answers} == {200, 303, 400, 404, 405, 422}
    assert wrong(answers) == []


def test_so_has_a_recording_in_whole_and_in_part_and_the_signed_list(open_world: World, tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"0123456789")
    (tmp_path / "site.signed").write_bytes(b"signed")
    pages = Pages(open_world, Settings(media=tmp_path, signed=tmp_path / "site.signed"))
    ranges = ("", "bytes=2-5", "bytes=99-")
    answers = [asked(pages, "GET", "/media/talk.mp4", range=one) for one in ranges]
    assert [a.status for a in answers] == [200, 206, 416]
    answers.append(asked(pages, "GET", SITE_PATH))
    assert answers[-1].body == b"signed"
    assert wrong(answers) == []


def _fails(*_: object) -> NoReturn:
    raise RuntimeError("a fault")


def _late(*_: object) -> NoReturn:
    raise TimeoutError


def test_so_has_whatever_went_wrong(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def post(path: str, body: bytes, **head: str) -> Answer:
        return asked(pages, "POST", path, body, **FORM, **head)

    letter = bytes(c.LETTER_SIZE)
    answers = [
        post("/en/write", b"&".join(b"f%d=1" % i for i in range(10_000))),
        post("/en/write", b"do=text&text=x", sec_fetch_site="cross-site"),
        post("/en/write", b"text=" + b"a" * 3_000_000),
        post("/v1/letters", letter + b"1"),
    ]
    assert [a.status for a in answers] == [400, 403, 413, 413]
    with monkeypatch.context() as broken:
        broken.setattr(Bodies, "whole", _late)
        broken.setattr(through, "whole", _late)
        late = [post("/en/write", b"do=text"), post("/v1/letters", letter), asked(pages, "PUT", CHUNK)]
    assert [a.status for a in late] == [408] * 3
    with monkeypatch.context() as broken:
        broken.setattr(pages.site, "_bodies", Bodies(0))
        busy = post("/en/write", b"do=text")
    pages.wire.fates = ["drop"]
    lost = post("/v1/letters", letter)
    with monkeypatch.context() as broken:
        broken.setattr(pages.site, "_look", _fails)
        fault = asked(pages, "GET", "/en/")
    pages.world.up = False
    pages.ahead = 40 * 86_400
    silent = [asked(pages, "GET", "/visit"), asked(pages, "GET", "/code.png"), post("/en/write", b"do=text&text=x")]
    assert [a.status for a in (busy, lost, fault, *silent)] == [503, 502, 500, 503, 503, 503]
    assert wrong([*answers, *late, busy, lost, fault, *silent]) == []


def test_a_header_that_is_missing_is_noticed(pages: Pages) -> None:
    answer = asked(pages, "GET", "/en/nothing")
    changes: tuple[tuple[str, str | None], ...] = (
        ("content-security-policy", None), ("cache-control", "no-cache"), ("strict-transport-security", None),
        ("etag", "1"),
    )  # fmt: skip
    for name, value in changes:
        head = {n: v for n, v in {**answer.head, name: value}.items() if v is not None}
        assert len(wrong([Answer(404, head, b"")])) == 1, name


OFF = (
    "camera", "microphone", "geolocation", "display-capture", "clipboard-read", "local-fonts", "browsing-topics",
    "interest-cohort", "storage-access", "accelerometer", "gyroscope", "usb", "bluetooth", "ch-ua-model",
)  # fmt: skip


def test_what_a_page_could_learn_of_a_device_is_off_by_name() -> None:
    """For nobody, not even the page itself. What browsers make of the list: `tests/browser/test_pages_console.py`."""
    said = dict(item.split("=", 1) for item in dict(ALWAYS)["permissions-policy"].split(","))
    assert {said.get(feature) for feature in OFF} == {"()"}
    assert set(said.values()) == {"()"}


def test_what_follows_a_form_is_never_kept(pages: Pages) -> None:
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="x")
    for button in ("words", "practise", "show"):
        assert pages.browser.press(button).head["cache-control"] == "no-store"
    pages.browser.get("/en/return")
    assert pages.browser.press("open", words="one two").head["cache-control"] == "no-store"
