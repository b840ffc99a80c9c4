# SPDX-License-Identifier: AGPL-3.0-or-later
"""The keys that a source and a desk share under one epoch. Both sides compute them; neither can prove it to others.

ss = X25519(a, D_e) = X25519(d_e, A); prk = HMAC(psk, ss);
K_x = HKDF-Expand(prk, LP("pair", x, H(LP("pair-ctx", door, desk, H(epoch note), A, pk_S)))).
"""

from dataclasses import dataclass, field

from latchstring.protocol.encoding import h, lp
from latchstring.protocol.epoch import EpochNote, OpenEpoch
from latchstring.protocol.primitives import expand, mac, x25519, x25519_shared
from latchstring.protocol.source_keys import SourceKeys, ThreadKeys


@dataclass(frozen=True, slots=True)
class Pair:
    """K_letter, K_reply, K_tag and K_knock of one thread under one epoch."""

    note: EpochNote
    thread_keys: ThreadKeys = field(repr=False)
    prk: bytes = field(repr=False)
    context: bytes = field(repr=False)

    def key(self, use: str) -> bytes:
        """K_x for x = `use`: "letter", "reply", "tag" or "knock"."""
        return expand(self.prk, lp("pair", use, self.context))


def _pair(shared: bytes, keys: ThreadKeys, note: EpochNote) -> Pair:
    context = h(lp("pair-ctx", note.door, note.desk, note.hash, keys.dh, keys.seal_key.raw))
    return Pair(note, keys, mac(keys.psk, shared), context)


def pair_of_source(keys: SourceKeys, note: EpochNote) -> Pair:
    """The source's side; ProtocolError when the note's X25519 value is refused."""
    return _pair(x25519(keys.dh, note.dh), keys.thread_keys, note)


def pair_of_desk(epoch: OpenEpoch, keys: ThreadKeys) -> Pair:
    """The desk's side; ProtocolError when the thread's X25519 value is refused."""
    return _pair(x25519_shared(epoch.dh, keys.dh), keys, epoch.note)
