# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody reads who has a desk's vault and its passphrase: every page of the file and of the journal, free
pages and gaps too."""

import pytest

from tests.unit.desk import test_erasure as scan
from tests.world.world import VAULT_PASSPHRASE, Desk


def everything(desk: Desk) -> bytes:
    """All that lies in the file and the journal, decrypted."""
    journal = desk.path.with_name(desk.path.name + "-journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PASSPHRASE", VAULT_PASSPHRASE)
        return scan.vault_bytes(desk.path) + (scan.journal_bytes(desk.path) if journal.exists() else b"")
