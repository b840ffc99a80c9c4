# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which addresses are tried: each once, in order, and in the open none that the person did not type."""

import pytest

from latchstring.client.ways import Ways, try_these


def test_what_was_typed_is_tried_once_in_order() -> None:
    for hidden in (True, False):
        ways = Ways(["a", "b", "a"], hidden)
        assert list(ways) == ["a", "b"]
        assert list(ways) == []


def test_through_a_proxy_what_the_door_names_is_tried_too() -> None:
    ways = Ways(["a", "b"], hidden=True)
    order = []
    for address in ways:
        order.append(address)
        ways.name(["b", "c", "a", "d"] if address == "a" else ["c"])
    assert order == ["a", "b", "c", "d"]
    assert ways.unasked == ()


def test_in_the_open_nobody_is_led_anywhere() -> None:
    ways = Ways(["a", "b"], hidden=False)
    ways.name(["c", "b"], first=True)
    order = []
    for address in ways:
        order.append(address)
        ways.name(["c", "d"])
    assert order == ["a", "b"]
    assert ways.unasked == ("c", "d")
    assert "c, d" in try_these(ways.unasked)
    assert "--tor" in try_these(ways.unasked)
    assert try_these(()) == ""


def test_learned_addresses_come_first() -> None:
    ways = Ways(["a", "b"], hidden=True)
    ways.name(["c", "b"], first=True)
    assert list(ways) == ["c", "b", "a"]


def test_a_door_that_names_itself_for_ever_is_left() -> None:
    ways = Ways(["a"], hidden=True)
    count = 0
    for address in ways:
        count += 1
        ways.name([address, "b"])
    assert count == 2


def test_leading_people_in_the_open_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: no difference between Tor and none."""
    real = Ways.__init__
    monkeypatch.setattr(Ways, "__init__", lambda self, typed, hidden: real(self, typed, True))
    ways = Ways(["a"], False)
    ways.name(["c"])
    assert list(ways) == ["a", "c"]
