# SPDX-License-Identifier: AGPL-3.0-or-later
"""How desks, members, questions and choices may be called."""

import re
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")


def is_name(text: str) -> bool:
    """Lower-case letters, digits and hyphens, 1 to 32, no hyphen at either end?"""
    return bool(_NAME.match(text))
