# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages as a browser asks for them: what is served to browsers alone is to be seen too.

The headers are those of Firefox, on which Tor Browser is built. A server that wants to tell this program from a person
still can, by what is asked for and in which order; so a page that is served to one person alone stays unseen.
"""

import hashlib
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from latchstring.client.proxied import Trace
from latchstring.client.transport import LINE_FAILED, NetworkFailed, open_client

_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
_ASKS: Final = {  # by the beginning of a media type: Accept, Sec-Fetch-Dest, Sec-Fetch-Mode
    "text/html": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "document", "navigate"),
    "text/css": ("text/css,*/*;q=0.1", "style", "no-cors"),
    "text/javascript": ("*/*", "script", "no-cors"),
    "image/": (
        "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        "image",
        "no-cors",
    ),
    "": ("*/*", "empty", "cors"),
}
_SLOWEST: Final = 2_000  # bytes a second that are still waited for, beside:
_WHOLE_SECONDS: Final = 600.0


class TooLong(Exception):
    """An answer goes on beyond what was waited for."""


class OddlyPacked(Exception):
    """An answer is packed in a way that these pages do not use, or not whole."""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer. `headers` as they came, names in lower case; `size` and `digest` (SHA-256) are of the whole body,
    unpacked, which `body` holds if it was to be kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    size: int
    digest: bytes
    body: bytes = field(repr=False)


class Line:
    """A line to the pages at one address. A context manager."""

    def __init__(self, base_url: str, proxy: str | None = None) -> None:
        """NetworkFailed for what is no address, and for an onion address without a proxy."""
        packings = "gzip, deflate, br, zstd" if base_url.startswith("https:") else "gzip, deflate"
        self._client = open_client(
            base_url,
            proxy,
            {"user-agent": _AGENT, "accept-language": "en-US,en;q=0.5", "accept-encoding": packings},
        )

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, path: str, kind: str, most: int, keep: bool) -> Served:
        """GET it. `kind`: the media type that it should have; `most`: bytes. NetworkFailed, TooLong, OddlyPacked."""
        accept, dest, mode = next(asks for start, asks in _ASKS.items() if kind.startswith(start))
        site = "none" if mode == "navigate" else "same-origin"
        sent = {"accept": accept, "sec-fetch-dest": dest, "sec-fetch-mode": mode, "sec-fetch-site": site}
        until = time.monotonic() + _WHOLE_SECONDS + most / _SLOWEST
        digest, size, kept = hashlib.sha256(), 0, bytearray()
        try:
            with self._client.stream("GET", path, headers=sent, extensions={"trace": Trace()}) as answer:
                packing = _Packing(answer.headers.get("content-encoding", "identity").lower())
                for chunk in answer.iter_raw():
                    for piece in packing.undo(chunk):
                        size += len(piece)
                        digest.update(piece)
                        if keep:
                            kept += piece
                        if size > most:
                            raise TooLong
                    if time.monotonic() > until:
                        raise NetworkFailed("The pages come too slowly to be waited for. Try again later.")
                packing.end()
                named = tuple((name.lower(), value) for name, value in answer.headers.multi_items())
                return Served(answer.status_code, named, size, digest.digest(), bytes(kept))
        except LINE_FAILED:
            raise NetworkFailed(
                "The pages do not answer at this address. Check the network (and that Tor runs, if you use it), then "
                "try again."
            ) from None


class _Packing:
    """Undoes a `content-encoding`, in pieces of bounded size."""

    _PIECE: Final = 1 << 20

    def __init__(self, name: str) -> None:
        if name not in ("identity", "gzip"):
            raise OddlyPacked
        self._gzip = zlib.decompressobj(wbits=31) if name == "gzip" else None

    def undo(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk`, the next of the answer, holds."""
        if self._gzip is None:
            yield chunk
            return
        while True:
            try:
                piece = self._gzip.decompress(chunk, self._PIECE)
            except zlib.error:
                raise OddlyPacked from None
            if self._gzip.unused_data:
                raise OddlyPacked
            yield piece
            chunk = self._gzip.unconsumed_tail
            if not chunk and len(piece) < self._PIECE:
                return

    def end(self) -> None:
        """The answer is over. OddlyPacked when it was cut."""
        if self._gzip is not None and not self._gzip.eof:
            raise OddlyPacked
