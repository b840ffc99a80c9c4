# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a worker of `latchstring server run` or `site run` serves: the store's API, the pages for sources, or both.

The rooms `server` and `site` do not know each other: the pages come to the store as every client does, over HTTP.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from latchstring.client.transport import HttpTransport, Transport
from latchstring.protocol.doorwords import parse_link
from latchstring.protocol.root import Door
from latchstring.server.app import CONFIG_VARIABLE
from latchstring.server.app import make as make_store
from latchstring.site.app import Site
from latchstring.site.routes import is_ours
from latchstring.site.settings import load_settings
from latchstring.workers.bodies import Application, Receive, Scope, Send, lifespan
from latchstring.workers.edge import guarded
from latchstring.workers.parent import end_with_parent

SETTINGS: Final = "site.toml"


@dataclass(frozen=True)
class Pages:
    """How a worker makes the pages. It reaches the worker through a pipe, never by arguments or the environment.

    `link`: the door's; `at`: where its store answers; `proxy`: as `HttpTransport` has it; `key`: 32 random bytes.
    """

    settings: Path
    link: str
    at: str
    proxy: str | None
    key: bytes = field(repr=False)

    def make(self) -> Site:
        """The application. SettingsError, ProtocolError for what cannot be read."""
        door = parse_link(self.link).door
        assert door is not None  # noqa: S101  # a link has the whole hash
        return Site(load_settings(self.settings), Door(door), partial(_line, self.at, self.proxy), self.key)


def _line(at: str, proxy: str | None) -> AbstractContextManager[Transport]:
    return HttpTransport(at, proxy)


def both(config: str, pages: Pages) -> Application:
    """The store's API and the pages on one address: an address that is not the pages' is the store's."""
    os.environ[CONFIG_VARIABLE] = config
    return guarded(together(make_store(), pages.make()))


def together(store: Application, site: Application) -> Application:
    """Each address to whom it belongs."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await (site if scope["type"] == "http" and is_ours(scope["path"]) else store)(scope, receive, send)

    return application


def alone(pages: Pages) -> Application:
    """The pages alone, with the few addresses of the store that their script asks; every other one does not exist."""
    end_with_parent()
    site = pages.make()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await (lifespan(receive, send) if scope["type"] == "lifespan" else site(scope, receive, send))

    return guarded(application)
