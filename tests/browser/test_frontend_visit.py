# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/visit` as the page checks it: taken and refused for the same reasons as in Python.

Every case of `tests/unit/client/test_visit*.py` is played again before the page's check, and every attacker of P7 who
serves a /visit (`tests/adversary/test_p07_same_keys.py`). Each of these then meets a page that lacks exactly the line
that stands against it, and succeeds.
"""

import inspect
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from latchstring.client.pin import Pin
from latchstring.client.visit import ClockOff, DoorCheck, VerifiedVisit, VisitRefused, check_visit
from latchstring.protocol.visit import parse_visit
from tests import visits
from tests.adversary import test_p07_roots
from tests.adversary.test_p07_same_keys import ATTACKS, Attack
from tests.adversary.tools import Stage
from tests.browser.peer import Peer, packed
from tests.unit.client import test_visit, test_visit_names, test_visit_pin, test_visit_witnesses
from tests.visits import FOUNDING, HONEST, NOW

Said = dict[str, Any]
Changes = list[tuple[str, str]]  # a line of the page's code, and what stands there instead
TOO_LARGE = "a count that is too large for this program"
SLOW = "test_every_byte_that_is_not_in_a_page"  # a thousand files: `test_any_byte_changed_or_cut` takes fewer


def of_pin(pin: Pin | None) -> Said | None:
    """As the peer reads one."""
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(pin).items()} if pin else None


def of_visit(seen: VerifiedVisit) -> Said:
    """As the peer shows what was proved."""
    pin = of_pin(seen.pin)
    assert pin is not None
    return {
        **pin,
        "expired": seen.expired,
        "sheets": [sheet.n for sheet in seen.sheets],
        "cosigned": [[w.name, w.time] for w in seen.cosigned],
        "notes": [[desk, digest.hex()] for desk, digest in seen.manifest.notes],
    }


@dataclass(frozen=True)
class Case:
    """One call of Python's check, and what came of it. `door`: the one that was taken, "any" or "none"."""

    raw: bytes
    now: int
    pin: Pin | None
    door: bytes | str
    said: Said = field(hash=False, compare=False)


class Recorder:
    """Stands where `check_visit` is called, and remembers."""

    def __init__(self) -> None:
        self.cases: dict[Case, None] = {}

    def __call__(self, raw: bytes, is_door: DoorCheck, now: int, pin: Pin | None) -> VerifiedVisit:
        asked: list[bytes] = []

        def noted(door: bytes) -> bool:
            if is_door(door):
                asked.append(door)
            return is_door(door)

        def keep(said: Said) -> None:
            self.cases[Case(raw, now, pin, asked[0] if asked else "none", said)] = None

        try:
            seen = check_visit(raw, noted, now, pin)
        except VisitRefused as refused:
            keep({"refused": refused.reason})
            raise
        except ClockOff as off:
            keep({"clock": off.seconds, "addresses": list(off.addresses)})
            raise
        keep(of_visit(seen))
        return seen


def calls(module: ModuleType) -> Iterator[Callable[[], object]]:
    """Each test of a module with each of its parameters; not those that draw cases, or break the code on purpose."""
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if (
            not name.startswith("test_")
            or name == SLOW
            or getattr(test, "is_hypothesis_test", False)
            or "monkeypatch" in inspect.signature(test).parameters
        ):
            continue
        marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
        names = [[m.args[0]] if isinstance(m.args[0], str) else list(m.args[0]) for m in marks]
        for rows in itertools.product(*(m.args[1] for m in marks)):
            given: dict[str, object] = {}
            for keys, row in zip(names, rows, strict=True):
                given |= {keys[0]: row} if len(keys) == 1 else dict(zip(keys, row, strict=True))
            yield lambda test=test, given=given: test(**given)  # type: ignore[misc]  # bound now


@pytest.mark.parametrize(
    ("module", "at_least"),
    [(test_visit, 30), (test_visit_names, 30), (test_visit_pin, 15), (test_visit_witnesses, 20)],
    ids=["file", "names", "pin", "witnesses"],
)
def test_each_case_of_the_check_has_the_same_end(
    peer: Peer, module: ModuleType, at_least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(visits, "check_visit", recorder)
    if hasattr(module, "check_visit"):
        monkeypatch.setattr(module, "check_visit", recorder)
    for call in calls(module):
        call()
    cases = [case for case in recorder.cases if case.pin is None or case.pin.head is not None]  # a page has no old pins
    assert len(cases) >= at_least
    assert any("refused" in case.said for case in cases)
    assert any("size" in case.said for case in cases)
    for case in cases:
        said = peer.ask("check", raw=case.raw, now=case.now, pin=of_pin(case.pin), door=case.door)
        assert alike(said, case.said)


def alike(said: Said, expected: Said) -> bool:
    """The same figures; the same reason, which the page's half may say in fewer words."""
    if "refused" not in expected:
        return said == expected
    reason, python = str(said.get("refused", "-")), str(expected["refused"])
    if "CBOR" in python:  # one reader walks, decodes and encodes, the other does it at once: they trip at other places
        return "CBOR" in reason or reason == "a text that is not UTF-8"
    if "base64" in python:
        return "base64" in reason
    # the page's numbers end at 2^53: what is larger it refuses at once, where Python goes on to refuse it
    return reason == TOO_LARGE or python[:24].startswith(reason[:24])


def test_any_byte_changed_or_cut(peer: Peer) -> None:
    dice = random.Random(17)
    assert "size" in peer.ask("check", raw=HONEST, now=NOW, door=FOUNDING.door)
    for _ in range(150):
        at = dice.randrange(len(HONEST))
        changed = HONEST[:at] + bytes([HONEST[at] ^ (1 << dice.randrange(8))]) + HONEST[at + 1 :]
        for raw in (changed, HONEST[:at]):
            with pytest.raises(VisitRefused) as refused:
                visits.check(raw)
            said = peer.ask("check", raw=raw, now=NOW, door=FOUNDING.door)
            assert alike(said, {"refused": refused.value.reason})


# --- the attackers ---------------------------------------------------------------------------------

WEAK = {
    "another root": [("if (!isDoor2(door))", "if (false)")],
    "a changed directory": [("if (!rootVerify(keys, signed,", "if (false && !rootVerify(keys, signed,")],
    "the server's own keys": [("signatureHolds(s, member.signKey)", "true")],
    "keys that nobody signed": [("if (!isValid(desk, found))", "if (false)")],
    "another day's note": [("found.note.day !== day", "false")],
    "another door's note": [("!equal(found.note.door, directory.door)", "false")],
    "another desk's note": [("if (!isValid(desk, found))", "if (false)")],
    "an older gen's note": [("if (!isValid(desk, found))", "if (false)")],
    "an older directory": [("if (!equal(manifest.directory, newest.hash))", "if (false)")],
    "a manifest that hides a newer one": [('!equal(entry("manifest", visit.manifest), last)', "false")],
    "another sheet": [("if (!equal(sheetIndexHash(sheets), manifest.sheets))", "if (false)")],
    "a mirror's own log": [
        ("openCheckpoint(visit.checkpoint, { name: directory.origin, key: directory.logKey })",
         "parseCheckpoint(parseNote(visit.checkpoint).text)"),
    ],
    "other leaves": [("!equal(checkpoint.root, root)", "false")],
}  # fmt: skip
NO_PIN = [("if (pin !== null) follows(", "if (false) follows(")]


def without(text: str, changes: Changes) -> str:
    """The page's code without these lines."""
    for line, instead in changes:
        line = line.replace("isDoor2", "isDoor2" if "isDoor2(door)" in text else "isDoor")
        assert text.count(line) == 1, line
        text = text.replace(line, instead)
    return text


def weakened(compiled: Path, changes: Changes) -> Peer:
    """The page's half without these lines."""
    script = compiled / "weak.js"
    script.write_text(without((compiled / "peer.js").read_text(), changes))
    return Peer(script)


def refused(stage: Stage, raw: bytes, pin: Pin | None) -> tuple[Said, str]:
    """What a page is asked of this /visit, and Python's reason for refusing it."""
    with pytest.raises(VisitRefused) as caught:
        check_visit(raw, stage.world.is_door, stage.world.now, pin)
    given: Said = {"raw": raw, "now": stage.world.now, "pin": of_pin(pin), "door": stage.world.door}
    return given, caught.value.reason


def forged(stage: Stage, attack: Attack) -> tuple[Said, str]:
    """Of an attacker's /visit."""
    pin = stage.source.look().pin if attack.pins else None
    raw, _ = attack.forge(stage)
    if attack.pins:
        pin = stage.source.look(pin).pin
    return refused(stage, raw, pin)


def stolen(stage: Stage, attack: test_p07_roots.Attack) -> tuple[Said, str]:
    """Of the /visit of a thief of root keys."""
    raw = attack.forge(stage)
    return refused(stage, raw, stage.source.look().pin if attack.pins else None)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_every_attacker_is_refused_for_the_same_reason(
    stage: Stage, attack: Attack, peer: Peer, compiled: Path
) -> None:
    given, reason = forged(stage, attack)
    assert alike(peer.ask("check", **given), {"refused": reason})
    weak = weakened(compiled, WEAK.get(attack.name, NO_PIN))
    try:
        said = weak.ask("check", **given)
        assert said.get("directory"), said
        assert said["size"] == parse_visit(given["raw"]).size
    finally:
        weak.close()


NO_LAST_WORD = [
    ("before === null || before.root !== roots.number", "before === null"),
    ("if (signed.root < before.root)", "if (false)"),
    ("if (after.root < before.root)", "if (false)"),
]
ONE_IS_ENOUGH = [("signature.ed25519) && mldsaVerify(", "signature.ed25519) || mldsaVerify(")]
WEAK_ROOTS = {
    "by_the_old_roots": NO_LAST_WORD,
    "a_rotation_of_the_thief_beside_it": NO_PIN,
    "the_rotation_left_out": NO_PIN,
    "signed_by_ed25519_alone": ONE_IS_ENOUGH,
    "signed_by_mldsa_alone": ONE_IS_ENOUGH,
    "without_a_directory": NO_LAST_WORD,
}  # the two others break a rule of the chain each, and need none of it to succeed


@pytest.mark.parametrize("attack", test_p07_roots.ATTACKS, ids=lambda a: a.forge.__name__)
def test_every_thief_of_root_keys_is_refused_for_the_same_reason(
    stage: Stage, attack: test_p07_roots.Attack, peer: Peer, compiled: Path
) -> None:
    given, reason = stolen(stage, attack)
    assert alike(peer.ask("check", **given), {"refused": reason})
    changes = WEAK_ROOTS.get(attack.forge.__name__)
    if changes is not None:
        weak = weakened(compiled, changes)
        try:
            assert weak.ask("check", **given).get("size") == parse_visit(given["raw"]).size
        finally:
            weak.close()


def test_a_door_that_has_lived_is_taken(stage: Stage, peer: Peer) -> None:
    """A rotation of the root keys, a second directory, a pin from before both: believed."""
    first = stage.source.look().pin
    stage.world.rotate()
    stage.world.close()
    for desk in stage.desks.values():
        desk.sync()
    stage.world.renew()
    stage.world.close()
    raw, now = stage.raw, stage.world.now
    for pin in (None, first):
        seen = check_visit(raw, stage.world.is_door, now, pin)
        assert seen.roots.number == 1
        assert peer.ask("check", raw=packed(raw), now=now, pin=of_pin(pin), door=stage.world.door) == of_visit(seen)
