# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every answer carries, a page or a file of the store: it is what its kind says, for this address alone, and tells
nobody anything."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from latchstring.workers.bodies import Scope, Send

COMMON: Final = (
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-dns-prefetch-control", "off"),
)
BARE: Final = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"permissions-policy", b"interest-cohort=()"),  # the rest is for scripts, and none runs under that policy
    *((name.encode(), value.encode()) for name, value in COMMON),
]
"""Of an answer that is no page, as ASGI has them."""
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


def strictly(scope: Scope, send: Send) -> Send:
    """`send`, which tells who came by https to come by nothing else."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if not by_https(scope.get("scheme"), named) or by_onion(named):
        return send
    strict = STRICT_TRANSPORT[0].encode(), STRICT_TRANSPORT[1].encode()

    async def telling(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append(strict)
        await send(message)

    return telling
