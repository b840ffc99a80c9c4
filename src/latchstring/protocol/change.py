# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a letter says that changes a thread's passphrase: the old keys' proof c0, and the new keys. It has no text.

c0 is known to nobody but the source until then: H(LP("psk", c0)) = psk. So neither a member of the desk nor whoever
holds a live epoch key can make a change, though both can compute the thread's MACs.
"""

from dataclasses import dataclass, field

from latchstring.protocol.constants import XWING_PUBLIC
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.primitives import same
from latchstring.protocol.source_keys import SourceKeys, ThreadKeys, psk_of

KIND = "change"


@dataclass(frozen=True, slots=True)
class ChangeBody:
    """c0 (32 bytes) of the old keys, and the keys that follow them."""

    c0: bytes = field(repr=False)
    keys: ThreadKeys = field(repr=False)

    @classmethod
    def make(cls, old: SourceKeys, new: SourceKeys) -> "ChangeBody":
        """From one passphrase to another, for one desk; ProtocolError when they are the same, or of two desks."""
        if (old.door, old.desk) != (new.door, new.desk):
            raise ProtocolError("a change from one desk to another")
        if old.thread_keys == new.thread_keys:
            raise ProtocolError("a change to the same keys")
        return cls(old.c0, new.thread_keys)

    def encode(self) -> bytes:
        """CBOR, always of the same length."""
        keys = self.keys
        return encode_cbor({"kind": KIND, "c0": self.c0, "seal": keys.seal_key.raw, "dh": keys.dh, "psk": keys.psk})

    @classmethod
    def parse(cls, raw: bytes) -> "ChangeBody":
        """ProtocolError for anything else than a change of this version, with keys that are valid."""
        f = Fields(decode_cbor(raw), "change")
        if f.text("kind", 32) != KIND:
            raise ProtocolError("not a change")
        c0 = f.raw("c0", 32)
        body = cls(c0, ThreadKeys.parse(f.raw("seal", XWING_PUBLIC), f.raw("dh", 32), f.raw("psk", 32)))
        f.done()
        return body

    def follows(self, old: ThreadKeys) -> bool:
        """Does c0 prove that the holder of the old passphrase made this, and are the keys other ones?"""
        return same(psk_of(self.c0), old.psk) and self.keys != old
