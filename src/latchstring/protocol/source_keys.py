# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source's keys: from the passphrase's 100 bits and the door, nothing else. Each desk sees another source."""

from dataclasses import dataclass, field

from latchstring.protocol.encoding import h, lp
from latchstring.protocol.hpke import OpenKey, SealKey
from latchstring.protocol.primitives import argon2id, check_x25519, expand, x25519_public
from latchstring.protocol.root import Door


@dataclass(frozen=True, slots=True)
class ThreadKeys:
    """What a desk learns of a thread from its first letter: pk_S (1216 bytes), A (32), psk (32)."""

    seal_key: SealKey = field(repr=False)
    dh: bytes = field(repr=False)
    psk: bytes = field(repr=False)

    @classmethod
    def parse(cls, seal_key: bytes, dh: bytes, psk: bytes) -> "ThreadKeys":
        """ProtocolError when a key is not valid."""
        return cls(SealKey.parse(seal_key), check_x25519(dh), psk)

    def thread(self, door: Door, desk: str) -> bytes:
        """The thread's id: H(LP("thread-id", door, desk, pk_S, A, psk))."""
        return h(lp("thread-id", door, desk, self.seal_key.raw, self.dh, self.psk))


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """A source's private keys for one desk."""

    door: Door
    desk: str
    open_key: OpenKey = field(repr=False)
    dh: bytes = field(repr=False)
    c0: bytes = field(repr=False)
    psk: bytes = field(repr=False)
    thread_keys: ThreadKeys = field(repr=False)


def psk_of(c0: bytes) -> bytes:
    """psk = H(LP("psk", c0)): what the desk learns of c0 until the passphrase is changed."""
    return h(lp("psk", c0))


def seed_of(passphrase_bits: bytes, door: Door) -> bytes:
    """Argon2id over the passphrase's 13 bytes with the door as salt: 32 bytes, about a tenth of a second."""
    return argon2id(passphrase_bits, h(lp("source", door)))


def source_keys(seed: bytes, door: Door, desk: str) -> SourceKeys:
    """The keys for one desk: s = HKDF-Expand(seed, LP("thread", desk)), and from s by label the pairs and psk."""
    s = expand(seed, lp("thread", desk))
    open_key = OpenKey.from_secret(expand(s, lp("source-xwing")))
    dh = expand(s, lp("source-x25519"))
    c0 = expand(s, lp("change"))
    psk = psk_of(c0)
    return SourceKeys(door, desk, open_key, dh, c0, psk, ThreadKeys(open_key.seal_key(), x25519_public(dh), psk))
