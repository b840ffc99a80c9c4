# SPDX-License-Identifier: AGPL-3.0-or-later
"""SIGTERM and SIGHUP, where the program must not end at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked for the end. `status`: the command's, as a shell says it of that signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def unwinding() -> Iterator[None]:
    """Either signal ends the block as Ctrl-C does, with what it cleans up, and then the command; a further one does not
    cut that short. One that is ignored (nohup) stays so. In another thread nothing changes."""
    came = list[int]()

    def end(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        came.append(number)
        raise Ended(number)

    mine = threading.current_thread() is threading.main_thread()
    before = [each for each in _ENDING if mine and signal.getsignal(each) is signal.SIG_DFL]
    try:
        for each in before:
            signal.signal(each, end)
        yield
    except BaseException as other:
        if came:  # whatever went wrong on the way out, such as a terminal that is gone
            raise Ended(came[0]) from other
        raise
    finally:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
