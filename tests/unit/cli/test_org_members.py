# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org member, as the organisation types it: invited, added, removed, and what is refused."""

from collections import Counter
from pathlib import Path

import pytest

from latchstring.org.membership import parse_invitation
from latchstring.protocol.directory import SignedDirectory
from latchstring.protocol.doorwords import parse_link
from tests.unit.cli.organisation import PASSPHRASE, Organisation

FILES = ("--draft", "door/directory.toml", "--root", "door/root.key")


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Organisation:
    return Organisation(tmp_path, monkeypatch, capfd)


def member(org: Organisation, act: str, who: str, *args: str, code: int = 0) -> str:
    return org.type("member", act, who, *FILES, *args, passphrase=PASSPHRASE, code=code)


def pages(signed: SignedDirectory) -> dict[str, int]:
    return dict(Counter(page.member for page in signed.directory.pages))


def test_added_with_a_page_of_their_own_and_the_sheet_stays(org: Organisation) -> None:
    first = org.first()
    org.cards(("news", "carl"))
    said = member(org, "add", "carl.toml", "--yes", "--post", "http://door.example")
    assert "member 'carl' is added" in said
    assert "about two days later" in said
    assert "taken it" in said
    after = org.signed(first.directory.door)
    (desk,) = after.directory.desks
    assert [m.id for m in desk.members] == ["anna", "bea", "carl"]
    assert desk.gen == first.directory.desks[0].gen
    assert pages(after) == {"anna": 2, "bea": 1, "carl": 1}
    size = {d.directory.policy.slots * len(d.directory.pages) for d in (first, after)}
    assert size == {8}
    assert "carl" in org.read("door/directory.toml")


def test_removed_and_told_what_happens(org: Organisation) -> None:
    first = org.first()
    said = member(org, "remove", "bea", "--yes")
    for words in (
        "'bea' can read and answer nothing",
        "takes no letters until",
        "--coming directory.signed",
        "gen 2",
        "Pages of a sheet",
    ):
        assert words in said
    after = org.signed(first.directory.door)
    (desk,) = after.directory.desks
    assert ([m.id for m in desk.members], desk.gen) == (["anna"], 2)
    assert pages(after) == {"anna": 2}
    assert '"bea"' not in org.read("door/directory.toml")
    assert (org.folder / "directory-1.signed").read_bytes() == first.raw


def test_who_says_no_changes_nothing(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    org.first()
    before = {path: path.read_bytes() for path in org.folder.rglob("*") if path.is_file()}
    monkeypatch.setattr("latchstring.cli.ui.ask", lambda _question: "n")
    said = member(org, "remove", "bea", "--out", "next.signed", code=1)
    assert "Not signed" in said
    assert "--coming next.signed" in said
    assert {path: path.read_bytes() for path in org.folder.rglob("*") if path.is_file()} == before


def test_what_cannot_be_added_or_removed(org: Organisation) -> None:
    org.first()
    org.cards(("law", "dora"))
    before = org.read("door/directory.toml")
    assert "no desk 'law', only 'news'" in member(org, "add", "dora.toml", "--yes", code=1)
    assert "not a member's card" in member(org, "add", "server-card.toml", "--yes", code=1)
    assert "no member 'zoe', only 'anna', 'bea'" in member(org, "remove", "zoe", "--yes", code=1)
    member(org, "remove", "bea", "--yes")
    assert "the last at desk 'news'" in member(org, "remove", "anna", "--yes", code=1)
    assert org.read("door/directory.toml") != before


def test_a_new_card_under_the_same_name_makes_new_keys(org: Organisation) -> None:
    first = org.first()
    text = org.read("bea.toml")
    org.cards(("news", "else"))
    org.write("bea.toml", org.read("else.toml").replace("else", "bea"))
    assert org.read("bea.toml") != text
    said = member(org, "add", "bea.toml", "--yes")
    assert "member 'bea' has other keys" in said
    assert org.signed(first.directory.door).directory.desks[0].gen == 2


def test_an_invitation_holds_the_door_and_no_secret(org: Organisation) -> None:
    first = org.first()
    org.type("member", "invite", "directory.signed", "--desk", "news", "--member", "carl")
    invitation = parse_invitation(org.read("invitation.toml"))
    assert (invitation.desk, invitation.member) == ("news", "carl")
    assert parse_link(invitation.door).door == first.directory.door
    assert "no desk 'law'" in org.type(
        "member", "invite", "directory.signed", "--desk", "law", "--member", "carl", code=1
    )
