# SPDX-License-Identifier: AGPL-3.0-or-later
"""A child process that does not outlive the one that started it, however that one ends: killed, it tells nobody."""

import multiprocessing
import os
import signal
import threading
import time
from typing import Final

EVERY_SECONDS: Final = 0.5
GRACE_SECONDS: Final = 5.0  # for what is being answered; nobody else is left to count it


def end_with_parent() -> None:
    """End this process as SIGTERM does, soon after its parent is gone; whatever holds it up, `GRACE_SECONDS` later.

    For children made by `multiprocessing`, forked or spawned; in any other process nothing happens. The parent's number
    is looked at rather than a pipe's end: children that were forked later hold copies of every pipe.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        threading.Thread(target=_watch, args=(parent.pid,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
