# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk invite, join and members, as members type it."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.desk.errors import VaultError
from latchstring.desk.vault import Vault, create_vault
from latchstring.org.draft import add_card, draft_of, format_draft, parse_draft
from latchstring.org.membership import check_card
from latchstring.protocol.directory import Member, PageOwner
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE
from tests.unit.cli.test_desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, monkeypatch, capfd)


def test_from_an_invitation_to_keys_for_the_days_ahead(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    assert "desk join bea.toml" in desk.type("invite", "--member", "bea", "--out", "bea.toml")
    first = desk.vault
    desk.vault = tmp_path / "bea.vault"
    said = desk.type("join", "bea.toml", "--yes")
    assert "bea-card.toml" in said
    assert "read its digits" in said
    directory = desk.world.founding.directory
    draft, card = format_draft(draft_of(directory)), (tmp_path / "bea-card.toml").read_text("utf-8")
    assert check_card(draft, card) == ("news", "bea")
    (news,) = parse_draft(add_card(draft, card)).desks
    bea = news.members[-1]
    assert isinstance(bea, Member)
    assert "does not name member 'bea'" in desk.type("sync", code=1)
    before = directory.desks[0]
    pages = (*directory.pages, PageOwner("news", "bea"))
    desk.world.renew(desks=(replace(before, members=(*before.members, bea)),), pages=pages)
    desk.world.close()
    assert "have not reached you yet" in desk.type("sync")
    desk.vault = first
    desk.type("sync")
    table = desk.type("members")
    assert "news-1 (you)" in table
    assert "has not synchronised yet" in table
    for day in (1, 2):
        desk.world.close(144 * day)
        for vault in (first, tmp_path / "bea.vault"):
            desk.vault = vault
            desk.type("sync")
    assert desk.type("members").count(" here ") == 2
    assert "reached" not in desk.type("sync")


def test_what_no_directory_can_hold_and_files_that_are_there_are_said_first(desk: Desk) -> None:
    desk.open()
    assert "not the name of a member" in desk.type("invite", "--member", "B a", "--out", "bea.toml", code=2)
    desk.type("invite", "--member", "bea", "--out", "bea.toml")
    desk.vault = desk.folder / "bea.vault"
    card = Path("bea-card.toml")
    card.write_text("another's")
    assert "no vault was made" in desk.type("join", "bea.toml", "--yes", code=1)
    assert not desk.vault.exists()
    assert card.read_text() == "another's"
    said = desk.type("join", "bea.toml", "--yes", "--card", "no-folder/card.toml", code=1)
    assert "desk card" in said
    assert 'id = "bea"' in desk.type("card")


def test_nothing_is_made_when_the_words_are_not_those_of_the_card(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    desk.type("invite", "--member", "bea", "--out", "bea.toml")
    desk.vault = desk.folder / "bea.vault"
    monkeypatch.setattr("latchstring.cli.ui.ask", lambda _question: "")
    assert "Nothing was made" in desk.type("join", "bea.toml", code=1)
    assert not desk.vault.exists()
    (desk.folder / "not.toml").write_text("x = 1\n", "utf-8")
    assert "not an invitation" in desk.type("join", "not.toml", "--yes", code=1)


def test_members_before_the_first_session(desk: Desk) -> None:
    desk.join()
    assert "has not been at its desk yet" in desk.type("members", code=1)


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
def test_a_vault_whose_owner_could_not_be_written_is_not_left_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """Its keys are in no card yet: the next attempt makes others, under the same name."""
    desk.open()
    desk.type("invite", "--member", "bea", "--out", "bea.toml")
    desk.vault = desk.folder / "bea.vault"
    commit = Vault._commit

    def failing(vault: Vault) -> None:
        if stored:
            commit(vault)
        raise VaultError("The disk with the vault is full.", "Make room, then try again.")

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "_commit", failing)
        assert "disk with the vault is full" in desk.type("join", "bea.toml", "--yes", code=1)
    assert [path.name for path in desk.folder.glob("bea*")] == ["bea.toml"]
    desk.type("join", "bea.toml", "--yes")
    card = tomllib.loads((desk.folder / "bea-card.toml").read_text("utf-8"))["member"]
    assert desk.values("card") == card


def test_a_vault_that_was_broken_off_before_it_had_an_owner_says_so(desk: Desk) -> None:
    """As after a power cut between the two writes."""
    desk.open()
    desk.vault = desk.folder / "bea.vault"
    create_vault(desk.vault, PASSPHRASE, Stream("salt"), CHEAP).close()
    for command in ("sync", "card", "members"):
        assert "broken off" in desk.type(command, code=1)
