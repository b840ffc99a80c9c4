# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every single check of `/visit`: an attacker who breaks exactly this one is refused for exactly this reason, in the
one sentence that all refusals share. Here: directories, checkpoint, manifest, clock, and any bytes.

What pins see is in `test_visit_pin.py`, sheets and epochs in `test_visit_names.py`; the attackers of
`tests/adversary/test_p07_same_keys.py` show what each check is worth.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.client.visit import SENTENCE, ClockOff, VisitRefused, check_visit
from latchstring.protocol import constants as c
from latchstring.protocol.directory import encode_directory
from latchstring.protocol.encoding import lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.visit import Visit, encode_visit
from tests.builders import found, successor
from tests.visits import (
    BATCH,
    FOUNDING,
    HONEST,
    MALLORY,
    NOW,
    PARTS,
    SECOND,
    Parts,
    changed,
    check,
    epoch_of,
    hashes,
    make_parts,
    refusal,
    two_directories,
)


def test_an_honest_file_is_taken() -> None:
    seen = check(HONEST)
    assert (seen.directory, seen.manifest.n, [s.n for s in seen.sheets]) == (FOUNDING.directory, BATCH, [7, 8])
    assert seen.note("news") == epoch_of(FOUNDING, "news", 2).note
    assert seen.note("nobody") is None
    assert not seen.expired
    assert seen.has_leaf(entry(Kind.MANIFEST, PARTS.manifest.encode()))
    assert not seen.has_leaf(bytes(32))
    assert check(HONEST, seen.pin).pin == seen.pin


# --- the door and its directories -----------------------------------------------------------------


def with_directories(*raws: bytes) -> bytes:
    return replace(PARTS, directories=raws).raw


def by_another_root() -> bytes:
    """This door's content under the attacker's own root keys."""
    other = found("another root")
    public, body = other.root.public(), encode_directory(FOUNDING.directory)
    signature = other.root.sign(lp("directory", body))
    return lp("directory-signed", body, public.ed25519, public.mldsa, signature.ed25519, signature.mldsa)


FIRST = PARTS.directories[0]
FORKED = replace(SECOND, directory=replace(SECOND.directory, previous=bytes([7]) * 32))
THIRD = successor(SECOND, expires=144 * 80)


@pytest.mark.parametrize(
    ("raws", "reason"),
    [
        ((), "no directory"),
        ((b"directory",), "not a directory-signed"),
        ((changed(FIRST),), "signatures do not hold"),
        ((changed(FIRST, 300),), "signatures do not hold"),
        ((by_another_root(),), "another door"),
        ((found("another").signed,), "another door"),
        ((FIRST, found("another").signed), "another door"),
        ((FIRST, FIRST), "directories out of order"),
        ((SECOND.signed, FIRST), "directories out of order"),
        ((THIRD.signed, SECOND.signed), "directories out of order"),
        ((FIRST, FORKED.signed), "does not follow the one before"),
    ],
    ids=["none", "no bytes", "signature", "body", "grafted root", "another", "two doors", "twice", "back", "back again",
         "forked"],
)  # fmt: skip
def test_the_directories(raws: tuple[bytes, ...], reason: str) -> None:
    assert reason in refusal(with_directories(*raws))


def test_directories_of_two_doors_that_share_their_words() -> None:
    """Twelve words cannot tell them apart: the file must still speak of one door alone."""
    other = found("another")
    third = replace(other, directory=replace(other.directory, seq=3, previous=bytes([1]) * 32))
    with pytest.raises(VisitRefused) as caught:
        check_visit(with_directories(FIRST, third.signed), lambda _door: True, NOW, None)
    assert caught.value.reason == "a directory of another door"


def test_a_successor_that_moves_the_clock_is_refused() -> None:
    policy = replace(SECOND.directory.policy, started=FOUNDING.directory.policy.started + 600)
    moved = replace(SECOND, directory=replace(SECOND.directory, policy=policy))
    assert "changes the door's clock" in refusal(two_directories(moved).raw)


def test_a_gap_in_the_directories_is_no_fault() -> None:
    """/visit holds those that are needed, not all there ever were."""
    parts = two_directories(THIRD)
    assert check(parts.raw).directory.seq == 3


def test_the_manifest_names_the_newest_directory() -> None:
    parts = replace(two_directories(), directories=(FIRST,))
    assert refusal(parts.raw) == "the manifest names another directory than the newest"
    parts = replace(two_directories(), manifest=PARTS.manifest)
    assert refusal(parts.raw) == "the manifest names another directory than the newest"


def test_expiry_stops_writing_not_reading() -> None:
    old = replace(FOUNDING, directory=replace(FOUNDING.directory, expires=BATCH))
    later = successor(old, expires=BATCH + 1)
    for founding, expired in ((old, True), (later, False)):
        parts = make_parts(founding=founding)
        assert check(parts.raw).expired is expired


# --- checkpoint and hashes ------------------------------------------------------------------------


def restamped(parts: Parts = PARTS, **how: object) -> bytes:
    return encode_visit(parts.stamp(parts.visit, **how))  # type: ignore[arg-type]  # a test's shorthand


def with_leaf(visit: Visit, at: int) -> Visit:
    return replace(visit, entries=(*visit.entries[:at], bytes(32), *visit.entries[at + 1 :]))


WIDE = replace(PARTS, level1=hashes(3))
BEHIND = "the hashes do not give the checkpoint's root"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (restamped(seed=MALLORY), "sign"),
        (restamped(origin="mallory.example/log"), "sign"),
        (encode_visit(replace(PARTS.visit, checkpoint=b"")), "note"),
        (encode_visit(replace(PARTS.visit, checkpoint=PARTS.visit.checkpoint[:-1])), ""),
        (restamped(size=95), BEHIND),
        (encode_visit(with_leaf(PARTS.visit, 0)), BEHIND),
        (encode_visit(with_leaf(PARTS.visit, 40)), BEHIND),
        (encode_visit(replace(PARTS.visit, entries=PARTS.visit.entries[1:])), BEHIND),
        (encode_visit(replace(PARTS.visit, entries=PARTS.visit.entries[:-1])), BEHIND),
        (encode_visit(replace(PARTS.visit, entries=PARTS.visit.entries * 2)), BEHIND),
        (encode_visit(replace(PARTS.visit, level1=hashes(1))), BEHIND),
        (encode_visit(replace(WIDE.visit, level1=hashes(2))), BEHIND),
        (encode_visit(replace(WIDE.visit, level1=hashes(3)[::-1])), BEHIND),
    ],
    ids=["key", "origin", "none", "cut", "size", "first leaf", "a leaf", "leaf gone", "last gone", "twice", "before",
         "block gone", "blocks swapped"],
)  # fmt: skip
def test_the_checkpoint_and_what_it_signs(raw: bytes, reason: str) -> None:
    assert reason in refusal(raw)


def test_wide_logs_are_taken() -> None:
    assert check(WIDE.raw).pin.size == 3 * 256 + len(PARTS.visit.entries)
    very = replace(PARTS, level2=hashes(2), level1=hashes(16 * 256 + 5))
    assert check(very.raw).pin.size == 2 * 65_536 + (16 * 256 + 5) * 256 + len(PARTS.visit.entries)


# --- the manifest ---------------------------------------------------------------------------------


def test_the_manifest_is_the_last_leaf() -> None:
    older = replace(PARTS.manifest, n=BATCH - 1).encode()
    for visit in (
        replace(PARTS.visit, manifest=older),
        replace(PARTS.visit, entries=(*PARTS.visit.entries, bytes(32))),
        replace(PARTS.visit, entries=(), level1=hashes(1)),
    ):
        assert refusal(encode_visit(PARTS.stamp(visit))) == "the manifest is not the last leaf"


def test_a_leaf_of_another_kind_is_no_manifest() -> None:
    visit = replace(PARTS.visit, entries=(*PARTS.before, entry(Kind.LETTER, PARTS.visit.manifest)))
    assert refusal(encode_visit(PARTS.stamp(visit))) == "the manifest is not the last leaf"


# --- the clock ------------------------------------------------------------------------------------

CLOSES = FOUNDING.directory.policy.closes_at(BATCH)
TICK = FOUNDING.directory.policy.tick
DAY = c.VISIT_FRESH_TICKS * TICK


@pytest.mark.parametrize("age", [-(600 + 2 * TICK), 0, DAY])
def test_a_clock_within_bounds(age: int) -> None:
    assert check(HONEST, now=CLOSES + age).manifest.n == BATCH


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (-(600 + 2 * TICK) - 1, "1 h in the future"),
        (-7 * 3600, "7 h in the future"),
        (DAY + 1, "nothing for 24 h"),
        (10 * DAY, "nothing for 240 h"),
    ],
)
def test_a_clock_that_is_off_is_told_apart_from_an_attack(age: int, said: str) -> None:
    with pytest.raises(ClockOff, match=said) as caught:
        check(HONEST, now=CLOSES + age)
    assert caught.value.seconds == age
    assert SENTENCE not in str(caught.value)


def test_an_attack_is_an_attack_whatever_the_clock_says() -> None:
    with pytest.raises(VisitRefused):
        check(encode_visit(with_leaf(PARTS.visit, 3)), now=CLOSES + 100 * DAY)


# --- any bytes ------------------------------------------------------------------------------------


@given(st.data())
def test_any_byte_changed_cut_repeated(data: st.DataObject) -> None:
    """Refused, in every case: no byte of the file is without meaning."""
    at = data.draw(st.integers(0, len(HONEST) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "drop", "insert", "repeat", "append"]))
    run = data.draw(st.integers(1, 4000))
    raw = {
        "flip": HONEST[:at] + bytes([HONEST[at] ^ data.draw(st.integers(1, 255))]) + HONEST[at + 1 :],
        "cut": HONEST[:at],
        "drop": HONEST[:at] + HONEST[at + run :],
        "insert": HONEST[:at] + bytes([run % 256]) + HONEST[at:],
        "repeat": HONEST[: at + run] + HONEST[at:],
        "append": HONEST + HONEST[at : at + run],
    }[how]
    if raw != HONEST:
        refusal(raw)


def test_every_byte_that_is_not_in_a_page() -> None:
    """The same, byte for byte, over everything but the sheets' pages (which their hashes cover as a whole)."""
    at = HONEST.index(PARTS.sheets[0].raw)
    end = HONEST.index(PARTS.sheets[1].raw) + len(PARTS.sheets[1].raw)
    for place in [*range(0, at, 7), *range(end, len(HONEST), 7)]:
        refusal(HONEST[:place] + bytes([HONEST[place] ^ 0x40]) + HONEST[place + 1 :])


@given(st.binary(max_size=200))
def test_arbitrary_bytes(raw: bytes) -> None:
    refusal(raw)
