# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages as they were sent to the server, and where replies lie in them: kept until the published sheet was audited."""

from dataclasses import dataclass, field

from latchstring.desk.vault import Vault


@dataclass(frozen=True, slots=True)
class PageUpload:
    """One version of one page. `receipt` is None until the server's signed word came."""

    sheet: int
    page: int
    version: int
    slots: int
    note: bytes
    hash: bytes
    receipt: bytes | None = field(repr=False)


def keep_upload(vault: Vault, upload: PageUpload, filled: dict[int, bytes]) -> None:
    """Part of the transaction before the upload: the page and which reply (id) lies in which slot."""
    vault.do(
        "INSERT INTO page_upload (sheet, page, version, slots, note, hash) VALUES (?, ?, ?, ?, ?, ?)",
        upload.sheet,
        upload.page,
        upload.version,
        upload.slots,
        upload.note,
        upload.hash,
    )
    for slot, reply in sorted(filled.items()):
        vault.do(
            "INSERT INTO placement (sheet, page, version, slot, reply) VALUES (?, ?, ?, ?, ?)",
            upload.sheet,
            upload.page,
            upload.version,
            slot,
            reply,
        )


def keep_receipt(vault: Vault, sheet: int, page: int, version: int, receipt: bytes) -> None:
    """The server took this version: earlier ones cannot be published any more. Opens its own transaction."""
    with vault.transaction():
        vault.do(
            "UPDATE page_upload SET receipt = ? WHERE sheet = ? AND page = ? AND version = ?",
            receipt,
            sheet,
            page,
            version,
        )
        for table in ("page_upload", "placement"):
            vault.do(f"DELETE FROM {table} WHERE sheet = ? AND page = ? AND version < ?", sheet, page, version)  # noqa: S608  # own constant


def drop_version(vault: Vault, sheet: int, page: int, version: int) -> None:
    """The server refused this version: the sheet was closed. Opens its own transaction."""
    with vault.transaction():
        for table in ("page_upload", "placement"):
            vault.do(f"DELETE FROM {table} WHERE sheet = ? AND page = ? AND version = ?", sheet, page, version)  # noqa: S608  # own constant


def uploads(vault: Vault) -> dict[tuple[int, int], tuple[PageUpload, ...]]:
    """All pages not yet audited by (sheet, page), each with its versions, oldest first."""
    found: dict[tuple[int, int], tuple[PageUpload, ...]] = {}
    for row in vault.rows(
        "SELECT sheet, page, version, slots, note, hash, receipt FROM page_upload ORDER BY sheet, page, version"
    ):
        upload = PageUpload(*row)
        key = (upload.sheet, upload.page)
        found[key] = (*found.get(key, ()), upload)
    return found


def settle(vault: Vault, sheet: int, page: int, version: int | None) -> int:
    """Part of a transaction: the sheet is out. `version` was published (None: nothing of ours was), the rest goes.

    How many replies it published.
    """
    count = 0
    if version is not None:
        count = vault.do(
            "UPDATE placement SET published = 1 WHERE sheet = ? AND page = ? AND version = ?", sheet, page, version
        )
    vault.do("DELETE FROM placement WHERE sheet = ? AND page = ? AND NOT published", sheet, page)
    vault.do("DELETE FROM page_upload WHERE sheet = ? AND page = ?", sheet, page)
    return count
