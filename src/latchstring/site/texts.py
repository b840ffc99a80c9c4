# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every text of the pages, from gettext catalogues that translators' tools open; dates and numbers by Babel.

A text that a catalogue lacks is shown in English. The catalogues are read once, when a worker starts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from gettext import NullTranslations, c2py
from importlib import resources
from math import floor, inf
from typing import Final, Literal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit

from latchstring.site.languages import LANGUAGES

Plural = Callable[[int], int]

# As frontend/src/page/texts.ts has them:
_Unit = Literal["day", "hour", "minute", "second"]
_SPANS: Final[tuple[tuple[_Unit, int], ...]] = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_SIZES: Final = (("gigabyte", 10**9), ("megabyte", 10**6), ("kilobyte", 10**3), ("byte", 1))
_FOUR_TOGETHER: Final = ("es",)  # 1234 but 12.345, which Babel does not know


class Catalogue(NullTranslations):
    """A catalogue as Jinja asks it. `one`: by English text (after `context\\x04` where there is one); `many`: by the
    English singular."""

    def __init__(self, one: Mapping[str, str], many: Mapping[str, tuple[str, ...]], plural: Plural) -> None:
        super().__init__()
        self._one, self._many, self._plural = one, many, plural

    def gettext(self, message: str) -> str:
        return self._one.get(message) or message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        forms = self._many.get(msgid1)
        form = self._plural(n)
        if forms is None or form >= len(forms) or not forms[form]:
            return msgid1 if n == 1 else msgid2
        return forms[form]

    def pgettext(self, context: str, message: str) -> str:
        return self._one.get(f"{context}\x04{message}") or message

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return self.ngettext(msgid1, msgid2, n)


def catalogue_of(catalog: Catalog) -> Catalogue:
    """What a .po file says; texts that are marked as fuzzy count as missing."""
    one: dict[str, str] = {}
    many: dict[str, tuple[str, ...]] = {}
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, tuple | list):
            many[message.id[0]] = tuple(message.string or ())
        else:
            key = f"{message.context}\x04{message.id}" if message.context else message.id
            one[key] = str(message.string)
    return Catalogue(one, many, c2py(catalog.plural_expr))


def load_catalogue(code: str) -> Catalogue:
    """The catalogue that ships for one language; English has none and needs none."""
    file = resources.files("latchstring.site").joinpath("locale", code, "LC_MESSAGES", "site.po")
    if not file.is_file():
        return catalogue_of(Catalog(locale=code))
    with file.open("rb") as source:
        return catalogue_of(read_po(source, locale=code))


@dataclass(frozen=True)
class Texts:
    """One language's texts, dates and numbers."""

    code: str
    catalogue: Catalogue = field(repr=False)
    locale: Locale = field(repr=False)

    @classmethod
    def load(cls, code: str) -> "Texts":
        """Of a language in `LANGUAGES`."""
        return cls(code, load_catalogue(code), Locale.parse(LANGUAGES[code].code))

    def __call__(self, message: str, **values: object) -> str:
        """One text, its %(name)s filled."""
        return self.catalogue.gettext(message) % values if values else self.catalogue.gettext(message)

    def many(self, one: str, more: str, n: int, **values: object) -> str:
        """A text that depends on a number; %(n)s is filled by it."""
        return self.catalogue.ngettext(one, more, n) % {"n": self.number(n), **values}

    def when(self, at: float) -> str:
        """A date and time as this language writes it, in universal time (a page without a script knows no zone)."""
        moment = datetime.fromtimestamp(at, UTC)
        date = format_date(moment, "medium", locale=self.locale)
        time = format_time(moment, "short", tzinfo=UTC, locale=self.locale)
        return f"{str(get_datetime_format('medium', self.locale)).format(time, date)} UTC"

    def span(self, seconds: float) -> str:
        """How long, roughly: '3 hours'. Days are the longest unit; one that fills less than 1.2 of a unit is told in
        the next."""
        whole = max(1, _rounded(seconds))
        unit, each = next((one for one in _SPANS if whole >= one[1] * 1.2), _SPANS[-1])
        return format_timedelta(_rounded(whole / each) * each, unit, threshold=inf, locale=self.locale)

    def number(self, value: int) -> str:
        """A number with this language's digits and marks."""
        together = self.code in _FOUR_TOGETHER and abs(value) < 10_000
        return format_decimal(value, locale=self.locale, group_separator=not together)

    def size(self, count: int) -> str:
        """So many bytes, roughly: '3.2 MB'."""
        unit, each = next((one for one in _SIZES if count >= one[1] * 0.99995), _SIZES[-1])  # what rounds to 1000 is 1
        return format_unit(_rounded(count / each * 10) / 10, unit, length="short", locale=self.locale)

    def either(self, choices: list[str]) -> str:
        """'a, b or c'."""
        return format_list(choices, style="or", locale=self.locale)

    def all(self, names: Sequence[str]) -> str:
        """'a, b and c'."""
        return format_list(list(names), locale=self.locale)

    def pick(self, texts: Mapping[str, str]) -> str:
        """Of texts by language (a directory's) the one in this language, else in English, else the first."""
        return texts.get(self.code) or texts.get("en") or next(iter(texts.values()), "")

    def language_of(self, texts: Mapping[str, str]) -> str:
        """The language of what `pick` gives."""
        return next((code for code in (self.code, "en") if texts.get(code)), next(iter(texts), self.code))


def _rounded(value: float) -> int:
    return floor(value + 0.5)  # as scripts do: a half goes up


def plural(one: str, more: str, texts: Texts) -> dict[str, str]:
    """A text by the categories that `Intl.PluralRules` of the browser tells, %(n)s left in it."""
    rule = texts.locale.plural_form
    forms: dict[str, str] = {}
    for number in range(201):
        forms.setdefault(rule(number), texts.catalogue.ngettext(one, more, number))
    return {"other": next(iter(forms.values())), **forms}
