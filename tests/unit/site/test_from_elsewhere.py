# SPDX-License-Identifier: AGPL-3.0-or-later
"""Another site, which has walked to ten words of its own here, hands a person over to them with a form.

| Attacker | Holds                                              | Tries                                               |
|----------|----------------------------------------------------|-----------------------------------------------------|
| site     | another address that the person visits; a state    | to have the person write, or come back, under words |
|          | and ten words of this door                         | that it knows, at the door's true address           |

With a browser: `tests/browser/test_pages_from_elsewhere.py`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.site.forms import State
from latchstring.site.http import Asked
from latchstring.site.languages import LANGUAGES
from latchstring.site.pages.flow import Flow
from latchstring.site.pages.turn import Turn
from latchstring.site.render import Page
from latchstring.site.texts import Texts
from tests.builders import Stream
from tests.reader import Answer, Browser, Forms, ask, multipart, multipart_kind
from tests.unit.site.conftest import Pages

SAID = "Another site sent you here with a form. Nothing of it was taken. Begin here."
HOST = "door.example"
FOREIGN: tuple[Mapping[str, str], ...] = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site", "origin": "null"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": ""},
    {"origin": "https://evil.example"},
    {"origin": f"https://{HOST}.evil.example"},
    {"origin": f"https://{HOST}:8443"},
    {"origin": f"https://evil.example/{HOST}"},
    {"origin": ""},
    {"origin": HOST},
)
OWN: tuple[Mapping[str, str], ...] = (
    {},
    {"origin": "null"},
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"origin": f"https://{HOST}"},
    {"origin": f"http://{HOST.upper()}"},
)


def shown(text: str) -> str:
    return " ".join(re.findall(r"<li>([a-z]+)</li>", text.partition('class="words large"')[2].partition("</ol>")[0]))


def lure(pages: Pages) -> tuple[str, str]:
    """What the attacker's form posts to have the person write, and the words under which they would."""
    attacker = Browser(pages.site)
    attacker.get("/en/write")
    attacker.press("text", desk="news", text="a placeholder")
    attacker.press("words")
    state = attacker.forms()[0].fields["state"]
    return urlencode({"state": state, "do": "back"}), shown(attacker.text)


def sent(pages: Pages, body: str, said: Mapping[str, str], path: str = "/en/write") -> Answer:
    kind = "application/x-www-form-urlencoded"
    head = {"host": HOST, "content-type": kind, "content-length": str(len(body)), **said}
    return asyncio.run(ask(pages.site, "POST", path, head, [body.encode()]))


def under(pages: Pages, answer: Answer) -> str:
    """The words that a person is shown who writes on this page."""
    person = Browser(pages.site)
    person.page = answer
    person.press("text", desk="news", text="what I saw")
    person.press("words")
    return shown(person.text)


@pytest.mark.parametrize("said", FOREIGN)
def test_a_form_of_another_site_begins_anew(pages: Pages, said: Mapping[str, str]) -> None:
    body, words = lure(pages)
    answer = sent(pages, body, said)
    assert (answer.status, answer.head["cache-control"]) == (403, "no-store")
    assert answer.text.count(SAID) == 1
    assert "a placeholder" not in answer.text
    assert "app.js" in answer.text, "with the page's script: whoever has one is not moved to the way without"
    assert under(pages, answer) not in ("", words)


@pytest.mark.parametrize("said", FOREIGN)
def test_another_site_opens_no_thread(pages: Pages, said: Mapping[str, str]) -> None:
    words = " ".join(generate(Stream("the attacker's")).words(load()))
    answer = sent(pages, urlencode({"words": words, "do": "open"}), said, "/en/return")
    assert (answer.status, answer.text.count(SAID)) == (403, 1)
    (form,) = Forms(answer.text).forms
    assert (form.fields["words"], form.fields["state"], form.buttons) == ("", "", ["open"])


@pytest.mark.parametrize("said", OWN)
def test_the_doors_own_forms_are_taken(pages: Pages, said: Mapping[str, str]) -> None:
    answer = sent(pages, lure(pages)[0], said)
    assert answer.status == 200
    assert SAID not in answer.text


def test_a_file_of_another_site_is_not_taken(pages: Pages) -> None:
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="a placeholder")
    body = multipart({"state": pages.browser.forms()[0].fields["state"]}, "x", b"x")
    head = {"host": HOST, "content-type": multipart_kind(), "content-length": str(len(body))}
    asked = len(pages.world.traffic)
    answer = asyncio.run(ask(pages.site, "POST", "/en/write", {**head, "sec-fetch-site": "cross-site"}, [body]))
    assert SAID in answer.text
    assert not [x for x in pages.world.traffic[asked:] if x.method == "POST"]


def test_while_there_is_no_door_another_sites_form_does_not_come_back_as_our_own(pages: Pages) -> None:
    """It would, with a button: what is posted again is posted from here."""
    pages.wire.fates = ["drop"]
    answer = sent(pages, "do=back&state=x&text=the+attacker", {"sec-fetch-site": "cross-site"})
    assert "The door does not answer just now" in answer.text
    assert "the attacker" not in answer.text
    assert Forms(answer.text).forms == []


def test_every_language_says_it(pages: Pages) -> None:
    for code in LANGUAGES:
        answer = sent(pages, "do=back", {"sec-fetch-site": "cross-site"}, f"/{code}/write")
        sentence = Texts.load(code)(SAID)
        assert answer.text.count(sentence) == 1
        assert (sentence == SAID) == (code == "en")


def test_a_site_that_takes_a_form_from_anywhere_puts_people_under_its_words(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lines broken: what the tests above refuse would work."""
    monkeypatch.setattr(Asked, "from_elsewhere", False)
    text = Flow._text

    def keeping(flow: Flow, turn: Turn, state: State) -> Page:
        return text(flow, turn, replace(state, text=turn.fields["text"]))

    monkeypatch.setattr(Flow, "_text", keeping)
    body, words = lure(pages)
    assert under(pages, sent(pages, body, {"sec-fetch-site": "cross-site"})) == words


def test_a_browser_that_says_nothing_still_gets_words_of_its_own_for_a_letter_of_its_own(pages: Pages) -> None:
    """Old ones send neither header: words that were shown stay with the text for which they were."""
    body, words = lure(pages)
    answer = sent(pages, body, {})
    assert "a placeholder" in answer.text
    assert under(pages, answer) not in ("", words)


def test_a_file_under_a_letter_left_as_it_was_goes_under_words_of_its_own(pages: Pages) -> None:
    """The other site's form shows the step of the files, under its own text."""
    body, words = lure(pages)
    person = Browser(pages.site)
    person.page = sent(pages, body.replace("do=back", "do=files"), {})
    person.attach("a.txt", b"what I saw")
    person.press("words")
    assert shown(person.text) not in ("", words)
    assert "You have changed your letter" in person.text
    assert "Your letter is in" in _sends(person)


def test_after_a_file_is_left_out_the_words_stay(pages: Pages) -> None:
    """It says less than before, to whoever has those words."""
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="a letter")
    pages.browser.attach("a.txt", b"what I saw")
    first = shown(pages.browser.press("words").text)
    pages.browser.press("back")
    pages.browser.press("text")
    pages.browser.press("drop-0")
    assert shown(pages.browser.press("words").text) == first != ""
    assert "You have changed your letter" not in pages.browser.text
    assert "Your letter is in" in _sends(pages.browser)


def _sends(person: Browser) -> str:
    words = shown(person.text)
    person.press("practise")
    return person.press("send", words=words).text


def test_words_that_stayed_with_a_letter_of_other_files_would_be_the_other_sites(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line that the test above is about, broken."""
    monkeypatch.setattr(State, "other", lambda state: replace(state, letter=b""))
    body, words = lure(pages)
    person = Browser(pages.site)
    person.page = sent(pages, body.replace("do=back", "do=files"), {})
    person.attach("a.txt", b"what I saw")
    person.press("words")
    assert shown(person.text) == words


def test_answers_to_a_desks_questions_are_another_letter_too() -> None:
    seen = State(0, bytes(16), desk="news", text="a placeholder", bits=bytes(13), letter=b"sealed")
    changed = seen.answer({"what": "what I saw"})
    assert (changed.bits, changed.letter, changed.redrawn) == (b"", b"", "changed")
    assert changed.answer({"what": "what I saw"}) == changed
    again = replace(changed, bits=bytes(13), letter=b"sealed")
    assert again.answer({"what": "what I saw"}) == again
    mine = replace(seen, known=True).answer({"what": "more"})
    assert (mine.bits, mine.letter) == (seen.bits, b"")


def test_who_changes_a_letter_is_told_that_the_words_are_others_and_who_does_not_keeps_them(pages: Pages) -> None:
    said = "You have changed your letter, so these are other words than before."
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="a letter")
    first = shown(pages.browser.press("words").text)
    assert said not in pages.browser.text
    pages.browser.press("back")
    pages.browser.press("text", desk="legal")
    assert shown(pages.browser.press("words").text) == first
    assert said not in pages.browser.text
    pages.browser.press("back")
    pages.browser.press("text", text="a better letter")
    second = shown(pages.browser.press("words").text)
    assert second not in ("", first)
    assert said in pages.browser.text
    pages.browser.press("practise")
    pages.browser.press("send", words=first)
    assert "These are other words than the ones you were shown." in pages.browser.text
    assert "Your letter is in" in pages.browser.press("send", words=second).text


def test_who_changes_a_letter_that_the_door_did_not_take_is_asked_for_the_words_that_go_with_it(pages: Pages) -> None:
    """They were asked once, for others: to type those must not do."""
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="a letter")
    first = shown(pages.browser.press("words").text)
    pages.browser.press("practise")
    pages.wire.fates = ["drop"] * 40
    assert "Your ten words stay the same" in pages.browser.press("send", words=first).text
    pages.wire.fates = []
    pages.browser.press("back")
    pages.browser.press("text", text="a better letter")
    second = shown(pages.browser.press("words").text)
    pages.browser.press("practise")
    assert "These are other words than the ones you were shown." in pages.browser.press("send", words=first).text
    assert "Your letter is in" in pages.browser.press("send", words=second).text


def test_who_came_back_keeps_their_words_whatever_they_write(pages: Pages) -> None:
    words = " ".join(generate(Stream("theirs")).words(load()))
    pages.browser.get("/en/return")
    pages.browser.press("open", words=words)
    pages.browser.press("more")
    pages.browser.press("text", desk="news", text="more")
    pages.browser.press("back")
    pages.browser.press("text", text="still more")
    assert "Your letter is in" in pages.browser.press("send").text
