# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every answer carries, a page or a file of the store: it is what its kind says, for this address alone, and tells
nobody anything."""

from collections.abc import Mapping
from typing import Final

COMMON: Final = (
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-dns-prefetch-control", "off"),
)
STRICT_TRANSPORT: Final = ("strict-transport-security", "max-age=63072000")


def by_https(scheme: str | None, headers: Mapping[str, str]) -> bool:
    """Did the person come by https, by what the server or the proxy in front says? `headers` by lower-case name."""
    return "https" in (scheme, headers.get("x-forwarded-proto", "").strip().lower())


def by_onion(headers: Mapping[str, str]) -> bool:
    """Did the person come by Tor's address? By what their browser says: it decides about words and headers alone.

    A gateway (tor2web) names that address too and hides nobody: it says what it is by a header of its own.
    """
    host = headers.get("host", "").rsplit(":", 1)[0]
    return "x-tor2web" not in headers and host.lower().rstrip(".").endswith(".onion")
