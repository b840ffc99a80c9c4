# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages that are asked in this process as `site verify` asks, by a server that may lie."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import h
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.site_manifest import SITE_PATH, SiteManifest
from latchstring.site.app import Site
from latchstring.site.comparing import Difference, differences, signed_list
from latchstring.site.fetching import Served, TooLong
from latchstring.site.listing import list_site
from latchstring.site.settings import Settings
from tests.builders import Stream
from tests.reader import Answer, ask
from tests.unit.site.conftest import Pages as Door

SEED = Stream("site key")(32)
CLEAR = "http://door.example"
ONION = f"http://{'a' * 56}.onion"
Lie = Callable[[str, Answer], Answer]


def media_folder(folder: Path) -> Settings:
    """Pages with everything that an organisation can set: its words, a name, a picture, a recording."""
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "hands.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    (folder / "media" / "words.ogg").write_bytes(bytes(200_000))
    return Settings(
        languages=("en", "ar"),
        names={"en": "The Gazette"},
        words={"en": "# Come in\n\n![Two hands](hands.png)\n\n[Elsewhere](https://example.org/)"},
        source="https://example.org/code",
        media=folder / "media",
        signed=folder / "site.signed",
    )


@dataclass
class Wire:
    """What stands between a person and the pages. `lie`: what is made of an answer once it is unpacked;
    `asked`: paths, in their order."""

    site: Site
    address: str = CLEAR
    lie: Lie = lambda _path, answer: answer
    asked: list[str] = field(default_factory=list)

    def ask(self, path: str, kind: str, most: int, keep: bool) -> Served:
        self.asked.append(path)
        host = self.address.removeprefix("http://")
        true = asyncio.run(ask(self.site, "GET", path, {"host": host, "accept-encoding": "gzip"}))
        if true.head.pop("content-encoding", ""):
            true.body = gzip.decompress(true.body)
        answer = self.lie(path, true)
        body = answer.body
        if len(body) > most:
            raise TooLong
        return Served(answer.status, tuple(answer.head.items()), len(body), h(body), body if keep else b"")


@dataclass
class Scene:
    """An open door whose organisation signs its pages."""

    door: Door
    settings: Settings
    directory: Directory

    @classmethod
    def make(cls, door: Door, settings: Settings) -> "Scene":
        directory = replace(door.world.founding.directory, site=SiteKey(ed25519_public(SEED)))
        return cls(door, settings, directory)

    def listed(self, n: int = 1) -> SiteManifest:
        return SiteManifest(self.directory.door, n, list_site(self.settings, self.directory))

    def publish(self, raw: bytes) -> None:
        assert self.settings.signed is not None
        self.settings.signed.write_bytes(raw)

    def wire(self, address: str = CLEAR) -> Wire:
        return Wire(self.door.site, address)

    def verify(self, wire: Wire, least: int = 1) -> list[Difference]:
        """As `latchstring site verify` does it; NotSigned."""
        manifest = signed_list(wire, self.directory, least)
        return differences(wire, manifest.items, wire.address, self.directory, lambda _done, _of: None)


__all__ = ["CLEAR", "ONION", "SEED", "SITE_PATH", "Answer", "Scene", "Wire", "media_folder"]
