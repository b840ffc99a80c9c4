# SPDX-License-Identifier: AGPL-3.0-or-later
"""Going on from a public log that is longer than one's database: the only way forward that is no fork when the newest
database is lost. What the log holds is taken from it and verified; what it does not hold (letters that were
acknowledged and in no batch yet, packs) cannot be made again, and is said.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.tiles import entry_range, tiles_of
from latchstring.log.verify import verify_log
from latchstring.protocol import constants as c
from latchstring.protocol.directory import open_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, h
from latchstring.protocol.entry import ROOT_NOTES, Kind, entry
from latchstring.protocol.keystate import KeyState, Note, forget, next_state
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootNote
from latchstring.protocol.visit import parse_visit
from latchstring.server.backup_check import Read, Step, as_published
from latchstring.server.batch import oldest_day
from latchstring.server.mirrors import Seen
from latchstring.server.publisher import NOTES_AHEAD
from latchstring.store import letters, rebuild, tip
from latchstring.store.objects import NoObject, Objects
from latchstring.store.rebuild import LoggedNote
from latchstring.store.sql import Sql, StoreError
from latchstring.store.tip import Tip

_NEXT_TRIED = c.TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of it: batches that are new; letters of the backup that are in them, and that wait still; batches
    within the retention window whose letters are not here.
    """

    batches: int
    placed: int
    waiting: int
    no_pack: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    n: int
    first: int
    end: int
    manifest: Manifest = field(repr=False)


def fetch(seen: Seen, have: Tip | None, log_seed: bytes, public: Objects, step: Step) -> Tip:
    """Fetch into `public` every published file that a log of the mirror's size has and one at `have` had not; the new
    tip. StoreError when the mirror lacks one. Nothing is believed yet: `verify` comes next.
    """
    read, size, name = seen.mirror.read, seen.checkpoint.size, seen.mirror.name

    def get(path: str) -> bytes:
        try:
            return read(path)
        except (KeyError, OSError):
            raise StoreError(f"'{name}' lacks {path}. Name another copy of the published files.") from None

    tiles = [str(tile) for tile in tiles_of(size, have.size if have else 0)]
    for done, path in enumerate(tiles):
        public.put(path, get(path))
        step("Fetching the log", done, len(tiles))
    if have is None:
        key = VerifierKey(seen.checkpoint.origin, ed25519_public(log_seed))
        public.put("log.vkey", f"{key}\n".encode())  # ours: nothing in the log vouches for the mirror's
    try:
        last = entry_range(size - 1, size, size, public.get)[0]
    except LogError:
        raise StoreError(f"The log at '{name}' is damaged at its end.") from None
    newest = raw = _newest_manifest(get, last, name)
    start = have.batch if have else -1
    while True:
        manifest = Manifest.parse(raw)
        public.put(f"manifests/{manifest.n}", raw)
        with suppress(KeyError, OSError):  # most batches have none; `verify` sees one that is missing
            public.put(f"keynotes/{manifest.n}", read(f"keynotes/{manifest.n}"))
        if manifest.first and c.sheet_of(manifest.n) != c.sheet_of(manifest.open):
            sheet = c.sheet_of(manifest.n)
            public.put(f"sheets/{sheet}", get(f"sheets/{sheet}"))
        step("Fetching batches", Manifest.parse(newest).n - manifest.n, Manifest.parse(newest).n - start)
        if not manifest.first or manifest.open <= start:
            break
        raw = get(f"manifests/{manifest.open}")
        try:
            if h(raw) != manifest.previous:
                raise ProtocolError("another manifest")
            Manifest.parse(raw)
        except ProtocolError:
            raise StoreError(f"'{name}' gives a damaged manifest of batch {manifest.open}.") from None
    checkpoint = seen.checkpoint.sign(log_seed)  # as the lost server signed it, without cosignatures
    return Tip(size, seen.checkpoint.root, Manifest.parse(newest).n, newest, checkpoint)


def _newest_manifest(get: Read, last: bytes, name: str) -> bytes:
    """The manifest that is the last leaf: of `/visit`, or, after a crash between checkpoint and `/visit`, the next."""
    try:
        raw = parse_visit(get("visit")).manifest
        if entry(Kind.MANIFEST, raw) == last:
            return raw
        n = Manifest.parse(raw).n
    except ProtocolError:
        raise StoreError(f"'{name}' gives a damaged /visit.") from None
    for number in range(n + 1, n + 1 + _NEXT_TRIED):
        try:
            raw = get(f"manifests/{number}")
        except StoreError:
            continue
        if entry(Kind.MANIFEST, raw) == last:
            return raw
    raise StoreError(f"At '{name}' /visit and checkpoint are of different times. Name another copy.")


def verify(public: Objects, at: Tip, key: VerifierKey, door: Door, step: Step) -> None:
    """The whole log in `public`, what was there and what was fetched, up to `at`. StoreError otherwise."""
    read = as_published(public.get, at)
    report = verify_log(read, key, door, lambda done, of: step("Verifying the log", done, of))
    if not report.ok or (report.size, report.newest) != (at.size, at.batch):
        raise StoreError(f"The published log does not verify: {report.fault or 'its end is not its end'}.")


def adopt(sql: Sql, public: Objects, private: Objects, at: Tip, door: Door, step: Step) -> Adopted:
    """Bring the database to the verified log in `public`, in one transaction. StoreError when they contradict."""
    batches = _batches(public.get, at)
    entries = entry_range(0, at.size, at.size, public.get)
    state, logged, sheets = _replay(batches, entries, public, door, step)
    with sql.write() as connection:
        before = tip.read(connection)
        start = before.batch if before else -1
        new = [b for b in batches if b.n > start]
        where = {entries[i]: b.n for b in new for i in range(b.first, b.end - 1)}
        tip.swap(connection, before, at)
        rebuild.replace_notes(connection, logged)
        rebuild.replace_fixed(connection, state.fixed)
        rebuild.replace_index(connection, [(b.n, b.first) for b in batches[-c.VISIT_BATCHES :]], sheets)
        placed = rebuild.place_letters(connection, where)
        waiting = letters.waiting(connection)
        rebuild.forget_running(connection)
    edge = at.batch - (c.BODY_DAYS - 1) * c.TICKS_PER_DAY
    return Adopted(len(new), placed, waiting, tuple(b.n for b in batches if b.n >= edge and not _has(private, b.n)))


def _has(private: Objects, n: int) -> bool:
    try:
        return bool(private.get(f"packs/{n}"))
    except NoObject:
        return False


def _batches(read: Read, at: Tip) -> list[_Batch]:
    """Every batch of a verified log, oldest first."""
    out, raw, end = [], at.manifest, at.size
    while True:
        manifest = Manifest.parse(raw)
        out.append(_Batch(manifest.n, manifest.first, end, manifest))
        if not manifest.first:
            return out[::-1]
        raw, end = read(f"manifests/{manifest.open}"), manifest.first


def _replay(
    batches: list[_Batch], entries: Sequence[bytes], public: Objects, door: Door, step: Step
) -> tuple[KeyState, list[LoggedNote], list[tuple[int, bytes]]]:
    """The key state after the last batch, the notes that a store keeps, and every sheet (number, hash)."""
    state, logged = KeyState(), list[LoggedNote]()
    sheets: list[tuple[int, bytes]] = []
    for i, batch in enumerate(batches):
        notes = _notes(public, batch.n, entries[batch.first : batch.end])
        state = next_state(state, batch.n, notes, door)
        for kind, raw in notes:
            logged.append(_logged(kind, raw, state, batch.n))
        if i and c.sheet_of(batch.n) != c.sheet_of(batches[i - 1].n):
            number = c.sheet_of(batch.n)
            sheets.append((number, h(public.get(f"sheets/{number}"))))
        if i and c.day_of(batch.n) != c.day_of(batches[i - 1].n):
            state = forget(state, oldest_day(batch.n, sheets[-c.SHEETS_KEPT :]))
            step("Following the keys", i, len(batches))
    edge = (oldest_day(batches[-1].n, sheets[-c.SHEETS_KEPT :]) - NOTES_AHEAD) * c.TICKS_PER_DAY
    return state, [n for n in logged if n.kind in ROOT_NOTES or n.batch >= edge], sheets


def _logged(kind: Kind, raw: bytes, after: KeyState, batch: int) -> LoggedNote:
    """A note of `batch` as `accept` stores it; `after`: the state with it."""
    if kind is Kind.DIRECTORY:
        return LoggedNote(kind, open_directory(raw, after.roots).hash, raw, 0, batch)
    if kind is Kind.ROOT:
        return LoggedNote(kind, RootNote.parse(raw).hash, raw, 0, batch)
    return LoggedNote(kind, entry(kind, raw), raw, c.day_of(batch), batch)


def _notes(public: Objects, n: int, leaves: Sequence[bytes]) -> list[Note]:
    """The notes of a batch with these leaves. Where it has none `verify` looks at no file: one that a mirror made up is
    removed.
    """
    path = f"keynotes/{n}"
    try:
        items = decode_cbor(public.get(path))
        notes = [(Kind(str(kind)), raw) for kind, raw in items] if isinstance(items, list) else []
        if notes and all(isinstance(raw, bytes) and entry(kind, raw) in leaves for kind, raw in notes):
            return notes
    except NoObject:
        return []
    except (ValueError, TypeError):
        pass  # no notes at all
    public.delete(path)
    return []
