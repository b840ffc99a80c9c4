# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vault refuses what is not whole, and stores all of a transaction or nothing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2

from latchstring.desk.errors import VaultDamaged, VaultError, WrongPassphrase
from latchstring.desk.identity import (
    Identity,
    identity,
    keep_identity,
    keep_pin,
    new_identity,
    next_page_version,
    pinned,
)
from latchstring.desk.schema import VERSION
from latchstring.desk.vault import PAGE, Vault, create_vault, open_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "desk.vault"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    with create_vault(path, PASSPHRASE, Stream("vault"), CHEAP) as made:
        keep_identity(made, new_identity("words", "news", "anna", ("http://a", "http://b"), Stream("who")))
        yield made


def test_what_is_kept_is_there_after_reopening(vault: Vault, path: Path) -> None:
    before = identity(vault)
    vault.close()
    with open_vault(path, PASSPHRASE, CHEAP) as again:
        assert identity(again) == before
        assert before.addresses == ("http://a", "http://b")


def test_secrets_are_not_in_repr() -> None:
    who = Identity("words", "news", "anna", (), b"\x11" * 32, b"\x22" * 32)
    assert "seed" not in repr(who)
    assert "1111" not in repr(who)


def test_only_the_owner_can_read_it(vault: Vault, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.with_name("desk.vault-journal").stat().st_mode) == 0o600


def test_nothing_readable_is_in_the_file(vault: Vault, path: Path) -> None:
    who = identity(vault)
    raw = path.read_bytes() + path.with_name("desk.vault-journal").read_bytes()
    for text in (b"SQLite format 3", b"CREATE TABLE", b"anna", who.sign_seed, who.request_seed):
        assert text not in raw


def test_the_salt_is_the_file_s_own_beginning(path: Path) -> None:
    salt = Stream("x")(16)
    create_vault(path, PASSPHRASE, Stream("x"), CHEAP).close()
    assert path.read_bytes()[:16] == salt


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_is_called_wrong(vault: Vault, path: Path, wrong: str) -> None:
    vault.close()
    before = path.read_bytes()
    with pytest.raises(WrongPassphrase):
        open_vault(path, wrong, CHEAP)
    assert path.read_bytes() == before


def test_a_passphrase_is_the_same_from_any_keyboard(path: Path) -> None:
    create_vault(path, "caf\u00e9 na\u00efve", Stream("k"), CHEAP).close()
    open_vault(path, "cafe\u0301 nai\u0308ve", CHEAP).close()


def test_an_empty_passphrase_makes_no_vault(path: Path) -> None:
    with pytest.raises(VaultError):
        create_vault(path, "", Stream("k"), CHEAP)
    assert not path.exists()


def test_an_existing_file_is_never_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"my thesis")
    with pytest.raises(VaultError, match="already"):
        create_vault(path, PASSPHRASE, Stream("k"), CHEAP)
    assert path.read_bytes() == b"my thesis"


def test_a_vault_that_could_not_be_finished_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.schema.TABLES", ("CREATE TABLE broken (",))
    with pytest.raises(VaultError):
        create_vault(path, PASSPHRASE, Stream("k"), CHEAP)
    assert list(path.parent.iterdir()) == []


def test_no_file_and_a_folder_are_said_so(path: Path, tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="no vault"):
        open_vault(path, PASSPHRASE, CHEAP)
    with pytest.raises(VaultError, match="a folder, not a vault"):
        open_vault(tmp_path, PASSPHRASE, CHEAP)


@pytest.mark.parametrize("size", [0, 1, 15, 16, PAGE - 1, PAGE + 1, 3 * PAGE + 100])
def test_a_file_cut_within_a_page_is_called_damaged(vault: Vault, path: Path, size: int) -> None:
    vault.close()
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(VaultDamaged):
        open_vault(path, PASSPHRASE, CHEAP)


def test_a_file_cut_at_any_page_is_called_damaged(vault: Vault, path: Path) -> None:
    vault.close()
    raw = path.read_bytes()
    for pages in range(1, len(raw) // PAGE):
        path.write_bytes(raw[: pages * PAGE])
        with pytest.raises(VaultDamaged):
            open_vault(path, PASSPHRASE, CHEAP)


def test_a_byte_changed_in_any_page_is_called_damaged(vault: Vault, path: Path) -> None:
    vault.close()
    raw = path.read_bytes()
    for at in [16, 100, *range(PAGE, len(raw), PAGE), *range(2 * PAGE - 1, len(raw), PAGE)]:
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises(VaultDamaged):
            open_vault(path, PASSPHRASE, CHEAP)


def test_a_changed_salt_is_refused(vault: Vault, path: Path) -> None:
    vault.close()
    raw = path.read_bytes()
    path.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    with pytest.raises(WrongPassphrase, match="beginning is damaged"):
        open_vault(path, PASSPHRASE, CHEAP)


def test_swapped_doubled_and_foreign_pages_are_called_damaged(vault: Vault, path: Path) -> None:
    vault.close()
    raw = path.read_bytes()
    pages = [raw[i : i + PAGE] for i in range(0, len(raw), PAGE)]
    swapped = [pages[0], pages[2], pages[1], *pages[3:]]
    doubled = [pages[0], pages[1], pages[1], *pages[3:]]
    longer = [*pages, pages[-1]]
    foreign = [*pages[:-1], os.urandom(PAGE)]
    for changed in (swapped, doubled, longer, foreign):
        path.write_bytes(b"".join(changed))
        with pytest.raises(VaultDamaged):
            open_vault(path, PASSPHRASE, CHEAP)


@given(st.binary(max_size=200), st.integers(0, 3))
def test_arbitrary_bytes_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, pages: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "desk.vault"
    path.write_bytes((start + bytes(pages * PAGE))[: max(len(start), pages * PAGE)])
    with pytest.raises(VaultError):
        open_vault(path, PASSPHRASE, CHEAP)


def test_a_newer_vault_is_refused_and_not_touched(vault: Vault, path: Path) -> None:
    with vault.transaction():
        vault.do(f"PRAGMA user_version = {VERSION + 1}")
    vault.close()
    before = path.read_bytes()
    with pytest.raises(VaultError, match="newer version"):
        open_vault(path, PASSPHRASE, CHEAP)
    assert path.read_bytes() == before


def test_somebody_else_s_database_is_refused(vault: Vault, path: Path) -> None:
    with vault.transaction():
        vault.do("PRAGMA application_id = 7")
    vault.close()
    with pytest.raises(VaultDamaged, match="not a desk's vault"):
        open_vault(path, PASSPHRASE, CHEAP)


def test_a_transaction_is_stored_whole_or_not_at_all(vault: Vault, path: Path) -> None:
    with pytest.raises(ZeroDivisionError), vault.transaction():
        vault.do("UPDATE me SET page_version = ?", 7 // vault.do("UPDATE me SET page_version = 6 WHERE one = 2"))
    assert vault.rows("SELECT page_version FROM me") == [(0,)]
    with vault.transaction():
        vault.do("UPDATE me SET page_version = 8")
    vault.close()
    with open_vault(path, PASSPHRASE, CHEAP) as again:
        assert again.rows("SELECT page_version FROM me") == [(8,)]


def test_a_crash_in_the_middle_is_taken_back_at_the_next_opening(vault: Vault, path: Path) -> None:
    """What a process that was killed leaves: changed pages, and the journal to undo them."""
    with vault.transaction():
        vault.do("UPDATE me SET addresses = ?", "x" * 50_000)
    before, committed = vault.rows("SELECT addresses FROM me"), path.read_bytes()
    vault._db.execute("PRAGMA cache_size = 1")
    vault._db.execute("PRAGMA cache_spill = 1")
    vault._db.execute("BEGIN IMMEDIATE")
    vault._db.execute("UPDATE me SET addresses = ?", ("y" * 80_000,))
    vault._db.execute("SELECT count(*) FROM letter").fetchall()
    crashed = path.with_name("crashed.vault")
    crashed.write_bytes(path.read_bytes())
    assert crashed.read_bytes() != committed
    journal = path.with_name("desk.vault-journal").read_bytes()
    crashed.with_name("crashed.vault-journal").write_bytes(journal)
    vault._db.execute("ROLLBACK")
    with open_vault(crashed, PASSPHRASE, CHEAP) as again:
        assert again.rows("SELECT addresses FROM me") == before


def test_writes_need_a_transaction_and_do_not_nest(vault: Vault) -> None:
    with pytest.raises(RuntimeError):
        vault.do("UPDATE me SET page_version = 7")
    with vault.transaction(), pytest.raises(RuntimeError), vault.transaction():
        pass


def test_another_program_s_write_is_waited_for_and_then_said(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latchstring.desk.vault.BUSY_MILLISECONDS", 50)
    with open_vault(path, PASSPHRASE, CHEAP) as other, vault.transaction():
        with pytest.raises(VaultError, match="Another program"), other.transaction():
            pass
        assert other.rows("SELECT page_version FROM me") == [(0,)]  # reading goes on


class _FullDisk(Vault):
    def _commit(self) -> None:
        error = dbapi2.OperationalError("database or disk is full: secret text")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error


def test_a_full_disk_is_said_and_nothing_is_stored(vault: Vault) -> None:
    vault.__class__ = _FullDisk
    with pytest.raises(VaultError, match="full") as caught, vault.transaction():
        vault.do("UPDATE me SET page_version = 9")
    assert "secret text" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert vault.rows("SELECT page_version FROM me") == [(0,)]


def test_page_versions_rise_whatever_the_clock_and_after_a_restore(vault: Vault, path: Path) -> None:
    assert next_page_version(vault, 1000) == 1_000_000
    assert next_page_version(vault, 1000) == 1_000_001
    copy = path.with_name("copy.vault")
    copy.write_bytes(path.read_bytes())
    assert next_page_version(vault, 900) == 1_000_002
    with open_vault(copy, PASSPHRASE, CHEAP) as restored:
        assert next_page_version(restored, 1001) == 1_001_000


def test_the_pin_is_kept(vault: Vault) -> None:
    assert pinned(vault) == (None, None)
    keep_pin(vault, b"d" * 32, b"pin")
    assert pinned(vault) == (b"d" * 32, b"pin")


def test_a_link_that_leads_to_itself_is_said(tmp_path: Path) -> None:
    loop = tmp_path / "loop.vault"
    loop.symlink_to(loop)
    with pytest.raises(VaultError):
        open_vault(loop, PASSPHRASE, CHEAP)
    with pytest.raises(VaultError):
        create_vault(loop, PASSPHRASE, os.urandom, CHEAP)
