# SPDX-License-Identifier: AGPL-3.0-or-later
"""Desk keys: a transport key a day for each member, an epoch a day for the desk, wraps and signatures.

Key notes, each logged as the bytes that its `raw` gives:
  transport  LP("transport-signed", LP("transport", door, desk, member, day, T), Ed25519 signature)
  epoch      LP("epoch", door, desk, gen, v, day, P_e, D_e)
  signature  LP("signature", H(epoch note), member, Ed25519 signature over LP("epoch-sign", H(epoch note), member))
  wrap       LP("wrapped", H(epoch note), member, e sealed to T with info LP("wrap", H(epoch note), member))
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from latchstring.protocol.constants import ED25519_SIGNATURE, HASH_SIZE, SEAL_OVERHEAD, SYM_KEY
from latchstring.protocol.encoding import ProtocolError, h, lp, parse_lp, parse_text, parse_u64, sized
from latchstring.protocol.hpke import NotOurs, OpenKey, SealKey
from latchstring.protocol.primitives import (
    check_x25519,
    ed25519_sign,
    ed25519_verify,
    expand,
    x25519_private,
    x25519_public,
)
from latchstring.protocol.root import Door


@dataclass(frozen=True, slots=True)
class TransportNote:
    """A member's sealing key for one day."""

    door: Door
    desk: str
    member: str
    day: int
    key: SealKey
    signature: bytes

    @property
    def raw(self) -> bytes:
        """The logged bytes."""
        return lp("transport-signed", self._signed(), self.signature)

    def _signed(self) -> bytes:
        return lp("transport", self.door, self.desk, self.member, self.day, self.key.raw)

    @classmethod
    def make(cls, door: Door, desk: str, member: str, day: int, key: SealKey, sign_seed: bytes) -> "TransportNote":
        """Sign with the member's Ed25519 seed."""
        signed = lp("transport", door, desk, member, day, key.raw)
        return cls(door, desk, member, day, key, ed25519_sign(sign_seed, signed))

    @classmethod
    def parse(cls, raw: bytes) -> "TransportNote":
        """ProtocolError for other bytes. The signature is not checked here: see `holds`."""
        signed, signature = parse_lp("transport-signed", 2, raw)
        door, desk, member, day, key = parse_lp("transport", 5, signed)
        sized(signature, ED25519_SIGNATURE, "a signature")
        return cls(
            Door(sized(door, HASH_SIZE, "a door")),
            parse_text(desk),
            parse_text(member),
            parse_u64(day),
            SealKey.parse(key),
            signature,
        )

    def holds(self, sign_key: bytes) -> bool:
        """Was it signed with the member's key?"""
        return ed25519_verify(sign_key, self._signed(), self.signature)


@dataclass(frozen=True, slots=True)
class EpochNote:
    """The public half of a desk's epoch: X-Wing key P_e and X25519 value D_e."""

    door: Door
    desk: str
    gen: int
    v: int
    day: int
    seal_key: SealKey
    dh: bytes
    raw: bytes = field(repr=False)
    hash: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "EpochNote":
        """ProtocolError for other bytes or a key that is not valid."""
        door, desk, gen, v, day, key, dh = parse_lp("epoch", 7, raw)
        return cls(
            Door(sized(door, HASH_SIZE, "a door")),
            parse_text(desk),
            parse_u64(gen),
            parse_u64(v),
            parse_u64(day),
            SealKey.parse(key),
            check_x25519(dh),
            raw,
            h(raw),
        )


@dataclass(frozen=True, slots=True)
class OpenEpoch:
    """An epoch whose secret we hold: what opens letters and places replies."""

    note: EpochNote
    secret: bytes = field(repr=False)
    open_key: OpenKey = field(repr=False)
    dh: X25519PrivateKey = field(repr=False, compare=False)
    desk_key: bytes = field(repr=False)

    @classmethod
    def make(cls, secret: bytes, door: Door, desk: str, gen: int, v: int, day: int) -> "OpenEpoch":
        """Derive everything from 32 random bytes e."""
        sized(secret, SYM_KEY, "an epoch's secret")
        open_key = OpenKey.from_secret(expand(secret, lp("epoch-xwing")))
        dh = expand(secret, lp("epoch-x25519"))
        raw = lp("epoch", door, desk, gen, v, day, open_key.public, x25519_public(dh))
        return cls(EpochNote.parse(raw), secret, open_key, x25519_private(dh), expand(secret, lp("desk")))

    @classmethod
    def of_note(cls, secret: bytes, note: EpochNote) -> "OpenEpoch":
        """As `make`, but ProtocolError unless the secret derives that very note."""
        epoch = cls.make(secret, note.door, note.desk, note.gen, note.v, note.day)
        if epoch.note.raw != note.raw:
            raise ProtocolError("a secret that is not this epoch's")
        return epoch


@dataclass(frozen=True, slots=True)
class EpochSignature:
    """A member's word that the epoch's secret opened and derives the note."""

    note_hash: bytes
    member: str
    signature: bytes

    @property
    def raw(self) -> bytes:
        """The logged bytes."""
        return lp("signature", self.note_hash, self.member, self.signature)

    @classmethod
    def make(cls, note_hash: bytes, member: str, sign_seed: bytes) -> "EpochSignature":
        """Sign with the member's Ed25519 seed."""
        return cls(note_hash, member, ed25519_sign(sign_seed, lp("epoch-sign", note_hash, member)))

    @classmethod
    def parse(cls, raw: bytes) -> "EpochSignature":
        """ProtocolError for other bytes. Whether it holds: see `holds`."""
        note_hash, member, signature = parse_lp("signature", 3, raw)
        sized(signature, ED25519_SIGNATURE, "a signature")
        return cls(sized(note_hash, HASH_SIZE, "a hash"), parse_text(member), signature)

    def holds(self, sign_key: bytes) -> bool:
        """Was it signed with the member's key?"""
        return ed25519_verify(sign_key, lp("epoch-sign", self.note_hash, self.member), self.signature)


@dataclass(frozen=True, slots=True)
class Wrap:
    """An epoch's secret sealed to one member's transport key of that day: 1168 bytes."""

    note_hash: bytes
    member: str
    sealed: bytes

    @property
    def raw(self) -> bytes:
        """The logged bytes."""
        return lp("wrapped", self.note_hash, self.member, self.sealed)

    @classmethod
    def make(cls, epoch: OpenEpoch, transport: TransportNote) -> "Wrap":
        """Seal `epoch`'s secret; ProtocolError when the transport key is for another desk or day."""
        note = epoch.note
        if (transport.door, transport.desk, transport.day) != (note.door, note.desk, note.day):
            raise ProtocolError("a transport key for another desk or day")
        info = lp("wrap", note.hash, transport.member)
        return cls(note.hash, transport.member, transport.key.seal(epoch.secret, info))

    @classmethod
    def parse(cls, raw: bytes) -> "Wrap":
        """ProtocolError for other bytes."""
        note_hash, member, sealed = parse_lp("wrapped", 3, raw)
        sized(sealed, SEAL_OVERHEAD + SYM_KEY, "a wrap")
        return cls(sized(note_hash, HASH_SIZE, "a hash"), parse_text(member), sealed)

    def open(self, note: EpochNote, transport_key: OpenKey) -> OpenEpoch:
        """The epoch; NotOurs when the wrap does not open, ProtocolError when it holds another epoch's secret."""
        if note.hash != self.note_hash:
            raise NotOurs
        return OpenEpoch.of_note(transport_key.open(self.sealed, lp("wrap", note.hash, self.member)), note)
