# SPDX-License-Identifier: AGPL-3.0-or-later
"""Text from somebody else, made safe for a terminal: it can neither move the cursor nor reorder what is read."""

import unicodedata


def printable(text: str) -> str:
    """`text` with control and format characters shown as <U+XXXX>; newlines, tabs, the joiners that scripts and emoji
    need, and the marks that right-to-left keyboards type stay. Overrides, embeddings and isolates are shown."""
    return "".join(ch if _plain(ch) else f"<U+{ord(ch):04X}>" for ch in text)


def one_line(text: str, width: int) -> str:
    """The first `width` characters on one line."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= width else flat[: max(0, width - 1)] + "…"


def _plain(ch: str) -> bool:
    if ch in "\n\t\u200c\u200d\u200e\u200f\u061c":
        return True
    return unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
