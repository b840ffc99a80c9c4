# SPDX-License-Identifier: AGPL-3.0-or-later
"""The guide for sources: Markdown that ships (`guide/`, which `docs/source` leads to), a file for each chapter and
language, `NAME.md` in English and `NAME.uk.md` in another. A chapter without a translation is shown in English.
"""

from dataclasses import dataclass, field
from importlib import resources
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from latchstring.site.texts import Texts

CHAPTERS: Final = ("first-visit", "protection", "coming-back", "pressure", "javascript", "checking")


@dataclass(frozen=True, slots=True)
class Chapter:
    """`id`: as in the page's address after `#`."""

    id: str
    title: str
    language: str
    body: Markup = field(repr=False)


def load_guide(texts: Texts) -> tuple[Chapter, ...]:
    """All chapters, in their order, for a reader of this language."""
    return tuple(_load(name, texts.code) for name in CHAPTERS)


def _load(name: str, code: str) -> Chapter:
    folder = resources.files("latchstring.site").joinpath("guide")
    own = folder.joinpath(f"{name}.{code}.md")
    language = code if own.is_file() else "en"
    file = own if own.is_file() else folder.joinpath(f"{name}.md")
    return parse(name, language, file.read_text("utf-8"))


def parse(name: str, language: str, text: str) -> Chapter:
    """A chapter from its Markdown, which begins with its title. Headings below it are one level deeper on the page."""
    made = MarkdownIt("commonmark", {"html": False})
    title, *_ = text.splitlines()
    tokens = made.parse(text.removeprefix(title))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1:]) + 1}"
    body = Markup(made.renderer.render(tokens, made.options, {}))  # noqa: S704  # what was written is escaped by it
    return Chapter(name, title.removeprefix("# "), language, body)
