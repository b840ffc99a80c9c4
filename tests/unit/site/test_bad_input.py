# SPDX-License-Identifier: AGPL-3.0-or-later
"""What no browser sends by itself, and what goes wrong by itself: clear words, and what can be kept comes back."""

import asyncio
import re
from dataclasses import replace
from html import unescape

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.closing import Closing
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.site import acts, app, uploading
from latchstring.site.forms import LIFE
from latchstring.site.http import Bodies
from latchstring.site.pages import flow, turn
from latchstring.site.pages.flow import LONGEST
from latchstring.site.routes import is_ours
from latchstring.site.settings import Settings
from tests.builders import Stream
from tests.reader import BOUNDARY, ask, multipart, multipart_kind
from tests.unit.site.conftest import Pages
from tests.world.world import World


def letter(pages: Pages, text: str = "мой текст") -> None:
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text=text)
    assert "Files, if you like" in pages.browser.text


def test_which_addresses_are_the_pages_own() -> None:
    assert all(
        is_ours(path)
        for path in ("/", "/en", "/en/x/y", "/static/x", "/media/x", "/leave", "/en/card.svg", "/card.png", "/code.png")
    )
    assert not any(is_ours(path) for path in ("/visit", "/v1/letters", "/tile/0/000", "/enx", "/leave/x"))


def test_text_is_shown_as_text(pages: Pages) -> None:
    nasty = "</textarea><script>alert(1)</script>\"'&lt;{{ 7*7 }}"
    letter(pages, nasty)
    pages.browser.press("back")
    assert "<script" not in pages.browser.text
    assert pages.browser.forms()[0].fields["text"] == nasty, unescape(pages.browser.text)


def test_an_empty_letter_and_no_desk(pages: Pages) -> None:
    pages.browser.get("/en/write")
    answer = pages.browser.press("text", text="  \n ")
    assert answer.status == 422
    assert 'role="alert"' in answer.text
    assert 'href="#desk"' in answer.text
    assert 'href="#text"' in answer.text


def test_a_letter_that_is_too_long_comes_back_whole(pages: Pages) -> None:
    pages.browser.get("/en/write")
    pages.browser.press("text", desk="news", text="ж" * (LONGEST + 7))
    assert "too long by about 7 characters" in pages.browser.text
    assert pages.browser.forms()[0].fields["text"] == "ж" * (LONGEST + 7)
    pages.browser.press("text", text="ж" * LONGEST)
    assert "Files, if you like" in pages.browser.text
    pages.browser.press("back")
    assert pages.browser.forms()[0].fields["text"] == "ж" * LONGEST


def test_where_no_attachment_is_taken_a_letter_fits_its_envelope(open_world: World) -> None:
    pages = Pages(open_world, Settings())
    pages.world.renew(policy=replace(pages.world.founding.directory.policy, attachment=0))
    pages.world.close()
    assert "A longer letter" not in pages.browser.get("/en/write").text
    pages.browser.press("text", desk="news", text="ж" * 5000)
    assert "too long by about" in pages.browser.text
    assert pages.browser.forms()[0].fields["text"] == "ж" * 5000


def test_a_step_that_sends_does_not_say_that_it_sends_nothing(open_world: World) -> None:
    """Who comes back to a door that takes no files sends with the first "Go on"."""
    pages, said = Pages(open_world, Settings()), "Nothing goes to the desk with this step."
    words = " ".join(generate(Stream("somebody")).words(load()))
    for most in (pages.world.policy.attachment, 0):
        pages.world.renew(policy=replace(pages.world.founding.directory.policy, attachment=most))
        pages.world.close()
        assert said in pages.browser.get("/en/write").text
        pages.browser.get("/en/return")
        pages.browser.press("open", words=words)
        assert (said in pages.browser.press("more").text) == (most > 0)
    assert "Your letter is in" in pages.browser.press("text", desk="news", text="more").text


def test_after_an_hour_the_text_comes_back_and_nothing_was_sent(pages: Pages) -> None:
    letter(pages)
    pages.ahead = LIFE + 1
    asked = len(pages.world.traffic)
    pages.browser.press("words")
    assert "More than an hour has passed" in pages.browser.text
    assert pages.browser.forms()[0].fields["text"] == "мой текст"
    assert not [x for x in pages.world.traffic[asked:] if x.method == "POST"]


def test_after_a_new_start_what_was_typed_comes_back(pages: Pages, open_world: World) -> None:
    letter(pages)
    pages.browser.press("back")
    again = Pages(open_world, Settings(), bytes([1] * 32))
    again.browser.page = pages.browser.page
    again.browser.press("text", desk="news", text="a longer text")
    assert "before the server was started anew" in again.browser.text
    assert again.browser.forms()[0].fields["text"] == "a longer text"


def test_a_state_of_another_page_opens_nothing(pages: Pages) -> None:
    letter(pages)
    state = pages.browser.forms()[0].fields["state"]
    pages.browser.post("/en/return", f"do=thread&state={state}".encode())
    assert "Your thread" not in pages.browser.text
    pages.browser.post("/ru/write", f"do=words&state={state}".encode())
    assert 'class="words large"' not in pages.browser.text


def test_who_made_the_ten_words_is_said_where_it_was_not_the_page(pages: Pages) -> None:
    made = "This server made them for you"
    assert made not in pages.browser.get("/en/write").text, "nor in the steps that it carries for its script"
    letter(pages)
    assert made in pages.browser.press("words").text


def test_a_door_that_closed_asks_for_no_letter_and_gives_back_what_was_typed(pages: Pages) -> None:
    letter(pages)
    pages.world.renew(closed=Closing({"en": "Thank you."}, ()))
    pages.world.close()
    assert "closed for good" in pages.browser.press("back").text
    assert pages.browser.forms()[0].fields["text"] == "мой текст"
    pages.browser.press("text", desk="news")
    assert pages.browser.text.count("closed for good") == 1
    assert "Your letter cannot be sent here any more." in pages.browser.text
    assert pages.browser.text.count(">takes no letters any more<") == len(pages.world.founding.directory.desks)
    assert "takes no letters just now" not in pages.browser.text
    assert "closed for good" in pages.browser.get("/en/write").text
    assert pages.browser.forms() == []
    assert "<h1>This door is closed</h1>" in pages.browser.get("/en/").text
    assert 'id="what-happens"' not in pages.browser.text, "nothing can be offered here any more"
    assert 'id="who"' not in pages.browser.text
    assert 'id="words-of-door"' in pages.browser.text, "answers are still read here"


def test_a_door_that_must_be_renewed_does_not_say_that_it_is_open(pages: Pages) -> None:
    open_to_you = "Our door is open to you"
    assert open_to_you in pages.browser.get("/en/").text
    pages.world.close(pages.world.founding.directory.expires + 1)
    assert "must renew this door" in pages.browser.get("/en/").text
    assert open_to_you not in pages.browser.text


def test_a_door_that_must_be_renewed_asks_for_no_letter_and_gives_back_what_was_typed(pages: Pages) -> None:
    letter(pages)
    pages.world.close(pages.world.founding.directory.expires + 1)
    sentence = "The organisation must renew this door. Until then you can read answers here, but not write."
    assert sentence in pages.browser.press("back").text
    assert pages.browser.forms()[0].fields["text"] == "мой текст"
    fresh = pages.browser.get("/en/write").text
    assert fresh.partition("<template")[0].count(sentence) == 1
    assert pages.browser.forms() == []
    (carried,) = re.findall(r'<template id="step-write"[^>]*>(.*?)</template>', fresh, re.DOTALL)
    assert carried.count(sentence) == 1
    assert "<form" not in carried, "with a script neither"


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00" * 100, b"do=send", b"do=drop-999999999999&state=x", b"do=text&desk=nobody&text=x&state=", b"do=%00"],
)
def test_bodies_without_sense_get_a_page(pages: Pages, body: bytes) -> None:
    for path in ("/en/write", "/en/return"):
        assert pages.browser.post(path, body).status in (200, 400, 422)
        assert "<main" in pages.browser.text


def test_ten_thousand_fields_and_a_body_without_end(pages: Pages) -> None:
    assert pages.browser.post("/en/write", b"&".join(b"f%d=1" % i for i in range(10_000))).status == 400
    assert pages.browser.post("/en/write", b"text=" + b"a" * 3_000_000).status == 413


def test_too_many_at_one_time_are_told_so(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.site, "_bodies", Bodies(0))
    assert pages.browser.post("/en/write", b"do=text").status == 503
    assert "Nothing was sent by this step. Go back" in pages.browser.text


def test_what_was_typed_comes_back_while_too_many_are_at_it(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    pages.browser.get("/en/write")
    with monkeypatch.context() as full:
        full.setattr(acts, "WORKING", 0)
        full.setattr(acts, "WAITING", 0)
        assert pages.browser.press("text", desk="news", text="мой\nтекст").status == 503
        assert "Many people are here" in pages.browser.text
    assert pages.browser.press("text").status == 200
    assert "Files, if you like" in pages.browser.text
    assert pages.browser.press("back").text.count("мой\nтекст") == 1


def test_what_was_typed_comes_back_while_the_door_is_silent(pages: Pages) -> None:
    pages.wire.fates = ["drop"]
    assert pages.browser.post("/en/write", b"do=text&desk=news&text=%22%3Cb%3E").status == 503
    assert "The door does not answer just now" in pages.browser.text
    assert "&lt;b&gt;" in pages.browser.text
    assert pages.browser.press("text").status == 503  # asked again in five seconds, not sooner
    pages.ahead = 5
    assert "Files, if you like" in pages.browser.press("text").text


def test_words_that_were_typed_come_back_while_the_door_is_silent(pages: Pages) -> None:
    pages.wire.fates = ["drop"]
    assert pages.browser.post("/en/return", b"do=open&words=one+two").status == 503
    assert "The door does not answer just now" in pages.browser.text
    pages.ahead = 5
    assert "you typed 2" in pages.browser.press("open").text


def test_a_button_without_a_text_can_be_pressed_again_too(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    letter(pages)
    with monkeypatch.context() as full:
        full.setattr(acts, "WORKING", 0)
        full.setattr(acts, "WAITING", 0)
        assert pages.browser.press("words").status == 503
        assert pages.browser.post("/en/write", b"x=y").status == 503, "not even a button"
        assert "Many people are here" in pages.browser.text
        pages.browser.post("/en/write", pages.browser.sent[-2])
    assert 'class="words large"' in pages.browser.press("words").text


def test_a_mistyped_word_is_explained(pages: Pages) -> None:
    pages.browser.get("/en/return")
    pages.browser.press("open", words="abandon " * 9 + "zzzzz<b>")
    assert "is not in the list" in pages.browser.text
    assert "zzzzz&lt;b&gt;" in pages.browser.text or "zzzzz" in pages.browser.text
    assert "<b>" not in pages.browser.text
    pages.browser.press("open", words="one two")
    assert "you typed 2" in pages.browser.text


FILES = "/en/write"


def test_a_file_without_content_and_one_that_is_too_large(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    letter(pages)
    pages.browser.attach("x.pdf", b"")
    assert "This file is empty" in pages.browser.text
    pages.browser.attach("", b"")
    assert "Choose a file first" in pages.browser.text
    form = next(form for form in pages.browser.forms() if form.file)
    body = multipart(form.fields, "big", b"x" * 1000)
    head = {"content-type": multipart_kind(), "content-length": str(6 * 10**9)}
    answer = asyncio.run(ask(pages.site, "POST", FILES, head, [body, b"y" * 1000]))
    assert "larger than" in answer.text
    assert not [x for x in pages.world.traffic if "/v1/attachments" in x.path]


@pytest.mark.parametrize("cut", [0.3, 0.8, 0.9999])
def test_a_file_that_is_cut_short_is_not_attached(pages: Pages, cut: float) -> None:
    letter(pages)
    form = next(form for form in pages.browser.forms() if form.file)
    body = multipart(form.fields, "x.bin", Stream("x")(2 * c.ATTACHMENT_PLAIN))
    head = {"content-type": multipart_kind(), "content-length": str(len(body))}
    short = body[: int(len(body) * cut)]
    [short[i : i + 65536] for i in range(0, len(short), 65536)]
    answer = asyncio.run(
        ask(pages.site, "POST", FILES, head, [short[i : i + 65536] for i in range(0, len(short), 65536)])
    )
    assert "did not arrive whole" in answer.text
    assert "x.bin" not in answer.text


def test_a_length_that_lies_is_noticed(pages: Pages) -> None:
    letter(pages)
    form = next(form for form in pages.browser.forms() if form.file)
    body = multipart(form.fields, "x.bin", b"z" * 1000)
    for length in (len(body) - 1, len(body) + 1):
        head = {"content-type": multipart_kind(), "content-length": str(length)}
        answer = asyncio.run(ask(pages.site, "POST", FILES, head, [body]))
        assert "did not arrive whole" in answer.text
    head = {"content-type": multipart_kind()}
    assert asyncio.run(ask(pages.site, "POST", FILES, head, [body])).status == 400


def test_a_second_file_in_one_form_is_refused(pages: Pages) -> None:
    letter(pages)
    form = next(form for form in pages.browser.forms() if form.file)
    body = multipart(form.fields, "x.bin", b"z" * 1000)
    twice = body[: -len(f"--{BOUNDARY}--\r\n")] + multipart({}, "y.bin", b"y" * 10)
    pages.browser.post(FILES, twice, multipart_kind())
    assert pages.browser.page.status in (200, 400, 422)
    assert "x.bin" not in pages.browser.text


@pytest.mark.parametrize("button", ["open", "thread", "send", "told"])
def test_no_keys_are_worked_out_for_a_form_with_a_file(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    """It would be done where everybody's answers are sent from, and for as many as ask."""
    words = " ".join(generate(Stream("words")).words(load()))

    def never(*_: object) -> None:
        raise AssertionError("keys were worked out")

    with monkeypatch.context() as watched:
        watched.setattr(acts.Acts, "keys", never)
        for file in (b"", b"x" * 100):
            body = multipart({"do": button, "words": words, "state": ""}, "x.bin", file)
            pages.browser.post("/en/return", body, multipart_kind())
            assert "before the server was started anew" in pages.browser.text


def test_a_store_that_takes_no_file_keeps_the_letter(pages: Pages) -> None:
    letter(pages)
    pages.wire.fates = ["drop"] * 40
    pages.browser.attach("x.bin", b"z" * 1000)
    assert "did not arrive whole, or the door has no room" in pages.browser.text
    pages.wire.fates = []
    pages.browser.press("back")
    assert pages.browser.forms()[0].fields["text"] == "мой текст"


def test_too_many_files_at_one_time_keep_the_letter(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    letter(pages)
    with monkeypatch.context() as full:
        full.setattr(uploading, "AT_ONCE", 0)
        assert pages.browser.attach("a.txt", b"x" * 200_000).status == 422
    assert "no room for it now" in pages.browser.text
    assert pages.browser.attach("a.txt", b"x" * 200_000).status == 200
    assert pages.browser.press("back").text.count("мой текст") == 1


def test_a_file_that_comes_while_the_door_is_silent_or_too_many_come_leaves_the_letter(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter(pages)
    with monkeypatch.context() as full:
        full.setattr(app, "COMING", 0)
        assert pages.browser.attach("a.txt", b"x" * 200_000).status == 503
    assert "Many people are here" in pages.browser.text
    assert "Files, if you like" in pages.browser.press("files").text
    other = Pages(pages.world, Settings())  # a worker that has not seen the door yet
    other.browser.page, other.wire.fates = pages.browser.page, ["drop"]
    assert other.browser.attach("a.txt", b"x" * 200_000).status == 503
    assert "The door does not answer just now" in other.browser.text
    other.ahead = 5
    assert "Files, if you like" in other.browser.press("files").text
    assert other.browser.press("back").text.count("мой текст") == 1


def test_a_request_that_is_no_form_leaves_no_line_in_a_log(
    pages: Pages, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would have the time of it."""
    for body in (b"--other\r\n", b"--" + BOUNDARY.encode() + b"\r\nA\x01: b\r\n\r\n"):
        pages.browser.post("/en/write", body, multipart_kind())
        assert pages.browser.page.status == 400
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_nobody_learns_words_for_a_letter_that_cannot_go(pages: Pages) -> None:
    letter(pages)
    pages.world.renew(closed=Closing({"en": "Bye\u202e"}, ()))
    pages.world.close()
    pages.ahead = 10
    pages.browser.press("words")
    assert 'class="words large"' not in pages.browser.text
    assert "closed for good" in pages.browser.text
    assert "мой текст" in pages.browser.text
    assert "Bye&lt;U+202E&gt;" in pages.browser.get("/en/status").text


def test_a_letter_with_all_the_files_it_takes_says_so(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (turn, flow):
        monkeypatch.setattr(module, "MOST_FILES", 2)
    said = '<p class="note" id="file" tabindex="-1">This letter takes no more files. Send them with another letter.'
    letter(pages)
    assert "Up to 2 files can go with a letter, one at a time" in pages.browser.text
    pages.browser.attach("a.txt", b"1")
    assert said not in pages.browser.text
    before = pages.browser.page
    pages.browser.attach("b.txt", b"2")
    assert said in pages.browser.text
    assert not [form for form in pages.browser.forms() if form.file]
    full = pages.browser.forms()[0].fields
    pages.browser.page = before  # the form that is there no more, with the state of now
    assert pages.browser.attach("c.txt", b"3", **full).status == 422
    assert 'href="#file">This letter takes no more files.' in pages.browser.text
    assert said in pages.browser.text, "which the link leads to"
    pages.browser.press("drop-0")
    assert said not in pages.browser.text
    assert [form for form in pages.browser.forms() if form.file]


def test_names_of_files_are_only_names(pages: Pages) -> None:
    letter(pages)
    pages.browser.attach("../../etc/passwd", b"1")
    pages.browser.attach("secret name.PDF", b"2", nameless="1")
    pages.browser.attach("Meeting with A.Petrova", b"3", nameless="1")
    assert ">3</bdi>" in pages.browser.text
    assert "Petrova" not in pages.browser.text
    assert ">passwd</bdi>" in pages.browser.text
    assert ">2.PDF</bdi>" in pages.browser.text
    assert "secret name" not in pages.browser.text
    pages.browser.press("drop-0")
    assert "passwd" not in pages.browser.text


def test_a_name_that_turns_itself_around_is_shown_as_it_is_spelled(pages: Pages) -> None:
    """As "scan exe.pdf" it would look like another kind of file; the desk's programs show it so, too."""
    letter(pages)
    pages.browser.attach("scan\u202efdp.exe", b"1")
    assert pages.browser.text.count(">scan&lt;U+202E&gt;fdp.exe</bdi>") == 2
    assert "\u202e" not in pages.browser.text


def test_a_clock_that_is_wrong_is_named(pages: Pages) -> None:
    pages.ahead = 40 * 86_400
    assert "the clock of this site is wrong" in pages.browser.get("/en/status").text
    assert pages.browser.get("/en/").status == 200
    assert pages.browser.post("/en/write", b"do=text&text=x").status == 503
