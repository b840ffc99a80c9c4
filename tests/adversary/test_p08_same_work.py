# SPDX-License-Identifier: AGPL-3.0-or-later
"""P8: words that were never used are no other work for the pages without a script than words of a thread.

| Attacker                        | Holds                       | Tries                                              |
|---------------------------------|-----------------------------|----------------------------------------------------|
| whoever watches the server, or  | what the pages do to answer | to tell words of a thread from words that nobody   |
| its line to the store           | ten words                   | ever wrote under: by work left out, or by requests |

Work is counted, not timed. What a found answer costs beside is one opening (X25519, ML-KEM) and one more tag for each
place in which it stands; `docs/threat-model.md` states it.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import reply as reply_module
from latchstring.protocol.passphrase import Passphrase
from latchstring.protocol.sheet import Sheet
from latchstring.protocol.source_keys import SourceKeys
from latchstring.protocol.wordlist import load
from latchstring.site import acts as site_acts
from latchstring.site.app import Site
from latchstring.site.pages.turn import PAD
from latchstring.site.settings import Settings
from latchstring.source import thread
from latchstring.source.thread import Reply
from tests.adversary.tools import Stage
from tests.builders import Stream
from tests.reader import Browser
from tests.world.world import Source, Wire

FOUND = ("open", "tag of what is opened")  # what is done for an answer that is there
Break = Callable[[pytest.MonkeyPatch], None]


def counted(patch: pytest.MonkeyPatch) -> Counter[str]:
    """What is done from now on, by kind."""
    count: Counter[str] = Counter()

    def count_at(place: Any, name: str, kind: str) -> None:
        honest = getattr(place, name)

        def one(*given: Any) -> Any:
            count[kind] += 1
            return honest(*given)

        patch.setattr(place, name, one)

    count_at(site_acts, "seed_of", "Argon2id")
    count_at(site_acts, "source_keys", "keys of a desk")
    count_at(thread, "pair_of_source", "pair")
    count_at(thread, "reply_tag", "tag")
    count_at(reply_module, "reply_tag", "tag of what is opened")
    count_at(thread, "open_reply", "open")
    count_at(Sheet, "slot", "slot read")
    return count


def come_back(stage: Stage, words: Passphrase, patch: pytest.MonkeyPatch) -> tuple[Counter[str], list[Any], str]:
    """The work, what crossed to the store (sizes, in order), and the page."""
    wire = Wire(stage.world, "the pages")
    site = Site(
        Settings(), stage.world.door, lambda: nullcontext(wire), bytes(32), lambda: stage.world.now, Stream("pages"),
        lambda: float(stage.world.now),
    )  # fmt: skip
    browser, before = Browser(site), len(stage.world.traffic)
    with patch.context() as inner:
        work = counted(inner)
        browser.get("/en/return")
        browser.press("open", words=" ".join(words.words(load())))
    assert browser.page.status == 200
    crossed = [(x.method, x.path, len(x.sent), len(x.answer)) for x in stage.world.traffic[before:]]
    return work, crossed, browser.text


def three(stage: Stage) -> dict[str, Source]:
    """Words with answers, words with a letter alone, words of nobody."""
    silent = Source(stage.world, "silent")
    silent.write("and nobody answers me")
    for number in range(2):
        stage.desk.answer(stage.source, f"answer {number}")
    stage.desk.sync()
    for sheet in (5, 6, 7):
        stage.world.close(36 * sheet)
    return {"answered": stage.source, "silent": silent, "never used": Source(stage.world, "nobody")}


def stops_when_it_has_one(patch: pytest.MonkeyPatch) -> None:
    """A reader that goes on until a sheet has something for these words, and no further."""
    whole = thread.find_replies

    def find(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
        each = (whole(replace(visit, sheets=(sheet,)), keys) for sheet in visit.sheets)
        return next((found for found in each if found), ())

    patch.setattr("latchstring.source.acts.find_replies", find)


def saves_itself_the_rest(patch: pytest.MonkeyPatch) -> None:
    """A reader that looks at a desk's sheets by halves, the second for those alone whom the first had something for."""
    whole = thread.find_replies

    def find(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
        found = whole(replace(visit, sheets=visit.sheets[1:]), keys)
        return whole(visit, keys) if found else ()

    patch.setattr("latchstring.source.acts.find_replies", find)


@pytest.mark.parametrize("broken", [None, stops_when_it_has_one, saves_itself_the_rest])
def test_unused_words_are_as_much_work(stage: Stage, broken: Break | None, monkeypatch: pytest.MonkeyPatch) -> None:
    people = three(stage)
    if broken:
        broken(monkeypatch)
    seen = {name: come_back(stage, who.passphrase, monkeypatch) for name, who in people.items()}
    shared = [{kind: n for kind, n in work.items() if kind not in FOUND} for work, _, _ in seen.values()]
    assert (shared[0] == shared[1] == shared[2]) is (broken is None)
    if broken:
        return
    answered, silent, unused = seen.values()
    assert silent[0] == unused[0], "without an answer the work is the same to the last step"
    assert unused[0]["Argon2id"] == 1
    assert unused[0]["tag"] == unused[0]["slot read"] >= 14
    assert unused[0]["open"] == 0
    assert "answer 1" in answered[2]
    assert answered[0]["open"] >= 2
    assert answered[0] - unused[0] == Counter({kind: answered[0]["open"] for kind in FOUND})
    assert answered[1] == silent[1] == unused[1], "the store is asked the same"
    assert [path for _, path, _, _ in unused[1]] == ["/checkpoint", "/visit"]
    assert {len(page.encode()) for _, _, page in seen.values()} == {PAD}, "padded to one length"


def test_a_site_that_asks_more_for_a_found_thread_would_be_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    people = three(stage)
    honest, wire = thread.find_replies, Wire(stage.world, "the pages")

    def eager(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
        found = honest(visit, keys)
        if found:
            wire.request("GET", "/visit")
        return found

    monkeypatch.setattr("latchstring.source.acts.find_replies", eager)
    crossed = [come_back(stage, people[name].passphrase, monkeypatch)[1] for name in ("answered", "never used")]
    assert crossed[0] != crossed[1]
