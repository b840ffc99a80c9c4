# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cosignatures of checkpoints (c2sp.org/tlog-cosignature): Ed25519 (type 0x04) and ML-DSA-44 (type 0x06).

A cosignature says: at this time this was the largest log under this origin that I have seen, and all that I ever saw
of it is a part of it. In a line under the note: base64(key id ‖ u64be time ‖ signature). What is signed differs by
type: `cosignature/v1`, a line with the time, and the note's text; or the structure that `subtree_message` makes.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from latchstring.log.checkpoint import Checkpoint, parse_text
from latchstring.log.errors import LogError
from latchstring.log.note import SignatureLine, b64decode, check_name, check_signing_key, key_id, parse_note
from latchstring.protocol.constants import ED25519_PUBLIC, MLDSA_PUBLIC
from latchstring.protocol.witness import Witness

ED25519_COSIGNATURE: Final = 0x04
MLDSA_COSIGNATURE: Final = 0x06
_SIZES: Final = {ED25519_COSIGNATURE: ED25519_PUBLIC, MLDSA_COSIGNATURE: MLDSA_PUBLIC}
_SUBTREE: Final = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A cosigner's verifier key, spelled `name+hex(key id)+base64(type ‖ key)`; `kind` is the type's byte."""

    name: str
    kind: int
    public: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """The 4-byte key id."""
        return key_id(self.name, self.kind, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "CosignerKey":
        """LogError for anything but the one spelling of a cosigner's key, and for one that anybody can sign for."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise LogError("not a verifier key")
        raw = b64decode(parts[2])
        if not raw or _SIZES.get(raw[0]) != len(raw) - 1:
            raise LogError("not a key for cosignatures: those are of type 4 (Ed25519) or 6 (ML-DSA-44)")
        key = cls(check_name(parts[0]), raw[0], raw[1:])
        if str(key) != text:
            raise LogError("a verifier key that does not match its own id")
        if key.kind == ED25519_COSIGNATURE:
            check_signing_key(key.public)
        return key


def ed25519_message(text: str, time: int) -> bytes:
    """What an Ed25519 cosignature signs: `text` is the note's."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def subtree_message(name: str, time: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 cosignature signs: the cosigner's name, time, and the log from its first leaf to its size."""
    who, origin = name.encode(), checkpoint.origin.encode()
    if not 1 <= len(who) <= 255 or not 1 <= len(origin) <= 255:
        raise LogError("a name that is too long to be cosigned")
    return (
        _SUBTREE
        + bytes([len(who)])
        + who
        + time.to_bytes(8, "big")
        + bytes([len(origin)])
        + origin
        + bytes(8)
        + checkpoint.size.to_bytes(8, "big")
        + checkpoint.root
    )


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's signing keys: two 32-byte seeds."""

    name: str
    ed25519_seed: bytes = field(repr=False)
    mldsa_seed: bytes = field(repr=False)

    @property
    def keys(self) -> tuple[CosignerKey, CosignerKey]:
        """Both verifier keys, Ed25519 first."""
        ed25519 = Ed25519PrivateKey.from_private_bytes(self.ed25519_seed).public_key().public_bytes_raw()
        mldsa = MLDSA44PrivateKey.from_seed_bytes(self.mldsa_seed).public_key().public_bytes_raw()
        return (
            CosignerKey(self.name, ED25519_COSIGNATURE, ed25519),
            CosignerKey(self.name, MLDSA_COSIGNATURE, mldsa),
        )

    def cosign(self, checkpoint: Checkpoint, time: int) -> str:
        """Two signature lines. `time`: Unix seconds, above 0. ML-DSA signing is randomised."""
        ed25519, mldsa = self.keys
        one = Ed25519PrivateKey.from_private_bytes(self.ed25519_seed).sign(ed25519_message(checkpoint.text(), time))
        two = MLDSA44PrivateKey.from_seed_bytes(self.mldsa_seed).sign(subtree_message(self.name, time, checkpoint))
        return _line(ed25519, time, one) + _line(mldsa, time, two)


def _line(key: CosignerKey, time: int, signature: bytes) -> str:
    return SignatureLine(key.name, key.id, time.to_bytes(8, "big") + signature).text()


def cosigned_at(line: SignatureLine, key: CosignerKey, text: str) -> int:
    """The time that `key` put into its cosignature of the checkpoint `text`; LogError when it does not hold."""
    time, signature = int.from_bytes(line.signature[:8], "big"), line.signature[8:]
    if time >= 1 << 63:
        raise LogError("a cosignature of a time beyond all times")
    try:
        if key.kind == ED25519_COSIGNATURE:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, ed25519_message(text, time))
        else:
            message = subtree_message(key.name, time, parse_text(text))
            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise LogError("a cosignature that does not hold") from None
    return time


def cosignatures(raw: bytes, keys: Iterable[CosignerKey]) -> dict[CosignerKey, int]:
    """Which of `keys` cosigned the checkpoint `raw`, and when (Unix seconds).

    LogError when a cosignature in the name of one does not hold, or it has two. Those by other keys are passed over.
    """
    note = parse_note(raw)
    wanted = {(key.name, key.id): key for key in keys}
    held: dict[CosignerKey, int] = {}
    for line in note.signatures:
        key = wanted.get((line.name, line.id))
        if key is None:
            continue
        if key in held:
            raise LogError("two cosignatures by one key")
        held[key] = cosigned_at(line, key, note.text)
    return held


# --- the directory's witnesses --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A witness whose every key cosigned a checkpoint; `time` is the oldest of these cosignatures, Unix seconds."""

    name: str
    time: int


def keys_of(witness: Witness) -> tuple[CosignerKey, ...]:
    """The verifier keys that the directory names for it, Ed25519 first."""
    pairs = ((ED25519_COSIGNATURE, witness.ed25519), (MLDSA_COSIGNATURE, witness.mldsa))
    return tuple(CosignerKey(witness.name, kind, public) for kind, public in pairs if public is not None)


def witness_of(keys: Sequence[CosignerKey], address: str) -> Witness:
    """A witness from its verifier keys; LogError unless they are one or two of one name, each of its own type."""
    if not keys or len({key.name for key in keys}) != 1 or len({key.kind for key in keys}) != len(keys):
        raise LogError("a witness has one name and one key of each type at most")
    by_kind = {key.kind: key.public for key in keys}
    return Witness(keys[0].name, address, by_kind.get(ED25519_COSIGNATURE), by_kind.get(MLDSA_COSIGNATURE))


def witnessed(raw: bytes, witnesses: Iterable[Witness]) -> tuple[Witnessed, ...]:
    """Which of `witnesses` cosigned the checkpoint `raw`, with every key that is named for them. LogError as above."""
    named = [(witness.name, keys_of(witness)) for witness in witnesses]
    held = cosignatures(raw, (key for _, keys in named for key in keys))
    return tuple(
        Witnessed(name, min(held[key] for key in keys))
        for name, keys in named
        if keys and all(key in held for key in keys)
    )
