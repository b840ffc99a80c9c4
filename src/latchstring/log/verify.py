# SPDX-License-Identifier: AGPL-3.0-or-later
"""The check of a whole published log: everything that anyone can check without the letters' bodies.

Two passes. Back from the newest manifest by the hashes that each names, so that nothing but the checkpoint is
believed; then forward, batch by batch, following the keys by the same rule as the server (`protocol/keystate.py`).
Who of the witnesses cosigned the checkpoint is told, not judged: a log that is not published yet is checked too.
Reading is a function from a path to bytes, so that a folder, a server and a test are the same to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.cosignature import Witnessed, witnessed
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.tiles import WIDTH, TilePath, decode_bundle
from latchstring.log.tree import leaf_hashes, raise_by, root_of_runs
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH, Directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, h, parse_lp, parse_u64
from latchstring.protocol.entry import ROOT_NOTES, Kind, entry
from latchstring.protocol.keystate import KeyState, Note, apply_note, close_batch, may_log_key_notes
from latchstring.protocol.root import Door
from latchstring.protocol.sheet import PageHead, parse_sheet, sheet_index_hash

Read = Callable[[str], bytes]
Progress = Callable[[int, int], None]
_EVERY: Final = 64  # bundles, or 1024 batches, between two words of progress
_KINDS: Final = frozenset(kind.value for kind in Kind)


class Fault(Exception):
    """The first thing that is wrong, for whoever verifies."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `fault` names the first thing wrong; then what comes after it was not checked.

    `door` is whose log it is; `key_from_log` says that the key came from beside the log, not from elsewhere.
    """

    ok: bool
    fault: str | None
    size: int = 0
    batches: int = 0
    letters: int = 0
    directories: int = 0
    rotations: int = 0  # of the root keys
    key_notes: int = 0
    sheets: int = 0
    tiles: int = 0
    newest: int = -1
    door: bytes | None = None
    key_from_log: bool = False
    cosigned: tuple[Witnessed, ...] = ()  # of the newest directory's witnesses, those who cosigned the checkpoint
    witnesses: int = 0
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class _Link:
    """A manifest as bytes with the fields that order it."""

    n: int
    open: int
    first: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Examined:
    """A log that was looked at, and what it holds: only when `report.ok` is all of it there and true.

    `batches`: number and first leaf of each, oldest first; `receipt_keys`: all that its directories ever named.
    """

    report: Report
    origin: str = ""
    entries: Sequence[bytes] = field(default=(), repr=False)
    batches: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    receipt_keys: frozenset[bytes] = frozenset()


def verify_log(
    read: Read, key: VerifierKey | None = None, door: Door | None = None, progress: Progress = lambda _done, _of: None
) -> Report:
    """Check everything below `read`. `key`: the log's verifier key (None: the `log.vkey` beside it). `door`: whose
    log it must be (None: that of its first directory). Never raises for what a log holds."""
    return examine(read, key, door, progress).report


def examine(
    read: Read, key: VerifierKey | None = None, door: Door | None = None, progress: Progress = lambda _done, _of: None
) -> Examined:
    """As `verify_log`, and what was read."""
    found = _Found(key_from_log=key is None)
    try:
        key = key if key is not None else _key(read)
        checkpoint = _checkpoint(read, key)
        found.size = checkpoint.size
        entries = _tree(read, checkpoint, found, progress)
        links = _walk_back(read, entries)
        walk = _Walk(read, entries, door, found)
        walk.forward(links, progress)
        found.witnessed(read, walk.directory)
    except Fault as fault:
        return Examined(found.report(str(fault)))
    batches = tuple((link.n, link.first) for link in links)
    return Examined(found.report(None), checkpoint.origin, entries, batches, frozenset(walk.receipt_keys))


class _Found:
    """Counts, filled while verifying."""

    def __init__(self, key_from_log: bool) -> None:
        self.key_from_log = key_from_log
        self.size = self.batches = self.letters = self.sheets = self.tiles = 0
        self.directories = self.rotations = self.key_notes = 0
        self.newest = -1
        self.door: bytes | None = None
        self.cosigned: tuple[Witnessed, ...] = ()
        self.witnesses = self.quorum = 0

    def witnessed(self, read: Read, directory: Directory) -> None:
        self.witnesses, self.quorum = len(directory.witnesses), directory.quorum
        try:
            self.cosigned = witnessed(_file(read, "checkpoint"), directory.witnesses)
        except LogError as error:
            raise Fault(f"checkpoint: {error}") from None

    def report(self, fault: str | None) -> Report:
        return Report(
            ok=fault is None,
            fault=fault,
            size=self.size,
            batches=self.batches,
            letters=self.letters,
            directories=self.directories,
            rotations=self.rotations,
            key_notes=self.key_notes,
            sheets=self.sheets,
            tiles=self.tiles,
            newest=self.newest,
            door=self.door,
            key_from_log=self.key_from_log,
            cosigned=self.cosigned,
            witnesses=self.witnesses,
            quorum=self.quorum,
        )


def _file(read: Read, path: str) -> bytes:
    try:
        return read(path)
    except (KeyError, OSError):
        raise Fault(f"{path}: missing") from None


def _key(read: Read) -> VerifierKey:
    try:
        return VerifierKey.parse(_file(read, "log.vkey").decode("ascii").removesuffix("\n"))
    except (LogError, UnicodeDecodeError):
        raise Fault("log.vkey: not a verifier key") from None


def _checkpoint(read: Read, key: VerifierKey) -> Checkpoint:
    try:
        return open_checkpoint(_file(read, "checkpoint"), key)
    except LogError as error:
        raise Fault(f"checkpoint: {error}") from None


def _tree(read: Read, checkpoint: Checkpoint, found: _Found, progress: Progress) -> list[bytes]:
    """Every entry, once bundles, tiles of all levels and the root agree."""
    size = checkpoint.size
    entries: list[bytes] = []
    full: list[bytes] = []  # hashes of full level-0 tiles
    rest: list[bytes] = []
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        bundle = str(TilePath(None, index, width))
        try:
            part = decode_bundle(_file(read, bundle), width)
        except LogError as error:
            raise Fault(f"{bundle}: {error}") from None
        if any(len(item) != c.HASH_SIZE for item in part):
            raise Fault(f"{bundle}: an entry that is not 32 bytes")
        hashes = leaf_hashes(part)
        _tile(read, TilePath(0, index, width), hashes, found)
        entries += part
        if width == WIDTH:
            full += raise_by(hashes, 8)
        else:
            rest = hashes
        if index % _EVERY == 0:
            progress(len(entries) // 2, size)
    level, row = 1, full
    while row:
        for index in range(-(-len(row) // WIDTH)):
            chunk = row[index * WIDTH : (index + 1) * WIDTH]
            _tile(read, TilePath(level, index, len(chunk)), chunk, found)
        level, row = level + 1, raise_by(row[: len(row) // WIDTH * WIDTH], 8)
    if root_of_runs([(8, full), (0, rest)]) != checkpoint.root:
        raise Fault("checkpoint: the entries do not give its root")
    return entries


def _tile(read: Read, path: TilePath, hashes: Sequence[bytes], found: _Found) -> None:
    if _file(read, str(path)) != b"".join(hashes):
        raise Fault(f"{path}: not the hashes of the entries below it")
    found.tiles += 1


def _walk_back(read: Read, entries: Sequence[bytes]) -> list[_Link]:
    """Every manifest, oldest first, each named by the hash in the next; the newest is the last leaf."""
    if not entries:
        raise Fault("the log is empty")
    number = _newest_number(read, entries[-1])
    links: list[_Link] = []
    wanted: bytes | None = None
    while True:
        path = f"manifests/{number}"
        raw = _file(read, path)
        if wanted is None and entry(Kind.MANIFEST, raw) != entries[-1]:
            raise Fault(f"{path}: not the last leaf")
        if wanted is not None and h(raw) != wanted:
            raise Fault(f"{path}: not the manifest that the next one names")
        try:
            fields = parse_lp("manifest", 8, raw)
            link = _Link(parse_u64(fields[0]), parse_u64(fields[1]), parse_u64(fields[2]), raw)
        except ProtocolError as error:
            raise Fault(f"{path}: {error}") from None
        if link.n != number:
            raise Fault(f"{path}: the manifest of batch {link.n}")
        links.append(link)
        if fields[3] == NO_HASH:
            break
        if link.open >= number:
            raise Fault(f"{path}: its previous batch is not an earlier one")
        number, wanted = link.open, fields[3]
    return links[::-1]


def _newest_number(read: Read, last: bytes) -> int:
    """The newest batch: `/visit` carries its manifest. Nothing is believed: it must be the last leaf."""
    try:
        value = decode_cbor(_file(read, "visit"))
        raw = value["manifest"] if isinstance(value, dict) else b""
        if not isinstance(raw, bytes) or entry(Kind.MANIFEST, raw) != last:
            raise Fault("visit: its manifest is not the last leaf")
        return parse_u64(parse_lp("manifest", 8, raw)[0])
    except (ProtocolError, KeyError):
        raise Fault("visit: not what it must be") from None


class _Walk:
    """The second pass: forward through the batches."""

    def __init__(self, read: Read, entries: Sequence[bytes], door: Door | None, found: _Found) -> None:
        self._read, self._entries, self._door, self._found = read, entries, door, found
        self._state = KeyState()
        self._named = b""  # the CBOR of what the rule names now
        self._directory = NO_HASH
        self._letters = 0
        self.receipt_keys: set[bytes] = set()
        self._index: list[tuple[int, bytes]] = []
        self._index_hash = sheet_index_hash([])

    @property
    def directory(self) -> Directory:
        """In force after the last batch."""
        return self._state.directory

    def forward(self, links: Sequence[_Link], progress: Progress) -> None:
        previous: _Link | None = None
        for i, link in enumerate(links):
            end = links[i + 1].first if i + 1 < len(links) else len(self._entries)
            try:
                self._batch(link, previous, end)
            except (ProtocolError, LogError) as error:
                raise Fault(f"batch {link.n}: {error}") from None
            except Fault as fault:
                raise Fault(f"batch {link.n}: {fault}") from None
            previous = link
            if i % 1024 == 0:
                progress(len(self._entries) // 2 + link.first // 2, len(self._entries))
        self._found.newest = links[-1].n

    def _batch(self, link: _Link, previous: _Link | None, end: int) -> None:
        fields = parse_lp("manifest", 8, link.raw)
        first = link.first
        if (previous is None and (first, link.open) != (0, 0)) or (previous is not None and link.n <= previous.n):
            raise Fault("batches do not follow each other")
        if not first < end <= len(self._entries) or self._entries[end - 1] != entry(Kind.MANIFEST, link.raw):
            raise Fault("its manifest is not its last leaf")
        due = previous is not None and c.sheet_of(link.n) != c.sheet_of(previous.n)
        count = end - first - 1 - due - self._letters
        new_day = previous is None or c.day_of(link.n) != c.day_of(previous.n)
        if count or fields[4] != self._directory:
            count = self._take_notes(link, previous, first, end, due)
        elif new_day:
            self._close(link.n)
        if fields[4] != self._directory:
            raise Fault("names another directory than the one in force")
        if fields[5] != self._named:
            raise Fault("names other epoch notes than the rule gives")
        if due:
            self._sheet(link, end)
        if fields[7] != self._index_hash:
            raise Fault("names other sheets than were published")
        self._found.batches += 1
        self._found.letters += end - first - 1 - due - count

    def _take_notes(self, link: _Link, previous: _Link | None, first: int, end: int, due: bool) -> int:
        """Follow the batch's notes; how many there are."""
        notes = _notes(_file(self._read, f"keynotes/{link.n}"))
        with_directory = any(kind in ROOT_NOTES for kind, _ in notes)
        before = replace(self._state, batch=previous.n) if previous else self._state
        if not with_directory and not may_log_key_notes(before, link.n, False):
            raise Fault("key notes in the middle of a day")
        state = before
        seen_key_note = False
        for kind, raw in notes:
            if kind in ROOT_NOTES and seen_key_note:
                raise Fault("a directory after key notes")
            seen_key_note = kind not in ROOT_NOTES
            state = apply_note(state, kind, raw, self._door)
            if kind is Kind.DIRECTORY and state.current is not None:
                self.receipt_keys.add(state.current.directory.receipt_key)
        self._state = state
        self._close(link.n)
        slots = end - first - 1 - due - len(notes)
        if slots != self._letters:
            raise Fault(f"has {slots} letters, and the directory says {self._letters}")
        placed = self._entries[first + slots : first + slots + len(notes)]
        if [entry(kind, raw) for kind, raw in notes] != list(placed):
            raise Fault("its key notes are not its leaves")
        self._found.directories += sum(kind is Kind.DIRECTORY for kind, _ in notes)
        self._found.rotations += sum(kind is Kind.ROOT for kind, _ in notes)
        self._found.key_notes += sum(kind not in ROOT_NOTES for kind, _ in notes)
        return len(notes)

    def _close(self, n: int) -> None:
        """Apply the rule: only a new day or new notes can change what is named."""
        self._state = close_batch(replace(self._state, batch=min(self._state.batch, n - 1)), n)
        signed = self._state.current
        if signed is None:
            raise Fault("no directory")
        self._directory, self._letters = signed.hash, signed.directory.policy.letters
        self._named = encode_cbor([[desk, note] for desk, note in self._state.named(n)])
        self._found.door = signed.directory.door

    def _sheet(self, link: _Link, end: int) -> None:
        number = c.sheet_of(link.n)
        raw = _file(self._read, f"sheets/{number}")
        if self._entries[end - 2] != entry(Kind.SHEET, raw):
            raise Fault(f"sheet {number} is not its leaf")
        sheet = parse_sheet(raw)
        directory = self._state.directory
        named = dict(self._state.named(link.n))
        heads = tuple(
            PageHead(directory.policy.slots, owner.desk, named.get(owner.desk, NO_HASH)) for owner in directory.pages
        )
        if (sheet.n, sheet.close, sheet.directory, sheet.heads) != (number, link.n, self._directory, heads):
            raise Fault(f"sheet {number} has another header than the rule gives")
        self._index = [*self._index, (number, sheet.hash)][-c.SHEETS_KEPT :]
        self._index_hash = sheet_index_hash(self._index)
        self._found.sheets += 1


def _notes(raw: bytes) -> list[Note]:
    items = decode_cbor(raw)
    if not isinstance(items, list):
        raise Fault("its key notes are not a list")
    notes: list[Note] = []
    for item in items:
        match item:
            case [str(kind), bytes(body)] if kind in _KINDS:
                notes.append((Kind(kind), body))
            case _:
                raise Fault("its key notes are not as they must be")
    return notes
