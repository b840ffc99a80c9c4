# SPDX-License-Identifier: AGPL-3.0-or-later
"""Valid bytes with a change, for parsers that must take them or say so in their one way."""

from hypothesis import strategies as st


@st.composite
def changed(draw: st.DrawFn, valid: bytes) -> bytes:
    """`valid` with a byte turned, cut, dropped, put in or doubled, at any place."""
    at = draw(st.integers(0, len(valid) - 1))
    match draw(st.sampled_from(["flip", "cut", "drop", "double", "insert"])):
        case "flip":
            return valid[:at] + bytes([valid[at] ^ draw(st.integers(1, 255))]) + valid[at + 1 :]
        case "cut":
            return valid[:at]
        case "drop":
            return valid[:at] + valid[at + 1 :]
        case "double":
            return valid[:at] + valid[at : at + 40] * 2 + valid[at + 40 :]
        case _:
            return valid[:at] + bytes([draw(st.integers(0, 255))]) + valid[at:]


def anything(valid: bytes) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or valid ones with a change."""
    return st.binary(max_size=300) | changed(valid)
