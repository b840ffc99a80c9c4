# SPDX-License-Identifier: AGPL-3.0-or-later
"""The headers of every answer: nothing from elsewhere, nothing inline, nothing told to anybody, nothing kept."""

from typing import Final

from latchstring.workers.headers import COMMON, STRICT_TRANSPORT

POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PHONES: Final = ("bluetooth", "web-share")  # Chromium knows them on phones, where they matter, and warns on others
HINTS: Final = (
    "device-memory", "downlink", "dpr", "ect", "prefers-color-scheme", "prefers-reduced-motion",
    "prefers-reduced-transparency", "rtt", "save-data", "ua", "ua-arch", "ua-bitness", "ua-form-factors",
    "ua-full-version", "ua-full-version-list", "ua-high-entropy-values", "ua-mobile", "ua-model", "ua-platform",
    "ua-platform-version", "ua-wow64", "viewport-height", "viewport-width", "width",
)  # fmt: skip
# By the names that Debian's Chromium knows, the one browser there that heeds this header: it warns of any other, and
# the standards' lists have names that no browser switches off. "ch-": what it tells of a device in each request.
FEATURES: Final = (
    "accelerometer", "aria-notify", "autoplay", "browsing-topics", "camera", "captured-surface-control",
    "clipboard-read", "clipboard-write", "compute-pressure", "cross-origin-isolated", "deferred-fetch",
    "deferred-fetch-minimal", "digital-credentials-create", "digital-credentials-get", "display-capture",
    "encrypted-media", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection",
    "interest-cohort", "keyboard-map", "language-detector", "language-model", "local-fonts", "local-network",
    "local-network-access", "loopback-network", "magnetometer", "media-playback-while-not-visible", "microphone",
    "midi", "on-device-speech-recognition", "otp-credentials", "payment", "picture-in-picture",
    "private-state-token-issuance", "private-state-token-redemption", "publickey-credentials-create",
    "publickey-credentials-get", "screen-wake-lock", "serial", "speaker-selection", "storage-access", "summarizer",
    "sync-xhr", "translator", "unload", "usb", "window-management", "xr-spatial-tracking",
    *(f"ch-{hint}" for hint in HINTS),
    *PHONES,
)  # fmt: skip
NEEDED: Final = ("fullscreen",)  # a recording of the organisation may be seen large
ALWAYS: Final = (
    ("content-security-policy", POLICY),
    ("permissions-policy", ",".join(f"{feature}=()" for feature in FEATURES)),
    *COMMON,
    ("server", "latchstring"),
)
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
