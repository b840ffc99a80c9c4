# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m latchstring`."""

from latchstring.cli.main import main

if __name__ == "__main__":
    main()
