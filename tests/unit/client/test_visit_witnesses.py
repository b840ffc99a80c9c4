# SPDX-License-Identifier: AGPL-3.0-or-later
"""The quorum in the check of `/visit`: how many, by which keys, how long ago; one sentence, except for a clock."""

import base64
from dataclasses import replace

import pytest

from latchstring.client.visit import ClockOff, VerifiedVisit, VisitRefused, check_visit
from latchstring.log.cosignature import Witnessed
from latchstring.protocol import constants as c
from latchstring.protocol.closing import Closing
from latchstring.protocol.visit import encode_visit
from tests.builders import successor
from tests.visits import BATCH, FOUNDING, NOW, Parts, entry_of_directory, make_parts, refusal
from tests.witnessed import cosign, names, with_witnesses

DOOR = with_witnesses(FOUNDING, 4, 3)
PARTS = make_parts(founding=DOOR)
CLOSES, TICK = DOOR.directory.policy.closes_at(BATCH), DOOR.directory.policy.tick
DAY = c.VISIT_FRESH_TICKS * TICK


def served(who: list[str], at: int = NOW, parts: Parts = PARTS) -> bytes:
    """/visit, cosigned by these."""
    visit = parts.visit
    return encode_visit(replace(visit, checkpoint=cosign(visit.checkpoint, who, at)))


def check(raw: bytes, now: int = NOW) -> VerifiedVisit:
    return check_visit(raw, lambda door: door == DOOR.door, now, None)


def test_a_quorum_is_taken_and_named() -> None:
    for who in (names(4), names(3), ["w4.example", "w1.example", "w2.example"]):
        seen = check(served(who))
        assert {w.name for w in seen.cosigned} == set(who)
    assert check(served(names(3))).cosigned == tuple(Witnessed(name, NOW) for name in names(3))


@pytest.mark.parametrize("who", [[], names(1), names(2), [*names(2), "stranger.example"]])
def test_fewer_are_refused(who: list[str]) -> None:
    assert f"cosigned by {len([w for w in who if w != 'stranger.example'])} of" in refusal(served(who))


def without_lines(raw: bytes, name: str, kind: int) -> bytes:
    """One witness's line of that kind is left out."""
    lines, seen = raw.decode().split("\n"), 0
    out = []
    for line in lines:
        if line.startswith(f"\u2014 {name} "):
            seen += 1
            if seen == kind:
                continue
        out.append(line)
    return "\n".join(out).encode()


@pytest.mark.parametrize("kind", [1, 2], ids=["Ed25519", "ML-DSA-44"])
def test_both_keys_that_are_named_must_have_cosigned(kind: int) -> None:
    """Else who can forge one kind of signature could stand in for a witness."""
    visit = PARTS.visit
    cut = without_lines(cosign(visit.checkpoint, names(3), NOW), "w2.example", kind)
    assert "cosigned by 2" in refusal(encode_visit(replace(visit, checkpoint=cut)))


def test_a_witness_with_an_mldsa_key_alone_counts() -> None:
    w1, *rest = DOOR.directory.witnesses
    door = replace(DOOR, directory=replace(DOOR.directory, witnesses=(replace(w1, ed25519=None), *rest)))
    parts = make_parts(founding=door)
    cut = without_lines(cosign(parts.visit.checkpoint, names(3), NOW), "w1.example", 1)
    raw = encode_visit(replace(parts.visit, checkpoint=cut))
    assert len(check_visit(raw, lambda d: d == door.door, NOW, None).cosigned) == 3


def test_a_cosignature_that_does_not_hold_refuses_all() -> None:
    visit = PARTS.visit
    note = cosign(visit.checkpoint, names(4), NOW).decode().split("\n")
    head, _, payload = note[-2].rpartition(" ")
    spoiled = bytearray(base64.b64decode(payload))
    spoiled[-1] ^= 1
    note[-2] = f"{head} {base64.b64encode(spoiled).decode()}"
    assert "does not hold" in refusal(encode_visit(replace(visit, checkpoint="\n".join(note).encode())))


def test_cosignatures_of_another_checkpoint_do_not_count() -> None:
    """The lines of the true log under the checkpoint of a fork."""
    true = cosign(PARTS.visit.checkpoint, names(3), NOW).split(b"\n\n", 1)[1].split(b"\n", 1)[1]
    forked = replace(PARTS, manifest=replace(PARTS.manifest, pack=bytes(32))).visit
    assert "does not hold" in refusal(encode_visit(replace(forked, checkpoint=forked.checkpoint + true)))


@pytest.mark.parametrize("at", [NOW - DAY, NOW - 3600, NOW, NOW + 600 + 2 * TICK])
def test_within_a_day_is_fresh(at: int) -> None:
    assert check(served(names(3), at)).cosigned[0].time == at


@pytest.mark.parametrize("at", [0, NOW - DAY - 1, NOW + 600 + 2 * TICK + 1, (1 << 63) - 1])
def test_older_or_of_the_future_is_refused(at: int) -> None:
    assert "within a day" in refusal(served(names(3), at))


def test_a_quorum_must_be_fresh_not_one() -> None:
    visit = PARTS.visit
    note = cosign(cosign(visit.checkpoint, names(1), NOW - DAY - 1), ["w2.example", "w3.example"], NOW)
    assert "within a day" in refusal(encode_visit(replace(visit, checkpoint=note)))
    enough = cosign(note, ["w4.example"], NOW)
    assert len(check(encode_visit(replace(visit, checkpoint=enough))).cosigned) == 4


@pytest.mark.parametrize("age", [-(600 + 2 * TICK) - 1, DAY + 1, 10 * DAY])
def test_a_clock_that_is_off_is_a_clock_that_is_off(age: int) -> None:
    with pytest.raises(ClockOff):
        check(served(names(3), CLOSES), CLOSES + age)


def test_too_few_are_an_attack_whatever_the_clock_says() -> None:
    from latchstring.client.visit import VisitRefused

    with pytest.raises(VisitRefused):
        check(served(names(2)), CLOSES + 10 * DAY)


def test_without_witnesses_nothing_is_asked() -> None:
    parts = make_parts()
    assert check_visit(parts.raw, lambda d: d == FOUNDING.door, NOW, None).cosigned == ()
    beside = encode_visit(replace(parts.visit, checkpoint=cosign(parts.visit.checkpoint, names(2), 0)))
    assert check_visit(beside, lambda d: d == FOUNDING.door, NOW, None).cosigned == ()


# --- a door that is closed for good --------------------------------------------------------------------


def closed_parts() -> Parts:
    """The newest directory closes the door."""
    last = successor(DOOR, closed=Closing({"en": "We have closed."}))
    raw = last.signed
    parts = replace(PARTS, directories=(*PARTS.directories, raw), before=(*PARTS.before, entry_of_directory(raw)))
    return replace(parts, manifest=replace(parts.manifest, directory=last.opened.hash))


def test_what_was_cosigned_at_a_door_s_end_is_enough_for_ever() -> None:
    parts = closed_parts()
    years = 5 * 365 * DAY
    for at in (CLOSES - DAY, CLOSES, CLOSES + 3 * DAY):  # a witness may have been late
        assert check(served(names(3), at, parts), NOW + years).directory.closed is not None
    with pytest.raises(ClockOff):
        check(served(names(3), CLOSES), NOW + years)


def test_it_must_have_been_cosigned_then_by_enough_and_not_in_the_future() -> None:
    parts = closed_parts()
    years = 5 * 365 * DAY
    for who, at in ((names(2), CLOSES), (names(3), CLOSES - DAY - 1), (names(3), NOW + years + 601 + 2 * TICK)):
        with pytest.raises(VisitRefused):
            check(served(who, at, parts), NOW + years)
