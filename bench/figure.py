# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a benchmark gives: rows for people, and figures against what was aimed at."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """A figure and what it should reach: at least, or at most."""

    name: str
    value: float
    aim: float
    at_least: bool
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Does the figure reach its aim?"""
        return self.value >= self.aim if self.at_least else self.value <= self.aim


@dataclass(frozen=True)
class Figure:
    """One benchmark's outcome."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    goals: tuple[Goal, ...]
    notes: tuple[str, ...] = field(default=())


def best(act: Callable[[], object], times: int = 3) -> float:
    """Seconds of wall clock, the least of several runs."""
    least = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        act()
        least = min(least, time.perf_counter() - start)
    return least


def median(act: Callable[[], object], times: int) -> float:
    """Seconds of wall clock, the middle one of several runs."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def cpu_best(act: Callable[[], object], times: int = 3) -> float:
    """Seconds of this process's CPU, the least of several runs."""
    least = float("inf")
    for _ in range(times):
        start = time.process_time()
        act()
        least = min(least, time.process_time() - start)
    return least


def number(value: float) -> str:
    """A figure with as many digits as it is worth."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
