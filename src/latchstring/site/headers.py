# SPDX-License-Identifier: AGPL-3.0-or-later
"""The headers of every answer: nothing from elsewhere, nothing inline, nothing told to anybody, nothing kept."""

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PHONES: Final = ("bluetooth", "web-share")  # Chromium knows them on phones, where they matter, and warns on others
FEATURES: Final = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "interest-cohort",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
    *PHONES,
)
ALWAYS: Final = (
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", ", ".join(f"{feature}=()" for feature in FEATURES)),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-dns-prefetch-control", "off"),
    ("server", "latchstring"),
)
STRICT_TRANSPORT: Final = ("strict-transport-security", "max-age=63072000")
NO_STORE: Final = "no-store"
FRESH: Final = "no-cache"
KEPT: Final = "public, max-age=3600"
VARIES: Final = ("vary", "accept-encoding")
HTML: Final = "text/html; charset=utf-8"


def headers(
    kind: str, length: int, cache: str, https: bool, more: tuple[tuple[str, str], ...] = ()
) -> list[tuple[bytes, bytes]]:
    """All headers of one answer. `https`: did the person come by it?"""
    named = [("content-type", kind), ("content-length", str(length)), ("cache-control", cache), *ALWAYS, *more]
    if https:
        named.append(STRICT_TRANSPORT)
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in named]
