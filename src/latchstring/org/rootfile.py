# SPDX-License-Identifier: AGPL-3.0-or-later
"""The root keys in a file that only a passphrase opens: Argon2id (256 MiB, three passes), then ChaCha20-Poly1305.

LP("root-file", salt (16), nonce (12), ciphertext (64 + 16)); salt and nonce are bound as associated data. The
passphrase is taken in NFKD with single spaces, so that another keyboard or a pasted line spells the same.
RFC 9106 (Argon2id), RFC 8439 (ChaCha20-Poly1305).
"""

import unicodedata
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from latchstring.org.errors import OrgError
from latchstring.protocol.encoding import ProtocolError, lp, parse_lp
from latchstring.protocol.primitives import argon2id
from latchstring.protocol.root import RootKeys

MEMORY_KIB: Final = 256 * 1024
PASSES: Final = 3


def lock_root(keys: RootKeys, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """The file's bytes; `random(n)` gives n bytes. Takes 256 MiB of memory and about a second."""
    salt, nonce = random(16), random(12)
    aad = lp("root-file-head", salt, nonce)
    sealed = ChaCha20Poly1305(_key(passphrase, salt)).encrypt(nonce, keys.ed25519_seed + keys.mldsa_seed, aad)
    return lp("root-file", salt, nonce, sealed)


def unlock_root(raw: bytes, passphrase: str) -> RootKeys:
    """The keys; OrgError when the file is damaged or the passphrase is another."""
    try:
        salt, nonce, sealed = parse_lp("root-file", 3, raw)
        if (len(salt), len(nonce), len(sealed)) != (16, 12, 64 + 16):
            raise ProtocolError("a root file of the wrong size")
    except ProtocolError:
        raise OrgError("This is not a root key file, or it is cut or damaged. Use your other copy.") from None
    try:
        plain = ChaCha20Poly1305(_key(passphrase, salt)).decrypt(nonce, sealed, lp("root-file-head", salt, nonce))
    except InvalidTag:
        raise OrgError("The passphrase does not open this file, or the file is damaged. Nothing was changed.") from None
    return RootKeys(plain[:32], plain[32:])


def _key(passphrase: str, salt: bytes) -> bytes:
    plain = " ".join(unicodedata.normalize("NFKD", passphrase).split())
    return argon2id(plain.encode("utf-8"), salt, MEMORY_KIB, PASSES)
