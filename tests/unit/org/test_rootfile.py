# SPDX-License-Identifier: AGPL-3.0-or-later
"""The root key file: only the passphrase opens it, and no byte of it can be changed, added or lost unnoticed."""

import unicodedata
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from latchstring.org import lockedfile
from latchstring.org.errors import OrgError
from latchstring.org.rootfile import lock_root, unlock_root
from latchstring.protocol.encoding import lp, parse_lp
from latchstring.protocol.root import RootKeys
from tests.builders import Stream

PASSPHRASE = "correct horse battery"
KEYS = RootKeys(Stream("root")(32), Stream("root again")(32))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A little memory for Argon2id, for tests that open hundreds of files."""
    monkeypatch.setattr(lockedfile, "MEMORY_KIB", 64)
    monkeypatch.setattr(lockedfile, "PASSES", 1)


def test_the_file_is_what_its_description_says() -> None:
    raw = lock_root(KEYS, PASSPHRASE, Stream("salt and nonce"))
    salt, nonce, sealed = parse_lp("root-file", 3, raw)
    key = Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=256 * 1024).derive(PASSPHRASE.encode())
    plain = ChaCha20Poly1305(key).decrypt(nonce, sealed, lp("root-file-head", salt, nonce))
    assert plain == KEYS.ed25519_seed + KEYS.mldsa_seed
    assert (len(salt), len(nonce), len(raw)) == (16, 12, 148)
    assert unlock_root(raw, PASSPHRASE) == KEYS


@pytest.mark.usefixtures("cheap")
def test_each_file_has_its_own_salt_and_nonce() -> None:
    random = Stream("two files")
    first, second = (parse_lp("root-file", 3, lock_root(KEYS, PASSPHRASE, random)) for _ in range(2))
    assert all(a != b for a, b in zip(first, second, strict=True))


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("other", ["", "correct horse batterz", "Correct horse battery", "correct horse", "пароль" * 3])
def test_another_passphrase_is_refused_and_not_repeated(other: str) -> None:
    raw = lock_root(KEYS, PASSPHRASE, Stream("x"))
    with pytest.raises(OrgError, match="passphrase does not open") as refusal:
        unlock_root(raw, other)
    assert not other or other not in str(refusal.value)


@pytest.mark.usefixtures("cheap")
def test_the_same_passphrase_spelled_by_another_keyboard_opens_it() -> None:
    raw = lock_root(KEYS, "Їжак ёлка naïve", Stream("x"))
    for spelled in ("NFC", "NFD"):
        assert unlock_root(raw, unicodedata.normalize(spelled, "  Їжак  ёлка\tnaïve ")) == KEYS


def accepted(unlock: Callable[[bytes, str], RootKeys], raw: bytes) -> list[str]:
    """An attacker at the file: every byte changed, every cut, every addition. What is taken all the same?"""
    tries = [(f"byte {i} ^ {1 << bit}", raw[:i] + bytes([raw[i] ^ 1 << bit]) + raw[i + 1 :])
             for i in range(len(raw)) for bit in (0, 7)]  # fmt: skip
    tries += [(f"cut at {i}", raw[:i]) for i in range(len(raw))]
    tries += [(f"without byte {i}", raw[:i] + raw[i + 1 :]) for i in range(len(raw))]
    tries += [("with one more", raw + b"\0"), ("twice", raw + raw), ("backwards", raw[::-1]), ("empty", b"")]
    survived = []
    for what, changed in tries:
        try:
            unlock(changed, PASSPHRASE)
        except OrgError:
            continue
        survived.append(what)
    return survived


@pytest.mark.usefixtures("cheap")
def test_no_byte_can_be_changed_cut_or_added() -> None:
    assert accepted(unlock_root, lock_root(KEYS, PASSPHRASE, Stream("x"))) == []


@pytest.mark.usefixtures("cheap")
def test_a_file_that_is_not_authenticated_would_be_seen() -> None:
    """The same attacker against a program that decrypts without looking at the tag."""

    def careless(raw: bytes, passphrase: str) -> RootKeys:
        try:
            salt, nonce, sealed = parse_lp("root-file", 3, raw)
        except ValueError:
            raise OrgError("cut") from None
        if (len(salt), len(nonce), len(sealed)) != (16, 12, 80):
            raise OrgError("cut")
        stream = Cipher(algorithms.ChaCha20(lockedfile._key(passphrase, salt), bytes([1, 0, 0, 0]) + nonce), None)
        plain = stream.decryptor().update(sealed[:64])
        return RootKeys(plain[:32], plain[32:])

    raw = lock_root(KEYS, PASSPHRASE, Stream("x"))
    assert careless(raw, PASSPHRASE) == KEYS
    assert any(what.startswith("byte") for what in accepted(careless, raw))


@given(raw=st.binary(max_size=400), passphrase=st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_arbitrary_bytes_end_in_the_documented_error(raw: bytes, passphrase: str) -> None:
    with pytest.raises(OrgError):
        unlock_root(raw, passphrase)


def test_keys_do_not_show_in_their_own_description() -> None:
    assert KEYS.ed25519_seed.hex() not in repr(KEYS)
    assert repr(KEYS.mldsa_seed) not in repr(KEYS)
