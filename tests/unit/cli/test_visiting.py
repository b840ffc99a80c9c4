# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody sees who waits for a door that does not come."""

import io

import pytest
from rich.console import Console

from latchstring.cli import ui, visiting
from latchstring.client import proxied, transport
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
    with ui.downloading("Fetching", visiting.connecting(False, None)) as progress:
        progress(50, 100)
        progress(100, 100)
    shown = screen.getvalue()
    assert -1 < shown.find("Connecting") < shown.find("Fetching")
    assert "100/100 bytes" in shown
