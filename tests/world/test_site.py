# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole story without JavaScript: the pages against a real store in one process, real desks at their vaults."""

import asyncio
import gzip
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from latchstring.desk.letters import letters
from latchstring.desk.timeline import Came, all_threads
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import generate, parse_passphrase
from latchstring.protocol.wordlist import load
from latchstring.site import acts, uploading
from latchstring.site.app import Site
from latchstring.site.pages import flow
from latchstring.site.pages.turn import PAD
from latchstring.site.settings import Plain, Settings
from tests.asked import ASKED
from tests.attached import bring, listed, saved
from tests.builders import Stream
from tests.reader import Browser, ask, multipart, multipart_kind
from tests.world.world import Desk, Source, Wire, World, open_door

FILE = Stream("a file")(c.ATTACHMENT_PLAIN + 1000)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Desk]]:
    return open_door(tmp_path_factory.mktemp("door"), "legal", "news", slots=2)


class Scene:
    """An open door of two desks with pages before it, and one person's browser."""

    def __init__(self, world: World, desks: dict[str, Desk], folder: Path) -> None:
        self.world = world.copy()
        self.news = desks["news"].copy(self.world, folder)
        self.legal = desks["legal"].copy(self.world, folder)
        self.out = folder / "out.bin"
        self.wire = Wire(self.world, "the pages")
        self.site = self.pages(Settings())
        self.browser = Browser(self.site)

    def pages(self, settings: Settings, key: bytes = bytes(32)) -> Site:
        return Site(
            settings,
            self.world.door,
            lambda: nullcontext(self.wire),
            key,
            lambda: self.world.now,
            Stream("pages"),
            lambda: float(self.world.now),
        )

    def deliver(self) -> None:
        self.world.close()
        self.news.sync()

    def sheet(self) -> None:
        """The next sheet comes."""
        self.world.close((self.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
        self.news.sync()

    def writes(self, text: str, desk: str = "news") -> None:
        """Up to the files."""
        self.browser.get("/en/write")
        self.browser.press("text", desk=desk, text=text)

    def words(self) -> str:
        """The ten words that the page shows."""
        shown = re.search(r'<ol class="words large"[^>]*>(.*?)</ol>', self.browser.text, re.S)
        assert shown is not None
        return " ".join(re.findall(r"<li>([^<]*)</li>", shown[1]))


@pytest.fixture
def scene(first: tuple[World, dict[str, Desk]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(acts, "PAUSE", 0.0)
    monkeypatch.setattr(uploading, "_PAUSE", 0.0)
    return Scene(*first, tmp_path)


def test_from_the_first_letter_to_other_words(scene: Scene) -> None:
    scene.writes("Вы слышите меня?")
    scene.browser.attach("C:\\Users\\me\\план.pdf", FILE)
    assert "план.pdf" in scene.browser.text
    assert "Users" not in scene.browser.text
    scene.browser.press("words")
    words = scene.words()
    assert "You can have a second passphrase" in scene.browser.text
    assert "whoever has read this page knows" in scene.browser.text
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    assert "Your letter is in" in scene.browser.text
    assert words not in scene.browser.text
    scene.deliver()
    assert scene.news.texts() == ["Вы слышите меня?"]
    bring(scene.news)
    (item,) = listed(scene.news)
    assert (item.attachment.name, saved(scene.news, item, scene.out)) == ("план.pdf", FILE)

    person = Source(scene.world, "them", parse_passphrase(words, load()))
    scene.news.show(person)
    scene.news.answer(person, "Yes. <b>Go on</b>.")
    scene.news.sync()
    scene.sheet()
    scene.browser.get("/en/return")
    scene.browser.press("open", words=words.upper())
    assert "Yes. &lt;b&gt;Go on&lt;/b&gt;." in scene.browser.text
    assert "was opened and read by a person" in scene.browser.text

    scene.browser.press("more")
    scene.browser.press("text", text="More then.", desk="news")
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    both = [x.body for x in letters(scene.news.vault, scene.news.thread(person)) if x.body]
    assert [body.text for body in both] == ["Вы слышите меня?", "More then."]
    assert len(both[1].read) == 1, "the letter says what was read"

    scene.browser.press("thread")
    scene.browser.press("change")
    new = scene.words()
    assert new != words
    scene.browser.press("practise")
    scene.browser.press("told", words=words, desk_news="1")
    assert "other words than the ones you were shown" in scene.browser.text
    scene.browser.press("told", words=new, desk_news="1")
    assert "Your words are changed" in scene.browser.text
    scene.deliver()
    again = Source(scene.world, "them again", parse_passphrase(new, load()))
    scene.news.answer(again, "Only for the new words.")
    scene.news.sync()
    scene.sheet()
    scene.browser.get("/en/return")
    scene.browser.press("open", words=new)
    assert "Only for the new words." in scene.browser.text
    scene.browser.get("/en/return")
    scene.browser.press("open", words=words)
    assert "Only for the new words." not in scene.browser.text


HARMLESS = "When are you open?"


def _harmless_too(scene: Scene) -> dict[str, str]:
    """A letter, and a harmless one by the button that follows it; each answered. The ten words by what was written."""
    scene.browser.get("/en/write")
    words: dict[str, str] = {}
    for text in ("The ferry tickets.", HARMLESS):
        scene.browser.press("text", desk="news", text=text)
        scene.browser.press("words")
        words[text] = scene.words()
        scene.browser.press("practise")
        scene.browser.press("send", words=words[text])
        assert "Your letter is in" in scene.browser.text
        scene.browser.press("decoy")
        assert "A letter that you could show" in scene.browser.text
        assert not any(ten in scene.browser.text for ten in words.values())
    scene.deliver()
    for text, ten in words.items():
        person = Source(scene.world, text, parse_passphrase(ten, load()))
        scene.news.show(person)
        scene.news.answer(person, f"To: {text}")
    scene.news.sync()
    scene.sheet()
    return words


def _opened(scene: Scene, words: dict[str, str]) -> dict[str, set[str]]:
    """Which answers the words of each letter show."""
    return {text: {other for other in words if f"To: {other}" in _thread(scene, ten)[2]} for text, ten in words.items()}


def test_the_harmless_letter_has_words_and_a_thread_of_its_own(scene: Scene) -> None:
    words = _harmless_too(scene)
    assert len(set(words.values())) == 2
    assert len(all_threads(scene.news.vault)) == 2
    assert _opened(scene, words) == {text: {text} for text in words}


def test_a_harmless_letter_under_the_first_words_would_show_everything(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken on purpose: the second letter has the words of the first."""
    monkeypatch.setattr(flow, "generate", lambda _random: generate(Stream("once and for all")))
    words = _harmless_too(scene)
    assert _opened(scene, words)[HARMLESS] == set(words)


def test_words_are_in_the_language_of_the_page_and_open_on_every_page(scene: Scene) -> None:
    scene.browser.get("/ru/write")
    scene.browser.press("text", desk="news", text="Слово")
    scene.browser.press("words")
    words = scene.words()
    passphrase = parse_passphrase(words, load("russian"))
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    scene.deliver()
    person = Source(scene.world, "them", passphrase)
    scene.news.answer(person, "We are here.")
    scene.news.sync()
    scene.sheet()
    for page, language in (("en", "russian"), ("ru", "russian"), ("fr", "english"), ("ru", "french")):
        scene.browser.get(f"/{page}/return")
        scene.browser.press("open", words=" ".join(passphrase.words(load(language))))
        assert "We are here." in scene.browser.text


def _asked(scene: Scene, text: str = "hello", more: str = "") -> None:
    """News asks; somebody writes and answers, up to the letter's sending."""
    directory = scene.world.founding.directory
    scene.world.renew(desks=tuple(replace(d, questions=ASKED if d.id == "news" else ()) for d in directory.desks))
    scene.world.close()
    scene.site = scene.pages(Settings())
    scene.browser = Browser(scene.site)
    scene.writes(text)
    scene.browser.press("answers", q_what="order")
    scene.browser.press("answers", **{"q-who.general": "1", "q-who.officer": "1"})
    scene.browser.press("answers", q_rank="Полковник", q_where="", q_more=more)
    scene.browser.press("words")
    scene.browser.press("practise")


@pytest.mark.parametrize("more", ["", "Я там був. " * 200], ids=["in the letter", "beside it"])
def test_the_desk_reads_answers_given_without_a_script(scene: Scene, more: str) -> None:
    _asked(scene, more=more)
    scene.browser.press("unchecked")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    bring(scene.news)
    (thread,) = all_threads(scene.news.vault)
    (came,) = [item for item in thread.in_order() if isinstance(item, Came)]
    given = {a.id: a.answer for a in came.answers}
    expected = {"what": "order", "who": ("general", "officer"), "rank": "Полковник"}
    assert given == (expected | {"more": more.strip()} if more else expected)
    assert came.answers[0].question == ASKED[0], "as it was asked"


@pytest.mark.parametrize("fate", ["drop", "cut"])
def test_answers_beside_a_letter_that_do_not_arrive(scene: Scene, fate: str) -> None:
    """Fails and is not stored; fails but is stored: no letter goes without them, and the button tries again."""
    _asked(scene, more="Я там був. " * 200)
    scene.wire.fates = [fate] * 12  # type: ignore[list-item]
    scene.browser.press("unchecked")
    assert "not in yet" in scene.browser.text
    scene.wire.fates = []
    scene.deliver()
    assert scene.news.texts() == []
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    bring(scene.news)
    (thread,) = all_threads(scene.news.vault)
    (came,) = [item for item in thread.in_order() if isinstance(item, Came)]
    assert len(came.answers) == 4


def test_a_long_letter_travels_beside_its_beginning(scene: Scene) -> None:
    text = "Я бачив, як це було. " * 400
    scene.writes(text)
    scene.browser.attach("план.pdf", b"plan")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.wire.fates = ["drop"] * 12  # what goes beside it does not arrive: no letter goes either
    scene.browser.press("send", words=words)
    assert "not in yet" in scene.browser.text
    scene.wire.fates = []
    scene.deliver()
    assert scene.news.texts() == []
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    bring(scene.news)
    (start,) = scene.news.texts()
    assert text.startswith(start.partition(" …")[0])
    first, second = listed(scene.news)
    assert (first.attachment.name, second.attachment.name) == ("letter.txt", "план.pdf")
    assert saved(scene.news, first, scene.out).decode() == text.strip("\n")


def _thread(scene: Scene, words: str) -> tuple[int, dict[str, str], str, int]:
    """Status, headers, text and length of what these words open."""
    scene.browser.get("/en/return")
    answer = scene.browser.press("open", words=words)
    text = re.sub(r'name="state" value="[^"]*"', "", answer.text)
    return answer.status, answer.head, text, len(answer.body)


def test_an_empty_thread_is_the_same_for_everybody(scene: Scene) -> None:
    person = Source(scene.world, "writes")
    person.write("hello")
    scene.deliver()
    nobody = generate(Stream("nobody"))
    asked = len(scene.world.traffic)
    mine = _thread(scene, " ".join(person.passphrase.words(load())))
    first = [x.shape for x in scene.world.traffic[asked:]]
    asked = len(scene.world.traffic)
    theirs = _thread(scene, " ".join(nobody.words(load())))
    assert mine == theirs
    assert mine[3] % PAD == 0
    assert [x.shape for x in scene.world.traffic[asked:]] in ([], first)


def test_what_anybody_gets_is_packed_and_what_follows_a_form_is_not(scene: Scene) -> None:
    head = {"host": "door.example", "accept-encoding": "gzip, deflate"}
    for path in ("/en/", "/en/write", "/en/return", "/en/status"):
        packed = asyncio.run(ask(scene.site, "GET", path, head))
        assert (packed.head["content-encoding"], packed.head["vary"]) == ("gzip", "accept-encoding")
        assert int(packed.head["content-length"]) == len(packed.body)
        plain = asyncio.run(ask(scene.site, "GET", path, {"host": "door.example"}))
        assert "content-encoding" not in plain.head
        assert plain.head["vary"] == "accept-encoding"
        assert len(packed.body) < len(plain.body) / 2
        once, twice = (
            re.sub(rb'name="state" value="[^"]*"', b"", body) for body in (gzip.decompress(packed.body), plain.body)
        )
        assert once == twice
    form = {"content-type": "application/x-www-form-urlencoded"}
    for page, fields in (("write", {"do": "text", "text": "mine", "desk": "news"}), ("return", {"do": "open"})):
        answer = asyncio.run(ask(scene.site, "POST", f"/en/{page}", {**head, **form}, [urlencode(fields).encode()]))
        assert answer.status in (200, 422)
        assert "content-encoding" not in answer.head
        assert b"<h1" in answer.body


def test_a_thread_with_a_few_replies_is_as_long_as_an_empty_one(scene: Scene) -> None:
    """To whoever counts the bytes on the line: three replies, none."""
    person = Source(scene.world, "writes")
    person.write("hello")
    scene.deliver()
    for text in ("One answer.", "Another answer, which is longer than the first one was.", "The last."):
        scene.news.answer(person, text)
        scene.news.sync()
        scene.sheet()
    *shape, _, length = _thread(scene, " ".join(person.passphrase.words(load())))
    assert "One answer." in scene.browser.text
    assert "The last." in scene.browser.text
    *other, _, empty = _thread(scene, " ".join(generate(Stream("nobody")).words(load())))
    assert (shape, length) == (other, empty)
    assert length == PAD


def test_in_the_middle_of_a_letter_nothing_leads_away_but_leaving(scene: Scene) -> None:
    """A press on a language or a page would lose what was written, without a word."""

    def away() -> list[str]:
        shown = re.sub(r"<template.*?</template>", "", scene.browser.text, flags=re.S)
        return re.findall(r'<a [^>]*href="(/[^"]*)"', shown)

    scene.browser.get("/en/write")
    assert "/ru/write" in away()
    scene.writes("mine")
    for button in ("back", "text", "words", "practise"):
        assert away() == ["/leave"], button
        scene.browser.press(button)
    assert away() == ["/leave"]
    scene.browser.press("unchecked")
    assert "Your letter is in" in scene.browser.text
    assert "/ru/write" in away()


def test_the_store_never_sees_words_or_text(scene: Scene) -> None:
    scene.writes("a sentence of mine")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    everything = scene.world.disk() + scene.world.overheard()
    assert b"a sentence of mine" not in everything
    assert all(word.encode() not in everything for word in (words, words.split()[0] + " " + words.split()[1]))


def test_sending_twice_is_sending_once(scene: Scene) -> None:
    scene.writes("once")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    posted = scene.browser.sent[-1]
    scene.browser.post("/en/write", posted)
    assert "This was done already" in scene.browser.text
    other = Browser(scene.pages(Settings()))  # another worker does not know of it
    other.post("/en/write", posted)
    assert "Your letter is in" in other.text
    scene.deliver()
    assert scene.news.texts() == ["once"], "the desk shows it once"


@pytest.mark.parametrize("other", [False, True])
def test_what_is_edited_after_it_was_sent_is_another_letter(scene: Scene, other: bool) -> None:
    """By the back button, to this worker or to another one: both letters are there."""
    scene.writes("first")
    scene.browser.press("words")
    words = scene.words()
    before = scene.browser.page
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    assert "Your letter is in" in scene.browser.text
    back = Browser(scene.pages(Settings())) if other else scene.browser
    back.page = before
    back.press("back")
    assert "first" in back.text
    back.press("text", text="second")
    back.press("words")
    scene.browser = back
    others = scene.words()
    assert others != words, "words that were shown are those of the text for which they were shown"
    back.press("practise")
    back.press("send", words=others)
    assert "Your letter is in" in back.text
    back.page = before
    back.press("practise")
    back.press("send", words=words)
    assert ("Your letter is in" if other else "This was done already") in back.text
    scene.deliver()
    assert sorted(scene.news.texts()) == ["first", "second"]


@pytest.mark.parametrize("edit", ["text", "desk", "file"])
def test_what_makes_another_letter_of_it(scene: Scene, edit: str) -> None:
    """Go on in a thread, send, go back, change one thing, send."""
    person = Source(scene.world, "writes")
    person.write("hello")
    scene.deliver()
    _thread(scene, " ".join(person.passphrase.words(load())))
    scene.browser.press("more")
    scene.browser.press("text", desk="news", text="one")
    before = scene.browser.page
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.browser.page = before
    if edit == "file":
        scene.browser.attach("a.txt", b"what I saw")
    else:
        scene.browser.press("back")
        scene.browser.press("text", **({"text": "two", "desk": "news"} if edit == "text" else {"desk": "legal"}))
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    scene.legal.sync()
    texts = sorted([*scene.news.texts(), *scene.legal.texts()])
    assert texts == sorted(["hello", "one", "two" if edit == "text" else "one"])


@pytest.mark.parametrize(("fates", "said"), [(["drop"] * 2, "is not sure"), (["cut"] * 2, "is not sure")])
def test_an_answer_that_got_lost(scene: Scene, fates: list[str], said: str) -> None:
    """Fails and is not stored; fails but is stored: pressing the button again sends the same bytes."""
    scene.writes("held up")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.wire.fates = list(fates)  # type: ignore[arg-type]
    scene.browser.press("send", words=words)
    assert said in scene.browser.text
    scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    assert scene.news.texts() == ["held up"]


@pytest.mark.parametrize("fate", ["drop", "cut"])
@pytest.mark.parametrize("now", ["held up", "held up, and more"])
def test_a_letter_that_is_edited_after_its_answer_got_lost(scene: Scene, fate: str, now: str) -> None:
    """It is another one: if the first is in, the desk has both. As it was, it is the same one."""
    scene.writes("held up")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.wire.fates = [fate, fate]  # type: ignore[list-item]
    scene.browser.press("send", words=words)
    assert "is not sure" in scene.browser.text
    scene.browser.press("back")
    scene.browser.press("text", text=now)
    scene.browser.press("words")
    assert (scene.words() == words) is (now == "held up"), "words are those of the text for which they were shown"
    again = scene.words()
    scene.browser.press("practise")
    scene.browser.press("send", words=again)
    assert "Your letter is in" in scene.browser.text
    scene.deliver()
    assert sorted(scene.news.texts()) == sorted({now} | ({"held up"} if fate == "cut" else set()))


def test_a_door_that_is_full(scene: Scene) -> None:
    scene.writes("patience")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    for i in range(40):  # the queue holds eight
        Source(scene.world, f"crowd {i}").wire.request("POST", "/v1/letters", body=Stream(f"noise {i}")(4096))
    scene.browser.press("send", words=words)
    assert "not in yet" in scene.browser.text
    while "not in yet" in scene.browser.text:
        scene.world.close()
        scene.browser.press("send")
    assert "Your letter is in" in scene.browser.text


def test_a_directory_that_changes_between_two_steps(scene: Scene) -> None:
    scene.writes("to legal", "legal")
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    desks = tuple(d for d in scene.world.founding.directory.desks if d.id == "news")
    pages = tuple(p for p in scene.world.founding.directory.pages if p.desk == "news")
    scene.world.renew(desks=desks, pages=pages)
    scene.world.close()
    scene.browser.press("send", words=words)
    assert "Your letter is in" not in scene.browser.text
    assert "to legal" in scene.browser.text, "the text is still there"


def test_what_an_organisation_switches_off(scene: Scene) -> None:
    scene.writes("x")
    state = scene.browser.forms()[0].fields["state"]  # from before it was switched off
    scene.browser.press("words")
    words = scene.browser.forms()[0].fields["state"]
    for plain, write, back in ((Plain.BOTH, False, False), (Plain.SEND, False, True), (Plain.OFF, True, True)):
        browser = Browser(scene.pages(Settings(plain=plain)))
        assert ("needs JavaScript" in browser.get("/en/write").text) is write
        assert ("needs JavaScript" in browser.get("/en/return").text) is back
        safest = "“Safest”" in browser.get("/en/before").text
        assert safest is (plain is Plain.BOTH), "that level switches scripts off"
        asked = len(scene.world.traffic)
        if back:
            browser.post("/en/return", b"do=open&words=" + b"+".join([b"x"] * 10))
            assert "needs JavaScript" in browser.text
            for do in flow.COMING_BACK:  # as a form that somebody made by hand
                body = urlencode({"do": do, "state": words}).encode()
                assert "needs JavaScript" in browser.post("/en/write", body).text
        if write:
            browser.post("/en/write", b"do=text&desk=news&text=x")
            assert "needs JavaScript" in browser.text
            fields = {"do": "files", "state": state}
            browser.post("/en/write", multipart(fields, "a.txt", b"what I saw"), multipart_kind())
            assert "needs JavaScript" in browser.text
            assert "a.txt" not in browser.text
            assert not [x for x in scene.world.traffic[asked:] if x.method != "GET"], "nothing of it goes anywhere"
