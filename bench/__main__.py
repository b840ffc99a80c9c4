# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m bench [NAME ...] [--quick] [--json]`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench import (
    accept,
    attachments,
    close_batch,
    desk_scale,
    flood,
    members,
    opening,
    page_memory,
    roots,
    site_speed,
    site_weight,
    source_check,
    verify,
)
from bench.figure import Figure, Goal, number

EVERY = {
    "source-check": source_check.run,
    "accept": accept.run,
    "flood": flood.run,
    "attachments": attachments.run,
    "open": opening.run,
    "first-sync": desk_scale.run,
    "members": members.run,
    "close-batch": close_batch.run,
    "verify": verify.run,
    "roots": roots.run,
    "site-speed": site_speed.run,
    "page-memory": page_memory.run,
    "site-weight": site_weight.run,
}
APART = {"page-memory-whole": page_memory.run_whole}  # for minutes: by its name alone


def _sentence(goal: Goal) -> str:
    bound = "at least" if goal.at_least else "at most"
    word = "reached" if goal.reached else "FALLS SHORT"
    return f"{word}: {goal.name} {number(goal.value)}{goal.unit} ({bound} {number(goal.aim)}{goal.unit} aimed at)"


def _show(figure: Figure, console: Console) -> None:
    table = Table(title=figure.title, title_justify="left")
    for i, column in enumerate(figure.columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in figure.rows:
        table.add_row(*row)
    console.print(table)
    for goal in figure.goals:
        console.print(_sentence(goal), style="" if goal.reached else "bold red")
    for note in figure.notes:
        console.print(note)
    console.print()


def main(given: Sequence[str] | None = None) -> int:
    """Run all that was asked for; then 1 when a figure falls short of its aim, 0 otherwise and with --quick, whose
    sizes no aim is meant for. `given`: in place of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures, each beside its peer or limit.")
    parser.add_argument(
        "name", nargs="*", metavar="NAME", help=f"which: {', '.join(EVERY)} (all these if left out); {', '.join(APART)}"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes: a look, not a figure to quote")
    parser.add_argument("--json", action="store_true", help="as JSON")
    asked = parser.parse_args(given)
    known = EVERY | APART
    unknown = [name for name in asked.name if name not in known]
    if unknown:
        parser.error(f"there is no figure '{unknown[0]}'")
    console = Console(highlight=False)
    value: dict[str, object] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "quick": asked.quick,
    }
    if not asked.json:
        console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    missed = False
    for name in asked.name or list(EVERY):
        figure = known[name](asked.quick)
        missed |= not all(goal.reached for goal in figure.goals)
        value[name] = {
            "rows": [dict(zip(figure.columns, row, strict=True)) for row in figure.rows],
            "goals": [
                {"name": g.name, "value": g.value, "aim": g.aim, "at_least": g.at_least, "reached": g.reached}
                for g in figure.goals
            ],
            "notes": list(figure.notes),
        }
        if not asked.json:
            _show(figure, console)
    if asked.json:
        print(json.dumps(value, indent=2))
    return int(missed and not asked.quick)


if __name__ == "__main__":
    sys.exit(main())
