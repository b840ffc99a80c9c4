# SPDX-License-Identifier: AGPL-3.0-or-later
"""The languages that pages are written in, and which of them somebody's browser asks for."""

from dataclasses import dataclass
from typing import Final

from babel.core import negotiate_locale


@dataclass(frozen=True, slots=True)
class Language:
    """`code`: as in addresses, catalogues and the `lang` attribute (ISO 639-1)."""

    code: str
    name: str
    right_to_left: bool


LANGUAGES: Final = {
    language.code: language
    for language in (
        Language("en", "English", False),
        Language("ru", "Русский", False),
        Language("uk", "Українська", False),
        Language("fr", "Français", False),
        Language("es", "Español", False),
        Language("ar", "العربية", True),
    )
}
_ASKED_MOST: Final = 20


def preferred(header: str, offered: tuple[str, ...]) -> str:
    """The language of `offered` (not empty) that an Accept-Language header prefers; the first when it names none."""
    asked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:_ASKED_MOST]):
        tag, _, rest = part.strip().partition(";")
        weight = _weight(rest)
        if tag and tag != "*" and weight > 0:
            asked.append((-weight, place, tag.strip().lower().replace("-", "_")))
    found = negotiate_locale([tag for _, _, tag in sorted(asked)], list(offered))
    return found if found in offered else offered[0]


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    digits = value.strip()
    whole = digits.replace(".", "", 1)
    return float(digits) if whole.isascii() and whole.isdigit() and len(digits) <= 5 else 0.0
