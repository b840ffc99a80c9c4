# SPDX-License-Identifier: AGPL-3.0-or-later
"""Receipts: the server's signed promise to log a letter, or that it took a page. A key used for nothing else.

LP("receipt-signed", LP("receipt", origin, leaf, publish-by batch), Ed25519 signature) for a letter;
LP("receipt-signed", LP("page-receipt", origin, n, page, v, H(page)), signature) for a page.
A letter's leaf is in the log by the first batch whose number is publish-by or more.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from latchstring.protocol.constants import ED25519_SIGNATURE, HASH_SIZE
from latchstring.protocol.encoding import ProtocolError, lp, parse_lp, parse_text, parse_u64, sized
from latchstring.protocol.primitives import ed25519_verify


@dataclass(frozen=True, slots=True)
class Receipt:
    """A letter's: `leaf` is its 32-byte log entry."""

    origin: str
    leaf: bytes = field(repr=False)
    publish_by: int

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed bytes, always the same for the same receipt."""
        return _signed(lp("receipt", self.origin, self.leaf, self.publish_by), key)


@dataclass(frozen=True, slots=True)
class PageReceipt:
    """A page's: sheet number, page number, version, SHA-256 of the page."""

    origin: str
    sheet: int
    page: int
    version: int
    page_hash: bytes

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed bytes, always the same for the same receipt."""
        body = lp("page-receipt", self.origin, self.sheet, self.page, self.version, self.page_hash)
        return _signed(body, key)


def _signed(body: bytes, key: Ed25519PrivateKey) -> bytes:
    return lp("receipt-signed", body, key.sign(body))


def _open(raw: bytes, key: bytes) -> bytes:
    body, signature = parse_lp("receipt-signed", 2, raw)
    if not ed25519_verify(key, body, sized(signature, ED25519_SIGNATURE, "a signature")):
        raise ProtocolError("a receipt whose signature does not hold")
    return body


def open_receipt(raw: bytes, receipt_key: bytes) -> Receipt:
    """A letter's receipt, signature checked; ProtocolError otherwise."""
    origin, leaf, by = parse_lp("receipt", 3, _open(raw, receipt_key))
    return Receipt(parse_text(origin), sized(leaf, HASH_SIZE, "a leaf"), parse_u64(by))


def open_page_receipt(raw: bytes, receipt_key: bytes) -> PageReceipt:
    """A page's receipt, signature checked; ProtocolError otherwise."""
    origin, sheet, page, version, digest = parse_lp("page-receipt", 5, _open(raw, receipt_key))
    return PageReceipt(
        parse_text(origin),
        parse_u64(sheet),
        parse_u64(page),
        parse_u64(version),
        sized(digest, HASH_SIZE, "a hash"),
    )
