# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which address a desk's session goes by, and what ends a desk that syncs by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latchstring.cli import desk as module
from latchstring.cli import desk_attachments, ui
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.client.visit import ClockOff, VisitRefused
from latchstring.desk.addresses import learn, ways
from latchstring.desk.alone import Busy, alone
from latchstring.desk.identity import keep_identity, new_identity
from latchstring.desk.progress import Followed
from latchstring.desk.vault import Vault, create_vault
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.root import Door
from tests.builders import Stream
from tests.builders import found as founding
from tests.desk_world import CHEAP, PASSPHRASE

ADDRESSES = ("http://one.example", "http://two.example")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = create_vault(tmp_path / "desk.vault", PASSPHRASE, Stream("vault"), CHEAP)
    keep_identity(made, new_identity(format_link(Door(bytes(32))), "news", "anna", ADDRESSES, Stream("keys")))
    return made


def sessions(by_address: dict[str, Exception | str], asked: list[str]) -> Callable[..., Any]:
    def synchronise(_vault: Vault, transport: HttpTransport, *_args: object, **_more: object) -> Any:
        asked.append(transport.authority)
        outcome = by_address[transport.authority]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return synchronise


@pytest.mark.parametrize("trouble", [NetworkFailed("no answer"), VisitRefused("another door"), ClockOff(9_000_000)])
def test_one_bad_address_keeps_nobody_from_the_next(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "synchronise", sessions({"one.example": trouble, "two.example": "report"}, asked))
    assert str(module._session(vault, module._Way(None), going_on=False)) == "report"
    assert asked == ["one.example", "two.example"]


@pytest.mark.parametrize("trouble", [NetworkFailed("no answer"), VisitRefused("another door"), ClockOff(9_000_000)])
def test_a_desk_that_syncs_by_itself_goes_on(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    monkeypatch.setattr(module, "synchronise", sessions({"one.example": trouble, "two.example": trouble}, []))
    assert module._session(vault, module._Way(None), going_on=True) is None
    assert str(trouble)[:20] in " ".join(capsys.readouterr().err.split())
    with pytest.raises(type(trouble)):
        module._session(vault, module._Way(None), going_on=False)


MOVED = ("http://new.onion", "http://two.example")


def test_through_tor_what_the_directory_named_comes_first(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door has moved: both addresses that the member typed are gone."""
    learn(vault, MOVED)
    asked: list[str] = []
    gone = NetworkFailed("no answer")
    outcomes: dict[str, Exception | str] = {"new.onion": "report", "one.example": gone, "two.example": gone}
    monkeypatch.setattr(module, "synchronise", sessions(outcomes, asked))
    assert str(module._session(vault, module._Way("127.0.0.1:9050"), going_on=False)) == "report"
    assert asked == ["new.onion"]


def test_in_the_open_it_is_told_and_not_asked(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(vault, MOVED)
    asked: list[str] = []
    gone = NetworkFailed("no answer")
    monkeypatch.setattr(module, "synchronise", sessions({"one.example": gone, "two.example": gone}, asked))
    with pytest.raises(NetworkFailed):
        module._session(vault, module._Way(None), going_on=False)
    assert asked == ["one.example", "two.example"]
    assert "http://new.onion" in capsys.readouterr().err


def test_an_old_server_that_still_answers_leads_to_the_new_one(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    old, gone = ClockOff(9_000_000, MOVED), NetworkFailed("no answer")
    outcomes: dict[str, Exception | str] = {"one.example": old, "two.example": gone, "new.onion": "report"}
    monkeypatch.setattr(module, "synchronise", sessions(outcomes, asked))
    assert str(module._session(vault, module._Way("127.0.0.1:9050"), going_on=False)) == "report"
    assert asked == ["one.example", "two.example", "new.onion"]


ONION = "http://door.onion"


@pytest.fixture(params=[1, -1], ids=["onion-first", "onion-last"])
def both(tmp_path: Path, request: pytest.FixtureRequest) -> Vault:
    """Of a member who typed an onion address and another."""
    made = create_vault(tmp_path / "both.vault", PASSPHRASE, Stream("vault"), CHEAP)
    typed = (ONION, ADDRESSES[0])[:: request.param]
    keep_identity(made, new_identity(format_link(Door(bytes(32))), "news", "anna", typed, Stream("keys")))
    return made


@pytest.mark.parametrize("going_on", [False, True])
def test_where_an_onion_address_was_typed_none_is_asked_in_the_open(
    both: Vault, monkeypatch: pytest.MonkeyPatch, going_on: bool
) -> None:
    """Whoever forgets --tor is told, and not seen at the other address instead."""
    asked: list[str] = []
    monkeypatch.setattr(module, "synchronise", sessions({"one.example": "report"}, asked))
    with pytest.raises(ui.CliError, match="add --tor") as refused:
        module._session(both, module._Way(None), going_on)
    assert refused.value.code == ui.USAGE
    assert "--at" in refused.value.next_step
    with pytest.raises(ui.CliError, match="add --tor"):
        module._Way(None).addresses(both)  # as attachments and memos take them
    assert asked == []


def test_but_through_tor_or_where_it_is_named_for_once(both: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(both, MOVED)
    asked: list[str] = []
    gone = NetworkFailed("no answer")
    outcomes: dict[str, Exception | str] = {"one.example": gone, "new.onion": gone, "two.example": "report"}
    monkeypatch.setattr(module, "synchronise", sessions(outcomes, asked))
    assert str(module._session(both, module._Way("127.0.0.1:9050"), going_on=False)) == "report"
    assert asked == ["new.onion", "two.example"]
    asked.clear()
    with pytest.raises(NetworkFailed):
        module._session(both, module._Way(None, (ADDRESSES[0],)), going_on=False)
    assert asked == ["one.example"], "that one alone"
    with pytest.raises(ui.CliError, match="add --tor"):
        module._session(both, module._Way(None, (ADDRESSES[0], ONION)), going_on=False)
    assert asked == ["one.example"]


@pytest.mark.parametrize(("hidden", "wanted"), [(True, [*MOVED, ADDRESSES[0]]), (False, [*ADDRESSES])])
def test_attachments_are_fetched_where_the_door_has_moved(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, hidden: bool, wanted: list[str]
) -> None:
    learn(vault, MOVED)
    asked: list[str] = []

    def line_to(address: str) -> HttpTransport:
        asked.append(address)
        raise NetworkFailed("no answer")

    known = Followed(state=KeyState(current=founding("door").opened))
    monkeypatch.setattr(desk_attachments, "followed", lambda _vault: known)
    found = desk_attachments.fetch_attachments(
        vault, ways(vault, hidden), line_to, lambda: 0, 1, lambda _what, _done, _of: None
    )
    assert "no answer" in found.trouble
    assert asked == wanted


def test_who_syncs_by_themselves_waits_for_another_s_session(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(vault):
        assert module._whole(vault, module._Way(None), 0, going_on=True, coming=None) is None
        assert "Another sync" in capsys.readouterr().err
        with pytest.raises(Busy):
            module._whole(vault, module._Way(None), 0, going_on=False, coming=None)
