# SPDX-License-Identifier: AGPL-3.0-or-later
"""When letters are collected, when answers appear, how soon one is promised: by the door's clock, not by its word."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.unit.site.conftest import Pages

TICK, SHEET = 600, 6 * 3600  # seconds: what the pages promise, in figures of this test's own


def facts(pages: Pages) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", pages.browser.get("/en/status").text))


def at(said: str) -> int:
    """Unix seconds of a moment as the page says it."""
    text = said.partition(" UTC")[0].replace("\u202f", " ")
    return int(datetime.strptime(text, "%b %d, %Y, %I:%M %p").replace(tzinfo=UTC).timestamp())


def minute(moment: int) -> int:
    return moment // 60 * 60  # pages tell no seconds


@pytest.mark.parametrize("batch", [2, 35, 36, 71])  # sheets close with 36 and 72
def test_when_what_happens_next(pages: Pages, batch: int) -> None:
    if batch > pages.world.batch:
        pages.world.close(batch)
    started = pages.world.policy.started
    assert pages.now() == started + batch * TICK + 1
    for pages.ahead in (0, 598, 599, 1234):  # from 599 on the next batch is late
        said, since = facts(pages), pages.now() - started
        assert at(said["Last published"]) == minute(started + batch * TICK)
        assert at(said["Letters are collected next"]) == minute(pages.now() - since % TICK + TICK)
        assert at(said["New answers appear next"]) == minute(pages.now() - since % SHEET + SHEET)
        assert "(every 10 minutes)" in said["Letters are collected next"]
        assert "(every 6 hours)" in said["New answers appear next"]


def test_how_soon_an_answer_is_promised(pages: Pages) -> None:
    for days, said in ((1, "within one day"), (7, "within 7 days")):
        pages.world.renew(policy=replace(pages.world.founding.directory.policy, answer_days=days))
        pages.world.close()
        pages.ahead += 61
        assert facts(pages)["Promised answer"] == said
        assert f"The organisation promises an answer {said}." in pages.browser.get("/en/").text
