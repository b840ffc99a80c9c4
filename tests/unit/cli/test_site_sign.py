# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring site key, sign, as the organisation types it on the machine that is kept offline."""

import json
import os
import socket
from pathlib import Path

import pytest

from latchstring.org.sitefile import unlock_site_key
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_manifest import SiteManifest, open_site
from tests.unit.cli.organisation import PASSPHRASE, Organisation

SETTINGS = '[site]\nlanguages = ["en"]\nname = "The Gazette"\n'


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Organisation:
    someone = Organisation(tmp_path, monkeypatch, capfd)
    someone.write("site.toml", SETTINGS)
    return someone


def founded(org: Organisation) -> bytes:
    """A door whose directory names a site key; the key's public half."""
    org.first()
    site(org, "key")
    add(org, "site-card.toml")
    return ed25519_public(unlock_site_key((org.folder / "site.key").read_bytes(), PASSPHRASE))


def add(org: Organisation, card: str) -> str:
    return org.sign("--previous", "directory.signed", "--add", card, "--yes")


def site(org: Organisation, *args: str, passphrase: str | None = PASSPHRASE, code: int = 0) -> str:
    return org.type(*args, passphrase=passphrase, code=code, group="site")


def signed(org: Organisation, key: bytes) -> SiteManifest:
    return open_site((org.folder / "site.signed").read_bytes(), key)


def test_from_a_key_to_a_list_that_the_directory_names(org: Organisation) -> None:
    org.first()
    said = site(org, "key")
    assert "keep it offline" in said
    seed = unlock_site_key((org.folder / "site.key").read_bytes(), PASSPHRASE)
    assert seed.hex() not in said + org.read("site-card.toml")
    assert (org.folder / "site.key").stat().st_mode & 0o777 == 0o600
    assert "The door's pages are signed by the key" in add(org, "site-card.toml")
    key = ed25519_public(seed).hex()
    assert f"The pages are signed by the key {key[:16]}, from number 1 on." in org.type(
        "directory", "show", "directory.signed"
    )
    shown = json.loads(org.type("directory", "show", "directory.signed", "--json"))
    assert shown["site"] == {"key": key, "least": 1}
    said = site(org, "sign")
    assert "Signed: site.signed, number 1" in said
    manifest = signed(org, ed25519_public(seed))
    assert manifest.n == 1
    assert {"/en/write", "/static/site.css", "/source.tar.gz"} <= {item.path for item in manifest.items}


def test_the_next_list_has_the_next_number_and_says_what_changed(org: Organisation) -> None:
    key = founded(org)
    site(org, "sign")
    org.write("site.toml", SETTINGS.replace("Gazette", "Herald"))
    value = json.loads(site(org, "sign", "--json"))
    assert (value["number"], value["least"]) == (2, 1)
    assert "/en/about" in value["changed"]
    assert "/static/site.css" not in value["changed"]
    assert signed(org, key).n == 2
    assert "other than in number 2" not in site(org, "sign"), "nothing changed"


def test_the_number_follows_what_the_organisation_took_back(org: Organisation) -> None:
    key = founded(org)
    draft = org.read("door/directory.toml")
    org.write("door/directory.toml", draft.replace("least = 1", "least = 9"))
    org.sign("--previous", "directory.signed", "--yes")
    site(org, "sign")
    assert signed(org, key).n == 9


def test_nothing_is_asked_of_a_server(org: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    founded(org)
    monkeypatch.setattr(socket, "socket", None)
    site(org, "sign")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no key", "names nobody who signs"),
        ("another key", "names another key. Nothing was signed"),
        ("another passphrase", "does not open this file"),
        ("no settings that hold", "There is no setting 'colour'"),
        ("a file in the way", "is no list of this door's pages"),
        ("too many files", "more files than a list can hold"),
    ],
)
def test_what_cannot_be_signed_is_said(
    org: Organisation, what: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase = PASSPHRASE
    if what == "no key":
        org.first()
    else:
        founded(org)
    if what == "another key":
        os.remove(org.folder / "site.key")
        site(org, "key", "--card", "other-card.toml")
    elif what == "another passphrase":
        passphrase = "another long passphrase"
    elif what == "no settings that hold":
        org.write("site.toml", "[site]\ncolour = 'red'\n")
    elif what == "a file in the way":
        org.write("site.signed", "mine")
    elif what == "too many files":
        monkeypatch.setattr("latchstring.protocol.site_manifest.MAX_SITE_ITEMS", 3)
    before = {path.name: path.read_bytes() for path in org.folder.iterdir() if path.is_file()}
    assert said in site(org, "sign", passphrase=passphrase, code=1)
    assert {path.name: path.read_bytes() for path in org.folder.iterdir() if path.is_file()} == before


def test_a_key_is_never_written_over(org: Organisation) -> None:
    site(org, "key")
    was = (org.folder / "site.key").read_bytes()
    assert "there already" in site(org, "key", code=1)
    assert (org.folder / "site.key").read_bytes() == was


@pytest.mark.parametrize("stored", [False, True])
def test_a_list_that_could_not_be_kept_leaves_the_one_before_or_the_new_one(
    org: Organisation, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """Fails and is not stored, fails but is stored: a whole list lies there either way, and signing again goes on."""
    key = founded(org)
    site(org, "sign")
    rename = os.replace

    def failing(source: Path, target: Path) -> None:
        if stored:
            rename(source, target)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", failing)
        assert "cannot be written" in site(org, "sign", code=1)
    assert signed(org, key).n == (2 if stored else 1)
    assert not [path for path in org.folder.iterdir() if path.name.startswith(".")]
    site(org, "sign")
    assert signed(org, key).n == (3 if stored else 2)
