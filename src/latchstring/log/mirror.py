# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copying a public log: only what is new is fetched, all of it is verified, and then it may take its place.

Tiles are made from the entries and not fetched: what gives the checkpoint's root needs no further look. Reading is a
function from a path to bytes, of the source and of the copy; whoever calls writes the files, in the order given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.fork import ForkProof, compare
from latchstring.log.note import VerifierKey
from latchstring.log.tiles import entry_range, files_for_append, hash_at, root_from_tiles, superseded
from latchstring.log.tree import EMPTY_ROOT
from latchstring.log.verify import Fault, Progress, Read, Report, verify_log
from latchstring.protocol.constants import sheet_of
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.encoding import ProtocolError, decode_cbor, h
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.root import Door
from latchstring.protocol.visit import parse_visit

Missing = (KeyError, OSError)
_BESIDE: Final = ("keynotes/", "sheets/")  # files that the manifests do not name by themselves: leaves account for them


class Forked(Exception):
    """The source shows another log than the copy holds, both signed by the log's key: here is the proof."""

    def __init__(self, fork: ForkProof) -> None:
        super().__init__("the log was forked")
        self.fork = fork


@dataclass(frozen=True, slots=True)
class Update:
    """What is to be written, in this order, and which folders of partial tiles may go after it. `accounted`: the notes
    and sheets of the whole log, as its leaves have them."""

    report: Report
    size: int
    before: int
    files: Mapping[str, bytes] = field(repr=False)
    folders_gone: tuple[str, ...] = ()
    accounted: frozenset[str] = frozenset()

    def strangers(self, paths: Iterable[str]) -> list[str]:
        """Which of these files of the copy say they are notes or sheets, and the log knows nothing of them."""
        return [path for path in paths if path.startswith(_BESIDE) and path not in self.accounted]


def prepare(
    source: Read, copy: Read, key: VerifierKey, door: Door | None, progress: Progress = lambda _done, _of: None
) -> Update:
    """Fetch and verify what the copy lacks. Fault names the first thing wrong, Forked carries a proof: then nothing may
    be written. Of `/visit` only its checkpoint and manifest are looked at: the rest is for a client's check.
    """
    source = at_one_moment(source)
    raw = _get(source, "checkpoint")
    new, old, old_raw = _opened(raw, key), Checkpoint(key.name, 0, EMPTY_ROOT), b""
    try:
        old_raw = copy("checkpoint")
    except Missing:
        pass
    else:
        old = _opened(old_raw, key)
    if new.size < old.size:
        _compare(raw, old_raw, key, old.size, copy)
        raise Fault(f"the source is behind this copy: it has {new.size} leaves, and here are {old.size}")
    files = _log_files(source, copy, raw, new, old, old_raw, key)
    files |= _batches(source, copy)
    files["log.vkey"] = f"{key}\n".encode()
    files["checkpoint"] = raw
    files["visit"] = _get(source, "visit")

    looked_at = set[str]()

    def together(path: str) -> bytes:
        looked_at.add(path)
        return files[path] if path in files else copy(path)

    report = verify_log(together, key, door, progress)
    if not report.ok:
        raise Fault(str(report.fault))
    gone = tuple(f"{tile}.p" for tile in superseded(new.size, old.size))
    accounted = frozenset(path for path in looked_at if path.startswith(_BESIDE))
    # where a batch has no notes nobody looks at such a file: a source can put anything there
    files = {path: raw for path, raw in files.items() if not path.startswith(_BESIDE) or path in accounted}
    return Update(report, new.size, old.size, files, gone, accounted)


def at_one_moment(read: Read) -> Read:
    """The same log, standing still: the checkpoint is the one that `/visit` carries, and both are read once."""
    kept: dict[str, bytes] = {}

    def one(path: str) -> bytes:
        if path not in ("checkpoint", "visit"):
            return read(path)
        if "visit" not in kept:
            kept["visit"] = read("visit")
        if path == "checkpoint" and path not in kept:
            try:
                kept[path] = parse_visit(kept["visit"]).checkpoint
            except ProtocolError:
                raise KeyError(path) from None
        return kept[path]

    return one


def _get(read: Read, path: str) -> bytes:
    try:
        return read(path)
    except Missing:
        raise Fault(f"{path}: missing") from None


def _opened(raw: bytes, key: VerifierKey) -> Checkpoint:
    try:
        return open_checkpoint(raw, key)
    except LogError as error:
        raise Fault(f"checkpoint: {error}") from None


def _compare(smaller: bytes, larger: bytes, key: VerifierKey, size: int, read: Read) -> None:
    """Forked when the two are not of one log. `read`: the tiles of the larger one, of `size` leaves."""
    try:
        fork = compare(smaller, larger, key, hash_at(size, read))
    except (LogError, *Missing) as error:
        raise Fault(f"the two logs cannot be compared: {error}") from None
    if fork is not None:
        raise Forked(fork)


def _log_files(
    source: Read, copy: Read, raw: bytes, new: Checkpoint, old: Checkpoint, old_raw: bytes, key: VerifierKey
) -> dict[str, bytes]:
    """Bundles and tiles that the copy lacks, made from entries of the source; they give the new root."""
    try:
        entries = entry_range(old.size, new.size, new.size, source)
    except (LogError, *Missing) as error:
        raise Fault(f"entries: {error}") from None
    try:
        files = files_for_append(old.size, entries, copy)
        root = root_from_tiles(new.size, lambda path: files[path] if path in files else copy(path))
    except (LogError, *Missing):
        raise Fault("this copy is damaged: start a new one") from None
    if root != new.root:
        if old.size:
            _compare(old_raw, raw, key, new.size, source)
        raise Fault("the entries do not give the checkpoint's root")
    return files


def _batches(source: Read, copy: Read) -> dict[str, bytes]:
    """Manifests from the newest back to one that the copy has, each named by the next; with their notes and sheets.

    What they say is for `verify_log` to check.
    """
    try:
        value = decode_cbor(_get(source, "visit"))
        newest = value["manifest"] if isinstance(value, dict) else b""
        manifest = Manifest.parse(newest if isinstance(newest, bytes) else b"")
    except (ProtocolError, KeyError):
        raise Fault("visit: not what it must be") from None
    raw, notes, manifests = manifest.encode(), dict[str, bytes](), dict[str, bytes]()
    while _held(copy, f"manifests/{manifest.n}") != raw:
        manifests[f"manifests/{manifest.n}"] = raw
        for path in (f"keynotes/{manifest.n}", f"sheets/{sheet_of(manifest.n)}"):
            if _held(copy, path) is None and path not in notes:
                found = _held(source, path)
                if found is not None:
                    notes[path] = found
        if manifest.previous == NO_HASH:
            break
        if manifest.open >= manifest.n:
            raise Fault(f"manifests/{manifest.n}: its previous batch is not an earlier one")
        raw = _get(source, f"manifests/{manifest.open}")
        if h(raw) != manifest.previous:
            raise Fault(f"manifests/{manifest.open}: not the manifest that the next one names")
        try:
            manifest = Manifest.parse(raw)
        except ProtocolError as error:
            raise Fault(f"manifests/{manifest.open}: {error}") from None
    return notes | dict(reversed(manifests.items()))


def _held(read: Read, path: str) -> bytes | None:
    try:
        return read(path)
    except Missing:
        return None


def same_log(one: bytes, other: bytes, key: VerifierKey, read_one: Read, read_other: Read) -> None:
    """Compare two checkpoints by the tiles of the larger log. Forked when they are of two logs; Fault when the larger
    one's tiles do not show it."""
    a, b = _opened(one, key), _opened(other, key)
    if a.size <= b.size:
        _compare(one, other, key, b.size, read_other)
    else:
        _compare(other, one, key, a.size, read_one)
