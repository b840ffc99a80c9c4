# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demonstration's door in processes of its own, on this machine's clock, a tick a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from latchstring.demo.door import PASSPHRASE, DemoDoor, found, free_port
from latchstring.desk.vault import Cost
from latchstring.org.rootfile import unlock_root
from latchstring.protocol.directory import sign_directory
from tests.desk_world import CHEAP


@contextmanager
def running(folder: Path, port: int | None = None, cost: Cost = CHEAP) -> Iterator[DemoDoor]:
    """Founded in `folder`; its desks are open."""
    made = found(folder / "door", port or free_port(), 1, 0, cost=cost)
    try:
        made.post_directory()
        made.wait_batch(0)
        made.open_desks()
        yield made
    finally:
        made.stop()


def with_policy(made: DemoDoor, **policy: int) -> DemoDoor:
    """The same door, whose first directory, which was not posted yet, says otherwise."""
    root = unlock_root((made.folder / "root.key").read_bytes(), PASSPHRASE)
    directory = replace(made.directory, policy=replace(made.directory.policy, **policy))
    signed = sign_directory(directory, root)
    (made.folder / "directory.signed").write_bytes(signed)
    return replace(made, directory=directory, signed=signed)
