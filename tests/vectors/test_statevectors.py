# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vectors of what programs keep: each comes back the same, and what must be refused is."""

from typing import Any

import pytest

from latchstring.client.pin import Pin
from latchstring.desk.progress import decode_state, encode_state
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.root import Door
from tests.vectors.make import load_vectors

V: dict[str, Any] = load_vectors("states")
DOOR = Door(bytes.fromhex(V["door"]))


def spoiled(good: str, case: dict[str, str | None]) -> bytes:
    """The map with another value at one key, or without it."""
    map_, key, value = decode_cbor(bytes.fromhex(good)), case["key"], case["value"]
    assert isinstance(map_, dict)
    changed = {**map_, key: decode_cbor(bytes.fromhex(value)) if value is not None else None}
    return encode_cbor({name: each for name, each in changed.items() if each is not None})


@pytest.mark.parametrize("name", ["pin", "pin_of_version_1"])
def test_a_pin(name: str) -> None:
    v = V[name]
    pin = Pin.parse(bytes.fromhex(v["bytes"]))
    assert pin.encode().hex() == v["bytes"]
    for what in ("size", "seq", "batch", "rotations", "closed"):
        assert getattr(pin, what) == v[what]
    for what in ("root", "root256", "root65536", "directory"):
        assert getattr(pin, what).hex() == v[what]
    assert (pin.head and pin.head.hex()) == v["head"]


@pytest.mark.parametrize("case", V["refused_pins"], ids=lambda c: str(c["why"]))
def test_pins_that_are_refused(case: dict[str, str | None]) -> None:
    with pytest.raises(ProtocolError):
        Pin.parse(spoiled(V["pin"]["bytes"], case))


def test_a_vault_s_key_state() -> None:
    v = V["key_state"]
    state = decode_state(bytes.fromhex(v["bytes"]), DOOR)
    assert encode_state(state).hex() == v["bytes"]
    assert state.current is not None
    assert (state.batch, state.count, state.current.hash.hex()) == (v["batch"], v["count"], v["directory"])
    assert [[*key, note.hex()] for key, note in state.fixed.items()] == v["fixed"]
    (epoch,) = state.epochs.values()
    assert sorted(epoch.signatures) == v["signed_by"]


def test_a_vault_s_key_state_after_a_rotation() -> None:
    v = V["key_state_after_a_rotation"]
    state = decode_state(bytes.fromhex(v["bytes"]), DOOR)
    assert encode_state(state).hex() == v["bytes"]
    assert state.current is not None
    assert state.roots is not None
    assert (state.batch, state.since, state.roots.head.hex()) == (v["batch"], v["since"], v["head"])
    assert (state.current.hash.hex(), state.current.root) == (v["directory"], 1)


@pytest.mark.parametrize("case", V["refused_key_states"], ids=lambda c: str(c["why"]))
def test_key_states_that_are_refused(case: dict[str, str | None]) -> None:
    with pytest.raises(ProtocolError):
        decode_state(spoiled(V["key_state"]["bytes"], case), DOOR)
