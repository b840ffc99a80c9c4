# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every page for sources in every state that it can be in without a script, as a browser gets it: for whoever looks at
all of them (texts, access for everybody, pictures). A new page or step belongs here, as `browser/test_access.py`
sees."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from latchstring.client.transport import NetworkFailed, Response
from latchstring.protocol import constants as c
from latchstring.protocol.closing import Closing
from latchstring.protocol.directory import Desk as DirectoryDesk
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from latchstring.site import app
from latchstring.site.app import Site
from latchstring.site.forms import LIFE
from latchstring.site.pages.flow import LONGEST
from latchstring.site.pages.turn import MOST_FILES
from latchstring.site.settings import Plain, Settings
from tests.asked import ASKED
from tests.builders import Stream
from tests.reader import Answer, Browser
from tests.world.world import Desk, Meddle, Source, Wire, World

TITLES: Final = {
    "news": {
        "en": "Newsroom",
        "ru": "Редакция",
        "uk": "Редакція",
        "fr": "Rédaction",
        "es": "Redacción",
        "ar": "غرفة الأخبار",
    },
    "legal": {"en": "Legal aid", "ru": "Правовая помощь", "uk": "Правова допомога", "ar": "المساعدة القانونية"},
    "audit": {"en": "Procurement desk"},
}
GREETINGS: Final = {
    "news": {
        "en": "A person reads every letter.",
        "ru": "Каждое письмо читает человек.",
        "ar": "يقرأ كل رسالةٍ إنسان.",
    },
    "legal": {
        "en": "You may ask first and tell later.",
        "ru": "Можно сначала спросить, а рассказать потом.",
        "ar": "يمكنك أن تسأل أولاً وتحكي لاحقاً.",
    },
}
NAMES: Final = {"en": "The Lantern", "ru": "Фонарь", "uk": "Ліхтар", "ar": "الفانوس"}
LETTERS: Final = {
    "en": "I have seen how the tenders are decided. May I ask something first?",
    "ru": "Я знаю, как решаются тендеры. Можно я сначала спрошу?",
    "ar": "رأيت كيف تُحسم المناقصات. هل يمكنني أن أسأل أولاً؟",
}
REPLIES: Final = {
    "en": "Thank you for writing. Ask whatever you like: nobody hurries you.",
    "ru": "Спасибо, что написали. Спрашивайте о чём угодно: никто вас не торопит.",
    "ar": "شكراً على رسالتك. اسأل ما تشاء: لا أحد يستعجلك.",
}
OWN_WORDS: Final = """# If you know something, our door is open

You decide what to tell us, and when.

![Our editor speaks](/media/talk.mp4)

![How we work](/media/work.mp3)
"""
CLOSING: Final = Closing({"en": "Thank you. We have closed.", "ru": "Спасибо. Мы закрылись."}, ("https://example.org",))


class Silent:
    """A store that does not answer."""

    authority = "door.example"

    def request(self, *_: object, **__: object) -> Response:
        """Nothing comes."""
        raise NetworkFailed("silence")


@dataclass
class Stage:
    """A door with two open desks and one that takes no letters now; `person` has an answer in each language of
    `REPLIES`."""

    world: World
    news: Desk
    media: Path
    person: Source

    @classmethod
    def make(cls, folder: Path) -> "Stage":
        """Everything from the founding on: a second or two."""
        world = World("news", "legal", "audit", slots=len(REPLIES))
        world.renew(desks=tuple(_named(desk) for desk in world.founding.directory.desks))
        desks = [Desk(world, folder, name) for name in ("news", "legal")]
        for _ in range(3):
            world.close()
            for desk in desks:
                desk.sync()
        news, person = desks[0], Source(world, "has an answer")
        person.write(LETTERS["en"])
        world.close()
        news.sync()
        news.show(person)
        for text in REPLIES.values():
            news.answer(person, text)
        news.sync()
        world.close((world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
        for desk in desks:
            desk.sync()
        world.close()
        media = folder / "media"
        media.mkdir()
        for name in ("talk.mp4", "talk.en.vtt", "work.mp3"):
            (media / name).write_bytes(b"WEBVTT\n")
        (media / "talk.en.md").write_text("You decide what to tell us.\n", "utf-8")
        return cls(world, news, media, person)


def _named(desk: DirectoryDesk) -> DirectoryDesk:
    return replace(desk, titles=TITLES[desk.id], greetings=GREETINGS.get(desk.id, {}))


class Window:
    """One person's browser before a copy of the stage's door, in one language; `seen` is what it kept."""

    def __init__(self, stage: Stage, code: str) -> None:
        self.code, self.seen = code, dict[str, Answer]()
        self.world = stage.world.copy()
        self.wire = Wire(self.world, "the pages")
        self.ahead = 0
        self.settings = Settings(names=NAMES)
        self.open()

    def open(self, host: str = "door.example", **settings: object) -> None:
        """A new window before pages that are started anew."""
        self.site = Site(
            replace(self.settings, **settings),  # type: ignore[arg-type]  # a test's shorthand
            self.world.door,
            lambda: nullcontext(self.wire),
            bytes(32),
            lambda: self.world.now + self.ahead,
            Stream("pages"),
            lambda: float(self.world.now + self.ahead),
        )
        self.browser = Browser(self.site, host)

    def get(self, page: str) -> None:
        """An address of this language."""
        self.browser.get(f"/{self.code}/{page}")

    def keep(self, name: str) -> None:
        """The page as it is now."""
        assert name not in self.seen
        self.seen[name] = self.browser.page

    def writes(self, text: str) -> None:
        """Up to the files."""
        self.get("write")
        self.browser.press("text", desk="news", text=text)

    def words(self) -> str:
        """The ten words that the page shows."""
        shown = re.search(r'<ol class="words large"[^>]*>(.*?)</ol>', self.browser.text, re.S)
        assert shown is not None
        return " ".join(re.findall(r"<li>([^<]*)</li>", shown[1]))

    def comes_back(self, words: str) -> None:
        """With these words."""
        self.get("return")
        self.browser.press("open", words=words)

    @contextmanager
    def meddling(self, meddle: Meddle) -> Iterator[None]:
        """The store answers like this."""
        self.wire.meddle = meddle
        yield
        self.wire.meddle = _as_it_is


def _full(request: Request, answer: Response) -> Response:
    return Response(503, b"The door is full.\n") if request.path == "/v1/letters" else answer


def no_receipt(request: Request, answer: Response) -> Response:
    """Zeros in place of a letter's receipt."""
    return replace(answer, body=bytes(len(answer.body))) if request.path == "/v1/letters" else answer


def _as_it_is(_request: Request, answer: Response) -> Response:
    return answer


def every_state(stage: Stage, code: str) -> dict[str, Answer]:
    """By name, `PAGE` or `PAGE-STATE`; `PAGE` is what its address leads to, empty for the invitation."""
    window = Window(stage, code)
    for part in (_readings, _first_visit, _troubles, _questions, _coming_back, _changing, _no_door, _off, _ends):
        part(window, stage)
    return window.seen


def _readings(w: Window, stage: Stage) -> None:
    for page in ("", "before", "status", "help", "guide", "about", "card"):
        w.get(page)
        w.keep(page)
    w.get("nothing")
    w.keep("-nothing")
    w.open("abcdef.onion")
    w.get("before")
    w.keep("before-tor")
    w.open(words={w.code: OWN_WORDS}, media=stage.media)
    w.get("")
    w.keep("-own-words")
    w.open()


def _first_visit(w: Window, _: Stage) -> None:
    text = LETTERS.get(w.code, LETTERS["en"])
    w.get("write")
    w.keep("write")
    w.writes(text)
    w.keep("write-files")
    w.browser.attach("план работ 2026.pdf", b"x" * 90_000)
    w.keep("write-file-added")
    for number in range(2, MOST_FILES + 1):
        w.browser.attach(f"{number}.pdf", b"x")
    w.keep("write-files-all")
    w.browser.press("words")
    words = w.words()
    w.keep("write-passphrase")
    w.browser.press("practise")
    w.keep("write-practice")
    w.browser.press("send", words="abandon ability zzzzz")
    w.keep("write-practice-slip")
    w.browser.press("send", words=" ".join(generate(Stream("others")).words(load())))
    w.keep("write-practice-others")
    with w.meddling(_full):
        w.browser.press("send", words=words)
    w.keep("write-full")
    with w.meddling(no_receipt):
        w.browser.press("send")
    w.keep("write-no-receipt")
    w.wire.fates = ["drop"] * 2
    w.browser.press("send")
    w.keep("write-unsure")
    w.browser.press("send")
    w.keep("write-sent")
    w.browser.post(f"/{w.code}/write", w.browser.sent[-1])
    w.keep("write-already")
    w.browser.post(f"/{w.code}/write", b"do=decoy")
    w.keep("write-decoy")


def _troubles(w: Window, _: Stage) -> None:
    w.get("write")
    w.browser.press("text", text="")
    w.keep("write-empty")
    w.browser.press("text", desk="audit", text="ж" * (LONGEST + 5))
    w.keep("write-too-long")
    w.writes("x")
    w.browser.attach("", b"")
    w.keep("write-no-file")
    w.wire.fates = ["drop"] * 40
    w.browser.attach("x.bin", b"x")
    w.keep("write-file-lost")
    w.wire.fates = []
    w.ahead = LIFE + 1
    w.browser.press("words")
    w.keep("write-stale")
    w.ahead = 0
    w.browser.post(f"/{w.code}/write", b"a=1" * app.FORM_MOST)
    w.keep("write-huge")


def _questions(w: Window, stage: Stage) -> None:
    world, wire = w.world, w.wire
    w.world = stage.world.copy()
    w.wire = Wire(w.world, "the pages")
    asked = world.founding.directory.desks
    w.world.renew(desks=tuple(replace(desk, questions=ASKED if desk.id == "news" else ()) for desk in asked))
    w.world.close()
    w.open()
    w.writes("x")
    w.keep("write-questions")
    w.browser.press("answers")
    w.keep("write-questions-needed")
    w.browser.press("answers", q_what="order")
    w.browser.press("answers", **{"q-who.general": "1", "q-when": "?"})
    w.keep("write-questions-date")
    w.browser.press("answers", q_when="2024")
    w.keep("write-questions-last")
    w.world, w.wire = world, wire
    w.open()


def _coming_back(w: Window, stage: Stage) -> None:
    w.get("return")
    w.keep("return")
    w.browser.press("open", words="abandon ability zzzzz")
    w.keep("return-slip")
    w.comes_back(" ".join(generate(Stream("nobody")).words(load())))
    w.keep("return-empty")
    w.comes_back(" ".join(stage.person.passphrase.words(load())))
    w.keep("return-thread")
    w.browser.press("more")
    w.keep("return-more")
    w.browser.press("text", desk="news", text="x")
    w.keep("return-files")
    w.browser.press("send")
    w.keep("return-sent")


def _changing(w: Window, stage: Stage) -> None:
    w.comes_back(" ".join(stage.person.passphrase.words(load())))
    w.browser.press("change")
    words = w.words()
    w.keep("return-new-words")
    w.browser.press("practise")
    w.keep("return-new-practice")
    w.browser.press("told", words="one two")
    w.keep("return-new-slip")
    with w.meddling(_full):
        w.browser.press("told", words=words, desk_news="1")
    w.keep("return-not-told")
    w.world.close()
    w.browser.press("practise")
    w.browser.press("told", words=words, desk_news="1")
    w.keep("return-changed")


def _no_door(w: Window, _: Stage) -> None:
    lonely = Site(w.settings, w.world.door, lambda: nullcontext(Silent()), bytes(32), lambda: 0)
    w.browser = Browser(lonely)
    for page in ("", "status", "card", "about"):
        w.get(page)
        w.keep(f"{page}-silent")
    w.browser.post(f"/{w.code}/write", urlencode({"do": "text", "desk": "news", "text": "x"}).encode())
    w.keep("write-silent")


def _off(w: Window, _: Stage) -> None:
    w.open(plain=Plain.OFF)
    for page in ("write", "help"):
        w.get(page)
        w.keep(f"{page}-off")


def _ends(w: Window, stage: Stage) -> None:
    w.world = stage.world.copy()
    w.wire = Wire(w.world, "the pages")
    w.world.close(w.world.founding.directory.expires + 1)
    w.open()
    for page in ("", "status", "write"):
        w.get(page)
        w.keep(f"{page}-expired")
    w.world = stage.world.copy()
    w.wire = Wire(w.world, "the pages")
    w.world.renew(closed=CLOSING)
    w.world.close()
    w.open()
    for page in ("", "status", "write", "return"):
        w.get(page)
        w.keep(f"{page}-closed")
