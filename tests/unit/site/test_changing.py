# SPDX-License-Identifier: AGPL-3.0-or-later
"""Changing the ten words without a script: what is told to which desk, and that nobody believes in words that no desk
knows."""

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from latchstring.client.transport import Response
from latchstring.protocol.closing import Closing
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from latchstring.site.forms import LIFE
from tests.builders import Stream
from tests.reader import multipart, multipart_kind
from tests.unit.site.conftest import Pages

OLD = " ".join(generate(Stream("old words")).words(load()))


def thread(pages: Pages) -> None:
    pages.browser.get("/en/return")
    pages.browser.press("open", words=OLD)
    assert "<h1>Your thread</h1>" in pages.browser.text


def new_words(pages: Pages) -> str:
    """From the thread, or from where else that button is, to where they are typed."""
    listed = pages.browser.press("change").text.partition('class="words large"')[2].partition("</ol>")[0]
    words = " ".join(re.findall(r"<li>([a-z]+)</li>", listed))
    assert len(words.split()) == 10
    pages.browser.press("practise")
    return words


def told(pages: Pages) -> int:
    """How many letters went to the store."""
    return sum((x.method, x.path) == ("POST", "/v1/letters") for x in pages.world.traffic)


def test_a_desk_that_was_forgotten_is_told_from_the_same_form_and_no_desk_twice(pages: Pages) -> None:
    thread(pages)
    words, before = new_words(pages), told(pages)
    form = pages.browser.page
    pages.browser.press("told", words=words, desk_news="1")
    assert "Your words are changed" in pages.browser.text
    assert told(pages) == before + 1
    pages.browser.page = form
    pages.browser.press("told", words=words, desk_news="1", desk_legal="1")
    assert "Your words are changed" in pages.browser.text
    assert told(pages) == before + 2
    pages.browser.page = form
    pages.browser.press("told", words=words, desk_news="1", desk_legal="1")
    assert "This was done already" in pages.browser.text
    assert told(pages) == before + 2


def test_nobody_learns_other_words_once_a_desk_follows_the_first(pages: Pages) -> None:
    """Of two changes of one thread a desk follows the first."""
    thread(pages)
    page = pages.browser.page
    first, form = new_words(pages), pages.browser.page
    pages.browser.page = page
    second, other = new_words(pages), pages.browser.page
    assert first != second
    pages.browser.page = form
    pages.browser.press("told", words=first, desk_news="1")
    sent = told(pages)
    pages.browser.page = other
    pages.browser.press("told", words=second, desk_news="1")
    assert "A desk was told other new words before, and those hold: keep them." in pages.browser.text
    assert "done" not in pages.browser.text.partition("<h1>")[2].partition("</h1>")[0]
    assert told(pages) == sent
    pages.browser.page = page
    pages.browser.press("change")
    assert "This was done already" in pages.browser.text
    assert 'class="words large"' not in pages.browser.text


def test_words_that_were_learned_second_are_told_when_the_first_were_not(pages: Pages) -> None:
    thread(pages)
    page = pages.browser.page
    new_words(pages)
    pages.browser.page = page
    words, before = new_words(pages), told(pages)
    pages.browser.press("told", words=words, desk_news="1")
    assert "Your words are changed" in pages.browser.text
    assert told(pages) == before + 1


@pytest.mark.parametrize("how", ["closed", "expired"])
@pytest.mark.parametrize("button", ["change", "told", "thread"])
def test_a_door_that_takes_no_letters_any_more_takes_no_words_either(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, how: str, button: str
) -> None:
    """It is said, in place of being asked to try again for ever."""
    thread(pages)
    words = new_words(pages) if button == "told" else ""
    if how == "closed":
        pages.world.renew(closed=Closing({"en": "Thank you."}, ()))
        pages.world.close()
    else:
        visit = replace(pages.site._door.visit(), expired=True)
        monkeypatch.setattr(pages.site._door, "visit", lambda: visit)
    before = told(pages)
    pages.browser.press(button, words=words, desk_news="1")
    assert "<h1>Your thread</h1>" in pages.browser.text
    said = {"closed": "This door is closed for good.", "expired": "The organisation must renew this door."}
    assert pages.browser.text.count(said[how]) == 1
    assert pages.browser.forms()[0].buttons == ["thread"]
    assert "Change your words" not in pages.browser.text
    assert told(pages) == before
    assert "<h1>Your thread</h1>" in pages.browser.press("thread").text, "answers can still be read"


def ticked(pages: Pages) -> set[str]:
    return {name for name in pages.browser.forms()[0].fields if name.startswith("desk-")}


def test_who_tries_again_finds_the_desks_ticked_that_are_still_to_be_told(pages: Pages) -> None:
    def full_after_one(request: Request, answer: Response) -> Response:
        return Response(503, b"") if told(pages) > before and request.path == "/v1/letters" else answer

    thread(pages)
    words, before = new_words(pages), told(pages)
    assert ticked(pages) == set()
    pages.wire.meddle, honest = full_after_one, pages.wire.meddle
    pages.browser.press("told", words=words, desk_news="1", desk_legal="1")
    assert "Not every desk was told" in pages.browser.text
    pages.wire.meddle, before = honest, told(pages)
    pages.browser.press("practise")
    assert len(ticked(pages)) == 1
    assert pages.browser.forms()[0].fields["words"] == "", "on purpose"
    pages.browser.press("told", words=words)
    assert "Your words are changed" in pages.browser.text
    assert told(pages) == before + 1


def test_who_mistypes_or_looks_at_the_words_again_has_chosen_the_desks(pages: Pages) -> None:
    thread(pages)
    words = new_words(pages)
    pages.browser.press("told", words=OLD, desk_news="1", desk_legal="1")
    assert "These are other words than the ones you were shown." in pages.browser.text
    assert ticked(pages) == {"desk-news", "desk-legal"}
    page = pages.browser.page
    pages.browser.press("show")
    pages.browser.press("practise")
    assert ticked(pages) == {"desk-news", "desk-legal"}
    pages.browser.page = page
    pages.browser.press("told", words=words)
    assert "Your words are changed" in pages.browser.text


def test_who_took_longer_than_an_hour_to_learn_them_is_told_which_words_hold(pages: Pages) -> None:
    said = "New words hold only at desks that were told of them; at all others your old words still hold."
    thread(pages)
    page = pages.browser.page
    words, before = new_words(pages), told(pages)
    pages.ahead = LIFE + 1
    pages.browser.press("told", words=words, desk_news="1")
    assert "More than an hour has passed" in pages.browser.text
    assert said in pages.browser.text
    assert told(pages) == before
    pages.browser.page = page
    pages.browser.press("thread")
    assert "More than an hour has passed" in pages.browser.text
    assert said not in pages.browser.text, "there are no new ones"


def by_hand(pages: Pages, button: str) -> str:
    """With the page's state, a button that it does not have."""
    state = pages.browser.forms()[0].fields["state"]
    return pages.browser.post("/en/return", urlencode({"do": button, "state": state}).encode()).text


def heading(html: str) -> str:
    return re.sub("<[^>]*>", "", html.partition("<h1>")[2].partition("</h1>")[0])


def test_no_letter_is_asked_about_before_there_is_one(pages: Pages) -> None:
    thread(pages)
    page = pages.browser.page
    assert heading(by_hand(pages, "answers")) == "Write again"
    assert pages.browser.page.status == 200
    fields = {"do": "file", "state": page.text.partition('name="state" value="')[2].partition('"')[0]}
    pages.browser.post("/en/return", multipart(fields, "a.txt", b"x"), multipart_kind())
    assert heading(pages.browser.text) == "Write again"
    assert {x.method for x in pages.world.traffic if x.who == "the pages"} == {"GET"}


@pytest.mark.parametrize("button", ["back", "files", "text", "answers", "earlier", "send", "unchecked", "drop-0", "x"])
def test_new_words_of_a_thread_lead_into_no_letter(pages: Pages, button: str) -> None:
    thread(pages)
    new_words(pages)
    page = pages.browser.page
    assert heading(by_hand(pages, button)) == "Come back"
    pages.browser.page = page
    fields = pages.browser.forms()[0].fields
    pages.browser.post("/en/return", multipart({**fields, "do": button}, "a.txt", b"x"), multipart_kind())
    assert heading(pages.browser.text) == "Come back"
