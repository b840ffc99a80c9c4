# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demonstration reads the log of a server that goes on."""

from pathlib import Path

from latchstring.demo.door import published
from latchstring.log.verify import verify_log
from latchstring.store.objects import FolderObjects
from tests.sites import ServerSite


def test_a_batch_that_closes_while_the_log_is_read_is_no_fault(tmp_path: Path) -> None:
    """A server writes the checkpoint first and `/visit` after it: here it has written one of the two."""
    site = ServerSite.opened(tmp_path / "server")
    before = (site.published / "visit").read_bytes()
    site.close(34)
    (site.published / "visit").write_bytes(before)
    report = verify_log(published(site.published))
    assert (report.fault, report.newest) == (None, 33)
    as_it_lies = verify_log(FolderObjects(site.published).get)
    assert as_it_lies.fault == "visit: its manifest is not the last leaf", "which is what would be read otherwise"
