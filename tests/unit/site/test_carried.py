# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps that pages carry for their script: whole, without anything of the server's, and in the page's language."""

import json
import re
from gettext import NullTranslations
from importlib import resources
from pathlib import Path

import pytest

from latchstring.site import texts
from latchstring.site.files import Static
from latchstring.site.pages.looked import counts_of_files
from latchstring.site.pages.scripted import STEPS, carried
from latchstring.site.settings import Plain, Settings
from latchstring.site.texts import Texts, plural
from tests.unit.site.conftest import Pages
from tests.unit.site.test_pseudo import HardCoded, Pseudo
from tests.world.world import World

SCRIPT = Path(__file__).parents[3] / "frontend/src/page"


def templates(html: str) -> dict[str, str]:
    return dict(re.findall(r'<template id="step-([a-z]+)"[^>]*>(.*?)</template>', html, re.S))


def scripted(pages: Pages, path: str) -> str:
    return pages.browser.get(path).text


@pytest.mark.parametrize("page", STEPS)
def test_a_page_carries_every_step(pages: Pages, page: str) -> None:
    html = scripted(pages, f"/en/{page}")
    steps = templates(html)
    assert tuple(steps) == STEPS[page]
    for name, step in steps.items():
        assert step.count("<h1") == 1, name
        assert 'name="state"' not in step, name
        assert "action=" not in step, f"{name} could be posted"
        assert set(re.findall(r'<form method="([a-z]+)"', step)) <= {"dialog"}, name
        assert "JavaScript:" not in step, f"{name} says what holds without a script"


def test_what_the_script_is_told(pages: Pages) -> None:
    html = scripted(pages, "/uk/return")
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', html, re.S)
    assert found is not None
    told = json.loads(found[1])
    assert (told["language"], told["page"]) == ("uk", "return")
    assert told["most"] == pages.world.policy.attachment
    assert all(told["texts"].values())
    assert set(told["plurals"]["room"]) >= {"one", "few", "many", "other"}


def test_every_text_that_the_script_says_is_carried(pages: Pages) -> None:
    told = carried("write", Texts.load("en"), 1, True)
    sources = "".join(file.read_text() for file in sorted(SCRIPT.glob("*.ts")))
    said = set(re.findall(r'\b(?:say|many)\(\s*"([a-z-]+)"', sources))
    assert len(said) > 20
    assert said <= {*told["texts"], *told["plurals"]}  # type: ignore[misc]


def test_every_fact_and_reason_that_a_file_can_give_has_a_text() -> None:
    said = set(carried("write", Texts.load("en"), 1, True)["texts"])  # type: ignore[call-overload]
    source = (SCRIPT.parent / "meta/facts.ts").read_text()
    for name, prefix, least in (("Kind", "fact", 22), ("Why", "unread", 7)):
        union = re.search(rf"export type {name} =(.*?);(?: //|\n\n)", source, re.S)
        assert union is not None
        kinds = {f"{prefix}-{kind}" for kind in re.findall(r'\| "([a-z-]+)"', union[1])}
        assert len(kinds) >= least
        assert kinds <= said


def test_all_that_is_counted_in_a_file_has_a_text() -> None:
    source = (SCRIPT.parent / "meta/facts.ts").read_text()
    union = re.search(r"export type Unit =(.*?);\n", source, re.S)
    assert union is not None
    units = set(re.findall(r'\| "([a-z]+)"', union[1])) - {"bytes", "seconds"}  # a size, a span
    assert len(units) >= 9
    assert {f"count-{unit}" for unit in units} == set(counts_of_files(Texts.load("en")))


def test_plural_forms_by_the_browsers_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    class Numbers(texts.Catalogue):
        def __init__(self) -> None:
            NullTranslations.__init__(self)

        def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
            return f"form of {n}"

    monkeypatch.setattr(texts, "load_catalogue", lambda _code: Numbers())
    arabic = plural("a", "b", Texts.load("ar"))
    assert arabic == {
        "zero": "form of 0", "one": "form of 1", "two": "form of 2", "few": "form of 3", "many": "form of 11",
        "other": "form of 100",
    }  # fmt: skip


def test_a_page_that_was_posted_to_carries_nothing(pages: Pages) -> None:
    scripted(pages, "/en/write")
    posted = pages.browser.press("text", desk="news", text="hello").text
    assert "<template" not in posted
    assert "<script" not in posted


def test_switched_off_without_a_script_the_steps_are_there_for_one(open_world: World) -> None:
    html = scripted(Pages(open_world, Settings(plain=Plain.OFF)), "/en/write")
    assert "This needs JavaScript here" in html
    assert tuple(templates(html)) == STEPS["write"]


def test_no_carried_text_is_outside_the_catalogues(open_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "load_catalogue", lambda _code: Pseudo())
    pages = Pages(open_world, Settings(languages=("en",)))
    for page in STEPS:
        html = re.sub(r"<script.*?</script>|<span data-fill.*?</span>", "", scripted(pages, f"/en/{page}"), flags=re.S)
        assert HardCoded(html).found == []


def test_the_script_names_its_door_and_the_lists_are_files(pages: Pages) -> None:
    first, rest = pages.browser.get("/static/app.js").body.split(b"\n", 1)
    assert first == f'"use strict";const DOOR="{pages.world.door.hex()}";'.encode()
    assert rest == resources.files("latchstring.site").joinpath("static/app.js").read_bytes()
    assert pages.browser.get("/static/words-english.txt").body.count(b"\n") == 2048


def test_a_file_is_packed_the_same_way_each_time() -> None:
    one, two = Static.of("a.js", b"a" * 5000), Static.of("a.js", b"a" * 5000)
    assert one.packed == two.packed
    assert len(one.packed) < 100
