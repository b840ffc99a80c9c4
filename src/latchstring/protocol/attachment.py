# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments: a file cut into chunks of one size, each sealed and stored by itself under a name that tells nothing.

A fresh id (16 random bytes) and key (32) for each. K = HKDF-Expand(key, LP("attachment-key", id, size)); chunk n is
AES-256-GCM with K and the nonce u88be n ‖ (1 for the last chunk, else 0), no AAD: STREAM of Hoang, Reyhanitabar,
Rogaway and Vizár (2015) in age's form. A chunk holds 262,128 bytes and is stored as 262,144. The file is filled up
with zeros to `padded(chunks)` of them, so that the server sees one of few sizes. The name of chunk n is
HMAC(id, u64be n); the ciphertext hash is H(LP("attachment-hash", H(chunk 0) ‖ H(chunk 1) ‖ ...)) over stored chunks.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import (
    ProtocolError,
    decode_cbor,
    encode_cbor,
    h,
    lp,
    parse_lp,
    parse_u64,
    sized,
    u64,
)
from latchstring.protocol.primitives import expand, mac, same

MAX_NAME: Final = 255  # characters: what a file system takes
MAX_LIST: Final = 2 * c.ATTACHMENT_PLAIN  # bytes of a list attachment


def padded(chunks: int) -> int:
    """Padmé (Nikitin et al., 2019) over chunks: `chunks` rounded up to a number whose lowest bits are zero.

    Of e + 1 bits, e = floor(log2 chunks), the lowest e - (floor(log2 e) + 1) become zero: at most 12 % more, and
    only O(log log) bits of a size to be seen.
    """
    e = chunks.bit_length() - 1
    low = max(0, e - e.bit_length())
    return -(-chunks >> low) << low


def chunks_of(size: int) -> int:
    """How many chunks a file of `size` bytes is stored as, padding included; one at least."""
    return padded(max(1, -(-size // c.ATTACHMENT_PLAIN)))


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a letter says of one: `size` in bytes before padding, `hash` of the ciphertext, the file's `name`.

    Whoever holds this can find and open the chunks. A name is somebody's word: it is never used as a path.
    """

    id: bytes = field(repr=False)
    key: bytes = field(repr=False)
    size: int
    hash: bytes = field(repr=False)
    name: str = field(repr=False)

    @property
    def chunks(self) -> int:
        """How many are stored."""
        return chunks_of(self.size)

    def chunk_names(self) -> tuple[bytes, ...]:
        """The 32-byte names of all chunks, in order."""
        return tuple(chunk_name(self.id, n) for n in range(self.chunks))

    def as_item(self) -> list[object]:
        """As CBOR has it: [id, key, size, hash, name]. ProtocolError when a part is not what it must be."""
        item: list[object] = [self.id, self.key, self.size, self.hash, self.name]
        parse_item(item)
        return item


def parse_item(item: object) -> Attachment:
    """ProtocolError for anything else than what `as_item` gives."""
    match item:
        case [bytes(file_id), bytes(key), int(size), bytes(digest), str(name)] if (
            len(file_id) == c.ATTACHMENT_ID
            and len(key) == c.SYM_KEY
            and not isinstance(size, bool)
            and 0 <= size <= c.MAX_ATTACHMENT
            and len(digest) == c.HASH_SIZE
            and len(name) <= MAX_NAME
        ):
            return Attachment(file_id, key, size, digest, name)
        case _:
            raise ProtocolError("something else than an attachment")


def parse_items(items: list[object]) -> tuple[Attachment, ...]:
    """Several, no id twice; ProtocolError otherwise."""
    found = tuple(parse_item(item) for item in items)
    if len({a.id for a in found}) != len(found):
        raise ProtocolError("an attachment twice")
    return found


def encode_list(attachments: tuple[Attachment, ...]) -> bytes:
    """The content of a list attachment, for those that do not fit a letter: CBOR [[id, key, size, hash, name], ...]."""
    if not 1 <= len(attachments) <= c.MAX_LISTED:
        raise ProtocolError(f"a list has from 1 to {c.MAX_LISTED} attachments")
    raw = encode_cbor([a.as_item() for a in attachments])
    if len(raw) > MAX_LIST:
        raise ProtocolError("a list of attachments that is too long")
    parse_list(raw)
    return raw


def parse_list(raw: bytes) -> tuple[Attachment, ...]:
    """ProtocolError for anything else than what `encode_list` gives."""
    if len(raw) > MAX_LIST:
        raise ProtocolError("a list of attachments that is too long")
    items = decode_cbor(raw)
    if not isinstance(items, list) or not 1 <= len(items) <= c.MAX_LISTED:
        raise ProtocolError("not a list of attachments")
    return parse_items(items)


# --- chunks --------------------------------------------------------------------------------------


def chunk_name(file_id: bytes, n: int) -> bytes:
    """id_n = HMAC(att_id, n), 32 bytes: without the id, nobody can tell which names belong together."""
    return mac(file_id, u64(n))


def plain_size(size: int, n: int) -> int:
    """How many of a file's `size` bytes lie in chunk n; 0 in chunks of padding alone."""
    return min(c.ATTACHMENT_PLAIN, max(0, size - n * c.ATTACHMENT_PLAIN))


def _nonce(n: int, last: bool) -> bytes:
    return n.to_bytes(11, "big") + bytes([last])


def _cipher(file_id: bytes, key: bytes, size: int) -> AESGCM:
    return AESGCM(expand(sized(key, c.SYM_KEY, "a key"), lp("attachment-key", file_id, size)))


class CiphertextHash:
    """The hash over an attachment's stored chunks, taken in their order."""

    def __init__(self, chunks: int) -> None:
        whole = lp("attachment-hash", b"")
        self._hash = hashlib.sha256(whole[:-4] + (chunks * c.HASH_SIZE).to_bytes(4, "big"))
        self._left = chunks

    def add(self, sealed: bytes) -> None:
        """The next chunk."""
        self.add_hash(h(sealed))

    def add_hash(self, digest: bytes) -> None:
        """The next chunk, by its hash."""
        self._left -= 1
        self._hash.update(digest)

    def value(self) -> bytes:
        """32 bytes; ProtocolError before the last chunk was added."""
        if self._left:
            raise ProtocolError("an attachment that is not whole")
        return self._hash.digest()


class Sealer:
    """Seals a file chunk by chunk, in order, each once: sealing other bytes again under the same nonce would give the
    key's secrets away, so a chunk that must be sent again is kept sealed.
    """

    def __init__(self, file_id: bytes, key: bytes, size: int) -> None:
        if not 0 <= size <= c.MAX_ATTACHMENT:
            raise ProtocolError("an attachment of a size that the protocol does not know")
        self._cipher = _cipher(sized(file_id, c.ATTACHMENT_ID, "an id"), key, size)
        self._size, self._next = size, 0
        self.chunks = chunks_of(size)
        self._hash = CiphertextHash(self.chunks)

    def needs(self) -> int:
        """How many bytes of the file the next chunk takes."""
        return plain_size(self._size, self._next)

    def seal(self, plain: bytes) -> bytes:
        """The next stored chunk, 262,144 bytes. ProtocolError unless `plain` is exactly what the chunk takes."""
        n = self._next
        if n >= self.chunks or len(plain) != self.needs():
            raise ProtocolError("bytes that are not the next chunk's")
        self._next += 1
        filled = plain if len(plain) == c.ATTACHMENT_PLAIN else plain.ljust(c.ATTACHMENT_PLAIN, b"\0")
        sealed = self._cipher.encrypt(_nonce(n, n == self.chunks - 1), filled, None)
        self._hash.add(sealed)
        return sealed

    def ciphertext_hash(self) -> bytes:
        """Once all chunks are sealed."""
        return self._hash.value()


class Opener:
    """Opens an attachment chunk by chunk, in order."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        self._cipher = _cipher(attachment.id, attachment.key, attachment.size)
        self._next, self._chunks = 0, attachment.chunks
        self._hash = CiphertextHash(self._chunks)

    def open(self, sealed: bytes) -> bytes:
        """The bytes of the file in the next chunk. ProtocolError for a chunk of another file or place, or changed."""
        n = self._next
        if n >= self._chunks:
            raise ProtocolError("more chunks than the attachment has")
        self._next += 1
        sized(sealed, c.ATTACHMENT_CHUNK, "a chunk")
        try:
            filled = self._cipher.decrypt(_nonce(n, n == self._chunks - 1), sealed, None)
        except InvalidTag:
            raise ProtocolError("a chunk that is not this attachment's at this place, or was changed") from None
        self._hash.add(sealed)
        size = plain_size(self._attachment.size, n)
        if size == c.ATTACHMENT_PLAIN:
            return filled
        if filled.count(0, size) != c.ATTACHMENT_PLAIN - size:
            raise ProtocolError("an attachment that is not padded as it must be")
        return filled[:size]

    def done(self) -> None:
        """ProtocolError unless all chunks came and give the hash that the letter names."""
        if not same(self._hash.value(), self._attachment.hash):
            raise ProtocolError("an attachment whose ciphertext is not the one that the letter names")


# --- admission -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """The body of `POST /v1/attachments`: LP("attachment", token, chunks).

    `token`: 32 random bytes of the sender's own, which the uploads carry; asking again with it changes nothing.
    `chunks`: the padded size in chunks.
    """

    token: bytes = field(repr=False)
    chunks: int

    def encode(self) -> bytes:
        """ProtocolError when a part is not what it must be."""
        raw = lp("attachment", self.token, self.chunks)
        Ask.parse(raw)
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "Ask":
        """ProtocolError for anything else; a number of chunks that no padded size gives, too."""
        token, chunks = parse_lp("attachment", 2, raw)
        count = parse_u64(chunks)
        if not 1 <= count <= chunks_of(c.MAX_ATTACHMENT) or padded(count) != count:
            raise ProtocolError("a size that is not padded as it must be")
        return cls(sized(token, c.SYM_KEY, "a token"), count)


def admitted(left: int) -> bytes:
    """The answer: LP("attachment-admitted", how many chunks the server does not have yet)."""
    return lp("attachment-admitted", left)


def parse_admitted(raw: bytes) -> int:
    """How many chunks are still to come; ProtocolError for other bytes."""
    return parse_u64(parse_lp("attachment-admitted", 1, raw)[0])


def encode_names(last: int, names: list[bytes]) -> bytes:
    """The answer to `GET /v1/attachments?after=N`: LP("attachment-names", where to go on, names run together)."""
    return lp("attachment-names", last, b"".join(names))


def parse_names(raw: bytes) -> tuple[int, tuple[bytes, ...]]:
    """Where to go on, and the names; ProtocolError for other bytes."""
    last, run = parse_lp("attachment-names", 2, raw)
    if len(run) % c.HASH_SIZE:
        raise ProtocolError("a name that is cut short")
    return parse_u64(last), tuple(run[i : i + c.HASH_SIZE] for i in range(0, len(run), c.HASH_SIZE))
