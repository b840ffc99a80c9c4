# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring org root, and spares: making new root keys, handing over to them, and everything typed wrong."""

import json
import os
import stat
from pathlib import Path

import pytest

from latchstring.cli import ui
from latchstring.client.transport import Response
from latchstring.org.rootfile import unlock_root
from latchstring.org.rotation import parse_rotation
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import Rooted, open_rooted
from latchstring.protocol.visit import Visit, encode_visit
from tests.builders import found, rotated
from tests.unit.cli.organisation import ADDRESS, PASSPHRASE, Organisation

NEW = "another passphrase"
BOTH = f"{PASSPHRASE}\n{NEW}"


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Organisation:
    return Organisation(tmp_path, monkeypatch, capfd)


def rotate(org: Organisation, *args: str, code: int = 0, passphrase: str = BOTH) -> str:
    paths = ("--root", "door/root.key", "--out", "new.key")
    return org.type("root", "rotate", *paths, *args, passphrase=passphrase, code=code)


def sign(org: Organisation, *args: str, root: str = "new.key", passphrase: str = NEW, code: int = 0) -> str:
    paths = ("door/directory.toml", "--root", root, "--previous", "directory.signed", "--yes")
    return org.type("directory", "sign", *paths, *args, passphrase=passphrase, code=code)


def newest(org: Organisation) -> Rooted:
    return open_rooted((org.folder / "directory.signed").read_bytes(), None)


def kept(org: Organisation) -> dict[Path, bytes]:
    return {p.relative_to(org.folder): p.read_bytes() for p in org.folder.rglob("*") if p.is_file()}


def test_the_next_command_names_the_files_as_printed(org: Organisation) -> None:
    org.first()
    (org.folder / "spare").mkdir()
    said = rotate(org, "--previous", "directory.signed", "--out", "spare/new.key")
    line = next(line for line in said.splitlines() if "--rotation" in line)
    assert line.split() == ["--root", "spare/new.key", "--rotation", "spare/new.rotation"]


def test_from_old_keys_to_new_ones_and_on(org: Organisation) -> None:
    door = org.first().directory.door
    said = rotate(org, "--previous", "directory.signed")
    assert "Nothing acts yet" in said
    assert newest(org).roots == RootChain(door), "the directory is as it was"
    new = unlock_root((org.folder / "new.key").read_bytes(), NEW)
    assert parse_rotation((org.folder / "new.rotation").read_bytes()).in_force(new.public())
    assert (org.folder / "new.key").stat().st_mode & 0o777 == 0o600

    said = sign(org, "--rotation", "new.rotation", "--post", ADDRESS)
    assert "The root keys change (rotation 1)" in said
    assert "A spare made before is void" in said
    after = newest(org)
    assert (after.roots.door, after.roots.number, after.signed.directory.seq) == (door, 1, 2)
    assert org.server.posted == [("POST", "/v1/directory", after.raw)]

    sign(org)  # the chain is in the file: no --rotation any more
    assert (newest(org).roots.number, newest(org).signed.directory.seq) == (1, 3)
    before = kept(org)
    assert "were replaced; use the key file of the newest" in sign(
        org, root="door/root.key", passphrase=PASSPHRASE, code=1
    )
    assert "done already" in sign(org, "--rotation", "new.rotation", code=1)
    assert kept(org) == before


def test_a_second_rotation_needs_the_newest_directory_and_keys(org: Organisation) -> None:
    org.first()
    rotate(org, "--previous", "directory.signed")
    sign(org, "--rotation", "new.rotation")
    args = ("root", "rotate", "--out", "third.key", "--previous", "directory.signed")
    said = org.type(*args, "--root", "door/root.key", passphrase=BOTH, code=1)
    assert "does not hold the root keys that are in force" in said
    org.type(*args, "--root", "new.key", passphrase=f"{NEW}\nand a third one", code=0)
    sign(org, "--rotation", "third.rotation", root="third.key", passphrase="and a third one")
    assert newest(org).roots.number == 2


def test_before_any_directory_the_door_is_shown_and_asked_for(
    org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.found()
    monkeypatch.setattr(ui, "ask", lambda _question: "no")
    assert "Nothing was made" in rotate(org, code=1)
    assert not list(org.folder.glob("new.*"))
    monkeypatch.setattr(ui, "ask", lambda _question: "yes")
    rotate(org)


def test_nothing_is_written_over(org: Organisation) -> None:
    org.first()
    for name in ("new.key", "new.rotation"):
        org.write(name, "something else")
        assert "is there already" in rotate(org, "--previous", "directory.signed", code=1)
        assert org.read(name) == "something else"
        (org.folder / name).unlink()
    assert "is there already" in rotate(org, "--previous", "directory.signed", "--out", "door/root.key", code=1)


@pytest.mark.parametrize(
    ("passphrase", "said"),
    [
        (f"wrong passphrase\n{NEW}", "passphrase does not open"),
        (f"{PASSPHRASE}\nshort", "too short"),
        (PASSPHRASE, "No passphrase came"),
    ],
)
def test_wrong_passphrases_make_nothing(org: Organisation, passphrase: str, said: str) -> None:
    org.first()
    before = kept(org)
    assert said in rotate(org, "--previous", "directory.signed", code=1, passphrase=passphrase)
    assert kept(org) == before


def test_a_full_disk_leaves_neither_half(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    org.first()
    before, writes = kept(org), [0]
    real = os.fsync

    def full(fd: int) -> None:
        writes[0] += stat.S_ISREG(os.fstat(fd).st_mode)  # folders are made durable too
        if writes[0] == 2:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    rotate(org, "--previous", "directory.signed", code=1)
    assert (kept(org), writes[0]) == (before, 2)


def test_a_stick_that_does_not_keep_the_rotation_is_seen(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    org.first()
    before = kept(org)
    write = ui.write_private

    def spoiling(path: Path, data: bytes) -> None:
        write(path, data[:-1] if path.suffix == ".rotation" else data)

    monkeypatch.setattr(ui, "write_private", spoiling)
    assert "does not read back" in rotate(org, "--previous", "directory.signed", code=1)
    assert kept(org) == before


# --- spares ---------------------------------------------------------------------------------------


def found_with_spare(org: Organisation) -> None:
    org.type("found", "--out", "door", "--spare", "vault", "--tick", "5", passphrase=BOTH)
    org.sign(*org.cards(("news", "anna"), ("news", "bea")), "--yes")


def test_a_spare_from_the_founding_takes_over_when_the_keys_are_gone(org: Organisation) -> None:
    found_with_spare(org)
    door = newest(org).roots.door
    for _ in range(2):
        org.sign("--previous", "directory.signed", "--yes")
    (org.folder / "door" / "root.key").unlink()
    sign(org, "--rotation", "vault/spare.rotation", root="vault/spare.key")
    assert (newest(org).roots.door, newest(org).roots.number, newest(org).signed.directory.seq) == (door, 1, 4)
    assert org.server.posted == []


def test_a_spare_needs_a_second_line_and_says_so(org: Organisation) -> None:
    said = org.type("found", "--out", "door", "--spare", "vault", passphrase=PASSPHRASE, code=1)
    assert "No passphrase came through the file descriptor: Passphrase for the spare" in said
    assert "a line of its own" in said
    assert not (org.folder / "door").exists()


def test_a_spare_is_void_once_another_rotation_has_come(org: Organisation) -> None:
    found_with_spare(org)
    rotate(org, "--previous", "directory.signed")
    sign(org, "--rotation", "new.rotation")
    before = kept(org)
    said = sign(org, "--rotation", "vault/spare.rotation", root="vault/spare.key", code=1)
    assert "Another rotation came first" in said
    assert kept(org) == before


def test_a_spare_that_cannot_be_written_founds_nothing(org: Organisation) -> None:
    org.write("file", "")
    org.type("found", "--out", "door", "--spare", "file/vault", passphrase=BOTH, code=1)
    assert not any((org.folder / "door").iterdir())
    org.type("found", "--out", "door", "--spare", "vault", passphrase=PASSPHRASE, code=1)
    assert not list(org.folder.rglob("*.key"))


# --- what is typed wrong ---------------------------------------------------------------------------


def test_another_door_s_files_are_refused(org: Organisation) -> None:
    org.first()
    other = rotated(found("other"))
    (org.folder / "other.signed").write_bytes(other.posted)
    org.type("found", "--out", "theirs", "--spare", "theirspare", passphrase=BOTH)
    before = kept(org)
    assert "does not hold" in rotate(org, "--previous", "other.signed", code=1)
    said = sign(org, "--rotation", "theirspare/spare.rotation", root="theirspare/spare.key", code=1)
    assert "another door's" in said
    for bad in ("directory.signed", "door/root.key", "server-card.toml"):
        assert "not a rotation file" in sign(
            org, "--rotation", bad, code=1, root="door/root.key", passphrase=PASSPHRASE
        )
    assert "cannot be read" in sign(org, "--rotation", "none.rotation", code=1)
    assert kept(org) == before


def test_with_a_rotation_the_new_keys_sign(org: Organisation) -> None:
    org.first()
    rotate(org, "--previous", "directory.signed")
    said = sign(org, "--rotation", "new.rotation", root="door/root.key", passphrase=PASSPHRASE, code=1)
    assert "were replaced" in said
    org.type("found", "--out", "theirs", passphrase=PASSPHRASE)
    said = sign(org, "--rotation", "new.rotation", root="theirs/root.key", passphrase=PASSPHRASE, code=1)
    assert "the new root keys sign" in said
    assert newest(org).roots.number == 0


# --- show ----------------------------------------------------------------------------------------


def test_the_chain_is_shown_and_a_key_file_found_in_it(org: Organisation) -> None:
    door = org.first().directory.door
    rotate(org, "--previous", "directory.signed")
    for source in ("directory.signed", "new.rotation"):
        shown = json.loads(org.type("root", "show", source, "--json"))
        assert (shown["door"], shown["in_force"]) == (door.hex(), 0 if source == "directory.signed" else 1)
    sign(org, "--rotation", "new.rotation")
    said = org.type("root", "show", "directory.signed", "--root", "door/root.key", passphrase=PASSPHRASE)
    assert "of the founding, replaced" in said
    said = org.type("root", "show", "directory.signed", "--root", "new.key", passphrase=NEW)
    assert "of rotation 1, in force" in said
    org.type("found", "--out", "theirs", passphrase=PASSPHRASE)
    said = org.type("root", "show", "directory.signed", "--root", "theirs/root.key", passphrase=PASSPHRASE, code=1)
    assert "another door" in said
    org.write("cut.rotation", "x")
    assert "not a signed directory" in org.type("root", "show", "cut.rotation", code=1)


def test_a_server_shows_its_chain_and_the_directory_with_it_can_be_kept(org: Organisation) -> None:
    """Whoever lost every file but the keys fetches what they need to go on."""
    org.first()
    rotate(org, "--previous", "directory.signed")
    sign(org, "--rotation", "new.rotation")
    after = newest(org)
    org.server.answer = Response(
        200,
        encode_visit(
            Visit(b"checkpoint", (after.signed.raw,), (), (), b"manifest", (), (), (), roots=after.roots.raws)
        ),
    )
    shown = json.loads(org.type("root", "show", ADDRESS, "--json"))
    assert (shown["in_force"], shown["door"]) == (1, after.roots.door.hex())
    org.type("directory", "show", ADDRESS, "--save", "fetched.signed")
    assert (org.folder / "fetched.signed").read_bytes() == after.raw
    org.type("root", "show", "fetched.signed", "--root", "new.key", passphrase=NEW)
    hidden = encode_visit(Visit(b"checkpoint", (after.signed.raw,), (), (), b"manifest", (), (), ()))
    org.server.answer = Response(200, hidden)
    assert "No directory could be fetched" in org.type("root", "show", ADDRESS, code=1)
