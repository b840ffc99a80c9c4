# SPDX-License-Identifier: AGPL-3.0-or-later
"""The organisation's own words: CommonMark, in which a picture's place may be taken by a recording.

A paragraph that is nothing but `![What it is](/media/talk.mp4)` becomes a player that needs no script. Beside
`talk.mp4` may lie `talk.webm` (the same for browsers that do not play the first), `talk.en.vtt` (captions),
`talk.en.md` (a transcript) and `talk.jpg` (what is shown before it plays).
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path, PurePosixPath
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from latchstring.site.files import KINDS
from latchstring.site.languages import LANGUAGES
from latchstring.site.media import is_media
from latchstring.site.settings import SettingsError
from latchstring.site.texts import Texts

_OURS: Final = ("/media/", "#", *(f"/{code}/" for code in LANGUAGES))
_POSTERS: Final = (".jpg", ".png", ".webp")
_TRANSCRIPT: Final = 256 * 1024


def render(text: str, media: Path | None, texts: Texts) -> Markup:
    """HTML. Tags in `text` are shown as they stand; links and pictures lead to this very site alone, others stay text.

    SettingsError names a file of `media` that is missing.
    """
    made = _parser()
    tokens = made.parse(text)
    for at in range(len(tokens) - 2):
        picture = _alone(tokens[at : at + 3])
        if picture is not None and _kind(picture).startswith(("video/", "audio/")):
            player = Token("html_block", "", 0)
            player.content = _player(picture, media, texts)
            tokens[at : at + 3] = [player, _nothing(), _nothing()]
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                _there(media, _name(child))
                child.attrSet("loading", "lazy")
    return Markup(made.renderer.render(tokens, made.options, {}))  # noqa: S704  # what was written is escaped by it


def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False})
    made.validateLink = lambda url: url.startswith(_OURS)  # type: ignore[method-assign]
    return made


def _nothing() -> Token:
    return Token("html_block", "", 0)


def _alone(three: list[Token]) -> Token | None:
    """The picture of a paragraph that is nothing else."""
    if [token.type for token in three] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    children = three[1].children or []
    return children[0] if len(children) == 1 and children[0].type == "image" else None


def _name(picture: Token) -> str:
    address = str(picture.attrGet("src"))
    if not address.startswith("/media/"):
        raise SettingsError("A picture or recording in the words of the invitation is not one of /media/.")
    return address.removeprefix("/media/")


def _kind(picture: Token) -> str:
    return KINDS.get(PurePosixPath(str(picture.attrGet("src"))).suffix, "")


def _there(media: Path | None, name: str) -> None:
    if media is None or not is_media(name) or not (media / name).is_file():
        raise SettingsError(f"The words of the invitation name '{name[:80]}', which is not in the folder for media.")


def _player(picture: Token, media: Path | None, texts: Texts) -> str:
    name = _name(picture)
    _there(media, name)
    stem, kind, label = PurePosixPath(name).stem, _kind(picture), escape(picture.content)
    beside = {path.name: path for path in media.iterdir()} if media else {}
    poster = next((f"{stem}{suffix}" for suffix in _POSTERS if f"{stem}{suffix}" in beside), None)
    tag = "video" if kind.startswith("video/") else "audio"
    shown = f' poster="/media/{escape(poster)}"' if poster and tag == "video" else ""
    return (
        f'<figure class="media"><{tag} controls preload="none"{shown} aria-label="{label}">'
        f"{_sources(name, tag, beside)}{_captions(stem, beside, texts)}</{tag}>"
        f"<figcaption>{label}</figcaption></figure>\n{_transcript(stem, beside, texts)}"
    )


def _sources(name: str, tag: str, beside: Mapping[str, Path]) -> str:
    """The recording, then the same in other kinds: a browser takes the first that it can play."""
    stem = PurePosixPath(name).stem
    others = [f"{stem}{suffix}" for suffix, kind in KINDS.items() if kind.startswith(f"{tag}/")]
    return "".join(
        f'<source src="/media/{escape(one)}" type="{KINDS[PurePosixPath(one).suffix]}">'
        for one in dict.fromkeys((name, *(other for other in others if other in beside)))
    )


def _captions(stem: str, beside: Mapping[str, Path], texts: Texts) -> str:
    return "".join(
        f'<track kind="captions" src="/media/{escape(stem)}.{code}.vtt" srclang="{code}" label="{language.name}"'
        f"{' default' if code == texts.code else ''}>"
        for code, language in LANGUAGES.items()
        if f"{stem}.{code}.vtt" in beside
    )


def _transcript(stem: str, beside: Mapping[str, Path], texts: Texts) -> str:
    codes = [code for code in (texts.code, "en", *LANGUAGES) if f"{stem}.{code}.md" in beside]
    if not codes:
        return ""
    try:
        text = beside[f"{stem}.{codes[0]}.md"].read_bytes()[:_TRANSCRIPT].decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The transcript of '{stem[:80]}' cannot be read.") from None
    body = _parser().render(text)
    summary = escape(texts("Transcript"))  # its language is the page's
    return f'<details><summary>{summary}</summary><div lang="{codes[0]}">{body}</div></details>\n'
