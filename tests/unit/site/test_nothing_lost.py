# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was written without a script outlives an hour, a new start of the server and a slip: at `return` as at `write`
(whose tests are in `test_bad_input.py`)."""

import pytest

from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.site.forms import LIFE, State
from latchstring.site.pages.flow import Flow
from latchstring.site.pages.turn import Turn
from latchstring.site.settings import Settings
from tests.builders import Stream
from tests.unit.site.conftest import Pages
from tests.world.world import World

WORDS = " ".join(generate(Stream("theirs")).words(load()))
ADVICE = "Write something harmless, as anybody could ask it."
BELOW = "is below"
OTHERS = "If you were shown ten words for this letter before, these are others"


def write_again(pages: Pages) -> None:
    pages.browser.get("/en/return")
    pages.browser.press("open", words=WORDS)
    pages.browser.press("more")


def anew(pages: Pages, world: World) -> Pages:
    """The server was started anew; the window stayed open."""
    again = Pages(world, Settings(), bytes([1] * 32))
    again.browser.page = pages.browser.page
    return again


def goes_on(pages: Pages) -> None:
    """With a slip, then with the right words."""
    (form,) = pages.browser.forms()
    assert form.fields["text"] == "two hours\nof work"
    assert form.buttons == ["open"]
    pages.browser.press("open", words="one two")
    assert "you typed 2" in pages.browser.text
    assert pages.browser.forms()[0].fields["text"] == "two hours\nof work"
    pages.browser.press("open", words=WORDS)
    assert "Write again" in pages.browser.text
    form = pages.browser.forms()[0]
    assert (form.fields["text"], form.fields["desk"]) == ("two hours\nof work", "news")
    pages.browser.press("text")
    assert "Your letter is in" in pages.browser.press("send").text


def test_after_an_hour_who_came_back_finds_the_letter(pages: Pages) -> None:
    write_again(pages)
    pages.ahead = LIFE + 1
    asked = len(pages.world.traffic)
    pages.browser.press("text", desk="news", text="two hours\nof work")
    assert "More than an hour has passed" in pages.browser.text
    assert BELOW in pages.browser.text
    assert not [x for x in pages.world.traffic[asked:] if x.method == "POST"]
    goes_on(pages)


def test_after_a_new_start_who_came_back_finds_the_letter(pages: Pages, open_world: World) -> None:
    write_again(pages)
    again = anew(pages, open_world)
    again.browser.press("text", desk="news", text="two hours\nof work")
    assert "before the server was started anew" in again.browser.text
    assert BELOW in again.browser.text
    goes_on(again)


@pytest.mark.parametrize("path", ["/en/write", "/en/return"])
def test_files_that_had_come_are_kept_for_longer_than_an_hour(pages: Pages, path: str) -> None:
    if path == "/en/return":
        write_again(pages)
    else:
        pages.browser.get(path)
    pages.browser.press("text", desk="news", text="with a file")
    pages.browser.attach("a.txt", b"what I saw")
    pages.ahead = LIFE + 1
    pages.browser.press("send" if path == "/en/return" else "words")
    assert "More than an hour has passed" in pages.browser.text
    if path == "/en/return":
        pages.browser.press("open", words=WORDS)
    pages.browser.press("text")
    assert ">a.txt</bdi>" in pages.browser.text


def test_a_form_older_than_an_hour_opens_no_thread_and_writes_under_no_words(pages: Pages) -> None:
    """Whoever finds the window open has what stands in it, and not the ten words."""
    write_again(pages)
    pages.ahead = LIFE + 1
    pages.browser.press("text", desk="news", text="left open")
    state = pages.browser.forms()[0].fields["state"]
    for button in ("thread", "more", "change", "told"):
        pages.browser.post("/en/return", f"do={button}&state={state}".encode())
        assert pages.browser.forms()[0].buttons == ["open"]
    for button in ("send", "words", "show"):
        pages.browser.post("/en/return", f"do={button}&state={state}".encode())
        assert "Your letter is in" not in pages.browser.text


def shown(pages: Pages) -> str:
    """The ten words, from the letter on."""
    pages.browser.press("text", desk="news", text="an evening's work")
    pages.browser.press("words")
    return pages.browser.text.partition('class="words large"')[2].partition("</ol>")[0]


def test_after_an_hour_it_is_said_why_the_ten_words_are_others(pages: Pages) -> None:
    pages.browser.get("/en/write")
    before = shown(pages)
    assert OTHERS not in pages.browser.text
    pages.browser.press("back")
    pages.ahead = LIFE + 1
    pages.browser.press("text", text="an evening's work")
    assert "More than an hour has passed" in pages.browser.text
    assert shown(pages) not in ("", before)
    assert OTHERS in pages.browser.text


def test_after_an_hour_without_words_nothing_is_said_of_others(pages: Pages) -> None:
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="an evening's work")
    pages.ahead = LIFE + 1
    pages.browser.press("words")
    assert "More than an hour has passed" in pages.browser.text
    assert shown(pages)
    assert OTHERS not in pages.browser.text


def test_after_a_new_start_it_is_said_why_the_ten_words_may_be_others(pages: Pages, open_world: World) -> None:
    pages.browser.get("/en/write")
    assert shown(pages)
    again = anew(pages, open_world)
    again.browser.press("practise")
    assert "before the server was started anew" in again.browser.text
    assert shown(again)
    assert OTHERS in again.browser.text


def test_where_nothing_was_written_nothing_is_said_to_be_below(pages: Pages, open_world: World) -> None:
    pages.browser.get("/en/return")
    pages.browser.press("open", words=WORDS)
    thread = pages.browser.page
    pages.ahead = LIFE + 1
    assert "More than an hour has passed" in pages.browser.press("more").text
    assert BELOW not in pages.browser.text
    pages.browser.page = thread
    again = anew(pages, open_world)
    assert "before the server was started anew" in again.browser.press("more").text
    assert BELOW not in again.browser.text
    assert again.browser.post("/en/write", b"do=text&state=x&text=").status == 422
    assert "before the server was started anew" in again.browser.text
    assert BELOW not in again.browser.text


def test_the_harmless_letter_keeps_its_advice(pages: Pages) -> None:
    pages.browser.post("/en/write", b"do=decoy")
    assert ADVICE in pages.browser.text
    pages.browser.press("text", desk="news", text=" ")
    assert "The letter is empty" in pages.browser.text
    assert ADVICE in pages.browser.text
    pages.browser.press("text", text="Where do you sell your book?")
    assert ADVICE in pages.browser.press("back").text
    pages.ahead = LIFE + 1
    pages.browser.press("text")
    assert "More than an hour has passed" in pages.browser.text
    assert ADVICE in pages.browser.text


def test_another_letter_has_no_such_advice(pages: Pages) -> None:
    pages.browser.post("/en/write", b"do=text&desk=news&text=")
    assert "The letter is empty" in pages.browser.text
    assert ADVICE not in pages.browser.text


def test_a_step_that_begins_with_nothing_would_be_seen(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that keeps the letter, broken."""

    def nothing(flow: Flow, _turn: Turn, _state: State | None) -> State:
        return flow.fresh()

    monkeypatch.setattr(Flow, "_kept", nothing)
    write_again(pages)
    pages.ahead = LIFE + 1
    pages.browser.press("text", desk="news", text="two hours\nof work")
    with pytest.raises(KeyError, match="text"):
        goes_on(pages)
