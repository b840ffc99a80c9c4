# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an organisation sets for its pages: `site.toml`, with one table, [site]. Everything in it may be left out."""

import re
import tomllib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from latchstring.site.languages import LANGUAGES

SIGNED: Final = "site.signed"  # beside the settings
LEAVE: Final = "https://www.wikipedia.org/"
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[\x21-\x7e]{0,500})?\Z", re.ASCII)
_LONGEST: Final = 64 * 1024  # of a file with words


class SettingsError(ValueError):
    """The file cannot be used. The text says which setting, and what it should be."""


class Plain(Enum):
    """What can be done without JavaScript, when this server has to seal and open in its memory."""

    BOTH = "send and read"
    SEND = "send only"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Settings:
    """`names`: the organisation's, by language. `words`: Markdown for the invitation, by language. `signed`: where the
    signed list of the pages lies, if there is one."""

    languages: tuple[str, ...] = tuple(LANGUAGES)
    names: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict, repr=False)
    plain: Plain = Plain.BOTH
    leave: str = LEAVE
    source: str = ""
    media: Path | None = None
    signed: Path | None = None


def load_settings(path: Path) -> Settings:
    """Read the file; what is not there is as if it were empty. SettingsError otherwise."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings(signed=path.with_name(SIGNED))
    except (OSError, UnicodeDecodeError):
        raise SettingsError("The file with the pages' settings cannot be read.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The file with the pages' settings is not valid TOML: {error}.") from None
    except (ValueError, RecursionError):
        raise SettingsError(
            "The file with the pages' settings is not valid TOML: a value is too long or nested too deep."
        ) from None
    site = table.pop("site", None)
    if not isinstance(site, dict) or table:
        raise SettingsError("The file with the pages' settings has one table, [site], and nothing else.")
    languages = _languages(site.pop("languages", list(LANGUAGES)))
    folder = path.parent
    settings = Settings(
        languages=languages,
        names=_names(site.pop("name", {}), languages),
        words=_words(site.pop("words", {}), folder),
        plain=_plain(site.pop("without_javascript", Plain.BOTH.value)),
        leave=_address(site, "leave", LEAVE),
        source=_address(site, "source", "") if "source" in site else "",
        media=_media(site.pop("media", None), folder),
        signed=folder / SIGNED,
    )
    if site:
        raise SettingsError(f"There is no setting {sorted(site)[0][:40]!r} for the pages.")
    return settings


def _languages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v in LANGUAGES for v in value):
        raise SettingsError(f"The setting 'languages' is a list of some of these: {', '.join(LANGUAGES)}.")
    return tuple(dict.fromkeys(value))


def _names(value: object, languages: tuple[str, ...]) -> dict[str, str]:
    if isinstance(value, str):
        value = {code: value for code in languages}
    if not isinstance(value, dict) or not all(
        code in LANGUAGES and isinstance(name, str) and 0 < len(name) <= 100 and name.isprintable()
        for code, name in value.items()
    ):
        raise SettingsError("The setting 'name' is the organisation's name, or a table of it by language.")
    return value


def _words(value: object, folder: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not all(c in LANGUAGES and isinstance(v, str) for c, v in value.items()):
        raise SettingsError(
            "The setting 'words' names a Markdown file for each language, such as en = \"words.en.md\"."
        )
    texts = {}
    for code, name in value.items():
        try:
            raw = (folder / name).read_bytes()
            texts[code] = raw.decode("utf-8")
        except (OSError, ValueError):  # ValueError: not UTF-8, or a NUL in the name
            raise SettingsError(f"The file with the words of the invitation for '{code}' cannot be read.") from None
        if len(raw) > _LONGEST:
            raise SettingsError(f"The file with the words of the invitation for '{code}' is longer than 64 KB.")
    return texts


def _plain(value: object) -> Plain:
    try:
        return Plain(value)
    except ValueError:
        allowed = " or ".join(f'"{plain.value}"' for plain in Plain)
        raise SettingsError(f"The setting 'without_javascript' is {allowed}.") from None


def _address(site: dict[str, object], name: str, default: str) -> str:
    value = site.pop(name, default)
    if not isinstance(value, str) or not _ADDRESS.match(value):
        raise SettingsError(f"The setting '{name}' is a web address such as {LEAVE}")
    return value


def _media(value: object, folder: Path) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _is_folder(folder / value):
        raise SettingsError("The setting 'media' is a folder with pictures, recordings and their captions.")
    return (folder / value).resolve()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name longer than the system takes
        return False
