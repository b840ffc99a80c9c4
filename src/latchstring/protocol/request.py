# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key that a member and the server share for signing requests (RFC 9421, hmac-sha256)."""

from latchstring.protocol.encoding import h, lp
from latchstring.protocol.primitives import x25519, x25519_public


def request_key_of_member(origin: str, member_private: bytes, server_public: bytes) -> bytes:
    """H(LP("request-key", origin, X25519(member, server), member key, server key)): the member's side."""
    shared = x25519(member_private, server_public)
    return h(lp("request-key", origin, shared, x25519_public(member_private), server_public))


def request_key_of_server(origin: str, server_private: bytes, member_public: bytes) -> bytes:
    """The same 32 bytes, the server's side."""
    shared = x25519(server_private, member_public)
    return h(lp("request-key", origin, shared, member_public, x25519_public(server_private)))
