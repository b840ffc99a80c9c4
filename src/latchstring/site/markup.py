# SPDX-License-Identifier: AGPL-3.0-or-later
"""May this page stand beside a signed list? For pages that each visit makes anew, so that no hash can be listed.

Such a page may load and run what the list has, lead to what the list has, and nothing else. It is read by a grammar
that is far narrower than HTML: after the doctype every "<" begins a tag, names are in lower case, values are in double
quotes and hold no "<". A browser then finds no tag in it that was not looked at here (at most it takes some for text),
which cannot be said of a page that is read leniently. A page with a form must run the scripts that seal what is typed
on it. Words are not looked at.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from latchstring.client.text import one_line

_DOCTYPE: Final = "<!doctype html>\n"
_TAG: Final = re.compile(
    r"<(/?)([a-z][a-z0-9-]*)"
    r'((?:[ \n]+[a-z][a-z0-9-]*(?:="[^"<]*")?)*)'
    r"[ \n]*>"
)
_ATTRIBUTE: Final = re.compile(r'([a-z][a-z0-9-]*)(?:="([^"<]*)")?')
_ADDRESS: Final = re.compile(r"(/[A-Za-z0-9._/-]*)?(#[A-Za-z0-9_-]*)?\Z", re.ASCII)
_NEVER: Final = frozenset(  # they load, run, draw or lead elsewhere in ways that none of these pages uses
    (
        "applet", "area", "base", "embed", "fencedframe", "frame", "frameset", "iframe", "math", "noembed", "noframes",
        "noscript", "object", "plaintext", "portal", "style", "svg", "xmp",
    )
)  # fmt: skip
_INLINE: Final = re.compile(r"(?:on.*|style|srcdoc)\Z")
_ELSEWHERE: Final = frozenset(
    (
        "attributionsrc", "background", "data", "formaction", "formmethod", "formtarget", "http-equiv", "imagesrcset",
        "is", "manifest", "ping", "srcset", "target",
    )
)  # fmt: skip
_METHODS: Final = ("post", "dialog")  # with any other, what is typed stands in the address, and in the history
_LOADS: Final = ("src", "poster")
_SCRIPTS: Final = "text/javascript; charset=utf-8"
_HEAD: Final = frozenset(("head", "html", "link", "meta", "script", "title"))
RUNS: Final = ('<script src="/static/guard.js">', '<script src="/static/app.js" defer>')  # as in flow.html


def faults(page: bytes, listed: Mapping[str, str], runs: Sequence[str] = ()) -> list[str]:
    """What in `page` the list does not allow, in words; each once. `listed`: media types by path.

    `runs`: the tags of the scripts that its head must have, all and in this order. Without them the page works as it
    does where there is no JavaScript, and what is typed on it goes to the server unsealed.
    """
    try:
        text = page.decode("utf-8")
    except UnicodeDecodeError:
        return ["it is not UTF-8"]
    if not text.startswith(_DOCTYPE):
        return ["it does not begin as these pages do"]
    found: list[str] = []
    tags: list[re.Match[str]] = []
    at = len(_DOCTYPE)
    while (at := text.find("<", at)) >= 0:
        tag = _TAG.match(text, at)
        if tag is None:
            found.append("it holds markup that these pages do not use, in which something can be hidden")
            break
        tags.append(tag)
        if not tag[1]:
            found += _tag(tag[2], _attributes(tag[3]), listed)
        at = tag.end()
    if runs and _run(tags) != list(runs):
        found.append("it does not run the scripts that seal what is typed on it")
    return list(dict.fromkeys(found))


def _run(tags: Sequence[re.Match[str]]) -> list[str]:
    """The tags of scripts in a head in which a browser takes every tag for one: none of them is a title's text, or in a
    part of the page that is not used."""
    out: list[str] = []
    for tag, after in pairwise(tags):
        if tag[2] not in _HEAD or (tag[2] in ("script", "title") and not tag[1] and after[0] != f"</{tag[2]}>"):
            return []
        if tag[0] == "</head>":
            return out
        if tag[2] == "script" and not tag[1]:
            out.append(tag[0])
    return []


def _attributes(text: str) -> list[tuple[str, str | None]]:
    return [(name[1], name[2]) for name in _ATTRIBUTE.finditer(text)]


def _tag(name: str, attributes: list[tuple[str, str | None]], listed: Mapping[str, str]) -> list[str]:
    given = dict(attributes)
    found = []
    if len(given) < len(attributes):
        found.append("an attribute stands twice in it")
    if name in _NEVER:
        found.append(f"it holds <{name}>, which these pages do not use")
    if name == "script":
        found += _script(given, listed)
    if name == "form" and given.get("method") not in _METHODS:
        found.append("it would put what is typed into the address")
    for attribute, value in given.items():
        if _INLINE.match(attribute):
            found.append(f"it holds an inline script or style ({attribute})")
        elif attribute in _ELSEWHERE:
            found.append(f"it can lead elsewhere ({attribute})")
        elif attribute in _LOADS or (attribute == "href" and name == "link"):
            if value not in listed:
                found.append(f"it loads what is not in the list: {_shown(value)}")
        elif attribute in ("href", "action") and not _leads_within(value or "", listed):
            found.append(f"it leads to what is not in the list: {_shown(value)}")
    return found


def _script(given: Mapping[str, str | None], listed: Mapping[str, str]) -> list[str]:
    if "src" not in given:
        return [] if given.get("type") == "application/json" else ["it holds an inline script"]
    if given["src"] in listed and listed[given["src"] or ""] != _SCRIPTS:
        return [f"it runs as a script what is none: {_shown(given['src'])}"]
    return []


def _leads_within(address: str, listed: Mapping[str, str]) -> bool:
    parts = _ADDRESS.match(address)
    return parts is not None and (not parts[1] or parts[1] in listed)


def _shown(value: str | None) -> str:
    return one_line(value or "nothing", 200)
