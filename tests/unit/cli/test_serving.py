# SPDX-License-Identifier: AGPL-3.0-or-later
"""The store's API and the pages on one address, as `server run` serves both: what every answer carries."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest

from latchstring.cli.serving import together
from latchstring.protocol.root import Door
from latchstring.protocol.site_manifest import SITE_PATH
from latchstring.site.app import Site
from latchstring.site.routes import CARD, FILES, PAGES
from latchstring.site.settings import Settings
from latchstring.workers.bodies import Application
from tests.reader import Answer, ask
from tests.unit.server.test_app import PUBLIC, make_app
from tests.unit.site.test_reading import Silent

EVERY = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-dns-prefetch-control": "off",
}
STRICT = "strict-transport-security"
PAGE_PATHS = ("/", "/leave", SITE_PATH, *FILES, *(f"/en/{name}" for name in (*PAGES, CARD, "nothing")),
              "/static/site.css", "/static/meta.js", "/static/nothing.js", "/media/nothing.mp4")  # fmt: skip
STORE_PATHS = (*PUBLIC, "/v1/letters", "/v1/directory", "/v1/keynotes", "/v1/pages/1/0", "/v1/packs/0",
               "/v1/attachments", f"/v1/attachments/{'0' * 64}", "/v1/nothing", "/nothing")  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    site = Site(Settings(), Door(bytes(32)), lambda: nullcontext(Silent()), bytes(32), lambda: 0)
    return together(make_app(tmp_path, monkeypatch)[0], site)


def walk(served: Application, headers: dict[str, str]) -> dict[tuple[str, str], Answer]:
    """Every address by every method."""

    async def all_of_them() -> dict[tuple[str, str], Answer]:
        return {
            (method, path): await ask(served, method, path, headers)
            for path in (*PAGE_PATHS, *STORE_PATHS)
            for method in METHODS
        }

    return asyncio.run(all_of_them())


def test_every_answer_of_both_has_the_headers_of_both(served: Application) -> None:
    answers = walk(served, {"host": "door.example", "x-forwarded-proto": "https"})
    assert {200, 303, 400, 401, 404, 405, 503} <= {answer.status for answer in answers.values()}
    for asked, answer in answers.items():
        assert EVERY.items() <= answer.head.items(), asked
        assert answer.head["content-security-policy"].startswith("default-src 'none'; "), asked
        assert "frame-ancestors 'none'" in answer.head["content-security-policy"], asked
        assert answer.head[STRICT] == "max-age=63072000", asked
        assert {"permissions-policy", "cache-control"} <= answer.head.keys(), asked
        assert not {"set-cookie", "etag", "last-modified"} & answer.head.keys(), asked


@pytest.mark.parametrize(
    "headers", [{"host": "door.example"}, {"host": f"{'a' * 56}.onion", "x-forwarded-proto": "https"}]
)
def test_https_is_asked_of_nobody_who_did_not_come_by_it(served: Application, headers: dict[str, str]) -> None:
    for path in ("/en/", "/visit", "/nothing"):
        answer = asyncio.run(ask(served, "GET", path, headers))
        assert STRICT not in answer.head, path
