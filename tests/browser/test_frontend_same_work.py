# SPDX-License-Identifier: AGPL-3.0-or-later
"""P8 for the page's script: coming back with words that were never used is as much work as with words of a thread.

Work is counted, not timed, by lines added to the compiled code. What a found answer costs beside is one opening and one
more tag for each place in which it stands, on the person's own device; the requests are the same.
"""

from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from tests.adversary.test_p08_same_work import three
from tests.adversary.tools import Stage
from tests.browser.peer import Peer
from tests.browser.test_frontend_visit import Changes, without
from tests.browser.test_frontend_world import Page

COUNTED = {
    "pair": "function pairOfSource(keys, note) {",
    "keys of a desk": "function sourceKeys(seed, door, desk) {",
    "look for a tag": "function opens(keys, [pair, tagKey], place, slot) {",
    "open": "function openReply(pair, openKey, p, slot) {",
}
TELLS = "acks: r.acks.map(hex), known: r.known }));"
KNOWN = "return [...found.values()];"
IN_SHEET = "for (const sheet of visit.sheets) {"
BROKEN: dict[str, Changes] = {
    "honest": [],
    "stops when it has one": [(IN_SHEET, f"{IN_SHEET} if (found.size) break;")],
    "looks twice where something was": [
        (KNOWN, f"if (found.size) for (const [n] of visit.notes) pairWithTag(keys, visit.notes.get(n)); {KNOWN}")
    ],
}


def counting(compiled: Path, changes: Changes) -> Peer:
    """The page's half, which gives the work that it has done behind what it has read."""
    adds = [(line, f'{line} (globalThis.work ??= []).push("{kind}");') for kind, line in COUNTED.items()]
    tells = (TELLS, TELLS.replace("));", ")).concat((globalThis.work ?? []).splice(0));"))
    script = compiled / "counting.js"
    script.write_text(without((compiled / "peer.js").read_text(), [*changes, *adds, tells]))
    return Peer(script)


@pytest.mark.parametrize("broken", list(BROKEN))
def test_unused_words_are_as_much_work_for_the_script(stage: Stage, compiled: Path, broken: str) -> None:
    people = three(stage)
    work: list[Counter[str]] = []
    replies: list[list[str | None]] = []
    asked: list[list[tuple[str, str, int, int]]] = []
    counter = counting(compiled, BROKEN[broken])
    for person in people.values():
        page, before = Page(counter, stage, person), len(stage.world.traffic)
        said = [one for desk in sorted(stage.desks) for one in cast(list[Any], page.ask("read", desk))]
        work.append(Counter(one for one in said if isinstance(one, str)))
        replies.append([one["text"] for one in said if isinstance(one, dict)])
        asked.append([(x.method, x.path, len(x.sent), len(x.answer)) for x in stage.world.traffic[before:]])
    counter.close()
    answered, silent, unused = work
    assert (answered - Counter({"open": answered["open"]}) == unused) is (broken == "honest")
    if broken != "honest":
        return
    assert silent == unused, "without an answer the work is the same to the last step"
    assert (unused["keys of a desk"], unused["open"]) == (len(stage.desks), 0)
    assert unused["look for a tag"] >= 14
    assert [text for text in replies[0] if text] == ["answer 0", "answer 1"]
    assert replies[1:] == [[], []]
    assert answered["open"] >= 2
    assert asked[0] == asked[1] == asked[2], "the door is asked the same"
