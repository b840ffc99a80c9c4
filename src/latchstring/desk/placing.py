# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages to the server, and whether it published them: what was uploaded is stored before it is sent, with the server's
signed receipt after, and compared with the sheet once that is out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.follow import Step
from latchstring.desk.identity import Identity, next_page_version
from latchstring.desk.known import known_threads
from latchstring.desk.letters import thread_keys
from latchstring.desk.line import Line
from latchstring.desk.pages import (
    Blank,
    Content,
    Wanting,
    add_copies,
    choose_sheets,
    choose_slots,
    coming_sheets,
    is_due,
    make_page,
    own_pages,
    skips_sheets,
)
from latchstring.desk.replies import Reply, replies
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.uploads import (
    PageUpload,
    drop_version,
    keep_receipt,
    keep_upload,
    settle,
    uploads,
)
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import SHEETS_KEPT, day_of_sheet, sheet_of
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError, h
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.receipt import PageReceipt, open_page_receipt
from latchstring.protocol.sheet import Sheet

ROUNDS: Final = 3  # sheets close every six hours: more than one in a session is rare, three a sign of something else

_NEWER: Final = (
    "The server has a newer version of our page for sheet {}: another copy of this vault is in use, or this machine's "
    "clock is behind. Use one copy, set the clock, and synchronise again."
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What the published sheets say of our pages."""

    published: int = 0  # replies that are out now
    pages: int = 0  # pages found as uploaded
    unseen: int = 0  # pages whose sheet has left /visit before it could be compared
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """What was sent. `unplaced`: replies for which no coming sheet had room; `closed_days`: without a key of ours."""

    pages: int = 0
    replies: int = 0
    unplaced: int = 0
    closed_days: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()


# --- audit ---------------------------------------------------------------------------------------


def audit(vault: Vault, visit: VerifiedVisit) -> Audit:
    """Compare every page uploaded for a sheet now closed; replies of pages that are not out want a place again."""
    sheets = {sheet.n: sheet for sheet in visit.sheets}
    oldest = min(sheets, default=0)
    result = Audit()
    with vault.transaction():
        for (number, page), versions in uploads(vault).items():
            if number > sheet_of(visit.manifest.n):
                continue
            sheet = sheets.get(number)
            if sheet is None:
                version, fault, unseen = _without_sheet(versions, number < oldest and len(sheets) == SHEETS_KEPT)
                pages = 0
            else:
                version, fault = _compare(sheet, page, versions)
                unseen, pages = 0, int(version is not None)
            result = Audit(
                result.published + settle(vault, number, page, version),
                result.pages + pages,
                result.unseen + unseen,
                (*result.faults, *((fault,) if fault else ())),
            )
    return result


def _without_sheet(versions: Sequence[PageUpload], gone: bool) -> tuple[int | None, str | None, int]:
    """The sheet left /visit (then the receipt has to do), or was skipped because the server stood still."""
    taken = [u.version for u in versions if u.receipt is not None]
    if gone and taken:
        return max(taken), None, 1
    return None, None, 0


def _compare(sheet: Sheet, page: int, versions: Sequence[PageUpload]) -> tuple[int | None, str | None]:
    """The version that is out, None when it does not count; and the fault, if it is one."""
    newest = versions[-1]
    if page >= len(sheet.pages) or sheet.heads[page].slots != newest.slots:
        return None, None  # the directory changed meanwhile
    out = h(sheet.pages[page])
    found = next((u for u in versions if u.hash == out), None)
    if found is not None:
        # under another note than the header names it is noise to the source: the desk's gen rose
        return (found.version if found.note == sheet.heads[page].note else None), None
    if any(u.receipt is not None for u in versions):
        return (
            None,
            f"The server took our page for sheet {sheet.n} and published something else; its receipt proves it.",
        )
    return None, None  # it never said that it took it


# --- placing -------------------------------------------------------------------------------------


def _epochs_for(
    vault: Vault, state: KeyState, directory: Directory, who: Identity, sheets: Sequence[int]
) -> dict[int, OpenEpoch]:
    """The epoch of each sheet's day, where one is fixed and we hold it."""
    held = {s.note_hash: s for s in epoch_secrets(vault)}
    desk = directory.desk(who.desk)
    gen = desk.gen if desk else 0
    opened: dict[int, OpenEpoch] = {}
    for day in sorted({day_of_sheet(n) for n in sheets}):
        note = state.fixed.get((who.desk, gen, day))
        if note is not None and note in held:
            opened[day] = held[note].open()
    return {n: opened[day_of_sheet(n)] for n in sheets if day_of_sheet(n) in opened}


def place(
    vault: Vault,
    line: Line,
    visit: VerifiedVisit,
    who: Identity,
    state: KeyState,
    random: Callable[[int], bytes],
    step: Step,
    ours: Callable[[Reply], bool] = lambda _reply: True,
) -> Placed:
    """Make all our pages of the 28 coming sheets and upload them. The same requests whatever there is to say.

    `ours`: which of the vault's replies want a place from us (those of an absent or removed member do when we took
    them over).
    """
    directory = visit.directory
    pages = own_pages(directory, who.desk, who.member)
    first = sheet_of(visit.manifest.n)
    skipped = skips_sheets([sheet.n for sheet in visit.sheets])
    shut: set[int] = set()
    result = Placed()
    for _ in range(ROUNDS):
        sheets = [n for n in coming_sheets(first) if n not in shut]
        epochs = _epochs_for(vault, state, directory, who, sheets)
        blanks = [Blank(n, page, directory.policy.slots) for n in sheets if n in epochs for page in pages]
        contents, wanting = _wanting(vault, set(sheets), ours)
        room = {n: directory.policy.slots * len(pages) for n in epochs} if pages else {}
        chosen = choose_sheets(wanting, room)
        placed = add_copies(chosen, room) if skipped else list(chosen.items())
        filled = choose_slots(placed, blanks, random)
        version = next_page_version(vault, line.clock())
        made: list[tuple[PageUpload, bytes]] = []
        with vault.transaction():
            for blank in blanks:
                inside = filled[(blank.sheet, blank.page)]
                epoch = epochs[blank.sheet]
                body = make_page(blank, epoch, {slot: contents[reply] for slot, reply in inside.items()}, random)
                upload = PageUpload(blank.sheet, blank.page, version, blank.slots, epoch.note.hash, h(body), None)
                keep_upload(vault, upload, inside)
                made.append((upload, body))
        closed_days = tuple(sorted({day_of_sheet(n) for n in sheets} - {day_of_sheet(n) for n in epochs}))
        sent, refused, faults = _upload(vault, line, directory, made, step)
        unplaced = sum(reply.id not in chosen and is_due(reply, sheets) for reply in wanting)
        result = Placed(result.pages + sent, len(chosen), unplaced, closed_days, (*result.faults, *faults))
        if not refused:
            break
        shut |= refused
    early = {n for n in shut if n > sheet_of(directory.policy.batch_at(line.clock()) + 1)}
    if early:
        result = Placed(
            result.pages,
            result.replies,
            result.unplaced,
            result.closed_days,
            (*result.faults, f"The server refuses pages for sheet {min(early)} though it is not due yet."),
        )
    return result


def _wanting(
    vault: Vault, sheets: set[int], ours: Callable[[Reply], bool]
) -> tuple[dict[bytes, Content], list[Wanting]]:
    contents: dict[bytes, Content] = {}
    wanting: list[Wanting] = []
    known = frozenset(known_threads(vault))
    for reply in replies(vault):
        if not ours(reply) or not reply.wants_a_place or (reply.planned is not None and reply.planned not in sheets):
            continue  # in a sheet that closed since /visit was fetched: the next audit tells whether it is out
        body = replace(reply.body, known=reply.thread in known)  # as it is now, however old the reply
        contents[reply.id] = Content(reply.id, thread_keys(vault, reply.thread), body)
        wanting.append(Wanting(reply.id, reply.number, reply.last, reply.planned))
    return contents, wanting


def _upload(
    vault: Vault, line: Line, directory: Directory, made: Sequence[tuple[PageUpload, bytes]], step: Step
) -> tuple[int, set[int], tuple[str, ...]]:
    """How many the server took, which sheets it called closed, and what it did wrong."""
    sent, refused, faults = 0, set[int](), list[str]()
    for position, (upload, body) in enumerate(made, 1):
        answer = line.signed("PUT", f"/v1/pages/{upload.sheet}/{upload.page}", f"v={upload.version}", body)
        step("pages", position, len(made))
        if answer.status == 409:
            drop_version(vault, upload.sheet, upload.page, upload.version)
            refused.add(upload.sheet)
            continue
        if answer.status == 412:
            drop_version(vault, upload.sheet, upload.page, upload.version)
            faults.append(_NEWER.format(upload.sheet))
            continue
        if answer.status != 201:
            faults.append(f"The server refused our page for sheet {upload.sheet}: {answer.sentence()}")
            continue
        wanted = PageReceipt(directory.origin, upload.sheet, upload.page, upload.version, upload.hash)
        try:
            given = open_page_receipt(answer.body, directory.receipt_key)
        except ProtocolError:
            given = None
        if given != wanted:
            faults.append(f"The server's receipt for our page of sheet {upload.sheet} does not hold.")
            continue
        keep_receipt(vault, upload.sheet, upload.page, upload.version, answer.body)
        sent += 1
    return sent, refused, tuple(faults)
