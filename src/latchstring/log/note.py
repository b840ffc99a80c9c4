# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signed notes (c2sp.org/signed-note), Ed25519: text, a blank line, then lines "— <name> base64(key id ‖ signature)".

Strict: one spelling for everything. Signatures by keys that we do not know are kept and prove nothing.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from latchstring.log.errors import LogError
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import check_ed25519

ED25519: Final = 0x01
MAX_NOTE: Final = 100_000
MAX_SIGNATURES: Final = 100


def b64decode(text: str) -> bytes:
    """Standard base64 in its one canonical spelling; LogError otherwise."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise LogError("not base64") from None
    if base64.b64encode(raw).decode() != text:
        raise LogError("base64 that is not in its one canonical form")
    return raw


def check_name(name: str) -> str:
    """`name` itself; LogError unless it can be that of a key."""
    if not name or "+" in name or not name.isprintable() or any(ch.isspace() for ch in name):
        raise LogError("not a key's name")
    return name


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def check_signing_key(public: bytes) -> None:
    """LogError for an Ed25519 key that `check_ed25519` refuses."""
    try:
        check_ed25519(public)
    except ProtocolError as error:
        raise LogError(str(error)) from None


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 verifier key with its name: `name+hex(key id)+base64(type ‖ key)`."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4-byte key id."""
        return key_id(self.name, ED25519, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([ED25519]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """LogError for anything but the one spelling of an Ed25519 key, and for one that anybody can sign for."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise LogError("not a verifier key")
        raw = b64decode(parts[2])
        if len(raw) != 33 or raw[0] != ED25519:
            raise LogError("not an Ed25519 verifier key")
        key = cls(check_name(parts[0]), raw[1:])
        if str(key) != text:
            raise LogError("a verifier key that does not match its own id")
        check_signing_key(key.public)
        return key


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One line under a note: key name, 4-byte key id, signature."""

    name: str
    id: bytes
    signature: bytes

    def text(self) -> str:
        """As it stands in the note."""
        return f"\u2014 {self.name} {base64.b64encode(self.id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. `text` ends with a newline. Nothing is verified yet."""

    text: str
    signatures: tuple[SignatureLine, ...] = field(repr=False)


def parse_note(raw: bytes) -> Note:
    """LogError for anything else than a well-formed note."""
    if len(raw) > MAX_NOTE:
        raise LogError("a signed note that is too long")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise LogError("a signed note that is not UTF-8") from None
    if any((ch < " " and ch != "\n") or ch == "\x7f" for ch in whole):
        raise LogError("a signed note with control characters")
    split = whole.rfind("\n\n")
    if split < 0 or not whole.endswith("\n"):
        raise LogError("not a signed note")
    text, tail = whole[: split + 1], whole[split + 2 :]
    lines = tail.split("\n")[:-1]
    if not lines or len(lines) > MAX_SIGNATURES:
        raise LogError("a signed note without signatures, or with too many")
    signatures = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise LogError("a signature line that is not one")
        payload = b64decode(parts[2])
        if len(payload) < 5:
            raise LogError("a signature line that is cut short")
        signatures.append(SignatureLine(check_name(parts[1]), payload[:4], payload[4:]))
    return Note(text, tuple(signatures))


def sign_note(text: str, name: str, seed: bytes) -> bytes:
    """A note over `text` (which must end with a newline) with one Ed25519 signature."""
    if not text.endswith("\n"):
        raise LogError("a note's text ends with a newline")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    ident = key_id(check_name(name), ED25519, private.public_key().public_bytes_raw())
    payload = base64.b64encode(ident + private.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {payload}\n".encode()


def verified_text(raw: bytes, key: VerifierKey) -> str:
    """The text of a note that `key` signed; LogError when it did not, or a signature in its name does not hold."""
    note = parse_note(raw)
    held = False
    for line in note.signatures:
        if (line.name, line.id) != (key.name, key.id):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(line.signature, note.text.encode())
        except (InvalidSignature, ValueError):
            raise LogError("a signature that does not hold") from None
        if held:
            raise LogError("two signatures by one key")
        held = True
    if not held:
        raise LogError("not signed by this log's key")
    return note.text
