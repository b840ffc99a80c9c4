# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a pin sees: an older log, an older directory, and a fork wherever the file lets two logs be compared."""

from dataclasses import replace

import pytest

from latchstring.client.pin import Pin
from latchstring.client.visit import check_visit
from latchstring.log.tree import Ranges
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from tests.faults import Core
from tests.visits import BATCH, FOUNDING, HONEST, PARTS, Parts, check, hashes, refusal

YOUNG = 40  # batches since the pin: all leaves since then are in the file
OLD = c.VISIT_BATCHES + 1  # batches since the pin: hashes of 256 leaves alone are there
LOG_CHANGED = "another log than the one seen before"
LOG_BARE = "a log that cannot be compared with the one seen before"


def pinned(parts: Parts, ago: int = 0) -> Pin:
    """What a client keeps that saw `parts`; `ago`: that many batches before the present."""
    return replace(check(parts.raw).pin, batch=BATCH - ago)


def grown(parts: Parts, leaves: int) -> Parts:
    """The same log, later: its last manifest is a leaf like any other."""
    return replace(parts, before=(*parts.visit.entries, *hashes(leaves, "later")))


def test_the_same_and_a_grown_log_are_taken() -> None:
    pin = pinned(PARTS)
    assert check(HONEST, pin).pin.size == pin.size
    assert check(grown(PARTS, 30).raw, pin).pin.size > pin.size


@pytest.mark.parametrize(
    "changes",
    [{"size": 95}, {"batch": BATCH + 1}, {"seq": 2}],
    ids=["a smaller log", "an older batch", "an older directory"],
)
def test_nothing_older_than_what_was_seen(changes: dict[str, int]) -> None:
    assert refusal(HONEST, replace(pinned(PARTS), **changes)) == "older than what was seen before"  # type: ignore[arg-type]  # a test's shorthand


def test_no_second_directory_under_one_number() -> None:
    twin = replace(FOUNDING, directory=replace(FOUNDING.directory, expires=144 * 61))
    pin = replace(pinned(PARTS), directory=twin.opened.hash)
    assert refusal(HONEST, pin) == "another directory under the same number"


def forked(parts: Parts, at: int) -> Parts:
    return replace(parts, before=(*parts.before[:at], bytes(32), *parts.before[at + 1 :]))


def test_same_size_another_root() -> None:
    other = forked(PARTS, 50)
    assert len(other.visit.entries) == len(PARTS.visit.entries)
    assert refusal(other.raw, pinned(PARTS)) == LOG_CHANGED


@pytest.mark.parametrize("at", [1, 50, 93])
def test_a_fork_among_the_leaves(at: int) -> None:
    later = grown(PARTS, 30)
    assert refusal(forked(later, at).raw, pinned(PARTS, YOUNG)) == LOG_CHANGED
    assert refusal(forked(later, at).raw, pinned(PARTS)) == LOG_CHANGED
    assert check(forked(later, 100).raw, pinned(PARTS, YOUNG)).pin.batch == BATCH  # after the pin anything may come


def folded(level1: tuple[bytes, ...], pin_blocks: int, ago: int) -> Pin:
    """The pin of a client that saw the first `pin_blocks` of these 256-leaf blocks and some leaves after them."""
    return pinned(replace(PARTS, level1=level1[:pin_blocks]), ago)


def test_a_fork_in_blocks_of_256() -> None:
    """The leaves at the pin are folded by now: what is compared is the root at the size rounded down to 256."""
    blocks = hashes(9)
    pin = folded(blocks, 5, OLD)
    later = replace(PARTS, level1=blocks)
    assert check(later.raw, pin).pin.size > pin.size
    for number in range(5):
        other = (*blocks[:number], bytes(32), *blocks[number + 1 :])
        assert refusal(replace(PARTS, level1=other).raw, pin) == LOG_CHANGED


def test_a_fork_in_blocks_of_65536() -> None:
    """A pin from long ago: compared at its size rounded down to 65,536."""
    blocks2, blocks1 = hashes(6, "two"), hashes(16 * 256)
    before = replace(PARTS, level2=(), level1=())
    pin = replace(
        pinned(before, OLD),
        size=3 * 65_536 + 300,
        root65536=Ranges(blocks2, (), ()).root(3 * 65_536),
        root256=bytes(32),
        root=bytes(32),
    )
    later = replace(PARTS, level2=blocks2, level1=blocks1)
    assert check(later.raw, pin).pin.size > pin.size
    for number in range(3):
        other = (*blocks2[:number], bytes(32), *blocks2[number + 1 :])
        assert refusal(replace(later, level2=other).raw, pin) == LOG_CHANGED


def test_a_server_cannot_fold_away_what_a_pin_would_see() -> None:
    """The log's own server forks it, and gives coarser hashes than an honest one, so that the pin's exact root cannot
    be worked out: rounded down, a young log's size is 0, where every log is the same."""
    pin = pinned(PARTS, YOUNG)
    assert pin.size < 256
    assert refusal(replace(PARTS, level1=hashes(4, "a fork")).raw, pin) == LOG_BARE
    wide = replace(PARTS, level1=hashes(9))
    coarse = replace(PARTS, level2=hashes(1, "a fork"))
    for ago in (YOUNG, OLD):
        assert "coarser" in refusal(coarse.raw, pinned(wide, ago))
    assert "coarser" in refusal(coarse.raw)


def test_without_these_two_rules_the_fork_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = pinned(PARTS, YOUNG)
    fork = replace(PARTS, level1=hashes(4, "a fork")).raw
    monkeypatch.setattr("latchstring.protocol.constants.VISIT_BATCHES", -1)
    assert check(fork, pin).pin.size > pin.size
    coarse = replace(PARTS, level2=hashes(1, "a fork")).raw
    monkeypatch.setattr("latchstring.protocol.constants.VISIT_LEVEL1_BLOCKS", 0)
    assert check(coarse, pinned(replace(PARTS, level1=hashes(9)), OLD)).pin.size > 9 * 256


def test_a_pin_comes_back_from_its_bytes() -> None:
    pin = pinned(replace(PARTS, level1=hashes(2)))
    assert Pin.parse(pin.encode()) == pin
    assert pin.root256 != pin.root != pin.root65536
    whole = decode_cbor(pin.encode())
    assert isinstance(whole, dict)
    for change in (
        {"v": 1},
        {"v": 3},
        {"head": bytes(31)},
        {"size": -1},
        {"size": True},
        {"root": bytes(31)},
        {"batch": "1"},
        {"more": 1},
    ):
        with pytest.raises(ProtocolError):
            Pin.parse(encode_cbor({**whole, **change}))
    for name in whole:
        with pytest.raises(ProtocolError):
            Pin.parse(encode_cbor({key: value for key, value in whole.items() if key != name}))


def test_a_pin_of_an_earlier_version_is_read_and_says_nothing_of_roots() -> None:
    pin = pinned(PARTS)
    whole = decode_cbor(pin.encode())
    assert isinstance(whole, dict)
    old = {key: value for key, value in whole.items() if key not in ("rotations", "head", "closed")} | {"v": 1}
    parsed = Pin.parse(encode_cbor(old))
    assert parsed == replace(pin, rotations=0, head=None)
    assert parsed.encode() == encode_cbor(old)
    assert check(PARTS.raw, parsed).pin == pin


def test_an_honest_server_gives_every_pin_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins of any age, around the limit too, with batches missing in between: a day of 20 batches for this test. Each
    time it is one pin in three, others than the time before."""
    monkeypatch.setattr("latchstring.protocol.constants.VISIT_BATCHES", 20)
    core = Core.opened(30, letters=24, queue=24)
    pins: dict[int, Pin] = {}
    starts = set()
    for batch in [n for n in range(32, 90) if n % 7]:
        core.publisher.close(batch, core.random)
        raw = core.public.get("visit")
        for pin in [*pins.values()][batch % 3 :: 3]:
            check_visit(raw, core.founding.door.__eq__, core.at(batch), pin)
        seen = check_visit(raw, core.founding.door.__eq__, core.at(batch), None)
        pins[batch] = seen.pin
        starts.add(seen.entries_start)
    assert len(starts) > 3, "blocks were folded meanwhile"
