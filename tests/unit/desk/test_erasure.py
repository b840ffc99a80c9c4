# SPDX-License-Identifier: AGPL-3.0-or-later
"""P2 on the desk's own disk: who seizes vault and passphrase finds no key that was erased.

The attacker decrypts every page of the file, free ones too, as SQLCipher's format says (AES-256-CBC, the IV and the
HMAC in the last 80 bytes of each page), and the journal beside it; the tests show that he does find keys when the
vault erases less carefully.
"""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from latchstring.client.transport import NetworkFailed
from latchstring.desk.letters import letters
from latchstring.desk.secrets import (
    due_before,
    epoch_secrets,
    erase_before,
    erase_days,
    keep_epoch_secret,
    keep_transport_secret,
)
from latchstring.desk.vault import PAGE, Vault, create_vault, open_vault
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.primitives import argon2id
from tests.builders import Stream, found
from tests.desk_world import CHEAP, PASSPHRASE, Source, World, open_desk

RESERVED = 80  # IV 16, HMAC-SHA512 64


def key_of(raw: bytes) -> bytes:
    return argon2id(PASSPHRASE.encode(), raw[:16], CHEAP.memory_kib, CHEAP.passes)


def decrypted(key: bytes, page: bytes, first: bool) -> bytes:
    body = page[16 if first else 0 : PAGE - RESERVED]
    context = Cipher(algorithms.AES256(key), modes.CBC(page[PAGE - RESERVED : PAGE - 64])).decryptor()
    return context.update(body) + context.finalize()


def vault_bytes(path: Path) -> bytes:
    """Everything in the vault's file, decrypted."""
    raw = path.read_bytes()
    key = key_of(raw)
    return b"".join(decrypted(key, raw[i : i + PAGE], i == 0) for i in range(0, len(raw), PAGE))


def journal_bytes(path: Path) -> bytes:
    """Every page image in the journal, decrypted: after a sector's header, page number, page and checksum each time."""
    raw = path.with_name(path.name + "-journal").read_bytes()
    key = key_of(path.read_bytes())
    out = b""
    for at in range(512, len(raw) - PAGE, 4 + PAGE + 4):
        page = raw[at + 4 : at + 4 + PAGE]
        out += decrypted(key, page, raw[at : at + 4] == b"\0\0\0\1")
    return out


def fill(vault: Vault, days: int) -> dict[int, list[bytes]]:
    """Secrets as sessions over `days` days write them: by day."""
    founding, random = found(), Stream("fill")
    made: dict[int, list[bytes]] = {}
    for day in range(days):
        transport, secret = random(32), random(32)
        with vault.transaction():
            keep_transport_secret(vault, day, transport)
            keep_epoch_secret(vault, OpenEpoch.make(secret, founding.door, "news", 1, 1, day))
        made[day] = [transport, secret]
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.vault"


def test_the_scan_sees_what_is_there(path: Path) -> None:
    with create_vault(path, PASSPHRASE, os.urandom, CHEAP) as vault:
        secrets = fill(vault, 120)
    everything = vault_bytes(path)
    assert all(secret in everything for pair in secrets.values() for secret in pair)


def test_erased_keys_are_nowhere_in_the_vault_and_its_journal(path: Path) -> None:
    with create_vault(path, PASSPHRASE, os.urandom, CHEAP) as vault:
        secrets = fill(vault, 120)
        for day in (1, 2, 50, 51, 100):
            erase_before(vault, day)
        vault.wipe_journal()
    everything = vault_bytes(path) + journal_bytes(path)
    for day, pair in secrets.items():
        for secret in pair:
            assert (secret in everything) is (day >= 100), day
    assert set(path.with_name("desk.vault-journal").read_bytes()) <= {0}


def test_erasing_without_overwriting_is_seen(path: Path) -> None:
    """The broken variant: rows are deleted, but SQLite need not overwrite them."""
    with create_vault(path, PASSPHRASE, os.urandom, CHEAP) as vault:
        secrets = fill(vault, 120)
        vault._db.execute("PRAGMA secure_delete = OFF")
        with vault.transaction():
            vault.do("DELETE FROM secret WHERE day < 100")
        vault.wipe_journal()
    everything = vault_bytes(path)
    assert any(secret in everything for day in range(100) for secret in secrets[day])


def test_a_journal_that_is_not_wiped_is_seen(path: Path) -> None:
    """The other broken variant: the old images of the erased pages stay in the journal."""
    with create_vault(path, PASSPHRASE, os.urandom, CHEAP) as vault:
        secrets = fill(vault, 120)
        erase_before(vault, 100)
    assert any(secret in journal_bytes(path) for day in range(100) for secret in secrets[day])
    assert not any(secret in vault_bytes(path) for day in range(100) for secret in secrets[day])


def test_a_desk_of_one_erases_14_days_after_the_start_of_the_day_others_as_the_policy_says() -> None:
    lone, two = found().directory, found(each=2).directory
    assert (erase_days(lone, "news"), erase_days(two, "news")) == (14, 7)
    assert due_before(14, 14) == 1  # day 0 is due on day 14
    assert due_before(13, 14) == 0
    assert due_before(0, 14) < 0


def test_a_late_start_opens_first_and_erases_then(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    source = Source(world, "a")
    world.write(source, "written on day 0")
    world.close(5, 144 * 20)
    old = [s.secret for s in epoch_secrets(at.vault) if s.day <= 6]
    assert len(old) == 7
    order: list[str] = []
    at.transport.before_request = lambda _m, p: order.append(f"{p} {len(epoch_secrets(at.vault))}")
    report = at.sync()
    assert report.erased == tuple(range(7))
    assert [x.verified for x in letters(at.vault)] == [True]
    assert all(not line.endswith(" 0") for line in order if "packs" in line)
    everything = vault_bytes(at.path) + journal_bytes(at.path)
    assert not any(secret in everything for secret in old)
    assert all(s.secret in everything for s in epoch_secrets(at.vault))


def test_nothing_is_erased_when_opening_was_cut_short(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    world.write(Source(world, "a"), "wait for me")
    world.close(5, 144 * 20)
    before = epoch_secrets(at.vault)
    at.transport.before_request = cut_packs
    with pytest.raises(NetworkFailed):
        at.sync()
    assert epoch_secrets(at.vault) == before
    at.transport.before_request = lambda _m, _p: None
    assert at.sync().tally.new == 1
    assert all(s.day > 6 for s in epoch_secrets(at.vault))


def cut_packs(_method: str, path: str) -> None:
    if "/packs/" in path:
        raise NetworkFailed("cut")


class NeverErases(Vault):
    """A crash between the erasure and the journal's."""

    def wipe_journal(self) -> None:
        raise RuntimeError("crash")


def test_a_crash_between_erasing_and_wiping_is_made_good(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    world.close(144 * 20)
    old = [s.secret for s in epoch_secrets(at.vault) if s.day <= 6]
    at.vault.__class__ = NeverErases
    with pytest.raises(RuntimeError, match="crash"):
        at.sync()
    assert any(secret in journal_bytes(at.path) for secret in old)
    at.vault.close()
    at.vault = at.reopen()
    at.sync()
    assert not any(secret in vault_bytes(at.path) + journal_bytes(at.path) for secret in old)


def test_a_vault_named_through_a_link_leaves_no_keys_in_its_journal(path: Path, tmp_path: Path) -> None:
    with create_vault(path, PASSPHRASE, os.urandom, CHEAP):
        pass
    link = tmp_path / "link.vault"
    link.symlink_to(path)
    with open_vault(link, PASSPHRASE, CHEAP) as vault:
        secrets = fill(vault, 6)
        erase_before(vault, 4)
        vault.wipe_journal()
        erased = [s for day in range(4) for s in secrets[day]]
        found = vault_bytes(path) + journal_bytes(path)
        assert not [s for s in erased if s in found]
