# SPDX-License-Identifier: AGPL-3.0-or-later
"""A `/visit` put together by hand, so that a test can change any one part and sign the log anew.

The door has two desks of one member each, a page each; two days have passed, and the last two sheets are in the file.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from latchstring.client.pin import Pin
from latchstring.client.visit import SENTENCE, VerifiedVisit, VisitRefused, check_visit
from latchstring.log.checkpoint import Checkpoint
from latchstring.log.tree import leaf_hashes, root_from_ranges
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.sheet import PageHead, Sheet, make_sheet, noise_page, sheet_index_hash
from latchstring.protocol.visit import Visit, encode_visit
from tests.builders import Founding, Stream, found, successor

BATCH = 300  # day 2; sheet 8 has closed in batch 288
SHEETS = (7, 8)
FOUNDING = found("visit", ("legal", "news"), slots=3, letters=2)
NOW = FOUNDING.directory.policy.closes_at(BATCH) + 1

Signed = tuple[bytes, tuple[bytes, ...]]
MakePage = Callable[[int, int, OpenEpoch], bytes]


def epoch_of(founding: Founding, desk: str, day: int, gen: int = 1, secret: str = "") -> OpenEpoch:
    """A desk's epoch; always the same for the same arguments."""
    return OpenEpoch.make(Stream(f"{desk} {day} {gen} {secret}")(32), founding.door, desk, gen, 1, day)


def signed(founding: Founding, epoch: OpenEpoch) -> Signed:
    """As /visit carries it: the note, and the signature of the desk's member."""
    member = founding.member(epoch.note.desk)
    return epoch.note.raw, (EpochSignature.make(epoch.note.hash, member.id, member.sign_seed).raw,)


@dataclass(frozen=True)
class Parts:
    """What `/visit` is made of. `before`: the entries between level-1 hashes and the manifest."""

    founding: Founding
    directories: tuple[bytes, ...]
    epochs: tuple[Signed, ...]
    sheets: tuple[Sheet, ...]
    manifest: Manifest
    before: tuple[bytes, ...]
    level1: tuple[bytes, ...] = ()
    level2: tuple[bytes, ...] = ()

    @property
    def visit(self) -> Visit:
        """The file's parts, with a checkpoint that the log's key signed."""
        raw = self.manifest.encode()
        entries = (*self.before, entry(Kind.MANIFEST, raw))
        sheets = tuple(sheet.raw for sheet in self.sheets)
        visit = Visit(b"", self.directories, self.epochs, sheets, raw, self.level2, self.level1, entries)
        return self.stamp(visit)

    def stamp(self, visit: Visit, origin: str = "", seed: bytes = b"", size: int | None = None) -> Visit:
        """`visit` with a checkpoint over its own hashes."""
        root = root_from_ranges(visit.level2, visit.level1, leaf_hashes(visit.entries))
        name = origin or self.founding.directory.origin
        checkpoint = Checkpoint(name, visit.size if size is None else size, root).sign(seed or self.founding.log_seed)
        return replace(visit, checkpoint=checkpoint)

    @property
    def raw(self) -> bytes:
        """The file."""
        return encode_visit(self.visit)

    def with_sheets(self, *sheets: Sheet, log: bool = True) -> "Parts":
        """Other sheets, which the manifest names; `log`: among the entries too."""
        index = sheet_index_hash([(sheet.n, sheet.hash) for sheet in sheets])
        before = [e for e in self.before if e not in [entry(Kind.SHEET, old.raw) for old in self.sheets]]
        before += [entry(Kind.SHEET, sheet.raw) for sheet in sheets if log]
        return replace(self, sheets=sheets, manifest=replace(self.manifest, sheets=index), before=tuple(before))

    def naming(self, **notes: bytes) -> "Parts":
        """A manifest that names these notes, by desk."""
        named = tuple(sorted((dict(self.manifest.notes) | notes).items()))
        return replace(self, manifest=replace(self.manifest, notes=named))


def _noise(sheet: int, page: int, epoch: OpenEpoch) -> bytes:
    return noise_page(FOUNDING.directory.policy.slots, Stream(f"page {sheet} {page}"))


def make_sheets(founding: Founding, page: MakePage = _noise, numbers: tuple[int, ...] = SHEETS) -> tuple[Sheet, ...]:
    """Sheets under the founding's directory, each page made by `page(sheet, page, epoch)`."""
    directory, out = founding.opened, []
    for n in numbers:
        owners = directory.directory.pages
        epochs = [epoch_of(founding, owner.desk, c.day_of_sheet(n)) for owner in owners]
        slots = directory.directory.policy.slots
        heads = [PageHead(slots, e.note.desk, e.note.hash) for e in epochs]
        pages = [page(n, number, e) for number, e in enumerate(epochs)]
        out.append(make_sheet(n, n * c.TICKS_PER_SHEET, directory.hash, heads, pages))
    return tuple(out)


def make_parts(page: MakePage = _noise, founding: Founding = FOUNDING) -> Parts:
    """An honest door's file."""
    opened, random = founding.opened, Stream("log")
    sheets = make_sheets(founding, page)
    epochs = tuple(signed(founding, epoch_of(founding, desk, day)) for day in (1, 2) for desk in ("legal", "news"))
    today = tuple((desk, epoch_of(founding, desk, c.day_of(BATCH)).note.hash) for desk in ("legal", "news"))
    parts = Parts(
        founding=founding,
        directories=(opened.raw,),
        epochs=epochs,
        sheets=(),
        manifest=Manifest(BATCH, BATCH - 1, 90, random(32), opened.hash, today, random(32), NO_HASH),
        before=(entry(Kind.DIRECTORY, opened.raw), *(random(32) for _ in range(90))),
    )
    return parts.with_sheets(*sheets)


PARTS = make_parts()
HONEST = PARTS.raw
SECOND = successor(FOUNDING, expires=144 * 70)
MALLORY = Stream("mallory")(32)


def check(raw: bytes, pin: Pin | None = None, now: int = NOW) -> VerifiedVisit:
    """As a client does that knows the door."""
    return check_visit(raw, lambda door: door == FOUNDING.door, now, pin)


def refusal(raw: bytes, pin: Pin | None = None) -> str:
    """Why it is refused; the sentence is always the same."""
    with pytest.raises(VisitRefused) as caught:
        check(raw, pin)
    assert str(caught.value) == SENTENCE
    return caught.value.reason


def hashes(count: int, seed: str = "hashes") -> tuple[bytes, ...]:
    """Any."""
    random = Stream(seed)
    return tuple(random(32) for _ in range(count))


def changed(raw: bytes, at: int = -1) -> bytes:
    """With one bit the other way round."""
    spoiled = bytearray(raw)
    spoiled[at] ^= 1
    return bytes(spoiled)


def entry_of_directory(raw: bytes) -> bytes:
    """A signed directory's leaf."""
    return entry(Kind.DIRECTORY, raw)


def two_directories(newest: Founding = SECOND) -> Parts:
    """The organisation has signed a second directory; it is in force at the newest batch."""
    raw = newest.signed  # signing anew would give other bytes
    before = (*PARTS.before, entry(Kind.DIRECTORY, raw))
    parts = replace(PARTS, directories=(*PARTS.directories, raw), before=before)
    return replace(parts, manifest=replace(PARTS.manifest, directory=newest.opened.hash))
