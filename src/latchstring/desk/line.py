# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member's line to the server: plain requests, and those that are signed as RFC 9421 says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from latchstring.client.transport import NetworkFailed, Response, Transport
from latchstring.desk.errors import DeskError
from latchstring.desk.identity import Identity
from latchstring.protocol.directory import Directory
from latchstring.protocol.request import Asked, request_key_of_member, sign_request


@dataclass(frozen=True, slots=True)
class Line:
    """`clock` gives Unix seconds: a long session goes on past the 300 s for which a signed request counts."""

    transport: Transport
    clock: Callable[[], int]
    random: Callable[[int], bytes] = field(repr=False)
    member: str
    key: bytes = field(repr=False)

    @classmethod
    def of(
        cls,
        transport: Transport,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        who: Identity,
        directory: Directory,
    ) -> "Line":
        """With the key that member and server share."""
        key = request_key_of_member(directory.origin, who.request_seed, directory.request_key)
        return cls(transport, clock, random, who.member, key)

    def get(self, path: str) -> Response:
        """A public file."""
        return _up(self.transport.request("GET", path))

    def signed(self, method: str, path: str, query: str = "", body: bytes = b"") -> Response:
        """A member's request. DeskError when the server does not know this member or their clock."""
        asked = Asked(method, self.transport.authority, path, query, body)
        headers = sign_request(asked, self.key, self.member, self.clock(), self.random(24))
        answer = _up(self.transport.request(method, path, query, body, headers))
        if answer.status == 401:
            raise DeskError(
                "The server does not accept this member's signed requests.",
                "Check this device's date and time; then ask the organisation whether the directory holds your card.",
            )
        return answer


def _up(answer: Response) -> Response:
    if answer.status >= 500:
        raise NetworkFailed(
            "The server cannot answer just now. Nothing is lost; run the command again in a few minutes."
        )
    return answer
