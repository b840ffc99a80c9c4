# SPDX-License-Identifier: AGPL-3.0-or-later
"""A folder for state machines, which have no `tmp_path`."""

import os
import tempfile


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where pytest puts its own: with `make test` in memory, since a vault waits for the disk at every commit."""
    return tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT") or None)
