# SPDX-License-Identifier: AGPL-3.0-or-later
"""`latchstring`, and `python -m latchstring`. Loads next to nothing itself, so that Ctrl-C is understood at once."""

import os
import signal
import sys

_STOPPED = 130


def main() -> None:
    """The entry point. Ctrl-C while the program is still being loaded ends it without a word."""
    raising = signal.getsignal(signal.SIGINT)
    if raising is signal.default_int_handler:  # not where it is ignored, as in the background
        signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))  # raised, it could be caught by what is loaded
    from latchstring.cli.main import run

    signal.signal(signal.SIGINT, raising)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
