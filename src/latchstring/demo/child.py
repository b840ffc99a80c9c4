# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m latchstring.demo.child ARGUMENTS`: `latchstring ARGUMENTS` that ends, as by SIGTERM, when whoever started
it is gone. They hold the other end of its standard input, which closes however they end.
"""

import os
import runpy
import signal
import threading


def _watch() -> None:
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    runpy.run_module("latchstring", run_name="__main__", alter_sys=True)
