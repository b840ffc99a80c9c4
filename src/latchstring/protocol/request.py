# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members' requests: HTTP Message Signatures (RFC 9421) with hmac-sha256, in one fixed form.

Always these components, in this order: @method, @authority, @path, @query, content-digest (RFC 9530, sha-256, of an
empty body too); always these parameters: created, nonce, keyid (the member's id), alg. Because the form is fixed,
checking it is comparing text; a test has another implementation verify what this one signs.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.constants import REQUEST_SECONDS
from latchstring.protocol.encoding import ProtocolError, h, lp
from latchstring.protocol.primitives import mac, same, x25519, x25519_public

_COVERED: Final = '("@method" "@authority" "@path" "@query" "content-digest")'
_INPUT: Final = re.compile(
    r'sig=(?P<params>\("@method" "@authority" "@path" "@query" "content-digest"\);created=(?P<created>[1-9][0-9]{0,11})'
    r';nonce="(?P<nonce>[A-Za-z0-9_-]{22,64})";keyid="(?P<keyid>[a-z0-9-]{1,32})";alg="hmac-sha256")\Z',
    re.ASCII,
)
_SIGNATURE: Final = re.compile(r"sig=:(?P<mac>[A-Za-z0-9+/]{43}=):\Z", re.ASCII)


def request_key_of_member(origin: str, member_private: bytes, server_public: bytes) -> bytes:
    """H(LP("request-key", origin, X25519(member, server), member key, server key)): the member's side."""
    shared = x25519(member_private, server_public)
    return h(lp("request-key", origin, shared, x25519_public(member_private), server_public))


def request_key_of_server(origin: str, server_private: bytes, member_public: bytes) -> bytes:
    """The same 32 bytes, the server's side."""
    shared = x25519(server_private, member_public)
    return h(lp("request-key", origin, shared, member_public, x25519_public(server_private)))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is, as far as its signature covers it. `authority` as in the Host header; `query` without '?'."""

    method: str
    authority: str
    path: str = field(repr=False)
    query: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who a verified request is from; `nonce` is to be spent by the server, until `expires` (Unix seconds)."""

    member: str
    nonce: str
    expires: int


def content_digest(body: bytes) -> str:
    """RFC 9530, sha-256."""
    return f"sha-256=:{base64.b64encode(h(body)).decode()}:"


def _base(asked: Asked, digest: str, params: str) -> bytes:
    lines = (
        ("@method", asked.method),
        ("@authority", asked.authority.lower()),
        ("@path", asked.path),
        ("@query", "?" + asked.query),
        ("content-digest", digest),
        ("@signature-params", params),
    )
    return "\n".join(f'"{name}": {value}' for name, value in lines).encode("ascii", "backslashreplace")


def sign_request(asked: Asked, key: bytes, member: str, created: int, nonce: bytes) -> dict[str, str]:
    """The three headers to send. `nonce`: 16 to 48 random bytes."""
    text = base64.urlsafe_b64encode(nonce).decode().rstrip("=")
    params = f'{_COVERED};created={created};nonce="{text}";keyid="{member}";alg="hmac-sha256"'
    digest = content_digest(asked.body)
    signature = base64.b64encode(mac(key, _base(asked, digest, params))).decode()
    return {"content-digest": digest, "signature-input": f"sig={params}", "signature": f"sig=:{signature}:"}


def verify_request(asked: Asked, headers: Mapping[str, str], key_of: Callable[[str], bytes | None], now: int) -> Signer:
    """Who signed; ProtocolError otherwise. `headers` by lower-case name; `key_of` gives a member's key or None."""
    if headers.get("content-digest") != content_digest(asked.body):
        raise ProtocolError("a request whose body is not the one that was signed")
    return verify_head(asked, headers, key_of, now)


def verify_head(asked: Asked, headers: Mapping[str, str], key_of: Callable[[str], bytes | None], now: int) -> Signer:
    """As `verify_request` but for the body, which may still be on its way: its digest is taken as the head says."""
    found = _INPUT.match(headers.get("signature-input", ""))
    signature = _SIGNATURE.match(headers.get("signature", ""))
    if found is None or signature is None:
        raise ProtocolError("a request that is not signed as members sign")
    key = key_of(found["keyid"])
    digest = headers.get("content-digest", "")
    given = base64.b64decode(signature["mac"])
    expected = mac(key if key is not None else bytes(32), _base(asked, digest, found["params"]))
    if not same(expected, given) or key is None:
        raise ProtocolError("a request whose signature does not hold")
    created = int(found["created"])
    if abs(now - created) > REQUEST_SECONDS:
        raise ProtocolError("a request signed at another time: check the clocks of both machines")
    return Signer(found["keyid"], found["nonce"], created + REQUEST_SECONDS)
