# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other people's vectors: HPKE-PQ draft (which carries X-Wing), RFC 5869, RFC 9106."""

import json
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.primitives import expand

ROOT = Path(cryptography_vectors.__file__).parent
XWING = 0x647A


def hpke_vectors() -> list[dict[str, object]]:
    every = json.loads((ROOT / "HPKE" / "hpke-pq-test-vectors.json").read_text())
    return [v for v in every if v["kem_id"] == XWING]


def test_there_are_vectors_for_our_kem() -> None:
    assert len(hpke_vectors()) == 2


@pytest.mark.parametrize("vector", hpke_vectors(), ids=lambda v: str(v["suite_id"]))
def test_xwing_key_pair_from_its_secret(vector: dict[str, str]) -> None:
    assert OpenKey.from_secret(bytes.fromhex(vector["skRm"])).public.hex() == vector["pkRm"]


def test_our_suite_opens_the_draft_first_message() -> None:
    """The one vector with HKDF-SHA256 and ChaCha20-Poly1305. The library has no AAD, so its messages with an AAD must
    not open; the key schedule is held by those whose AAD is empty, and by refusing the others."""
    vector = next(v for v in hpke_vectors() if (v["kdf_id"], v["aead_id"]) == (1, 3))
    key = OpenKey.from_secret(bytes.fromhex(str(vector["skRm"])))
    info, enc = bytes.fromhex(str(vector["info"])), bytes.fromhex(str(vector["enc"]))
    encryptions = vector["encryptions"]
    assert isinstance(encryptions, list)
    first = encryptions[0]
    sealed = enc + bytes.fromhex(first["ct"])
    if first["aad"]:
        with pytest.raises(NotOurs):
            key.open(sealed, info)
        # The same ciphertext's stream decrypts with the vector's own key and nonce: shown by sealing with them.
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        raw = ChaCha20Poly1305(bytes.fromhex(str(vector["key"]))).decrypt(
            bytes.fromhex(first["nonce"]), bytes.fromhex(first["ct"]), bytes.fromhex(first["aad"])
        )
        assert raw.hex() == first["pt"]
        without_aad = ChaCha20Poly1305(bytes.fromhex(str(vector["key"]))).encrypt(
            bytes.fromhex(str(vector["base_nonce"])), raw, b""
        )
        assert key.open(enc + without_aad, info) == raw
    else:
        assert key.open(sealed, info).hex() == first["pt"]


def _blocks(text: str) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = []
    for line in text.splitlines():
        if line.startswith("COUNT"):
            blocks.append({})
        elif blocks and "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            blocks[-1][name.strip()] = value.strip()
    return blocks


def test_rfc_5869_expand() -> None:
    blocks = _blocks((ROOT / "KDF" / "rfc-5869-HKDF-SHA256.txt").read_text())
    assert len(blocks) == 3
    for block in blocks:
        out = expand(bytes.fromhex(block["PRK"]), bytes.fromhex(block["info"]), int(block["L"]))
        assert out.hex() == block["OKM"]


def test_rfc_9106_argon2id() -> None:
    """The library's Argon2id against RFC 9106's own case, with secret and associated data."""
    block = _blocks((ROOT / "KDF" / "argon2id.txt").read_text())[0]
    out = Argon2id(
        salt=bytes.fromhex(block["salt"]),
        length=int(block["length"]),
        iterations=int(block["iter"]),
        lanes=int(block["lanes"]),
        memory_cost=int(block["memcost"]),
        ad=bytes.fromhex(block["ad"]),
        secret=bytes.fromhex(block["secret"]),
    ).derive(bytes.fromhex(block["pass"]))
    assert out.hex() == block.get("output", block.get("result", block.get("tag")))
