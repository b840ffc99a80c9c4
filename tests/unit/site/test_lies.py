# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store that lies to pages without a script: nothing of it is believed, that is said, and nothing is lost.

With the script: `tests/browser/test_pages_script.py`.
"""

from collections.abc import Callable

import pytest

from latchstring.client.promise import check_receipt
from latchstring.client.transport import Response
from latchstring.client.visit import VerifiedVisit, check_visit
from latchstring.protocol import constants as c
from latchstring.server.api import Request
from latchstring.site import door as door_module
from latchstring.source import sending
from tests.states import no_receipt
from tests.unit.site.conftest import Pages
from tests.world.world import Meddle, Wire, World

TRUSTS = "cannot be trusted just now"


def practises(pages: Pages) -> None:
    """Up to the last button."""
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="мой текст")
    pages.browser.press("words")
    pages.browser.press("practise")


def posted(pages: Pages) -> list[bytes]:
    """The letters that went to the store."""
    return [x.body for x in pages.world.traffic if (x.method, x.path) == ("POST", "/v1/letters")]


def test_a_changed_visit_is_not_believed(pages: Pages) -> None:
    def changed(request: Request, answer: Response) -> Response:
        if request.path != "/visit":
            return answer
        body = bytearray(answer.body)
        body[len(body) // 2] ^= 1
        return Response(answer.status, bytes(body))

    pages.wire.meddle = changed
    assert TRUSTS in pages.browser.get("/en/status").text
    assert "does not answer" in pages.browser.get("/en/").text


def test_zeros_in_place_of_a_receipt(pages: Pages) -> None:
    practises(pages)
    honest, pages.wire.meddle = pages.wire.meddle, no_receipt
    pages.browser.press("unchecked")
    assert "It is not sure that your letter is in" in pages.browser.text
    assert "The door answered, but not with a receipt that can be believed." in pages.browser.text
    assert "lost on its way" not in pages.browser.text
    pages.wire.meddle = refuses(503)
    pages.browser.press("send")
    assert "It is not sure that your letter is in" in pages.browser.text, "the try before is not forgotten"
    assert "not with a receipt that can be believed" in pages.browser.text
    pages.wire.meddle = no_receipt
    assert pages.browser.press("back").text.count("мой текст") == 1
    practises(pages)
    pages.browser.press("unchecked")
    pages.wire.meddle = honest
    assert "Your letter is in" in pages.browser.press("send").text
    first, *again, second, third = posted(pages)
    assert set(again) == {first}, "the button sends the same bytes"
    assert second == third != first


def refuses(status: int) -> Meddle:
    """The store takes no letter, whatever is done with it."""
    return lambda request, answer: Response(status, b"No.\n") if request.path == "/v1/letters" else answer


def test_a_letter_that_may_be_in_is_not_called_another(pages: Pages) -> None:
    """An answer is lost, then the door is full; edited it is another letter, of which nothing is in."""
    practises(pages)
    pages.wire.meddle = refuses(500)
    assert "The answer of the door was lost on its way" in pages.browser.press("unchecked").text
    pages.wire.meddle = refuses(503)
    assert "It is not sure that your letter is in" in pages.browser.press("send").text
    pages.browser.press("back")
    pages.browser.press("text", desk="news", text="another text")
    pages.browser.press("words")
    pages.browser.press("practise")
    assert "Your letter is not in yet" in pages.browser.press("unchecked").text


def test_a_door_that_refuses_a_letter_is_not_called_full(pages: Pages) -> None:
    practises(pages)
    pages.wire.meddle = refuses(400)
    assert "Your letter is not in yet" in pages.browser.press("unchecked").text
    assert "The door did not take the letter." in pages.browser.text
    assert "is full" not in pages.browser.text


def test_zeros_that_are_believed_are_noticed(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts: list[bytes] = []

    def kept(request: Request, answer: Response) -> Response:
        receipts.extend([answer.body] if request.path == "/v1/letters" else [])
        return no_receipt(request, answer)

    monkeypatch.setattr(sending, "check_receipt", lambda visit, leaf, _raw: check_receipt(visit, leaf, receipts[-1]))
    pages.wire.meddle = kept
    practises(pages)
    assert "Your letter is in" in pages.browser.press("unchecked").text


def older(pages: Pages) -> Meddle:
    """What the door said one tick ago."""
    line = Wire(pages.world, "who keeps old answers")
    kept = {path: line.request("GET", path) for path in ("/checkpoint", "/visit")}
    pages.world.close()
    return lambda request, answer: kept.get(request.path, answer)


def of_another_door(pages: Pages) -> Meddle:
    """What another organisation's door says, in whose place the store would like to be."""
    other = World("legal", "news", seed="another")
    other.close(pages.world.batch)
    line = Wire(other, "who runs another door")
    kept = {path: line.request("GET", path) for path in ("/checkpoint", "/visit")}
    return lambda request, answer: kept.get(request.path, answer)


@pytest.mark.parametrize("lie", [older, of_another_door])
def test_the_past_and_another_door_are_not_believed(pages: Pages, lie: Callable[[Pages], Meddle]) -> None:
    said = lie(pages)
    practises(pages)
    last, status = pages.browser.page, pages.browser.get("/en/status").text
    honest, pages.wire.meddle = pages.wire.meddle, said
    pages.ahead = 120
    assert pages.browser.get("/en/status").text == status, "what is known already holds, for as long as it is fresh"
    pages.ahead = (c.VISIT_FRESH_TICKS + 1) * pages.world.policy.tick
    assert TRUSTS in pages.browser.get("/en/status").text
    pages.browser.page = last
    assert pages.browser.press("unchecked").status == 503
    assert TRUSTS in pages.browser.text
    assert posted(pages) == []
    pages.wire.meddle = honest
    pages.world.close(pages.world.policy.batch_at(pages.now()))
    pages.ahead = 10
    assert "More than an hour has passed" in pages.browser.press("unchecked").text
    assert pages.browser.forms()[0].fields["text"] == "мой текст"


def test_the_past_that_is_believed_is_noticed(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """By pages that do not remember what they saw."""

    def forgetful(raw: bytes, is_door: Callable[[bytes], bool], now: int, _pin: object) -> VerifiedVisit:
        return check_visit(raw, is_door, now, None)

    monkeypatch.setattr(door_module, "check_visit", forgetful)
    said = older(pages)
    status = pages.browser.get("/en/status").text
    pages.wire.meddle = said
    pages.ahead = 120
    assert pages.browser.get("/en/status").text != status


def test_another_door_that_is_believed_is_noticed(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.site._door, "_is_door", lambda _door: True)
    pages.wire.meddle = of_another_door(pages)
    assert "The door" in pages.browser.get("/en/status").text
    assert TRUSTS not in pages.browser.text
