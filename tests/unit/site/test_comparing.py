# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is a difference and what is none, one answer at a time."""

from dataclasses import replace

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import h
from latchstring.protocol.site_manifest import Content, SiteItem
from latchstring.site import comparing
from latchstring.site.comparing import SCRIPT, differences
from latchstring.site.fetching import OddlyPacked, Served
from latchstring.site.markup import faults
from latchstring.workers.headers import STRICT_TRANSPORT
from tests.asked import ASKED
from tests.builders import found

ONION = f"http://{'b' * 56}.onion"
DOOR_AT = "https://door.example"
DIRECTORY = replace(found().directory, addresses=(DOOR_AT, ONION))
HEADERS = (("cache-control", "no-cache"), ("content-type", "text/plain; charset=utf-8"))
ITEM = SiteItem("/robots.txt", 200, HEADERS, (Content.of(b"text"),))


class Shelf:
    """Answers in turn; the last one stays."""

    def __init__(self, *answers: Served | Exception) -> None:
        self.left, self.asked = list(answers), 0

    def ask(self, path: str, kind: str, most: int, keep: bool) -> Served:
        assert (path, kind, most, keep) == ("/robots.txt", "text/plain; charset=utf-8", 4, False)
        self.asked += 1
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def served(*more: tuple[str, str], status: int = 200, body: bytes = b"text") -> Served:
    return Served(status, (*HEADERS, *more), len(body), h(body), b"")


def what(*answers: Served | Exception, address: str = DOOR_AT) -> list[str]:
    found = differences(Shelf(*answers), [ITEM], address, DIRECTORY, lambda _done, _of: None)
    return [one.what for one in found]


@pytest.mark.parametrize(
    "header",
    [
        ("date", "today"),
        ("server", "a proxy"),
        ("content-length", "4"),
        ("connection", "close"),
        STRICT_TRANSPORT,
        ("onion-location", f"{ONION}/robots.txt"),
    ],
    ids=lambda header: str(header[0]),
)
def test_what_says_nothing_of_the_page_may_come_with_it(header: tuple[str, str]) -> None:
    assert what(served(header)) == []


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("strict-transport-security", "max-age=0"), "the header strict-transport-security was not signed"),
        (("onion-location", f"{ONION}/en/"), "the header onion-location was not signed"),
        (("onion-location", "http://evil.onion/robots.txt"), "the header onion-location was not signed"),
        (("set-cookie", "a=b"), "the header set-cookie was not signed"),
        (("etag", '"you"'), "the header etag was not signed"),
        (("cache-control", "no-cache"), "the header cache-control comes twice"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_every_other_header_is_a_difference(header: tuple[str, str], said: str) -> None:
    assert what(served(header)) == [said]


def test_a_second_policy_beside_the_signed_one_is_seen_whatever_it_says() -> None:
    assert what(served(("content-type", "text/html"))) == [
        "the header content-type comes twice",
        "the header content-type is another one",
    ]


def test_status_and_bytes() -> None:
    assert what(served(status=404)) == ["it answers with the status 404, not 200"]
    assert what(served(body=b"tex!")) == ["its bytes are not those that were signed"]
    assert what(OddlyPacked()) == ["it comes cut, or packed in a way that was not signed"]


def test_a_line_that_breaks_is_tried_again_and_no_answer_is_no_difference() -> None:
    assert what(NetworkFailed("gone"), NetworkFailed("gone"), served()) == []
    shelf = Shelf(NetworkFailed("gone"))
    with pytest.raises(NetworkFailed):
        differences(shelf, [ITEM], DOOR_AT, DIRECTORY, lambda _done, _of: None)
    assert shelf.asked == 3


def test_how_far_it_has_come_is_told() -> None:
    told: list[tuple[int, int]] = []
    differences(Shelf(served()), [ITEM], DOOR_AT, DIRECTORY, lambda done, of: told.append((done, of)))
    assert told == [(0, 1), (1, 1)]


# --- Pages that are made anew: the scripts that seal must run in them -------------------------------------------------

HTML = (("content-type", "text/html; charset=utf-8"),)
SCRIPTS = (("content-type", "text/javascript; charset=utf-8"),)
GUARD, APP = '<script src="/static/guard.js"></script>\n', '<script src="/static/app.js" defer></script>\n'
TITLE = "<title>Write</title>\n"
PAGE = f'<!doctype html>\n<html lang="en">\n<head>\n{TITLE}{GUARD}{APP}</head>\n<body></body></html>'
LACKS = ["it does not run the scripts that seal what is typed on it"]


class Fresh:
    """One page; no script has a byte."""

    def __init__(self, page: str) -> None:
        self.page = page.encode()

    def ask(self, path: str, kind: str, most: int, keep: bool) -> Served:
        if path.startswith("/static/"):
            return Served(200, SCRIPTS, 0, h(b""), b"")
        return Served(200, HTML, len(self.page), h(self.page), self.page)


def of_page(page: str, path: str = "/en/write", directory: Directory = DIRECTORY) -> list[str]:
    items = [SiteItem(one, 200, SCRIPTS, (Content.of(b""),)) for one in (SCRIPT, "/static/guard.js")]
    found = differences(Fresh(page), [*items, SiteItem(path, 200, HTML, ())], DOOR_AT, directory, lambda *_: None)
    return [one.what for one in found]


DOWNGRADES = {
    "no script": PAGE.replace(GUARD, "").replace(APP, ""),
    "no guard, so that a form is posted until the rest has come": PAGE.replace(GUARD, ""),
    "nothing but the guard": PAGE.replace(APP, ""),
    "the guard comes last": PAGE.replace(GUARD + APP, APP + GUARD),
    "data that is no script": PAGE.replace("defer", 'type="text/plain"'),
    "for browsers of before": PAGE.replace(APP, APP.replace("defer", "nomodule")),
    "in the title": PAGE.replace(TITLE + GUARD + APP, f"<title>Write {GUARD}{APP}</title>\n"),
    "in a text": PAGE.replace(GUARD + APP, f"<textarea>{GUARD}{APP}</textarea>"),
    "in a part that is not used": PAGE.replace(GUARD + APP, f"<template>{GUARD}{APP}</template>"),
    "in data": PAGE.replace(GUARD + APP, f'<script type="application/json">{GUARD}{APP}</script>'),
    "at the end of the page": PAGE.replace(GUARD + APP, "").replace(
        "<body>", f'<body><form method="post"></form>{GUARD}{APP}'
    ),
    "in a head that is not closed": PAGE.replace("</head>", ""),
}


def test_a_page_that_runs_its_scripts_is_as_it_must_be() -> None:
    assert of_page(PAGE) == of_page(PAGE, "/en/return") == []


@pytest.mark.parametrize("name", DOWNGRADES)
@pytest.mark.parametrize("path", ["/en/write", "/ar/return"])
def test_a_page_that_does_not_seal_is_a_difference(name: str, path: str) -> None:
    """The server takes the scripts away: the page works without them, and what is typed is posted as it is."""
    assert of_page(DOWNGRADES[name], path) == LACKS


ADDRESSED = {
    '<form method="get">': "it would put what is typed into the address",
    "<form>": "it would put what is typed into the address",
    "<form method>": "it would put what is typed into the address",
    '<form method="post ">': "it would put what is typed into the address",
    '<form method="post"><button formmethod="get">': "it can lead elsewhere (formmethod)",
}


@pytest.mark.parametrize("form", ADDRESSED)
@pytest.mark.parametrize("path", ["/en/write", "/en/return"])
def test_a_form_that_puts_what_is_typed_into_the_address_is_a_difference(form: str, path: str) -> None:
    """A browser takes each method that it does not know for "get": the text would stand in its history."""
    assert of_page(PAGE.replace("<body>", f"<body>{form}"), path) == [ADDRESSED[form]]
    for method in ("post", "dialog"):
        assert of_page(PAGE.replace("<body>", f'<body><form method="{method}">'), path) == []


def test_a_page_for_questions_and_one_without_a_form_need_no_script() -> None:
    (desk,) = DIRECTORY.desks
    asking = replace(DIRECTORY, desks=(replace(desk, questions=ASKED),))
    assert of_page(DOWNGRADES["no script"], "/en/status") == []
    assert of_page(DOWNGRADES["no script"], "/en/write", asking) == []
    assert of_page(DOWNGRADES["no script"], "/en/return", asking) == LACKS


def test_a_rule_for_what_is_run_alone_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: it looks at the scripts that are there, and not for those that must be."""
    lenient = lambda page, listed, _runs: faults(page, listed)  # noqa: E731
    monkeypatch.setattr(comparing, "faults", lenient)
    assert of_page(DOWNGRADES["no script"]) == []


def test_what_a_page_holds_is_told_in_one_line() -> None:
    lie = PAGE.replace("<body>", '<body><a href="https://e.example/\n\nAs signed: all of it.\x1b[1A">')
    assert [one for one in of_page(lie) if "\n" in one or "\x1b" in one] == []
