# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way through a SOCKS proxy, as httpx traces it: how far it came, and an end to the waiting for the proxy's words,
which httpx's SOCKS half would await for ever."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
from socksio import SOCKSError  # comes with httpx[socks]

FIRST_WORD: Final = 20.0  # seconds: Tor says at once that it is a SOCKS proxy
FURTHER_WORDS: Final = 150.0  # seconds, for each: Tor gives up a way that it cannot build after 120, and says so

_UNREACHED: Final = "socks.connect_tcp.failed"  # as httpx's half below names it
_BEGUN: Final = "socks.setup_socks5_connection.started"
_CUT: Final = "socks.setup_socks5_connection.failed"


class Trace:
    """How far one request came; given to httpx as its `trace` extension."""

    def __init__(self) -> None:
        self._steps: set[str] = set()
        self._heard = False
        self._stream: Any = None

    def __call__(self, step: str, info: Mapping[str, Any]) -> None:
        self._steps.add(step)
        if step == _BEGUN:
            self._stream = info["stream"]
            self._listen(self._stream)
        if step == _CUT:
            self._stream.close()  # httpx leaves it open

    def _listen(self, stream: Any) -> None:
        read = stream.read

        def bounded(max_bytes: int, timeout: float | None = None) -> bytes:
            got: bytes = read(max_bytes, timeout or (FURTHER_WORDS if self._heard else FIRST_WORD))
            self._heard = True
            return got

        stream.read = bounded

    def silent(self, failed: Exception) -> bool:
        """Did somebody at the proxy's port take the connection, and never say a word?"""
        return self._wordless() and isinstance(failed, httpx.ReadTimeout)

    def no_proxy(self, failed: Exception) -> bool:
        """Does nobody listen at the proxy's port, or somebody who hangs up or speaks otherwise?"""
        return _UNREACHED in self._steps or isinstance(failed, SOCKSError) or self._wordless()

    def _wordless(self) -> bool:
        return _CUT in self._steps and not self._heard
