# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vault: one SQLCipher file of a member, opened with a passphrase.

Raw key = Argon2id(passphrase, salt), 256 MiB and three passes, where the salt is the 16 bytes with which SQLCipher
starts the file: there is no second file to lose. Every page carries an HMAC, all of which are checked at opening.

Erasure (P2) is why the journal is kept and overwritten: with SQLite's usual journals (deleted, or write-ahead) the
old images of pages would stay in disk blocks that nobody owns any more. Here the rollback journal is one file that is
used again and again (PERSIST), `secure_delete` overwrites what is freed inside the vault, and `wipe_journal`
overwrites the journal after each erasure. What a disk itself keeps of overwritten blocks is out of a program's reach.
"""

import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2

from latchstring.desk import schema
from latchstring.desk.errors import VaultDamaged, VaultError, WrongPassphrase
from latchstring.protocol.primitives import argon2id

Value = bytes | int | str | None
Row = tuple[Any, ...]  # as the statement's columns say: STRICT tables hold the types of `schema.py`

PAGE: Final = 4096
SALT: Final = 16
BUSY_MILLISECONDS: Final = 10_000
CACHE_KIB: Final = 64 * 1024  # with SQLite's 2 MB a large vault decrypts the same pages of its indexes again and again
_FROM_COPY: Final = "Put back a copy of the vault that you made before; letters come again from the server for 35 days."


@dataclass(frozen=True, slots=True)
class Cost:
    """What Argon2id takes. It is not written in the vault: every vault of this version has `VAULT_COST`."""

    memory_kib: int
    passes: int


VAULT_COST: Final = Cost(256 * 1024, 3)


class Vault:
    """An open vault. One statement at a time: `rows` reads, `do` writes, `transaction` holds several together."""

    def __init__(self, path: Path, db: dbapi2.Connection) -> None:
        self._path = path
        self._db = db
        self._inside = False

    @property
    def path(self) -> Path:
        """The file itself, links followed."""
        return self._path

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """All rows of a SELECT. VaultError when the file cannot be read."""
        try:  # not `_translated`: a first sync asks a million times, and the context would cost as much as the answer
            return list(self._db.execute(sql, values).fetchall())
        except dbapi2.DatabaseError as error:
            raise _told(error) from None

    def do(self, sql: str, *values: Value) -> int:
        """Run a statement that writes; how many rows it changed. Only inside a `transaction`."""
        if not self._inside:
            raise RuntimeError("a write outside a transaction")
        try:
            return int(self._db.execute(sql, values).rowcount)
        except dbapi2.DatabaseError as error:
            raise _told(error) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is stored together and durably at the end, or none of it."""
        if self._inside:
            raise RuntimeError("a transaction inside another")
        with _translated():
            self._db.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            yield
            with _translated():
                self._commit()
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """A transaction in which tables are replaced by others of the same name: what refers to them is checked at its
        end alone."""
        self._db.execute("PRAGMA foreign_keys = OFF")
        try:
            with self.transaction():
                yield
                if self.rows("PRAGMA foreign_key_check"):
                    raise RuntimeError("a row that refers to one that is gone")
        finally:
            self._db.execute("PRAGMA foreign_keys = ON")

    def need_writable(self) -> None:
        """VaultError when nothing can be written just now: asked before somebody types what would be lost."""
        with self.transaction():
            pass

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    def wipe_journal(self) -> None:
        """Overwrite the rollback journal with zeros, whole, and wait for the disk."""
        with _translated():
            self._db.execute("BEGIN IMMEDIATE")  # while we hold this, nobody's journal is in use
        try:
            journal = self._path.with_name(self._path.name + "-journal")
            with journal.open("r+b") as file:
                left = os.fstat(file.fileno()).st_size
                while left > 0:
                    left -= file.write(bytes(min(left, 1 << 20)))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            pass
        except OSError:
            raise VaultError(
                "Erased keys may still lie in the vault's journal, which could not be overwritten.",
                "Make room on the disk and run 'latchstring desk sync' again.",
            ) from None
        finally:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> "Vault":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _translated() -> Iterator[None]:
    """SQLite's errors as sentences."""
    try:
        yield
    except dbapi2.DatabaseError as error:
        raise _told(error) from None


def _told(error: dbapi2.DatabaseError) -> Exception:
    """As a sentence; nothing of its text, which may quote what is stored. An IntegrityError stays what it is: a mistake
    of this program, not of the file."""
    return error if isinstance(error, dbapi2.IntegrityError) else _sentence(error)


def _sentence(error: dbapi2.DatabaseError) -> VaultError:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return VaultError("Another program is writing in the vault.", "Wait until it has ended, then try again.")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return VaultError(
            "The disk with the vault is full or failing; what was begun was taken back.", "Make room, then try again."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return VaultError("The vault cannot be written here.", "Check who owns the file and its folder.")
    return VaultDamaged("The vault is damaged.", _FROM_COPY)


def _raw_key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # NFKD, as for a source's words: the same passphrase from any keyboard
    text = unicodedata.normalize("NFKD", passphrase).encode("utf-8")
    return argon2id(text, salt, cost.memory_kib, cost.passes)


def _connect(path: Path, key: bytes, salt: bytes) -> dbapi2.Connection:
    # sqlcipher3's own time-out is in seconds; no implicit transactions
    db = dbapi2.connect(str(path), timeout=BUSY_MILLISECONDS / 1000, isolation_level=None)
    db.execute("PRAGMA cipher_log_level = NONE")
    db.execute(f"PRAGMA key = \"x'{key.hex()}{salt.hex()}'\"")
    return db


def _settle(db: dbapi2.Connection) -> None:
    for pragma in ("secure_delete = ON", "journal_mode = PERSIST", "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def _real(path: Path) -> Path:
    """The file itself, links followed: SQLite keeps its journal beside that, and there `wipe_journal` must find it."""
    return Path(os.path.realpath(path))


def create_vault(path: Path, passphrase: str, random: Callable[[int], bytes], cost: Cost = VAULT_COST) -> Vault:
    """A new, empty vault at `path`, readable by its owner alone. VaultError if anything is there already."""
    path = _real(path)
    if not passphrase:
        raise VaultError("An empty passphrase protects nothing.", "Choose one of several words.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise VaultError("There is a file with that name already.", "Nothing was changed; name another.") from None
    except OSError:
        raise VaultError("The vault cannot be made there.", "Check the folder, who owns it and its room.") from None
    try:
        salt = random(SALT)
        db = _connect(path, _raw_key(passphrase, salt, cost), salt)
        try:
            with _translated():
                _settle(db)
                db.execute("BEGIN IMMEDIATE")
                for statement in schema.TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {schema.VERSION}")
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
    except BaseException:
        remove_vault(path)
        raise
    return Vault(path, db)


def remove_vault(path: Path) -> None:
    """Remove the file and its journal: of a vault that nobody has used yet. `path`: links followed."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + "-journal").unlink(missing_ok=True)


def salt_of(path: Path) -> bytes:
    """The salt of a vault's file, which needs no passphrase: for who wants to know whether there is one to be opened.
    VaultError when there is none, VaultDamaged when the file can be none."""
    try:
        with path.open("rb") as file:
            salt = file.read(SALT)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise VaultError("There is no vault there.", "Name it with --vault, or make one with 'desk init'.") from None
    except IsADirectoryError:
        raise VaultError("That is a folder, not a vault.", "Name the vault's file with --vault.") from None
    except OSError:
        raise VaultError("The vault cannot be read.", "Check who owns the file.") from None
    if size < PAGE or size % PAGE:
        raise VaultDamaged("The vault's file was cut short, or is not a vault.", _FROM_COPY)
    return salt


def open_vault(path: Path, passphrase: str, cost: Cost = VAULT_COST) -> Vault:
    """Open a vault after checking every page. VaultError, WrongPassphrase or VaultDamaged otherwise."""
    path = _real(path)
    salt = salt_of(path)
    with _translated():
        db = _connect(path, _raw_key(passphrase, salt, cost), salt)
    try:
        _check_pages(db)
        with _translated():
            _settle(db)
            _upgrade(db)
    except BaseException:
        db.close()
        raise
    return Vault(path, db)


def _check_pages(db: dbapi2.Connection) -> None:
    try:
        # Reads page 1, and rolls back what a crash left half done: only then do all pages have to hold.
        db.execute("SELECT count(*) FROM sqlite_master").fetchall()
        opens = True
    except dbapi2.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise _sentence(error) from None
        opens = False
    with _translated():
        wrong = len(db.execute("PRAGMA cipher_integrity_check").fetchall())
        if opens and not wrong:
            if db.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                raise VaultDamaged("The vault is damaged.", _FROM_COPY)
            return
    # With the wrong key no page holds; with the right one at least those hold that nobody touched.
    if opens or wrong < _pages(db):
        raise VaultDamaged("Parts of the vault's file were changed or lost.", _FROM_COPY)
    raise WrongPassphrase(
        "This passphrase does not open the vault.",
        "Try again. If you are sure of it, the file's beginning is damaged: put back a copy.",
    )


def _pages(db: dbapi2.Connection) -> int:
    path = next(str(row[2]) for row in db.execute("PRAGMA database_list").fetchall())
    return os.path.getsize(path) // PAGE


def _upgrade(db: dbapi2.Connection) -> None:
    if _check_version(db) < schema.VERSION:
        db.execute("BEGIN IMMEDIATE")
        for at in range(_check_version(db), schema.VERSION):  # another program may have done it by now
            for statement in schema.STEPS[at]:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("COMMIT")


def _check_version(db: dbapi2.Connection) -> int:
    application = db.execute("PRAGMA application_id").fetchone()
    version = db.execute("PRAGMA user_version").fetchone()
    if application != (schema.APPLICATION_ID,) or version is None:
        raise VaultDamaged("This file is not a desk's vault.", "Name the right one with --vault.")
    if version[0] > schema.VERSION:
        raise VaultError(
            "This vault was written by a newer version of this program.",
            "Bring the program up to date; nothing changed.",
        )
    return int(version[0])
