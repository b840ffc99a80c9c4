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


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.binary(max_size=40)
    | st.text(max_size=10)
    | st.sampled_from([[], {}, [1], {"v": 1}])
)


@st.composite
def other_value(draw: st.DrawFn, value: object) -> object:
    """A decoded CBOR value with another one, of any kind, somewhere in it; or with something dropped or put in."""
    how = draw(st.sampled_from(["inside", "inside", "inside", "drop", "add", "instead"]))
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        match how:
            case "inside":
                return {**value, key: draw(other_value(value[key]))}
            case "drop":
                return {name: item for name, item in value.items() if name != key}
            case "add":
                return {**value, draw(st.text(max_size=10)): draw(SCALARS)}
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        match how:
            case "inside":
                return [*value[:at], draw(other_value(value[at])), *value[at + 1 :]]
            case "drop":
                return value[:at] + value[at + 1 :]
            case "add":
                return [*value[:at], draw(SCALARS), *value[at:]]
    return draw(SCALARS)


def anything(valid: bytes) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or valid ones with a change."""
    return st.binary(max_size=300) | changed(valid)
