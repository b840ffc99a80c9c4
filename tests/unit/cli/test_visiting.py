# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody sees who waits for a door that does not come."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from rich.console import Console

from latchstring.cli import addresses, ui, vaults, visiting
from latchstring.client import proxied, transport
from latchstring.desk.follow import Step
from tests.unit.cli.test_source import LINK
from tests.unit.client.test_proxied import SHORT, stand_in


@pytest.mark.parametrize("broken", [False, True])
def test_a_silent_proxy_is_named_while_one_waits_and_after_it(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other address is asked through it. `broken`: it counts as a door that is away."""
    screen = io.StringIO()
    monkeypatch.setattr(ui, "err", Console(file=screen, force_terminal=True, width=80))
    monkeypatch.setattr(proxied, "FIRST_WORD", SHORT)
    if broken:
        monkeypatch.setattr(transport, "NoProxy", transport.NetworkFailed)
    with stand_in() as proxy:
        with (
            pytest.raises(ui.CliError) as told,
            visiting.visiting(LINK, ["http://a.onion", "http://b.onion"], False, proxy.at, None),
        ):
            pass
        assert f"Connecting through {proxy.at}; Tor may need two minutes" in screen.getvalue()
        assert f"Something listens at {proxy.at} and says nothing" in told.value.what
        assert "it is probably not Tor. Nothing was sent" in told.value.what
        assert len(proxy.came) == (2 if broken else 1)


def test_once_something_comes_the_time_left_shows_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(ui, "err", Console(file=screen, force_terminal=True, width=120))
    with ui.downloading("Fetching", addresses.connecting(False, None)) as progress:
        progress(50, 100)
        progress(100, 100)
    shown = screen.getvalue()
    assert -1 < shown.find("Connecting") < shown.find("Fetching")
    assert "100/100 bytes" in shown


@pytest.mark.parametrize("bar", [vaults.progress, ui.working])
def test_so_it_does_for_a_desk_and_for_who_compares_pages(
    monkeypatch: pytest.MonkeyPatch, bar: Callable[[str], AbstractContextManager[Step]]
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(ui, "err", Console(file=screen, force_terminal=True, width=120))
    with bar(addresses.connecting(True, None)) as step:
        step("visit", 50, 100)
        step("visit", 100, 100)
    shown = screen.getvalue()
    first = shown.find("Connecting through 127.0.0.1:9050; Tor may need two minutes")
    assert -1 < first < max(shown.find("Fetching what everyone fetches"), shown.find("visit"))
    assert "Connecting" not in shown.rpartition("\n")[2]


def test_a_name_in_brackets_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be called so; what draws the bar takes brackets for orders, unless it is told otherwise."""
    screen, name = io.StringIO(), "[/x] [red]a.txt"
    monkeypatch.setattr(ui, "err", Console(file=screen, force_terminal=True, width=120))
    with ui.downloading(name) as progress:
        progress(1, 2)
    with ui.working() as step:
        step(name, 1, 2)
    with vaults.progress(name) as step:
        pass
    assert screen.getvalue().count(name) >= 3
