# SPDX-License-Identifier: AGPL-3.0-or-later
"""A pseudo-language, in which every text of a catalogue stands in brackets: what stands outside them is hard-coded."""

import re
from gettext import NullTranslations
from html.parser import HTMLParser

import pytest

from latchstring.site import texts
from latchstring.site.routes import PAGES
from latchstring.site.settings import Settings
from tests.unit.site.conftest import Pages
from tests.world.world import World

_VOID = {"meta", "link", "input", "img", "br", "source", "track"}
_SAID = ("alt", "aria-label", "title", "placeholder")


class Pseudo(texts.Catalogue):
    """Every text in brackets."""

    def __init__(self) -> None:
        NullTranslations.__init__(self)

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


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
        self.found += [at[name] for name in _SAID if at.get(name) and not at[name].startswith("⟦")]
        theirs = "translate" in at or ("lang" in at and tag != "html") or at.get("class") in ("address", "when", "size")
        if tag not in _VOID:
            self._open.append(theirs or tag in ("textarea", "bdi"))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        outside = re.sub(r"⟦[^⟦⟧]*⟧", "", data)
        if not any(self._open) and re.search(r"[^\W\d_]{2}", outside):
            self.found.append(outside.strip())


def test_the_test_sees_what_is_hard_coded() -> None:
    assert HardCoded('<p title="⟦a⟧">⟦ok⟧ <b lang="ru">да</b> Hello</p><img alt="x">').found == ["Hello", "x"]


@pytest.fixture
def pseudo(open_world: World, monkeypatch: pytest.MonkeyPatch) -> Pages:
    monkeypatch.setattr(texts, "load_catalogue", lambda _code: Pseudo())
    return Pages(open_world, Settings(languages=("en",)))


def test_no_text_is_outside_the_catalogues(pseudo: Pages) -> None:
    browser = pseudo.browser
    seen = {name: browser.get(f"/en/{name}").text for name in PAGES}
    seen["nothing"] = browser.get("/en/nothing").text
    browser.get("/en/write")
    seen["errors"] = browser.press("text", text="").text
    seen["files"] = browser.press("text", desk="news", text="hello").text
    seen["file"] = browser.attach("a.pdf", b"1").text
    seen["words"] = browser.press("words").text
    seen["practice"] = browser.press("practise").text
    seen["typed wrong"] = browser.press("send", words="one two").text
    pseudo.wire.fates = ["drop"] * 2
    seen["full"] = browser.press("unchecked").text
    seen["sent"] = browser.press("send").text
    seen["decoy"] = browser.press("decoy").text
    browser.get("/en/return")
    seen["typed wrong again"] = browser.press("open", words="abandon " * 10).text
    for name, html in seen.items():
        if name != "status":  # dates and spans by Babel stand there
            assert HardCoded(html).found == [], name
