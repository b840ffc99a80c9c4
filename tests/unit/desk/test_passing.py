# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who passes on what a member missed, and what a word that it was done is worth."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.desk.facts import At, Reader, Taken, Told, apply_fact
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.passing import filled_fact, open_gaps
from latchstring.desk.seen import add_gap, own_gaps
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.memo import Fact
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

READER = Reader(Door(b"d" * 32), "news", "clara")
CLARA = new_identity("door", "news", "clara", (), Stream("clara"))
MEMBERS = {"anna": b"a" * 32, "ben": b"b" * 32, "clara": CLARA.sign_public}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """Clara's."""
    with create_vault(tmp_path / "clara.vault", PASSPHRASE, Stream("vault"), CHEAP) as made:
        keep_identity(made, CLARA)
        yield made


def hear(vault: Vault, batch: int, by: str, fact: Fact, place: int = 0) -> Taken:
    with vault.transaction():
        return apply_fact(vault, FACT_KINDS, Told(At(batch, place, 0), by, READER), fact)


def says_gap(vault: Vault, member: str, first: int, last: int, batch: int = 2200) -> None:
    assert hear(vault, batch, member, {"kind": "seen", "batch": batch - 1, "gaps": [[first, last]]}).applied


def test_what_was_passed_on_to_other_keys_of_the_name_closes_nothing(vault: Vault) -> None:
    with vault.transaction():
        add_gap(vault, 1999, 2000)
    assert hear(vault, 2100, "anna", filled_fact("clara", b"former" + bytes(26), (0, 2050))).applied
    assert own_gaps(vault) == ((2000, 2000),)
    assert hear(vault, 2100, "anna", filled_fact("clara", CLARA.sign_public, (0, 2050)), 1).applied
    assert own_gaps(vault) == ()
    says_gap(vault, "ben", 2000, 2000)
    assert hear(vault, 2100, "anna", filled_fact("ben", b"former" + bytes(26), (0, 2050)), 2).applied
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ((2000, 2000),)
    assert hear(vault, 2100, "anna", filled_fact("ben", MEMBERS["ben"], (0, 2050)), 3).applied
    assert open_gaps(vault, "ben", MEMBERS["ben"]) == ()
