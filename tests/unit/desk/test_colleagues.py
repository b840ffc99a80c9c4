# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which wraps in the log are for us. Through the whole of a desk: `tests/world/test_rejoin.py`."""

from pathlib import Path

import pytest

from latchstring.desk.colleagues import in_vain
from latchstring.desk.identity import new_identity
from latchstring.desk.vault import create_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

WHO = new_identity("", "news", "news-3", (), Stream("news-3"))
BEFORE = b"\x05" * 32  # the key of whoever had the name before
DAY = 7


@pytest.mark.parametrize(
    ("sign_key", "given_at", "opened", "days"),
    [
        (WHO.sign_public, 20, 0, (DAY,)),
        (WHO.sign_public, 20, 1, ()),
        (WHO.sign_public, 9, 0, ()),  # to the transport key that stood there before ours
        (BEFORE, 20, 0, ()),
    ],
    ids=["sealed wrongly", "opened", "logged before our key", "to another key"],
)
def test_what_was_sealed_to_whoever_had_this_name_before_is_not_sealed_wrongly(
    sign_key: bytes, given_at: int, opened: int, days: tuple[int, ...], tmp_path: Path
) -> None:
    with create_vault(tmp_path / "a.vault", PASSPHRASE, Stream("vault"), CHEAP) as vault:
        with vault.transaction():
            vault.do("INSERT INTO desk_transport VALUES (?, ?, ?, ?, ?)", WHO.member, DAY, sign_key, 10, b"")
            vault.do("INSERT INTO desk_wrap VALUES (?, ?, ?, ?, ?)", bytes(32), WHO.member, DAY, given_at, opened)
        assert in_vain(vault, WHO, DAY) == days
        assert in_vain(vault, WHO, DAY + 1) == ()
