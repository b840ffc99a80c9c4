# SPDX-License-Identifier: AGPL-3.0-or-later
"""A secret in a file that only a passphrase opens: Argon2id (256 MiB, three passes), then ChaCha20-Poly1305.

LP(label, salt (16), nonce (12), ciphertext (the secret's size + 16)); salt and nonce are bound as associated data,
under the label with `-head`. The passphrase is taken in NFKD with single spaces, so that another keyboard or a pasted
line spells the same. RFC 9106 (Argon2id), RFC 8439 (ChaCha20-Poly1305).
"""

import unicodedata
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from latchstring.org.errors import OrgError
from latchstring.protocol.encoding import ProtocolError, lp, parse_lp
from latchstring.protocol.primitives import argon2id

MEMORY_KIB: Final = 256 * 1024
PASSES: Final = 3
_TAG: Final = 16


def lock(label: str, secret: bytes, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """The file's bytes; `random(n)` gives n bytes. Takes 256 MiB of memory and about a second."""
    salt, nonce = random(16), random(12)
    sealed = ChaCha20Poly1305(_key(passphrase, salt)).encrypt(nonce, secret, lp(f"{label}-head", salt, nonce))
    return lp(label, salt, nonce, sealed)


def unlock(label: str, size: int, raw: bytes, passphrase: str, what: str) -> bytes:
    """The secret of `size` bytes; OrgError when the file is damaged or the passphrase is another. `what`: its name."""
    try:
        salt, nonce, sealed = parse_lp(label, 3, raw)
        if (len(salt), len(nonce), len(sealed)) != (16, 12, size + _TAG):
            raise ProtocolError("a locked file of the wrong size")
    except ProtocolError:
        raise OrgError(f"This is not a {what} file, or it is cut or damaged. Use your other copy.") from None
    try:
        return ChaCha20Poly1305(_key(passphrase, salt)).decrypt(nonce, sealed, lp(f"{label}-head", salt, nonce))
    except InvalidTag:
        raise OrgError("The passphrase does not open this file, or the file is damaged. Nothing was changed.") from None


def _key(passphrase: str, salt: bytes) -> bytes:
    plain = " ".join(unicodedata.normalize("NFKD", passphrase).split())
    return argon2id(plain.encode("utf-8"), salt, MEMORY_KIB, PASSES)
