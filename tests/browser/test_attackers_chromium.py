# SPDX-License-Identifier: AGPL-3.0-or-later
"""P6 and P7 in Chromium: every /visit of the attackers of P7, and six false receipts, before the page's code where it
runs. Each then meets the same code without exactly the line that stands against it, and is believed.

In Node, with the reason of each refusal held against Python's: `test_frontend_visit.py`.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import Receipt
from latchstring.protocol.visit import parse_visit
from tests.adversary import test_p07_roots
from tests.adversary.test_p07_same_keys import ATTACKS
from tests.adversary.tools import MALLORY, Stage
from tests.browser.peer import NODE, packed
from tests.browser.test_frontend_visit import NO_PIN, WEAK, WEAK_ROOTS, Changes, Said, alike, forged, stolen, without

LETTER = bytes(4096)


@pytest.fixture(scope="module")
def script(node: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page's code, to be asked."""
    out = tmp_path_factory.mktemp("attacked")
    subprocess.run([NODE, "test.mjs", "--browser", str(out), "browser/attacked.ts"], cwd=node, check=True)
    return (out / "tests.js").read_text()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    one = chromium.new_page()
    yield one
    one.close()


def ask(page: Page, script: str, do: str, given: object) -> Any:
    """What this script says."""
    page.evaluate(script)
    return page.evaluate(f"(given) => {do}(given)", given)


def test_every_attacker_of_p7_is_refused(
    page: Page, script: str, first_stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def stage() -> Stage:
        return first_stage.copy(tmp_path_factory.mktemp("attacked"))

    played: list[tuple[Said, str, Changes | None]] = []
    played += [(*forged(stage(), attack), WEAK.get(attack.name, NO_PIN)) for attack in ATTACKS]
    played += [(*stolen(stage(), thief), WEAK_ROOTS.get(thief.forge.__name__)) for thief in test_p07_roots.ATTACKS]
    asked = [{**given, "raw": packed(given["raw"]), "door": packed(given["door"])} for given, _, _ in played]

    for said, (_, reason, _) in zip(ask(page, script, "check", asked), played, strict=True):
        assert alike(said, {"refused": reason})

    for given, (forgery, _, changes) in zip(asked, played, strict=True):
        if changes is not None:
            (said,) = ask(page, without(script, changes), "check", [given])
            assert said.get("size") == parse_visit(forgery["raw"]).size, said


def test_no_false_receipt_is_believed(page: Page, script: str, stage: Stage) -> None:
    seed, batch = stage.world.founding.receipt_seed, stage.world.batch
    true = Receipt(stage.world.founding.directory.origin, entry(Kind.LETTER, LETTER), batch + 1)

    def signed(by: bytes = seed, **other: Any) -> bytes:
        return replace(true, **other).sign(ed25519_key(by))

    false: tuple[tuple[bytes, Changes | None], ...] = (
        (signed()[:-1], None),
        (signed(leaf=bytes(32)), [("!equal(receipt.leaf, leaf)", "false")]),
        (signed(origin="another.example/log"), [("receipt.origin !== directory.origin", "false")]),
        (signed(MALLORY), [("if (!ed25519Verify(receiptKey,", "if (false && !ed25519Verify(receiptKey,")]),
        (signed(publish_by=batch), [("receipt.publishBy <= manifest.n", "false")]),
        (signed(publish_by=100_000), [("receipt.publishBy > latest", "false")]),
    )
    given = {
        "raw": packed(stage.raw),
        "now": stage.world.now,
        "door": packed(stage.world.door),
        "letter": packed(LETTER),
    }

    def said(code: str, *receipts: bytes) -> Any:
        return ask(page, code, "receipts", {**given, "receipts": [packed(one) for one in receipts]})

    assert said(script, signed(), *(one for one, _ in false)) == ["in", *["no-receipt"] * len(false)]
    for one, changes in false:
        if changes is not None:
            assert said(without(script, changes), one) == ["in"]
