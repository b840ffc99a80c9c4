# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long something takes, in a sentence: 'every 21 hours' in languages whose nouns have cases."""

import re
from importlib import resources
from typing import Final

import pytest
from babel.messages.pofile import read_po

from latchstring.site.languages import LANGUAGES
from latchstring.site.texts import Texts

UNITS: Final = (60, 3600, 86_400)
CASES: Final = ("ru", "uk", "ar")  # after "in" and "every" their nouns have another form than a span has
ALONE: Final = re.compile(r"[:(] ?\u2068?$")  # what stands before a noun that no other word governs
ONE: Final = {  # 1, 2, 5 and 21 of each unit
    "ru": "1 минута 2 минуты 5 минут 21 минута 1 час 2 часа 5 часов 21 час 1 день 2 дня 5 дней",
    "uk": "1 хвилина 2 хвилини 5 хвилин 21 хвилина 1 година 2 години 5 годин 21 година 1 день 2 дні 5 днів",
    "ar": "دقيقة دقيقتان 5 دقائق 21 دقيقة ساعة ساعتان 5 ساعات 21 ساعة يوم يومان 5 أيام",
}


def sentences() -> list[str]:
    """All texts of the pages in which a span stands."""
    with resources.files("latchstring.site").joinpath("locale", "site.pot").open("rb") as file:
        return [str(message.id) for message in read_po(file) if "%(span)s" in str(message.id)]


def spans(texts: Texts) -> list[str]:
    return [texts.span(n * unit * (1.3 if n == 1 else 1)) for unit in UNITS for n in (1, 2, 5, 21)][:-1]


@pytest.mark.parametrize("code", CASES)
def test_the_forms_of_spans_are_those_of_their_numbers(code: str) -> None:
    assert " ".join(spans(Texts.load(code))) == ONE[code]


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_sentence_fits_every_span(code: str) -> None:
    texts = Texts.load(code)
    assert len(sentences()) >= 6
    for sentence in sentences():
        for span in spans(texts):
            before, placeholder, after = texts(sentence).partition("%(span)s")
            assert placeholder
            assert texts(sentence, span=span) == before + span + after
            if code in CASES:
                assert ALONE.search(before), before


def test_a_sentence_that_would_need_another_form_is_noticed() -> None:
    for wrong in ("раз в ", "Она начнётся через ", "кожні ", "كل "):
        assert ALONE.search(wrong) is None
