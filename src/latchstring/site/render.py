# SPDX-License-Identifier: AGPL-3.0-or-later
"""Templates, with everything that comes from elsewhere escaped and every name that is missing an error."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from latchstring.site.chapters import load_guide
from latchstring.site.languages import LANGUAGES
from latchstring.site.pages.titles import titles
from latchstring.site.parts import Carried, Filled
from latchstring.site.settings import Settings
from latchstring.site.texts import Texts
from latchstring.site.words import render


@dataclass(frozen=True, slots=True)
class Page:
    """What a page's function gives: a template and its values. `after_form`: what no cache may keep. `pad`: the
    answer's length is a multiple of it. `scripted`: the values of the steps that it carries for its script."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    status: int = 200
    after_form: bool = False
    pad: int = 1
    scripted: Mapping[str, object] | None = field(default=None, repr=False)


class Renderer:
    """One language's templates. `words`: the organisation's own, in this language or another that it has."""

    def __init__(self, code: str, settings: Settings) -> None:
        """SettingsError when its words name what is not there."""
        self.texts = Texts.load(code)
        own = self.texts.pick(settings.words)
        self.words = render(own, settings.media, self.texts) if own else None
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
            guide=load_guide(self.texts),
            titles=titles(self.texts),
            organisation=self.texts.pick(settings.names),
        )

    def __call__(self, page: Page, name: str, onion: bool) -> bytes:
        """The whole document. `name`: the page's in addresses; `onion`: did the person come by Tor's address?"""
        about = {"page": name, "onion": onion, "after_form": page.after_form}
        scripted = ""
        if page.scripted is not None:
            steps = self._environment.get_template("_scripted.html")
            scripted = Markup(steps.render({**page.scripted, **about}, part=Carried()))  # noqa: S704  # a template's
        template = self._environment.get_template(page.template)
        text = template.render({**page.values, **about}, part=Filled(), scripted=scripted)
        raw = text.encode("utf-8")
        return raw + b"\n" * (-len(raw) % page.pad)


def check_settings(settings: Settings) -> None:
    """SettingsError when the organisation's words name what is not there."""
    for code in settings.languages:
        Renderer(code, settings)
