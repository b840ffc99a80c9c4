# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who signs the manifest of a door's pages: in a directory "site", [Ed25519 key, least], only when there is one.

`least` is the lowest number of a manifest that counts: raising it takes every older one back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from latchstring.protocol.constants import ED25519_PUBLIC
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import check_ed25519


@dataclass(frozen=True, slots=True)
class SiteKey:
    """An Ed25519 key (32 bytes) that signs manifests of pages and nothing else."""

    key: bytes
    least: int = 1


def check_site_key(site: SiteKey | None, others: Sequence[bytes]) -> None:
    """ProtocolError, in words for the person who edits the directory, when a rule is broken. `others`: keys that sign
    something else."""
    if site is None:
        return
    if len(site.key) != ED25519_PUBLIC or site.key in others:
        raise ProtocolError("directory: the site's key signs something else too, or is none")
    check_ed25519(site.key)
    if not 1 <= site.least < 1 << 63:
        raise ProtocolError("directory: the first manifest of the pages has the number 1")


def encode_site_key(site: SiteKey) -> object:
    """For the directory's CBOR."""
    return [site.key, site.least]


def decode_site_key(value: object) -> SiteKey:
    """ProtocolError for anything else than what `encode_site_key` gives."""
    match value:
        case [bytes(key), int(least)] if not isinstance(least, bool):
            return SiteKey(key, least)
        case _:
            raise ProtocolError("directory: 'site' is not a key and a number")
