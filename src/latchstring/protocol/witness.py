# SPDX-License-Identifier: AGPL-3.0-or-later
"""Witnesses as the directory names them: third parties that cosign the log (c2sp.org/tlog-witness).

A witness counts when every key that is named for it has cosigned. The quorum is more than half of them: an honest
witness knows only what it was shown, so that with half a server could show each half a log of its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.protocol.constants import MAX_WITNESSES, MLDSA_PUBLIC
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.primitives import check_ed25519

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,98}[A-Za-z0-9])?\Z", re.ASCII)
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,191}(?<!/)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Witness:
    """`name` is that of its keys: Ed25519 (32 bytes), ML-DSA-44 (1312 bytes) or both. It answers at
    `address`/add-checkpoint."""

    name: str
    address: str
    ed25519: bytes | None
    mldsa: bytes | None


def encode_witness(w: Witness) -> dict[str, object]:
    """As a map of the directory; a key that it has not is empty."""
    return {"name": w.name, "address": w.address, "ed25519": w.ed25519 or b"", "mldsa": w.mldsa or b""}


def decode_witness(value: object) -> Witness:
    """ProtocolError for anything else than what `encode_witness` makes."""
    f = Fields(value, "witness")
    ed25519, mldsa = f.raw("ed25519"), f.raw("mldsa")
    witness = Witness(f.text("name"), f.text("address"), ed25519 or None, mldsa or None)
    f.done()
    return witness


def check_witnesses(witnesses: Sequence[Witness], quorum: int, origin: str) -> None:
    """ProtocolError, in words for the person who edits the directory, when a rule is broken."""

    def need(holds: bool, sentence: str) -> None:
        if not holds:
            raise ProtocolError(f"directory: {sentence}")

    need(len(witnesses) <= MAX_WITNESSES, f"at most {MAX_WITNESSES} witnesses")
    for w in witnesses:
        need(bool(_NAME.match(w.name)), "a witness's name is letters, digits and . _ : / -, at most 100")
        need(bool(_ADDRESS.match(w.address)), "a witness's address begins http:// or https:// and ends without a slash")
        need(w.ed25519 is not None or w.mldsa is not None, "a witness has no key")
        if w.ed25519 is not None:
            check_ed25519(w.ed25519)
        need(w.mldsa is None or len(w.mldsa) == MLDSA_PUBLIC, f"a witness's ML-DSA-44 key is not {MLDSA_PUBLIC} bytes")
        need(w.name != origin, "a witness has the name of the log")
    need(len({w.name for w in witnesses}) == len(witnesses), "two witnesses have the same name")
    keys = [key for w in witnesses for key in (w.ed25519, w.mldsa) if key is not None]
    need(len(set(keys)) == len(keys), "two witnesses have the same key")
    need(quorum <= len(witnesses), "the quorum is more than there are witnesses")
    need(quorum == 0 or bool(witnesses), "a quorum without witnesses")
    need(
        not witnesses or 2 * quorum > len(witnesses),
        "the quorum is more than half of the witnesses: with less, a server could show each half another log",
    )
