# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org, as the organisation types it: from founding to the second directory, and what is refused."""

import getpass
import json
import os
import re
from pathlib import Path

import pytest

from latchstring.cli import ui
from latchstring.client.transport import NetworkFailed, Response
from latchstring.org.draft import draft_of, format_draft
from latchstring.org.rootfile import unlock_root
from latchstring.protocol.directory import check_successor
from latchstring.protocol.doorwords import parse_door
from latchstring.protocol.root import Door
from latchstring.protocol.visit import Visit, encode_visit
from latchstring.protocol.wordlist import load
from tests.builders import found
from tests.unit.cli.organisation import ADDRESS, PASSPHRASE, Organisation


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Organisation:
    return Organisation(tmp_path, monkeypatch, capfd)


# --- found ---------------------------------------------------------------------------------------


def test_founding_makes_two_private_files_and_says_the_door(org: Organisation) -> None:
    door = org.found()
    root = unlock_root((org.folder / "door/root.key").read_bytes(), PASSPHRASE)
    assert root.public().door() == door
    words = load()
    numbered = " ".join(re.findall(r"\d+\. ([a-z]+)", org.out))
    assert parse_door(numbered, words).matches(door)
    assert f"latchstring:v1:{door.hex()}" in org.out
    assert "▄" in org.out  # the QR code
    for path in (org.folder / "door").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert (org.folder / "door").stat().st_mode & 0o077 == 0
    started = int(re.findall(r"started = (\d+)", org.read("door/directory.toml"))[0])
    assert started % 5 == 0


def test_founding_for_a_machine(org: Organisation) -> None:
    org.type("found", "--out", "door", "--json", passphrase=PASSPHRASE)
    value = json.loads(org.out)
    assert parse_door(" ".join(value["words"]), load()).matches(bytes.fromhex(value["door"]))
    assert (value["tick"], value["link"]) == (600, f"latchstring:v1:{value['door']}")


def test_root_keys_are_never_written_over(org: Organisation) -> None:
    org.found()
    before = {path.name: path.read_bytes() for path in (org.folder / "door").iterdir()}
    assert "never overwritten" in org.type("found", "--out", "door", passphrase=PASSPHRASE, code=1)
    (org.folder / "door/root.key").rename(org.folder / "kept.key")
    assert "directory.toml" in org.type("found", "--out", "door", passphrase=PASSPHRASE, code=1)
    (org.folder / "kept.key").rename(org.folder / "door/root.key")
    assert {path.name: path.read_bytes() for path in (org.folder / "door").iterdir()} == before


def test_a_short_passphrase_founds_nothing(org: Organisation) -> None:
    org.type("found", "--out", "door", passphrase="too short", code=1)
    assert list(org.folder.iterdir()) == []


def test_a_stick_that_does_not_keep_what_is_written_is_seen(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    write = ui.write_private
    monkeypatch.setattr(ui, "write_private", lambda path, data: write(path, data[:-1] + bytes([data[-1] ^ 1])))
    assert "does not read back" in org.type("found", "--out", "door", passphrase=PASSPHRASE, code=1)
    assert list((org.folder / "door").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(org: Organisation) -> None:
    org.write("file", "")
    assert "cannot be made" in org.type("found", "--out", "file/door", passphrase=PASSPHRASE, code=1)


def test_enter_alone_makes_ten_words_that_open_the_keys(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are read off the screen and typed again, as a person would."""
    monkeypatch.setattr(ui, "_terminal", lambda: True)
    shown: list[str] = []

    def typed(prompt: str) -> str:
        if "Enter alone" in prompt:
            return ""
        shown.append(re.findall(r"   ((?:[a-z]+ ){9}[a-z]+)", org.capfd.readouterr().err)[0])
        return shown[0]

    monkeypatch.setattr(getpass, "getpass", typed)
    monkeypatch.setattr(org, "secrets", lambda: shown)
    org.type("found", "--out", "door")
    (made,) = shown
    assert len(set(made.split())) > 5
    door = Door(bytes.fromhex(re.findall("[0-9a-f]{64}", org.read("door/directory.toml"))[0]))
    assert unlock_root((org.folder / "door/root.key").read_bytes(), f" {made} ").public().door() == door


# --- sign ----------------------------------------------------------------------------------------


def test_from_cards_to_a_first_directory(org: Organisation) -> None:
    door = org.found()
    assert "server's card is missing" in org.sign("--yes", code=1)
    assert not (org.folder / "directory.signed").exists()
    said = org.sign(*org.cards(("news", "anna"), ("news", "bea")), "--yes")
    assert "first directory. Desks: 'news' (2 members)" in said
    assert "names no address" in said
    directory = org.signed(door).directory
    assert (directory.seq, directory.desks[0].gen, len(directory.pages)) == (1, 1, 2)
    assert "[server]" in org.read("door/directory.toml")  # the cards are in the draft now


def test_a_removed_member_raises_gen_and_the_old_directory_is_kept(org: Organisation) -> None:
    first = org.first()
    text = org.read("door/directory.toml")
    start = text.index('[[desk.member]]\nid = "bea"')
    org.write("door/directory.toml", text[:start].replace("addresses = []", f'addresses = ["{ADDRESS}"]'))
    said = org.sign("--previous", "directory.signed", "--yes")
    for line in ("member 'bea' is removed", "gen 2", f"Address added: {ADDRESS}", "has one member"):
        assert line in said
    second = org.signed(first.directory.door)
    check_successor(first, second)
    assert (second.directory.seq, second.directory.desks[0].gen) == (2, 2)
    assert (org.folder / "directory-1.signed").read_bytes() == first.raw


def test_a_signed_directory_is_not_written_over_by_mistake(org: Organisation) -> None:
    first = org.first()
    assert "--previous directory.signed" in org.sign("--yes", code=1)
    other = found("another door").signed
    (org.folder / "other.signed").write_bytes(other)
    for args in (
        ("--previous", "other.signed"),
        ("--previous", "other.signed", "--out", "other.signed"),
        ("--previous", "directory.signed", "--out", "other.signed"),
        ("--previous", "directory.signed", "--out", "door/directory.toml"),
    ):
        org.sign(*args, "--yes", code=1)
    org.write("directory-1.signed", "something else")
    assert "is in the way" in org.sign("--previous", "directory.signed", "--yes", code=1)
    assert (org.folder / "directory.signed").read_bytes() == first.raw
    assert (org.folder / "other.signed").read_bytes() == other
    assert org.read("directory-1.signed") == "something else"


@pytest.mark.parametrize("answer", ["n", "", "yess", "Y e s"])
def test_without_a_yes_nothing_is_signed_or_changed(
    org: Organisation, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    org.found()
    before = org.read("door/directory.toml")
    monkeypatch.setattr(ui, "ask", lambda _question: answer)
    assert "Not signed" in org.sign(*org.cards(("news", "anna")), code=1)
    assert org.read("door/directory.toml") == before
    assert not (org.folder / "directory.signed").exists()


@pytest.mark.parametrize("answer", ["y", "Yes"])
def test_with_a_yes_it_is(org: Organisation, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    door = org.found()
    monkeypatch.setattr(ui, "ask", lambda _question: answer)
    org.sign(*org.cards(("news", "anna")))
    assert org.signed(door).directory.seq == 1


def test_wrong_keys_and_passphrases_sign_nothing(org: Organisation) -> None:
    org.found()
    org.type("found", "--out", "door2", passphrase=PASSPHRASE)
    cards = org.cards(("news", "anna"))
    before = org.read("door/directory.toml")
    assert "passphrase does not open" in org.sign(*cards, "--yes", passphrase="another passphrase", code=1)
    raw = (org.folder / "door/root.key").read_bytes()
    for root, said in (
        ("door2/root.key", "another door's"),
        ("anna.toml", "not a root key file"),
        ("missing.key", "hand over to the spare"),
    ):
        args = ("door/directory.toml", "--root", root, *cards, "--yes")
        printed = org.type("directory", "sign", *args, passphrase=PASSPHRASE, code=1)
        assert said in printed
        assert ("It is good until" in printed) is (root != "missing.key")  # else it is said before anybody says yes
    assert org.read("door/directory.toml") == before
    assert (org.folder / "door/root.key").read_bytes() == raw
    assert not (org.folder / "directory.signed").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[[", b"a = 1", b"[member]\nid = 1"])
def test_a_card_or_draft_that_is_damaged_is_refused(org: Organisation, content: bytes) -> None:
    org.found()
    before = org.read("door/directory.toml")
    (org.folder / "bad.toml").write_bytes(content)
    org.sign("--add", "bad.toml", "--yes", code=1)
    org.type("directory", "sign", "bad.toml", "--yes", passphrase=PASSPHRASE, code=1)
    org.sign("--previous", "bad.toml", "--yes", code=1)
    assert org.read("door/directory.toml") == before


def test_a_full_disk_leaves_draft_and_directory_as_they_were(
    org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = org.first()
    before = {p.relative_to(org.folder): p.read_bytes() for p in org.folder.rglob("*") if p.is_file()}

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = org.sign("--previous", "directory.signed", "--add", "bea.toml", "--yes", code=1)
    assert "cannot be written" in said
    assert {p.relative_to(org.folder): p.read_bytes() for p in org.folder.rglob("*") if p.is_file()} == before
    assert first.raw == before[Path("directory.signed")]


# --- sending -------------------------------------------------------------------------------------


def test_posting_sends_exactly_the_signed_bytes(org: Organisation) -> None:
    org.found()
    org.sign(*org.cards(("news", "anna")), "--yes", "--post", ADDRESS)
    raw = (org.folder / "directory.signed").read_bytes()
    assert org.server.posted == [("POST", "/v1/directory", raw)]
    org.type("directory", "send", "directory.signed", "--to", ADDRESS, "--tor")
    assert org.server.posted[1] == org.server.posted[0]
    assert org.server.ways[0] is None
    assert (org.server.ways[1] or "").endswith("@127.0.0.1:9050")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NetworkFailed("The door does not answer."), "Send it again: latchstring org directory send directory.signed"),
        (Response(503, b"Closed."), "(503): Closed.\nSend it again"),
        (Response(409, b"Not the next."), "--save newest.signed"),
        (Response(403, b"Not this door's."), "Is it this door's server"),
        (Response(500, b""), "it gave no reason"),
        (Response(400, b"\x1b[2J bad \xff"), "(400): [2J bad"),
    ],
)
def test_a_directory_that_is_not_taken_is_kept_and_the_next_step_is_said(
    org: Organisation, answer: Response | NetworkFailed, said: str
) -> None:
    door = org.found()
    org.server.answer = answer
    printed = org.sign(*org.cards(("news", "anna")), "--yes", "--post", ADDRESS, "--proxy", "127.0.0.1:9150", code=1)
    assert said in printed
    assert ("Send it again" in printed) is (f"--to {ADDRESS} --proxy 127.0.0.1:9150" in printed)
    assert "\x1b" not in printed
    assert org.signed(door).directory.seq == 1


def test_only_a_signed_directory_is_sent(org: Organisation) -> None:
    raw = bytearray(found().signed)
    raw[-1] ^= 1
    (org.folder / "bad.signed").write_bytes(raw)
    assert "not a signed directory" in org.type("directory", "send", "bad.signed", "--to", ADDRESS, code=1)
    assert org.server.posted == []


# --- show and card -------------------------------------------------------------------------------


def visit_with(*directories: bytes) -> bytes:
    """A /visit of which only the directories are looked at."""
    return encode_visit(Visit(b"checkpoint", directories, (), (), b"manifest", (), (), ()))


def test_show_says_what_the_file_says(org: Organisation) -> None:
    founding = found(desks=("news", "ombudsman"))
    (org.folder / "d.signed").write_bytes(founding.signed)
    said = org.type("directory", "show", "d.signed")
    for piece in ("Directory number 1", "door.example/log", "within 7 days", "http://127.0.0.1:8400", "uk: Стіл"):
        assert piece in said
    org.type("directory", "show", "d.signed", "--json")
    value = json.loads(org.out)
    assert parse_door(" ".join(value["words"]), load()).matches(founding.door)
    assert [(d["id"], d["members"][0]["sign"]) for d in value["desks"]] == [
        (m.desk, m.public.sign_key.hex()) for m in founding.members
    ]
    org.type("directory", "show", "d.signed", "--draft")
    assert org.out == format_draft(draft_of(founding.directory))


def test_show_and_save_the_newest_of_a_server(org: Organisation) -> None:
    first = org.first()
    org.sign("--previous", "directory.signed", "--yes")
    second = org.signed(first.directory.door)
    org.server.answer = Response(200, visit_with(first.raw, second.raw))
    assert "Directory number 2" in org.type("directory", "show", ADDRESS, "--save", "newest.signed")
    assert (org.folder / "newest.signed").read_bytes() == second.raw
    org.type("directory", "show", ADDRESS, "--save", "newest.signed", code=1)
    org.sign("--previous", "newest.signed", "--out", "third.signed", "--yes")
    check_successor(second, org.signed(first.directory.door, "third.signed"))


@pytest.mark.parametrize("body", [b"", b"<html>", visit_with(), visit_with(b"x"), visit_with(found().signed[:-1])])
def test_a_server_without_a_directory_is_said(org: Organisation, body: bytes) -> None:
    org.server.answer = Response(200, body)
    org.type("directory", "show", ADDRESS, code=1)
    org.server.answer = NetworkFailed("The door does not answer.")
    assert "does not answer" in org.type("directory", "show", ADDRESS, code=1)


def test_a_directory_cannot_act_on_the_terminal(org: Organisation) -> None:
    """Anybody can sign a directory of a door of their own and hand it over."""
    founding = found()
    hostile = "\x1b]0;x\x07\x1b[2J"
    desk = founding.directory.desks[0]
    object.__setattr__(desk, "titles", {"en": hostile})
    (org.folder / "d.signed").write_bytes(founding.signed)
    assert not {"\x1b", "\x07"} & set(org.type("directory", "show", "d.signed"))
    assert not {"\x1b", "\x07"} & set(org.type("directory", "show", "d.signed", "--json"))
    assert not {"\x1b", "\x07"} & set(org.type("directory", "show", "d.signed", "--draft"))


def test_the_card_in_all_its_forms(org: Organisation) -> None:
    (org.folder / "d.signed").write_bytes(found().signed)
    link = "latchstring:v1:" + found().door.hex()
    said = org.type("card", "d.signed", "--name", "The Daily Example")
    assert "The Daily Example" in said
    assert link in said
    assert "▄" in said
    assert "door.example\n" in org.type("card", "d.signed")  # no name given: the log's domain
    for form, begins in (("text", b"door.example\n"), ("svg", b"<svg "), ("png", b"\x89PNG")):
        org.type("card", "d.signed", "--format", form, "--out", f"card.{form}")
        assert (org.folder / f"card.{form}").read_bytes().startswith(begins)
    for form in ("svg", "png"):
        assert f"--out card.{form}" in org.type("card", "d.signed", "--format", form, code=2)
    assert "cannot be written" in org.type("card", "d.signed", "--format", "svg", "--out", "no/card.svg", code=1)
