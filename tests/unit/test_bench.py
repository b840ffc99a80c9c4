# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m bench`: what it prints of a figure, and its exit status, with figures that are made up."""

import json
from collections.abc import Callable

import pytest

from bench import __main__ as bench
from bench.figure import Figure, Goal


def made_up(seen: list[str], name: str, *values: float) -> Callable[[bool], Figure]:
    """A bench whose figures should be at least 10; it writes its name down when it runs."""

    def run(_quick: bool) -> Figure:
        seen.append(name)
        goals = tuple(Goal(f"{name} {i}", value, 10, True) for i, value in enumerate(values))
        return Figure(name, ("What", "Seen"), ((name, "something"),), goals)

    return run


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ran: list[str] = []
    every = {
        "short": made_up(ran, "short", 12, 9),
        "reached": made_up(ran, "reached", 10),
        "no-aim": made_up(ran, "no-aim"),
    }
    monkeypatch.setattr(bench, "EVERY", every)
    return ran


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ([], 1),
        (["short"], 1),
        (["short", "--json"], 1),
        (["short", "reached"], 1),
        (["reached", "no-aim"], 0),
        (["--quick"], 0),
    ],
)
def test_the_status_says_whether_an_aim_was_missed(seen: list[str], given: list[str], status: int) -> None:
    assert bench.main(given) == status
    assert seen == ([x for x in given if not x.startswith("--")] or ["short", "reached", "no-aim"])  # all of them ran


def test_what_was_missed_is_said(seen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["short"])
    said = capsys.readouterr().out
    assert "reached: short 0 12.0 (at least 10.0 aimed at)" in said
    assert "FALLS SHORT: short 1 9.00 (at least 10.0 aimed at)" in said
    bench.main(["short", "--json"])
    goals = json.loads(capsys.readouterr().out)["short"]["goals"]
    assert [goal["reached"] for goal in goals] == [True, False]
    assert seen == ["short", "short"]
