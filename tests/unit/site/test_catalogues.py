# SPDX-License-Identifier: AGPL-3.0-or-later
"""The translators' catalogues: whole, in step with the pages, with the placeholders and names that the English has."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from gettext import c2py
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from latchstring.site.languages import LANGUAGES

SITE = Path(str(resources.files("latchstring.site")))
CODES = [code for code in LANGUAGES if code != "en"]
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%")
_NAMED = re.compile("“([^”%]+)”")
_ENDS = {".": ".", "?": "?؟", ":": ":"}
_ADDRESS = re.compile(r"(\u2066?)[a-z]+://[^\s\u2069]*(\u2069?)")  # U+2066, U+2069: left to right, on its own
_ROOM = 25  # characters that even a short text may grow by; a long one by three quarters


def _catalogue(code: str) -> Catalog:
    with (SITE / "locale" / code / "LC_MESSAGES" / "site.po").open("rb") as file:
        return read_po(file, locale=code)


def _english(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _translations(message: Message) -> tuple[str, ...]:
    return tuple(message.string) if isinstance(message.string, tuple | list) else (message.string or "",)


def _placeholders(text: str) -> Counter[str]:
    return Counter(_PLACEHOLDER.findall(text))


def _of_one_number(catalog: Catalog) -> set[int]:
    """The plural forms that stand for one number alone: only they may leave the number out."""
    forms = Counter(map(c2py(catalog.plural_expr), range(1, 300)))
    return {form for form in range(catalog.num_plurals) if forms[form] <= 1}


def faults(catalog: Catalog) -> list[str]:
    """What is wrong with a catalogue, each with the English text that it is about."""
    found: list[str] = []
    alone = _of_one_number(catalog)
    known = {m.id: m.string for m in catalog if isinstance(m.id, str) and m.id}
    for message in catalog:
        if not message.id:
            continue
        english, said = _english(message), _translations(message)
        found += [f"{what}: {english[-1]}" for what in _wrong(message, english, said, alone, catalog, known)]
    return found


def _wrong(
    message: Message,
    english: tuple[str, ...],
    said: tuple[str, ...],
    alone: set[int],
    catalog: Catalog,
    known: Mapping[str, object],
) -> set[str]:
    out = set()
    if message.fuzzy:
        out.add("fuzzy")
    if len(english) == 2 and len(said) != catalog.num_plurals:
        out.add("plural forms")
    wanted = _placeholders(english[-1])
    for form, text in enumerate(said):
        if not text:
            out.add("missing")
            continue
        lacking = wanted - _placeholders(text)
        if _placeholders(text) - wanted or (lacking and not (len(english) == 2 and form in alone)):
            out.add("placeholders")
        if len(text) > max(len(english[-1]) * 1.75, len(english[-1]) + _ROOM):
            out.add("too long")
        end = english[-1][-1]
        if (end in _ENDS and text[-1] not in _ENDS[end]) or (end not in _ENDS and text[-1] in "".join(_ENDS.values())):
            out.add("end")
        if text != text.strip() or "  " in text or "<" in text or "'" in text or '"' in text:
            out.add("marks")
        if LANGUAGES[str(catalog.locale)].right_to_left and not all(map(all, _ADDRESS.findall(text))):
            out.add("not isolated")  # it would be drawn as "//:http"
        for name in _NAMED.findall(english[-1]):
            if name in known and str(known[name]) not in text:
                out.add("another name")
    return out


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_is_whole(code: str) -> None:
    assert faults(_catalogue(code)) == []


BROKEN = {
    "missing": ("Send", ""),
    "placeholders": ("%(done)s of %(all)s", "%(done)s de %(al)s"),
    "too long": ("Send", "Send it now, since nothing else is left to do"),
    "end": ("Nothing goes yet.", "Rien ne part encore"),
    "marks": ("Files", "Les fichiers d'ici"),
    "another name": ("Choose “Stop” now.", "Choisissez « Fin »."),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_text_would_be_noticed(fault: str) -> None:
    english, said = BROKEN[fault]
    catalog = Catalog(locale="fr")
    catalog.add("Stop", "Arrêter")
    catalog.add(english, said)
    assert faults(catalog) == [f"{fault}: {english}"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (("%(n)s файл", "%(n)s файла", "%(n)s файлов"), []),
        (("%(n)s файл", "%(n)s файла"), ["plural forms"]),
        (("%(n)s файл", "", "%(n)s файлов"), ["missing"]),
        (("Один файл", "%(n)s файла", "%(n)s файлов"), ["placeholders"]),  # it stands for 21 too
    ],
)
def test_a_broken_plural_would_be_noticed(said: tuple[str, ...], found: list[str]) -> None:
    catalog = Catalog(locale="ru")
    catalog.add(("One file", "%(n)s files"), said)
    assert [fault.split(":")[0] for fault in faults(catalog)] == found


@pytest.mark.parametrize(
    ("said", "found"),
    [("http:// هنا", ["not isolated"]), ("\u200ehttp:// هنا", ["not isolated"]), ("\u2066http://\u2069 هنا", [])],
)
def test_an_address_that_would_be_drawn_backwards_would_be_noticed(said: str, found: list[str]) -> None:
    catalog = Catalog(locale="ar")
    catalog.add("Here: http:// of it", said)
    assert [fault.split(":")[0] for fault in faults(catalog)] == found


def test_a_form_for_one_number_alone_may_leave_it_out() -> None:
    catalog = Catalog(locale="ar")
    catalog.add(("One file", "%(n)s files"), ("لا ملف", "ملف واحد", "ملفان", *["%(n)s ملف"] * 3))
    assert faults(catalog) == []


def test_a_fuzzy_text_would_be_noticed() -> None:
    catalog = Catalog(locale="fr")
    catalog.add("Stop", "Arrêter", flags=["fuzzy"])
    assert faults(catalog) == ["fuzzy: Stop"]


def test_the_catalogues_have_the_texts_of_the_pages(tmp_path: Path) -> None:
    """If not: `make catalogues`."""
    found = tmp_path / "found.pot"
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "-q",
        "extract",
        "-F",
        str(SITE / "locale" / "babel.cfg"),
    ]
    keywords = [part for keyword in ("texts", "many:1,2", "plural:1,2") for part in ("-k", keyword)]
    subprocess.run([*command, *keywords, "-o", str(found), str(SITE)], check=True)
    with found.open("rb") as file:
        texts = {m.id for m in read_po(file)}
    with (SITE / "locale" / "site.pot").open("rb") as file:
        assert {m.id for m in read_po(file)} == texts
    for code in CODES:
        assert {m.id for m in _catalogue(code)} == texts
