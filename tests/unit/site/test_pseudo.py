# SPDX-License-Identifier: AGPL-3.0-or-later
"""A pseudo-language, in which every text of a catalogue stands in brackets: what stands outside them is hard-coded.

Every page and state is made, and that none was forgotten shows by the texts: each of the catalogue was asked for.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from gettext import NullTranslations
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import answers as a
from latchstring.protocol.answers import Problem
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.closing import Closing
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, Slip, generate
from latchstring.site import files, texts
from latchstring.site.forms import LIFE
from latchstring.site.pages import questions as asked
from latchstring.site.pages import reading
from latchstring.site.pages.coming_back import any_mark
from latchstring.site.pages.door import view
from latchstring.site.pages.flow import LONGEST, Flow
from latchstring.site.pages.questions import date_hint, mark_of
from latchstring.site.pages.scripted import STEPS, sayings
from latchstring.site.pages.turn import MOST_FILES, Trouble, Turn
from latchstring.site.render import Page
from latchstring.site.routes import PAGES
from latchstring.site.settings import Plain, Settings
from latchstring.site.texts import Texts
from latchstring.site.wordlists import sentences
from latchstring.site.words import render
from tests.asked import ASKED
from tests.builders import Stream
from tests.unit.site.conftest import Pages
from tests.world.world import World

_VOID = {"meta", "link", "input", "img", "br", "source", "track"}
_SAID = ("alt", "aria-label", "title", "placeholder", "label")
_THEIRS = {"en": "⟦the organisation's own⟧"}


class Pseudo(texts.Catalogue):
    """Every text in brackets; `asked` gathers which there are."""

    def __init__(self, asked: set[str] | None = None) -> None:
        NullTranslations.__init__(self)
        self._asked: set[str] = set() if asked is None else asked

    def gettext(self, message: str) -> str:
        self._asked.add(message)
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self._asked.add(msgid1)
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


def outside(text: str) -> str:
    """What stands outside the outermost brackets."""
    found, times = text, 1
    while times:
        found, times = re.subn(r"⟦[^⟦⟧]*⟧", "", found)
    return found


class HardCoded(HTMLParser):
    """Texts outside brackets, but for what is not the pages' own: other languages, words of lists, addresses, names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[bool] = []  # is it somebody else's?
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        self.found += [at[name] for name in _SAID if re.search(r"[^\W\d_]", outside(at.get(name, "")))]
        theirs = "translate" in at or ("lang" in at and tag != "html") or at.get("class") == "address"
        if tag not in _VOID:
            self._open.append(theirs or tag in ("textarea", "bdi"))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open) and re.search(r"[^\W\d_]{2}|[,;:.](?=\s|\Z)", outside(data)):
            self.found.append(outside(data).strip())


def test_the_test_sees_what_is_hard_coded() -> None:
    assert HardCoded('<p title="⟦a⟧">⟦ok ⟦b⟧⟧ <b lang="ru">да</b> Hello</p><img alt="x">').found == ["Hello", "x"]
    assert HardCoded("<p>⟦one⟧, ⟦two⟧</p><p>⟦three⟧ (⟦3⟧)</p>").found == [","]


def gathered() -> set[str]:
    """Every text that translators get."""
    with resources.files("latchstring.site").joinpath("locale", "site.pot").open("rb") as file:
        ids = [message.id for message in read_po(file) if message.id]
    return {id_[0] if isinstance(id_, tuple | list) else id_ for id_ in ids}


class Stage:
    """Pages in the pseudo-language, and what makes their states."""

    def __init__(self, world: World, asked: set[str]) -> None:
        self.pages = Pages(world, Settings(languages=("en",), source="https://example.org"))
        self.asked = asked
        self.site = self.pages.site
        self.pages.world.renew(
            desks=tuple(
                replace(desk, titles=_THEIRS, greetings=_THEIRS) for desk in self.pages.world.founding.directory.desks
            ),
        )
        self.pages.world.close()
        self.visit: VerifiedVisit = self.site._door.visit()
        self.flow: Flow = self.site._flows["en"]
        self.texts: Texts = self.flow.texts
        self.shut = replace(self.visit, manifest=replace(self.visit.manifest, notes=()))

    def turn(self, page: str = "write", visit: VerifiedVisit | None = None, **fields: str) -> Turn:
        return Turn(page, "en", fields, self.pages.now(), visit or self.visit)

    def with_directory(self, **changes: object) -> VerifiedVisit:
        return replace(self.visit, directory=replace(self.visit.directory, **changes))  # type: ignore[arg-type]

    def html(self, page: Page, name: str = "write", onion: bool = False) -> str:
        return self.site._renderers["en"](page, name, onion).decode()


@pytest.fixture
def stage(open_world: World, monkeypatch: pytest.MonkeyPatch) -> Stage:
    asked: set[str] = set()
    monkeypatch.setattr(texts, "load_catalogue", lambda _code: Pseudo(asked))
    for name in ("when", "span", "number", "size", "either", "all"):  # what Babel writes is of the language too
        monkeypatch.setattr(Texts, name, lambda *_: "⟦by Babel⟧")
    return Stage(open_world, asked)


def said_pages(stage: Stage) -> Iterator[str]:
    """The pages that only say something, whatever the door does."""
    closed = stage.with_directory(closed=Closing(_THEIRS, ("https://example.org",)))
    expired = replace(stage.visit, expired=True)
    for visit in (
        stage.visit,
        closed,
        expired,
        stage.shut,
        stage.with_directory(addresses=("http://a.onion", "http://b")),
    ):
        door = view(visit, stage.texts, stage.flow.lists.lists["english"], stage.pages.now())
        for name in PAGES:
            for onion in (False, True):
                yield stage.html(reading.reading(name, door, "", None, stage.texts), name, onion)
    for why in ("silent", "clock", "refused"):
        for name in PAGES:
            yield stage.html(reading.reading(name, None, why, None, stage.texts), name)
        yield stage.html(reading.not_now({"do": "text", "text": "⟦mine⟧"}, why, stage.texts))
    yield stage.html(reading.not_now({"do": "text"}, "", stage.texts))
    for status in (400, 404, 405, 408, 413, 500, 503):
        yield stage.html(reading.problem(status, stage.texts))


def card(stage: Stage) -> Iterator[str]:
    """The card to print, but for the door's words, numbers and addresses."""
    _, drawn = files.card(stage.visit.directory, "⟦theirs⟧", stage.flow.lists.lists["english"], stage.texts)
    unfolded = re.sub(r'</text>\n<text[^>]*font-size="3.1"[^>]*>', " ", drawn.decode())
    yield "".join(re.findall(r"<(?:title|desc|text)(?![^>]*font-family)[^>]*>[^<]+</[a-z]+>", unfolded))


def steps(stage: Stage) -> Iterator[str]:
    """Every step of writing and coming back."""
    flow, turn = stage.flow, stage.turn()
    state = replace(flow.fresh(), desk="news", text="⟦mine⟧", bits=bytes(13))
    back = replace(state, known=True)
    changing = replace(state, old=bytes(13))
    reply = {"desk": "⟦d⟧", "when": "⟦w⟧", "text": "⟦t⟧", "acks": ["⟦a⟧"]}
    for shown in (state, back, changing):
        yield stage.html(flow.write(turn, shown))
        yield stage.html(flow.files(turn, shown))
        yield stage.html(flow._page(turn, "passphrase", shown, words=["⟦w⟧"] * 10))
        yield stage.html(flow._page(turn, "practice", shown, typed="⟦w⟧"))
        for known in (True, False):
            yield stage.html(flow._page(turn, "sent", shown, mark="⟦m⟧", by="⟦b⟧", known=known))
            for why in ("", sayings(flow.texts)["no-receipt"]) if known else ("",):
                yield stage.html(flow._page(turn, "full", shown, unsure=known, why=why))
    for why in ("changed", "late"):
        yield stage.html(flow._page(turn, "passphrase", replace(state, redrawn=why), words=["⟦w⟧"] * 10))
    yield unfilled(stage.html(flow.begin("write", turn, elsewhere=True)))
    file = Attachment(bytes(16), bytes(32), 1, bytes(32), "plan.pdf")
    yield stage.html(flow.files(turn, replace(state, files=(file,))))
    yield stage.html(flow.files(turn, replace(state, files=(file,) * MOST_FILES)))
    yield stage.html(flow.write(stage.turn(visit=stage.with_directory(desks=stage.visit.directory.desks[:1])), state))
    yield stage.html(flow.write(turn, replace(state, decoy=True)))
    for name in ("already", "off", "return"):
        yield stage.html(flow._page(turn, name, None), "return")
    for replies in ([], [reply, {**reply, "text": None}]):
        yield stage.html(flow._page(turn, "thread", back, replies=replies, known=True), "return")
    for told, missed in ((["⟦d⟧", "⟦e⟧"], []), (["⟦d⟧"], ["⟦e⟧", "⟦f⟧"])):
        yield stage.html(flow._page(turn, "changed", changing, told=told, missed=missed), "return")
    off = Pages(stage.pages.world, Settings(languages=("en",), plain=Plain.OFF))
    yield off.browser.get("/en/help").text
    yield unfilled(off.browser.get("/en/return").text)


def questions(stage: Stage) -> Iterator[str]:
    """What a desk asks, and whatever can be wrong with an answer."""
    flow = stage.flow
    many = tuple(replace(q, step=1, only_if=None, needed=q.id == "rank") for q in ASKED)
    asking = tuple(replace(desk, questions=many) for desk in stage.visit.directory.desks)
    visit = stage.with_directory(desks=asking)
    turn = stage.turn(visit=visit, **{"q-what": "order"})
    state = replace(flow.fresh(), desk="news", text="⟦mine⟧", bits=bytes(13), step=1)
    yield stage.html(flow._ask(turn, state, 1))
    yield stage.html(flow._answered(turn, state))
    yield stage.html(flow._answered(turn, replace(state, asked=mark_of(many))))
    yield stage.html(flow.step(replace(turn, fields={**turn.fields, "do": "answers", "state": "forged"})))
    for what in (a.NEEDED, a.TOO_LONG, a.NO_DATE, a.NO_CHOICE, a.NO_TEXT, a.TOO_MUCH):
        sentence = asked.sentence(Problem("what", what), stage.texts)
        yield stage.html(flow._ask(turn, state, 1, (Trouble("q-what", sentence),)))
    with pytest.MonkeyPatch.context() as full:
        full.setattr(Flow, "_over", lambda *_: 1)
        yield stage.html(flow._ask(turn, state, 1, flow._wrong_answers(turn, state, 2)))


def troubles(stage: Stage) -> Iterator[str]:
    """Whatever can be wrong with what somebody typed or chose."""
    flow, turn = stage.flow, stage.turn()
    state = replace(flow.fresh(), desk="news", text="⟦mine⟧", bits=bytes(13))
    held = flow.forms.seal(state, "write", "en")
    posted, empty = stage.turn(state=held), flow.forms.seal(flow.fresh(), "write", "en")
    closed = stage.with_directory(closed=Closing(_THEIRS))
    for visit in (closed, replace(stage.visit, expired=True), stage.shut):
        yield stage.html(flow.step(stage.turn(visit=visit, do="text", desk="news", text="⟦mine⟧")))
    for text in ("", "ж" * (LONGEST + 5)):
        yield stage.html(flow.step(stage.turn(do="text", text=text, desk="news")))
    yield stage.html(flow.step(stage.turn(do="text", text="⟦mine⟧")))
    for text in ("", "⟦mine⟧"):
        yield stage.html(flow.step(stage.turn(do="text", state="forged", text=text)))
        yield stage.html(flow.step(stage.turn("return", do="text", state="forged", text=text)), "return")
    for size, name in ((None, ""), (0, "a"), (10**15, "a"), (-1, "a")):
        yield stage.html(refused(flow.refuses(posted, size, name)))
    none = stage.turn(
        visit=stage.with_directory(policy=replace(stage.visit.directory.policy, attachment=0)), state=held
    )
    yield stage.html(refused(flow.refuses(none, 1, "a")))
    yield stage.html(flow.did_not_arrive(turn, state))
    learned = flow.forms.seal(replace(state, text="", old=bytes(13)), "return", "en")
    stage.pages.ahead = LIFE + 1
    yield stage.html(flow.step(stage.turn("return", None, do="told", state=learned)), "return")
    yield stage.html(flow.step(posted))
    yield stage.html(flow.step(stage.turn(state=empty)))
    stage.pages.ahead = 0
    with pytest.MonkeyPatch.context() as full:
        full.setattr(Flow, "_over", lambda *_: 1)
        yield stage.html(flow.attached(turn, state, None))  # type: ignore[arg-type]  # one that the letter cannot name
    changing = replace(state, old=bytes(13))
    other = " ".join(generate(Stream("others")).words(flow.lists.lists["english"]))
    yield stage.html(flow._tell(stage.turn("return", words=other), changing), "return")
    flow.spent.add(any_mark(changing, "news"), turn.now)
    right = " ".join(Passphrase(changing.bits).words(flow.lists.lists["english"]))
    yield stage.html(flow._tell(stage.turn("return", None, words=right, **{"desk-news": "1"}), changing), "return")
    yield stage.html(flow._send(stage.turn(do="send", words=other), state))
    for sentence in slips(stage.texts):
        yield stage.html(flow._practise(turn, state, (Trouble("words", sentence),)))


def unfilled(html: str) -> str:
    """What a page with steps for its script says itself."""
    return re.sub(r"<script.*?</script>|<span data-fill.*?</span>", "", html, flags=re.S)


def carried(stage: Stage) -> Iterator[str]:
    """What pages carry for their script: the steps, and the texts that it says."""
    for name in STEPS:
        page = stage.flow.begin(name, stage.turn(name))
        html = stage.html(page, name)
        found = re.search(r'<script type="application/json" id="told">(.*?)</script>', html, re.S)
        assert found is not None
        told = json.loads(found[1])
        assert all(outside(text).strip() == "" for text in told["texts"].values())
        assert all(outside(text) == "" for forms in told["plurals"].values() for text in forms.values())
        yield unfilled(html)


def refused(page: Page | None) -> Page:
    assert page is not None
    return page


def slips(into: Texts) -> Iterator[str]:
    """What is said of ten words that are wrong in any way."""
    for count_, found in (
        (9, (Slip(1, "unknown", "⟦a⟧", ()),)),
        (10, (Slip(1, "unknown", "⟦a⟧", ("⟦b⟧", "⟦c⟧")),)),
        (10, (Slip(1, "check", "⟦a⟧", ("⟦b⟧",)), Slip(2, "swapped", "⟦a⟧", ("⟦b⟧",)))),
        (10, ()),
    ):
        yield from sentences(MistypedPassphrase(count_, found), into)


def test_no_text_is_outside_the_catalogues(stage: Stage, tmp_path: Path) -> None:
    for made in (said_pages, card, steps, questions, troubles, carried):
        for number, html in enumerate(made(stage)):
            assert HardCoded(html).found == [], f"{made.__name__} {number}"
    (tmp_path / "talk.mp4").write_bytes(b"")
    (tmp_path / "talk.en.md").write_text("⟦theirs⟧")
    assert HardCoded(render("![⟦theirs⟧](/media/talk.mp4)", tmp_path, stage.texts)).found == []
    assert outside(date_hint(replace(stage.texts, code="fr"))).strip() == "", "what English does not say"
    assert stage.asked - gathered() == set(), "a text that translators do not get"
    assert gathered() - stage.asked == set(), "a state that is not looked at here, or a text that nothing says"
