# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every parser of a file, fed arbitrary bytes and valid bytes with a change: its one error, or a value. Where there is
one spelling only, the value gives the same bytes back."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchstring.cli.asking import read_answers_file
from latchstring.cli.server import server_card
from latchstring.cli.ui import CliError
from latchstring.cli.witness import witness_card
from latchstring.log.cosignature import Cosigner
from latchstring.log.errors import LogError
from latchstring.log.fork import parse_fork
from latchstring.log.note import VerifierKey
from latchstring.log.tlog_proof import parse_tlog_proof
from latchstring.org import lockedfile
from latchstring.org.draft import add_card, draft_of, format_draft, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.membership import format_invitation, parse_invitation
from latchstring.org.rootfile import unlock_root
from latchstring.org.rotation import format_rotation, parse_rotation
from latchstring.org.sitefile import unlock_site_key
from latchstring.org.tomlfile import text_of
from latchstring.protocol.directory import decode_directory
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.root import Door, RootKeys
from latchstring.server import config as server_config
from latchstring.server.backup_list import parse_list
from latchstring.server.keys import ServerKeys, load_keys
from latchstring.site.settings import SettingsError, load_settings
from latchstring.store.sql import StoreError
from latchstring.witness import config as witness_config
from latchstring.witness.errors import StateFailed, WitnessError
from latchstring.witness.state import FolderStates, Seen
from tests.builders import Stream
from tests.mutations import anything
from tests.vectors.make import load_vectors

F, L, P = (load_vectors(name) for name in ("files", "locked", "proofs"))
BACKUP_KEY = bytes.fromhex(F["server_keys"]["backup_key"])

Parse = Callable[[bytes], bytes | None]


@dataclass(frozen=True)
class FileParser:
    """`read`: the same bytes again where there is one spelling, else None; `error`: what it says of other bytes."""

    read: Parse
    valid: bytes
    error: type[Exception]


def _utf8(read: Callable[[str], str]) -> Parse:
    """A parser of text, which its caller reads by `text_of`. Comments and blanks may be written in many ways: what was
    read is written and read again."""

    def parse(raw: bytes) -> None:
        written = read(text_of(raw, "draft"))
        assert read(written) == written

    return parse


ASKING = draft_of(decode_directory(bytes.fromhex(load_vectors("questions")["directory_body"])))
LOG = VerifierKey("door.example/log", bytes(range(32)))
SERVER = server_config.format_config(
    server_config.Config(data=Path("/srv/door"), door=Door(bytes(32)), origin="door.example/log")
).encode()
WITNESS = witness_config.format_config(
    witness_config.Config(data=Path("/srv/wit"), name="witness.example/w1", logs=(LOG,))
).encode()
WITNESS_KEYS = witness_config.encode_keys(witness_config.make_keys("witness.example/w1", Stream("witness")))
SITE = b"""[site]
languages = ["en", "uk"]
name = "The Example"
words = {en = "words.en.md"}
media = "media"
without_javascript = "send and read"
leave = "https://example.org/"
"""


def _cards() -> dict[str, FileParser]:
    """A card of each kind, put into a draft twice: the second time nothing changes."""
    draft = format_draft(ASKING)

    def read(raw: bytes) -> None:
        text = text_of(raw, "card")
        once = add_card(draft, text)
        assert add_card(once, text) == once

    valid = {
        "member's card": F["member_card"]["text"],
        "server's card": server_card("door.example/log", ServerKeys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)),
        "witness's card": witness_card(Cosigner("w1.example", b"\x04" * 32, b"\x05" * 32), "https://w1.example"),
        "card of the pages": f'[site]\nkey = "{"11" * 32}"\nleast = 3\n',
    }
    return {name: FileParser(read, text.encode(), OrgError) for name, text in valid.items()}


PARSERS: dict[str, FileParser] = {
    **_cards(),
    "backup's list": FileParser(
        lambda raw: _without_mac(parse_list(raw).encode(BACKUP_KEY), raw), F["backup_list"]["text"].encode(), StoreError
    ),
    "rotation": FileParser(lambda raw: format_rotation(parse_rotation(raw)), bytes.fromhex(F["rotation"]), OrgError),
    "fork": FileParser(lambda raw: parse_fork(raw).encode(), bytes.fromhex(P["fork_proof"]), LogError),
    "tlog-proof": FileParser(lambda raw: parse_tlog_proof(raw).encode(), P["tlog_proof"].encode(), LogError),
    "invitation": FileParser(
        _utf8(lambda text: format_invitation(parse_invitation(text))), F["invitation"]["text"].encode(), OrgError
    ),
    "draft that asks": FileParser(
        _utf8(lambda text: format_draft(parse_draft(text))), format_draft(ASKING).encode(), OrgError
    ),
}


def _without_mac(written: bytes, raw: bytes) -> bytes:
    """Whose MAC a list has is looked at by `holds`: here any will do."""
    return written[: written.rfind(b"mac ")] + raw[raw.rfind(b"mac ") :]


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_valid_files_are_read(name: str) -> None:
    p = PARSERS[name]
    assert p.read(p.valid) in (p.valid, None)


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(data=st.data())
def test_any_file_is_read_or_refused_in_one_way(name: str, data: st.DataObject) -> None:
    p = PARSERS[name]
    raw = data.draw(anything(p.valid))
    again, said = None, ""
    try:
        again = p.read(raw)
    except p.error as refused:
        said = str(refused)
    assert again in (raw, None)
    assert (said + " ").isprintable()


SEEN = encode_cbor({"v": 1, "origin": LOG.name, "size": 7, "root": bytes(32)})


def _seen(path: Path) -> Seen:
    states = FolderStates(path.parent, lambda _seconds: None)
    try:
        return states.get(LOG.name)
    finally:
        states.close()


ON_DISK: dict[str, tuple[str, bytes, Callable[[Path], object], type[Exception]]] = {
    "server's keys": ("keys.cbor", bytes.fromhex(F["server_keys"]["cbor"]), load_keys, StoreError),
    "server's configuration": ("server.toml", SERVER, server_config.load_config, StoreError),
    "witness's configuration": ("witness.toml", WITNESS, witness_config.load_config, WitnessError),
    "witness's keys": (
        "keys.cbor",
        WITNESS_KEYS,
        lambda path: witness_config.load_keys(witness_config.Config(data=path.parent, name="w", logs=())),
        WitnessError,
    ),
    "pages' settings": ("site.toml", SITE, load_settings, SettingsError),
    "answers": ("answers.toml", b'what = "order"\nwho = ["general", "officer"]\n', read_answers_file, CliError),
    "what a witness saw": (sha256(LOG.name.encode()).hexdigest(), SEEN, _seen, StateFailed),
}
AWKWARD = [
    b"a = " + b"9" * 5000,
    b"a = " + b"[" * 2000,
    b"\xef\xbb\xbf[site]\n",
    b'[site]\nwords = {en = "a\\u0000b"}\n',
    b'[site]\nmedia = "a\\u0000b"\n',
    b'[site]\nmedia = "' + b"x" * 5000 + b'"\n',
    b"[site]\nlanguages = [[]]\n",
    b"[site]\nwithout_javascript = []\n",
    b'[site]\n"\\u001b[31m" = 1\n',
    SERVER.replace(b'"/srv/door"', b'"a\\u0000b"'),
    SERVER.replace(b'"/srv/door"', b'"' + b"x" * 5000 + b'"'),
    SERVER + b'"\\u001b[31m" = 1\n',
    WITNESS.replace(b'"/srv/wit"', b'"a\\u0000b"'),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "words.en.md").write_text("Come in.")
    return tmp_path


@pytest.mark.parametrize("kind", sorted(ON_DISK))
def test_valid_files_on_a_disk_are_read(kind: str, folder: Path) -> None:
    name, valid, load, _ = ON_DISK[kind]
    (folder / name).write_bytes(valid)
    load(folder / name)


def refusal(load: Callable[[Path], object], path: Path, error: type[Exception]) -> str:
    """What is said of the file; nothing when it is taken. Any other error is the test's end."""
    try:
        load(path)
    except error as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("raw", AWKWARD, ids=range(len(AWKWARD)))
@pytest.mark.parametrize("kind", sorted(ON_DISK))
def test_awkward_files_on_a_disk_are_refused_in_one_way(kind: str, raw: bytes, folder: Path) -> None:
    name, _, load, error = ON_DISK[kind]
    (folder / name).write_bytes(raw)
    assert (refusal(load, folder / name, error) + " ").isprintable()


@pytest.mark.parametrize("kind", sorted(ON_DISK))
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_on_a_disk_is_read_or_refused_in_one_way(kind: str, folder: Path, data: st.DataObject) -> None:
    name, valid, load, error = ON_DISK[kind]
    (folder / name).write_bytes(data.draw(anything(valid)))
    assert (refusal(load, folder / name, error) + " ").isprintable()


@pytest.mark.parametrize("kind", ["root-file", "site-file"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_locked_file_opens_as_it_was_or_not_at_all(
    kind: str, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """With Argon2id's memory cut down: what must hold is the file's form, and its cipher."""
    monkeypatch.setattr(lockedfile, "MEMORY_KIB", 8)
    monkeypatch.setattr(lockedfile, "PASSES", 1)
    secret = bytes.fromhex(L[kind]["secret"])
    valid = lockedfile.lock(kind, secret, "words", Stream("locked"))
    raw = data.draw(anything(valid))
    try:
        opened = unlock_root(raw, "words") if kind == "root-file" else unlock_site_key(raw, "words")
    except OrgError:
        assert raw != valid
        return
    assert raw == valid
    assert opened in (secret, RootKeys(secret[:32], secret[32:]))


def test_a_parser_that_lets_another_error_out_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARSERS, "broken", FileParser(lambda raw: raw.decode("ascii").encode(), b"00", OrgError))
    with pytest.raises(UnicodeDecodeError):
        test_any_file_is_read_or_refused_in_one_way("broken")
