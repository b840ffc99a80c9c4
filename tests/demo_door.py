# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demonstration's door in processes of its own, on this machine's clock, a tick a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latchstring.demo.door import DemoDoor, found, free_port


@contextmanager
def running(folder: Path) -> Iterator[DemoDoor]:
    """Founded in `folder`; its desks are open."""
    made = found(folder / "door", free_port(), 1, 0)
    try:
        made.post_directory()
        made.wait_batch(0)
        made.open_desks()
        yield made
    finally:
        made.stop()
