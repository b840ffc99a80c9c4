# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members' requests: another implementation of RFC 9421 verifies what this one signs, and any change is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.constants import REQUEST_SECONDS
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import x25519_public
from latchstring.protocol.request import (
    Asked,
    request_key_of_member,
    request_key_of_server,
    sign_request,
    verify_request,
)

KEY = bytes(range(32))
ASKED = Asked("PUT", "door.example:8400", "/v1/pages/3/0", "v=9", b"page")
NOW = 1_700_000_000
HEADERS = sign_request(ASKED, KEY, "news-1", NOW, bytes(24))


@dataclass
class Message:
    """A request as the other implementation reads it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Resolver(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return KEY

    def resolve_private_key(self, key_id: str) -> bytes:
        raise AssertionError("only verifying")


@pytest.mark.parametrize("asked", [ASKED, Asked("GET", "a.onion", "/v1/packs/7", "", b"")], ids=["put", "get"])
def test_another_implementation_verifies_it(asked: Asked) -> None:
    import time

    headers = sign_request(asked, KEY, "news-1", int(time.time()), bytes(range(24)))
    url = f"http://{asked.authority}{asked.path}" + (f"?{asked.query}" if asked.query else "")
    message = Message(asked.method, url, {k.title(): v for k, v in headers.items()}, asked.body)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Resolver())
    results = verifier.verify(message)
    assert len(results) == 1
    assert results[0].parameters["keyid"] == "news-1"


def _verify(asked: Asked = ASKED, headers: dict[str, str] = HEADERS, key: bytes | None = KEY, now: int = NOW) -> str:
    return verify_request(asked, headers, lambda _member: key, now).member


def test_it_holds() -> None:
    assert _verify() == "news-1"
    assert _verify(now=NOW + REQUEST_SECONDS) == _verify(now=NOW - REQUEST_SECONDS) == "news-1"


CHANGES: list[Callable[[], str]] = [
    lambda: _verify(replace(ASKED, method="POST")),
    lambda: _verify(replace(ASKED, authority="other.example")),
    lambda: _verify(replace(ASKED, path="/v1/pages/3/1")),
    lambda: _verify(replace(ASKED, query="v=10")),
    lambda: _verify(replace(ASKED, query="")),
    lambda: _verify(replace(ASKED, body=b"pagf")),
    lambda: _verify(key=bytes(32)),
    lambda: _verify(key=None),
    lambda: _verify(now=NOW + REQUEST_SECONDS + 1),
    lambda: _verify(now=NOW - REQUEST_SECONDS - 1),
    lambda: _verify(headers={k: v for k, v in HEADERS.items() if k != "content-digest"}),
    lambda: _verify(headers={k: v for k, v in HEADERS.items() if k != "signature"}),
    lambda: _verify(headers={**HEADERS, "signature": HEADERS["signature"] + ", b=:AAAA:"}),
    lambda: _verify(headers={**HEADERS, "signature-input": HEADERS["signature-input"].replace("news-1", "news-2")}),
    lambda: _verify(headers={**HEADERS, "signature-input": HEADERS["signature-input"].replace('"@query" ', "")}),
    lambda: _verify(headers={**HEADERS, "signature-input": HEADERS["signature-input"].replace("17", "١٧", 1)}),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_any_part_changed_is_refused(change: Callable[[], str]) -> None:
    with pytest.raises(ProtocolError):
        change()


@given(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.text(max_size=200)))
def test_any_headers_are_refused_calmly(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        _verify(headers=headers)


def test_both_sides_make_the_same_key() -> None:
    member, server = bytes([1]) * 32, bytes([2]) * 32
    theirs = request_key_of_member("o", member, x25519_public(server))
    assert theirs == request_key_of_server("o", server, x25519_public(member))
    assert theirs != request_key_of_member("p", member, x25519_public(server))
