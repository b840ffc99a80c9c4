# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is a difference and what is none, one answer at a time."""

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.protocol.encoding import h
from latchstring.protocol.site_manifest import Content, SiteItem
from latchstring.site.comparing import differences
from latchstring.site.fetching import OddlyPacked, Served
from latchstring.site.headers import STRICT_TRANSPORT

ONION = f"http://{'b' * 56}.onion"
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


def what(*answers: Served | Exception, address: str = "https://door.example") -> list[str]:
    found = differences(Shelf(*answers), [ITEM], address, [ONION], lambda _done, _of: None)
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
        differences(shelf, [ITEM], "https://door.example", [], lambda _done, _of: None)
    assert shelf.asked == 3


def test_how_far_it_has_come_is_told() -> None:
    told: list[tuple[int, int]] = []
    differences(Shelf(served()), [ITEM], "https://door.example", [], lambda done, of: told.append((done, of)))
    assert told == [(0, 1), (1, 1)]
