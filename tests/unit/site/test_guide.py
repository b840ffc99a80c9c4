# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the guides say: the one for sources, which the pages show, and the one for whoever edits the pages."""

import re
from importlib import resources
from pathlib import Path

import pytest
import typer
from babel.messages.pofile import read_po

from latchstring.cli.main import build
from latchstring.protocol import constants as c
from latchstring.site.chapters import CHAPTERS, load_guide, parse
from latchstring.site.files import KINDS
from latchstring.site.forms import LIFE
from latchstring.site.languages import LANGUAGES
from latchstring.site.render import check_settings
from latchstring.site.settings import LEAVE, Plain, load_settings
from latchstring.site.texts import Texts
from latchstring.site.words import render
from tests.unit.site.conftest import Pages

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "source"
EDITOR = (ROOT / "docs" / "guides" / "pages.md").read_text("utf-8")
ENGLISH = {name: (GUIDE / f"{name}.md").read_text("utf-8") for name in CHAPTERS}
_ELSEWHERE = {"Safest", "New identity"}  # names of Tor Browser's, in texts of the pages too


def block(kind: str) -> str:
    """The first fenced block of a kind in the editor's guide."""
    found = re.search(rf"^```{kind}\n(.*?)^```", EDITOR, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_pages_show_what_the_documentation_has() -> None:
    shipped = {path.name for path in resources.files("latchstring.site").joinpath("guide").iterdir()}
    assert {path.name for path in GUIDE.iterdir()} == shipped
    assert {name.split(".")[0] for name in shipped} == set(CHAPTERS)
    assert {name.split(".")[1] for name in shipped if name.count(".") == 2} <= set(LANGUAGES)


def quoted(text: str) -> list[str]:
    """What stands in quotation marks of any language."""
    return re.findall(r"[«“]\u00a0?([^»”]+?)\u00a0?[»”]", text)


def elsewhere(name: str, texts: Texts) -> str:
    """A name of another program's as the pages have it: in their one text that names it."""
    with resources.files("latchstring.site").joinpath("locale", "site.pot").open("rb") as file:
        [text] = [str(message.id) for message in read_po(file) if f"“{name}”" in message.id]
    [found] = quoted(texts(text))
    return found


def translated(code: str) -> dict[str, str]:
    """The chapters that a language has."""
    files = {name: GUIDE / f"{name}.{code}.md" for name in CHAPTERS}
    return {name: file.read_text("utf-8") for name, file in files.items() if file.is_file()}


def test_every_language_has_every_chapter() -> None:
    for code in LANGUAGES:
        shown = [(chapter.id, chapter.language) for chapter in load_guide(Texts.load(code))]
        assert shown == [(name, code) for name in CHAPTERS]


def test_a_chapter_without_a_translation_is_shown_in_english() -> None:
    english = Texts.load("en")
    assert load_guide(Texts("xx", english.catalogue, english.locale)) == load_guide(english)


def test_every_chapter_stands_on_the_page_once_in_its_language(pages: Pages) -> None:
    for code, language in LANGUAGES.items():
        text = pages.browser.get(f"/{code}/guide").text
        way = "rtl" if language.right_to_left else "ltr"
        assert re.findall(r'<h2 id="([^"]*)">', text) == ["chapters", *CHAPTERS]
        assert re.findall(r'<li><a href="#([^"]*)" lang="([a-z]*)">', text) == [(name, code) for name in CHAPTERS]
        found = re.findall(r'<section [^>]*lang="([a-z]*)" dir="([a-z]*)">', text)
        assert found == [(code, way)] * len(CHAPTERS)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_translated_chapter_names_the_same_buttons_and_has_the_same_parts(code: str) -> None:
    texts = Texts.load(code)
    for name, text in translated(code).items():
        english = ENGLISH[name]
        named = quoted(text)
        buttons = re.findall(r"“([^”]+)”", english)
        ours = sorted(texts(one) for one in buttons if one not in _ELSEWHERE)
        assert sorted(one for one in named if one in ours) == ours, name
        assert {elsewhere(one, texts) for one in buttons if one in _ELSEWHERE} <= set(named), name
        assert len(named) == len(buttons), name
        for part in (r"`[^`]+`", r"^#+ ", r"^\d+\. ", r"^- ", r"\*\*[^*]+\*\*", r"\n\n"):
            same = [re.findall(part, one, re.MULTILINE) for one in (english, text)]
            assert len(same[0]) == len(same[1]), (name, part)
        assert re.findall(r"`[^`]+`", english) == re.findall(r"`[^`]+`", text)


def test_a_chapter_is_text_below_its_title() -> None:
    made = parse("x", "uk", "# Назва\n\nSome <b>text</b>\n\n## Below\n")
    assert (made.title, made.language) == ("Назва", "uk")
    assert str(made.body) == "<p>Some &lt;b&gt;text&lt;/b&gt;</p>\n<h3>Below</h3>\n"


def test_names_of_buttons_and_pages_are_those_of_the_pages() -> None:
    with resources.files("latchstring.site").joinpath("locale", "site.pot").open("rb") as file:
        texts = {message.id for message in read_po(file)}
    named = {name for text in ENGLISH.values() for name in re.findall(r"“([^”]+)”", text)}
    assert {"Write", "Come back", "Write again", "Change my words", "Leave this page now"} <= named
    assert {name for name in named if name not in texts} <= _ELSEWHERE


@pytest.mark.parametrize(
    ("chapter", "said", "holds"),
    [
        ("first-visit", "ten words", c.PASSPHRASE_WORDS == 10),
        ("first-visit", "twelve words", c.DOOR_WORDS == 12),
        ("first-visit", "for an hour", LIFE == 3600),
        ("javascript", "for an hour", LIFE == 3600),
        ("protection", "a week\n  or two", (c.DEFAULT_ERASE_DAYS, c.LONE_ERASE_DAYS) == (7, 14)),
        ("coming-back", "Three weeks", c.SHEETS_KEPT == 21 * c.SHEETS_PER_DAY),
        ("coming-back", "a few times a day", c.SHEETS_PER_DAY == 4),
        ("coming-back", "for\n  about a year", 340 < c.MAX_PLACINGS * c.REPLACE_FROM_SHEETS / c.SHEETS_PER_DAY < 400),
        ("pressure", "three weeks", c.SHEETS_KEPT == 21 * c.SHEETS_PER_DAY),
    ],
)
def test_figures_in_the_guide(chapter: str, said: str, holds: bool) -> None:
    assert said in ENGLISH[chapter]
    assert holds


def test_the_page_about_has_the_guides_figure(pages: Pages) -> None:
    assert "after a week or two" in " ".join(ENGLISH["protection"].split())
    assert "after a week or two" in pages.browser.get("/en/about").text


def test_commands_in_the_guide_are_commands() -> None:
    named = [match for text in ENGLISH.values() for match in re.findall(r"`latchstring (\w+) (\w+)`", text)]
    assert named
    for group, name in named:
        command = typer.main.get_command(build(group))
        assert isinstance(command, typer.core.TyperGroup)
        inner = command.commands[group]
        assert isinstance(inner, typer.core.TyperGroup)
        assert name in inner.commands


def folder_of_the_editor(folder: Path) -> Path:
    """The files that the editor's guide lists, with its settings and words."""
    for name in block("").split():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(block("markdown") if path.parent == folder else "said", "utf-8")
    (folder / "site.toml").write_text(block("toml"), "utf-8")
    return folder / "site.toml"


def test_the_editors_example_works_as_it_stands(tmp_path: Path) -> None:
    settings = load_settings(folder_of_the_editor(tmp_path))
    check_settings(settings)
    assert settings.languages == ("uk", "en")
    assert settings.leave == LEAVE
    html = str(render(settings.words["uk"], settings.media, Texts.load("uk")))
    assert (
        '<video controls preload="none" poster="/media/talk.jpg" aria-label="Our editor speaks, two minutes">' in html
    )
    assert 'src="/media/talk.uk.vtt" srclang="uk" label="Українська" default>' in html
    assert 'srclang="en" label="English">' in html
    assert '<div lang="en"><p>said</p>' in html, "English where there is no Ukrainian transcript"


def test_the_editors_guide_names_every_setting_and_kind() -> None:
    table = set(re.findall(r"^\| `([a-z_]+)` \|", EDITOR, re.MULTILINE))
    assert table == set(re.findall(r"^([a-z_]+) = ", block("toml"), re.MULTILINE))
    recordings = {suffix for suffix, kind in KINDS.items() if kind.startswith(("video/", "audio/"))}
    assert recordings == set(re.findall(r"`(\.[a-z0-9]+)`", EDITOR.split("## Recordings")[1].split("|")[0]))
    for plain in Plain:
        assert f'- `"{plain.value}"`: ' in EDITOR
    assert all(f"`{code}`" in EDITOR for code in LANGUAGES)


def test_markup_and_links_as_the_editors_guide_says(tmp_path: Path) -> None:
    said = "<b>x</b> [away](https://example.org) [near](/uk/before)"
    html = str(render(said, None, Texts.load("en")))
    assert html == '<p>&lt;b&gt;x&lt;/b&gt; [away](https://example.org) <a href="/uk/before">near</a></p>\n'
