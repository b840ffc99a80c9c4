# SPDX-License-Identifier: AGPL-3.0-or-later
"""LP and strict CBOR under arbitrary bytes: only the documented error, and only one spelling."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.encoding import (
    Fields,
    ProtocolError,
    decode_cbor,
    encode_cbor,
    lp,
    parse_lp,
    parse_u64,
    read_lp,
    u64,
)
from tests.builders import unfolding

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_values_round_trip(value: object) -> None:
    assert decode_cbor(encode_cbor(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_canonical(raw: bytes) -> None:
    try:
        assert encode_cbor(decode_cbor(raw)) == raw
    except ProtocolError:
        pass


@given(VALUES, st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_bytes_put_in_are_refused_or_canonical(value: object, at: int, more: bytes) -> None:
    raw = encode_cbor(value)
    changed = raw[: at % (len(raw) + 1)] + more + raw[at % (len(raw) + 1) :]
    try:
        assert encode_cbor(decode_cbor(changed)) == changed
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "value", [1.5, {1: 2}, {b"a": 1}, 2**64, -(2**64), "\ud800", {"a": object()}, cbor2.CBORTag(1, 2)]
)
def test_values_that_have_no_place(value: object) -> None:
    with pytest.raises(ProtocolError):
        encode_cbor(value)


def test_deep_nesting_is_refused_calmly() -> None:
    with pytest.raises(ProtocolError):
        decode_cbor(b"\x81" * 5000 + b"\x01")
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ProtocolError):
        encode_cbor(deep)


@pytest.mark.parametrize("depth", [15, 16, 17])
@pytest.mark.parametrize("inner", [[], {}, 1, [1], {"a": 1}, -(1 << 63), -(1 << 63) - 1, -(1 << 64), (1 << 64) - 1])
def test_what_is_read_is_what_may_be_written(depth: int, inner: object) -> None:
    """The walk over the bytes and the check of the value draw the same line: at the depth, and at 64 bits."""
    value = inner
    for _ in range(depth):
        value = [value]
    raw = cbor2.dumps(value, canonical=True)
    try:
        written = encode_cbor(value)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decode_cbor(raw)
    else:
        assert decode_cbor(written) == value


def test_lp_by_hand() -> None:
    assert lp("a", b"x", 1).hex() == (
        "00000010" + b"latchstring/v1/a".hex() + "00000001" + b"x".hex() + "00000008" + "0000000000000001"
    )


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_lp_round_trips(fields: list[bytes]) -> None:
    raw = lp("thing", *fields)
    assert parse_lp("thing", len(fields), raw) == fields
    assert read_lp("thing", len(fields), raw + b"rest") == (fields, len(raw))
    with pytest.raises(ProtocolError):
        parse_lp("thing", len(fields), raw + b"\0")
    with pytest.raises(ProtocolError):
        parse_lp("other", len(fields), raw)
    with pytest.raises(ProtocolError):
        parse_lp("thing", len(fields) + 1, raw)


@given(st.binary(max_size=100), st.integers(0, 4))
def test_lp_of_any_bytes(raw: bytes, count: int) -> None:
    with pytest.raises(ProtocolError):
        parse_lp("thing", count, raw)


@given(st.lists(st.binary(max_size=9), max_size=3), st.lists(st.binary(max_size=9), max_size=3))
def test_two_lists_never_frame_alike(a: list[bytes], b: list[bytes]) -> None:
    assert (lp("x", *a) == lp("x", *b)) == (a == b)


@pytest.mark.parametrize("value", [-1, 2**63])
def test_counts_out_of_range(value: int) -> None:
    with pytest.raises(ProtocolError):
        u64(value)


def test_counts_are_eight_bytes() -> None:
    assert parse_u64(u64(2**63 - 1)) == 2**63 - 1
    with pytest.raises(ProtocolError):
        parse_u64(b"\0" * 7)
    with pytest.raises(ProtocolError):
        parse_u64(b"\x80" + b"\0" * 7)


def test_fields_refuse_what_nobody_asked_for() -> None:
    f = Fields({"a": 1, "b": True}, "thing")
    assert f.count("a") == 1
    with pytest.raises(ProtocolError, match="does not know"):
        f.done()
    with pytest.raises(ProtocolError, match="not a whole number"):
        f.count("b")  # true is not one
    with pytest.raises(ProtocolError, match="missing"):
        f.text("c")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(unfolding(14, 30), id="shared values without end"),
        pytest.param(b"\x9a\x00\x10\x00\x00" + b"\xa0" * (1 << 20), id="more items than anybody has"),
        pytest.param(b"\xa1\xc2\x42\x01\x00\xf6", id="a key that is a long number"),
        pytest.param(b"\x9f\xff", id="a list without a length"),
        pytest.param(b"\x9b" + b"\xff" * 8, id="a list longer than the bytes"),
        pytest.param(b"\x81" * 100_000 + b"\xf6", id="nested"),
        pytest.param(b"\xf9\x00\x00", id="a fraction"),
        pytest.param(b"\xf7", id="undefined"),
        pytest.param(b"\x42\x00", id="cut short"),
    ],
)
def test_what_would_cost_the_reader_is_refused_before_it_is_decoded(
    raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(cbor2, "CBORDecoder", seen.append)
    with pytest.raises(ProtocolError):
        decode_cbor(raw)
    assert seen == []
