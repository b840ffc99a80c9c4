# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is an address free to listen at? Workers share theirs with each other (SO_REUSEPORT), and so would two programs that
were started at the same one: each would get some of what is asked, and neither would say a word.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

TRIES: Final = 60  # of 0.2 s: as long as workers whose parent was killed may take to end
_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 1.0


class CannotListen(Exception):
    """Nobody can listen there now. The text is for the operator."""


def need_free(address: str, port: int, wait: Callable[[float], None], tries: int = TRIES) -> None:
    """CannotListen when another program listens there and goes on, or when this one may not. `wait`: seconds to
    sleep."""
    for left in reversed(range(tries)):
        try:
            if not _is_taken(address.strip("[]"), port):
                return
        except OSError as error:
            raise CannotListen(f"This machine cannot listen at {address}, port {port}: {error.strerror}.") from None
        if left:
            wait(_SECONDS)
    raise CannotListen(f"Another program listens at {address}, port {port}, already. End it, or choose another port.")


def _is_taken(host: str, port: int) -> bool:
    """Does somebody listen there, shared or not? OSError when the address is none of this machine's, or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    with socket.socket(family) as probe, suppress(OSError):
        probe.settimeout(_ANSWER_SECONDS)
        probe.connect((host, port))
        return bool(probe.getsockname() != probe.getpeername())  # a high port may be given to the one who calls it
    return False
