# SPDX-License-Identifier: AGPL-3.0-or-later
"""Templates, with everything that comes from elsewhere escaped and every name that is missing an error."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from latchstring.site.languages import LANGUAGES
from latchstring.site.settings import Settings
from latchstring.site.texts import Texts


@dataclass(frozen=True, slots=True)
class Page:
    """What a page's function gives: a template and its values. `after_form`: what no cache may keep. `pad`: the
    answer's length is a multiple of it."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    status: int = 200
    after_form: bool = False
    pad: int = 1


class Renderer:
    """One language's templates."""

    def __init__(self, code: str, settings: Settings) -> None:
        self.texts = Texts.load(code)
        self._settings = settings
        self._environment = Environment(
            loader=PackageLoader("latchstring.site"),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.install_gettext_translations(self.texts.catalogue, newstyle=True)  # type: ignore[attr-defined]
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.globals.update(
            language=LANGUAGES[code],
            languages=[LANGUAGES[offered] for offered in settings.languages],
            settings=settings,
            texts=self.texts,
            organisation=self.texts.pick(settings.names),
        )

    def __call__(self, page: Page, name: str, onion: bool) -> bytes:
        """The whole document. `name`: the page's in addresses; `onion`: did the person come by Tor's address?"""
        text = self._environment.get_template(page.template).render(page.values, page=name, onion=onion)
        raw = text.encode("utf-8")
        return raw + b"\n" * (-len(raw) % page.pad)

    @property
    def words(self) -> Markup | None:
        """The organisation's own words in this language or another that it has; None when it has none."""
        text = self.texts.pick(self._settings.words)
        return markdown(text) if text else None


def markdown(text: str) -> Markup:
    """CommonMark without HTML: tags in it are shown as they stand. Pictures and links only from this very site, links
    to elsewhere as text that can be read and copied."""
    made = MarkdownIt("commonmark", {"html": False, "linkify": False})
    made.validateLink = _is_ours  # type: ignore[method-assign,assignment]
    return Markup(made.render(text))  # noqa: S704  # made from escaped text by the library


def _is_ours(address: str) -> bool:
    return address.startswith(("/media/", "/en/", "/ru/", "/uk/", "/fr/", "/es/", "/ar/", "#"))
