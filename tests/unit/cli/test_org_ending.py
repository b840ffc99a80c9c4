# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org directory renew and diff, org close: the next directory without a draft, and the last one."""

import json
from pathlib import Path

import pytest

from latchstring.cli import ui
from latchstring.protocol.closing import Closing
from latchstring.protocol.directory import check_successor
from latchstring.protocol.rooted import Rooted, open_rooted
from tests.builders import found, successor
from tests.unit.cli.organisation import ADDRESS, PASSPHRASE, Organisation

CLOSE = ("close", "--root", "door/root.key", "--say", "en=We have closed.", "--yes")


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Organisation:
    return Organisation(tmp_path, monkeypatch, capfd)


def newest(org: Organisation, name: str = "directory.signed") -> Rooted:
    return open_rooted((org.folder / name).read_bytes(), None)


def renew(org: Organisation, *args: str, code: int = 0, passphrase: str = PASSPHRASE) -> str:
    return org.type("directory", "renew", "--root", "door/root.key", *args, passphrase=passphrase, code=code)


def kept(org: Organisation) -> dict[Path, bytes]:
    return {p.relative_to(org.folder): p.read_bytes() for p in org.folder.rglob("*") if p.is_file()}


# --- renew ------------------------------------------------------------------------------------------


def test_one_command_signs_the_same_for_sixty_days_more(org: Organisation) -> None:
    first = org.first()
    said = renew(org, "--yes", "--post", ADDRESS)
    assert "Nothing changes but the date" in said
    after = newest(org)
    check_successor(first, after.signed)
    d = after.signed.directory
    assert (d.seq, d.desks, d.expires - d.issued) == (2, first.directory.desks, 60 * 144)
    assert (org.folder / "directory-1.signed").read_bytes() == first.raw
    assert org.server.posted == [("POST", "/v1/directory", after.raw)]
    renew(org, "--yes", "--days", "92")
    assert newest(org).signed.directory.expires - newest(org).signed.directory.issued == 92 * 144


def test_it_is_asked_first_and_wrong_keys_change_nothing(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    org.first()
    org.type("found", "--out", "theirs", passphrase=PASSPHRASE)
    before = kept(org)
    monkeypatch.setattr(ui, "ask", lambda _question: "")
    assert "Not signed" in renew(org, code=1)
    assert "another door's" in org.type(
        "directory", "renew", "--root", "theirs/root.key", "--yes", passphrase=PASSPHRASE, code=1
    )
    assert "does not open" in renew(org, "--yes", passphrase="another passphrase", code=1)
    assert "not a signed directory" in renew(org, "--yes", "--previous", "door/directory.toml", code=1)
    renew(org, "--yes", "--days", "93", code=2)
    renew(org, "--yes", "--days", "0", code=2)
    assert "cannot be read" in renew(org, "--yes", "--previous", "none.signed", code=1)
    assert kept(org) == before


def test_a_rotation_and_a_renewal_are_one_step(org: Organisation) -> None:
    org.first()
    rotate = ("root", "rotate", "--root", "door/root.key", "--out", "new.key", "--previous", "directory.signed")
    org.type(*rotate, passphrase=f"{PASSPHRASE}\nanother passphrase")
    org.type(
        "directory",
        "renew",
        "--root",
        "new.key",
        "--rotation",
        "new.rotation",
        "--yes",
        passphrase="another passphrase",
    )
    assert (newest(org).roots.number, newest(org).signed.directory.seq) == (1, 2)


def test_show_reminds_from_half_of_its_time(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    d = org.first().directory
    half = d.policy.closes_at((d.issued + d.expires) // 2)
    for now, said in ((half - 5, False), (half, True)):
        monkeypatch.setattr("latchstring.cli.org.directory.time.time", lambda now=now: float(now))
        shown = org.type("directory", "show", "directory.signed")
        assert ("latchstring org directory renew" in shown) == said
        value = json.loads(org.type("directory", "show", "directory.signed", "--json"))
        assert (value["reminder"] is not None, value["days_left"]) == (said, 30)


def test_diff_says_what_changes_and_whether_it_follows(org: Organisation) -> None:
    org.first()
    renew(org, "--yes")
    said = org.type("directory", "diff", "directory-1.signed", "directory.signed")
    assert "Nothing changes but the date" in said
    assert "Both are the same directory" in org.type("directory", "diff", "directory.signed", "directory.signed")
    value = json.loads(org.type("directory", "diff", "directory.signed", "directory-1.signed", "--json", code=3))
    assert (value["follows"], value["why_not"]) == (False, "it is not newer")
    other = successor(found("other"))
    (org.folder / "other.signed").write_bytes(other.signed)
    assert "cannot follow" in org.type("directory", "diff", "directory-1.signed", "other.signed", code=3)
    org.write("cut.signed", "x")
    org.type("directory", "diff", "directory.signed", "cut.signed", code=1)


def test_what_the_server_would_refuse_is_not_signed(org: Organisation) -> None:
    org.first()
    text = org.read("door/directory.toml")
    org.write("door/directory.toml", text.replace("letters = 16", "letters = 15"))
    before = kept(org)
    assert "makes batches or the queue smaller" in org.sign("--previous", "directory.signed", "--yes", code=1)
    assert kept(org) == before


# --- close ------------------------------------------------------------------------------------------


def test_the_last_directory(org: Organisation) -> None:
    first = org.first()
    said = org.type(
        *CLOSE,
        "--say",
        "uk=Ми зачинилися.",
        "--instead",
        "https://example.org",
        "--post",
        ADDRESS,
        passphrase=PASSPHRASE,
    )
    for line in (
        "The door is closed for good",
        "The statement (uk): Ми зачинилися.",
        "Where to turn instead: https://example.org",
        "nothing can be signed after it",
        "destroy the root keys",
    ):
        assert line in said
    last = newest(org, "closing.signed")
    check_successor(first, last.signed)
    assert last.signed.directory.closed == Closing(
        {"en": "We have closed.", "uk": "Ми зачинилися."}, ("https://example.org",)
    )
    assert last.signed.directory.expires - last.signed.directory.issued == 92 * 144
    assert (org.folder / "directory.signed").read_bytes() == first.raw
    assert org.server.posted == [("POST", "/v1/directory", last.raw)]
    shown = org.type("directory", "show", "closing.signed")
    assert "closed for good" in shown
    assert "Ми зачинилися." in shown
    assert "renew" not in shown
    assert json.loads(org.type("directory", "show", "closing.signed", "--json"))["closed"]["texts"]["en"]
    assert "closed for good" in org.type("directory", "diff", "directory.signed", "closing.signed")
    assert "would call people to it" in org.type("card", "closing.signed", code=1)


def test_nothing_is_signed_after_it(org: Organisation) -> None:
    org.first()
    org.type(*CLOSE, passphrase=PASSPHRASE)
    before = kept(org)
    args = ("--previous", "closing.signed", "--yes")
    assert "closed this door for good" in renew(org, *args, code=1)
    assert "closed this door for good" in org.type(
        *CLOSE, *args, "--out", "again.signed", passphrase=PASSPHRASE, code=1
    )
    assert "closed this door for good" in org.sign(*args, "--out", "again.signed", code=1)
    draft = ("--draft", "door/directory.toml", "--root", "door/root.key", "--out", "again.signed")
    said = org.type("member", "remove", "bea", *draft, *args, passphrase=PASSPHRASE, code=1)
    assert "closed this door for good" in said
    assert kept(org) == before


def test_it_is_asked_for_and_a_no_closes_nothing(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    org.first()
    before, asked = kept(org), list[str]()

    def no(question: str) -> str:
        asked.append(question)
        return "n"

    monkeypatch.setattr(ui, "ask", no)
    org.type(*CLOSE[:-1], passphrase=PASSPHRASE, code=1)
    assert "cannot be opened again" in asked[0]
    assert kept(org) == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--say", "We have closed."), "with its language"),
        (("--say", "en=  "), "a text of 1 to 4000"),
        (("--say", "en=a", "--say", "en=b"), "two statements"),
        (("--say", "English=a"), "a language is a tag"),
        (("--say", "en=a", "--instead", ""), "where to turn instead"),
    ],
)
def test_a_statement_that_is_none(org: Organisation, args: tuple[str, ...], said: str) -> None:
    org.first()
    before = kept(org)
    assert said in org.type("close", "--root", "door/root.key", *args, "--yes", passphrase=PASSPHRASE, code=2)
    assert kept(org) == before
