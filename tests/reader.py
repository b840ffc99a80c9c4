# SPDX-License-Identifier: AGPL-3.0-or-later
"""A browser without JavaScript, for tests: it asks, keeps the page, fills forms and presses buttons. It holds cookies
if a page sets any (none may)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from latchstring.site.app import Site
from latchstring.workers.bodies import Receive, Scope, Send

Answering = Callable[[Scope, Receive, Send], Awaitable[None]]  # the pages, or what serves them
BOUNDARY = "----WebKitFormBoundaryABCDEFGHIJKLMNOP"


@dataclass
class Form:
    """As a page has it."""

    action: str
    kind: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    file: bool = False


@dataclass
class Answer:
    """A whole answer."""

    status: int
    head: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


async def ask(
    site: Answering, method: str, path: str, headers: dict[str, str] | None = None, body: Iterable[bytes] = (b"",)
) -> Answer:
    """One request; the body comes in these pieces."""
    pieces = list(body)
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (headers or {}).items()],
    }
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    await site(scope, receive, send)
    assert said, "no answer"
    head = {name.decode(): value.decode("latin-1") for name, value in said[0]["headers"]}
    return Answer(said[0]["status"], head, b"".join(m.get("body", b"") for m in said[1:]))


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._area: str | None = None
        self._templates = 0  # what is in them is for scripts
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        self._templates += tag == "template"
        if self._templates:
            return
        if tag == "form":
            assert at["method"] == "post"
            self.forms.append(Form(at["action"], at.get("enctype", "application/x-www-form-urlencoded")))
        if not self.forms:
            return
        form = self.forms[-1]
        if tag == "input" and at.get("type") == "file":
            form.file = True
        elif (tag == "input" and at.get("type") in ("radio", "checkbox") and "checked" in at) or (
            tag == "input" and at.get("type") not in ("radio", "checkbox")
        ):
            form.fields[at["name"]] = at.get("value", "")
        elif tag == "textarea":
            self._area = at["name"]
            form.fields[self._area] = ""
        elif tag == "button" and "name" in at:
            form.buttons.append(at["value"])

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.forms[-1].fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template"
        if tag == "textarea" and self._area is not None:
            form = self.forms[-1]
            form.fields[self._area] = form.fields[self._area].removeprefix("\n")
            self._area = None


class Browser:
    """One person's window."""

    def __init__(self, site: Site, host: str = "door.example") -> None:
        self._site, self._host = site, host
        self.page = Answer(0, {}, b"")
        self.sent: list[bytes] = []

    @property
    def text(self) -> str:
        """What the page says, as HTML."""
        return self.page.text

    def get(self, path: str) -> Answer:
        self.page = asyncio.run(ask(self._site, "GET", path, {"host": self._host}))
        assert "set-cookie" not in self.page.head
        return self.page

    def forms(self) -> list[Form]:
        return Forms(self.text).forms

    def press(self, button: str, **fields: str) -> Answer:
        """Fill in and press the button of that value."""
        form = next(form for form in self.forms() if button in form.buttons)
        values = {**form.fields, **{name.replace("_", "-"): value for name, value in fields.items()}, "do": button}
        return self.post(form.action, urlencode(values).encode())

    def post(self, action: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> Answer:
        self.sent.append(body)
        head = {"host": self._host, "content-type": kind, "content-length": str(len(body))}
        pieces = [body[i : i + 65_536] for i in range(0, len(body), 65_536)] or [b""]
        self.page = asyncio.run(ask(self._site, "POST", action, head, pieces))
        assert "set-cookie" not in self.page.head
        assert self.page.head["cache-control"] == "no-store"
        return self.page

    def attach(self, name: str, data: bytes, **fields: str) -> Answer:
        """Choose a file and add it."""
        form = next(form for form in self.forms() if form.file)
        return self.post(form.action, multipart({**form.fields, **fields}, name, data), multipart_kind())


def multipart_kind() -> str:
    return f"multipart/form-data; boundary={BOUNDARY}"


def multipart(fields: dict[str, str], name: str, data: bytes) -> bytes:
    """A body as browsers send it."""
    out = b""
    for key, value in fields.items():
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
    out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    return out + b"Content-Type: application/octet-stream\r\n\r\n" + data + f"\r\n--{BOUNDARY}--\r\n".encode()
