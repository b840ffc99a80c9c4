# SPDX-License-Identifier: AGPL-3.0-or-later
"""What monitoring may see, as a file in Prometheus' text format, written anew at each tick. No number in it depends on
how many people write, ask or upload: whoever reads it learns whether the server is well, and nothing about them.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latchstring.store.sql import StoreFailed

NAME: Final = "metrics.prom"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Times in Unix seconds, ticks of the door. `held_back`: is what closed a tick ago not published yet? `disk_days`:
    `forecast.days_left`, whole days.
    """

    newest_batch: int
    newest_closed: int
    ticks_behind: int
    held_back: bool
    expires: int
    disk_days: int

    def text(self) -> str:
        """The file."""
        rows = (
            ("up", "1 while the publisher runs; see the age of this file.", 1),
            ("newest_batch", "Number of the newest batch.", self.newest_batch),
            ("newest_batch_close_seconds", "When the newest batch was due to close.", self.newest_closed),
            ("publisher_lag_ticks", "How many batches are due and not closed.", self.ticks_behind),
            ("held_back", "1 when witnesses keep what closed a tick ago from being published.", int(self.held_back)),
            ("directory_expires_seconds", "When the directory expires.", self.expires),
            (
                "disk_days_left",
                "Days until the disk is full, all that comes and goes at its largest.",
                self.disk_days,
            ),
        )
        return "".join(
            f"# HELP latchstring_{name} {text}\n# TYPE latchstring_{name} gauge\nlatchstring_{name} {value}\n"
            for name, text, value in rows
        )


def write_metrics(file: Path, metrics: Metrics) -> None:
    """Put the file in place whole, readable by everybody. StoreFailed when it cannot be written."""
    new = file.with_name(f".{file.name}.new")
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            os.fchmod(handle, 0o644)
            out.write(metrics.text())
        os.replace(new, file)
    except OSError as error:
        raise StoreFailed("the file of metrics could not be written") from error
