# SPDX-License-Identifier: AGPL-3.0-or-later
"""Building a batch: from what waits to every file it publishes. Pure but for the seals' own randomness."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from latchstring.log.checkpoint import Checkpoint
from latchstring.log.note import VerifierKey
from latchstring.log.tiles import ReadTile, files_for_append, root_from_tiles
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.encoding import encode_cbor, h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.keystate import KeyState, Note, forget, next_state
from latchstring.protocol.letter import filler_letter
from latchstring.protocol.manifest import Manifest, manifest_hash
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.root import Door
from latchstring.protocol.sheet import PageHead, Sheet, make_sheet, noise_page, page_size, sheet_index_hash
from latchstring.store.tip import Tip

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Built:
    """A batch before it is committed: the new tip, the files, and the key state after it."""

    tip: Tip
    first: int
    files: dict[str, bytes] = field(repr=False)
    state: KeyState = field(repr=False)
    sheet: Sheet | None = field(repr=False)


def shuffled(items: Sequence[bytes], random: Random) -> list[bytes]:
    """A random order (Fisher and Yates); 8 random bytes a step leave no bias worth the name."""
    out = list(items)
    for i in range(len(out) - 1, 0, -1):
        j = int.from_bytes(random(8), "big") % (i + 1)
        out[i], out[j] = out[j], out[i]
    return out


def oldest_day(batch: int, sheet_index: Sequence[tuple[int, bytes]]) -> int:
    """The first day whose epochs `/visit` may still name: 35 days back, or that of the oldest sheet it carries (sheets
    are skipped while a server stands still).
    """
    back = c.day_of(batch) - c.BODY_DAYS
    return min(back, c.day_of_sheet(sheet_index[0][0])) if sheet_index else back


def due_sheet(previous: Tip | None, batch: int) -> int | None:
    """The sheet that closes with `batch`: none with the first batch."""
    if previous is None or c.sheet_of(batch) == c.sheet_of(previous.batch):
        return None
    return c.sheet_of(batch)


def build_batch(
    *,
    batch: int,
    previous: Tip | None,
    state: KeyState,
    letters: Sequence[bytes],
    notes: Sequence[Note],
    pages: Mapping[int, bytes],
    sheet_index: Sequence[tuple[int, bytes]],
    door: Door,
    log_seed: bytes,
    read: ReadTile,
    random: Random,
) -> Built:
    """Build batch number `batch` on top of `previous`.

    `letters`: the oldest waiting; the rest of the slots is filled (more than a batch takes only when receipts given
    under an earlier directory would else not hold). `notes`: directories first. `pages`: what members
    uploaded for the sheet that is due. `sheet_index`: [number, hash] of the sheets published so far.
    """
    after = next_state(state, batch, notes, door)
    signed = after.current
    if signed is None:
        raise ValueError("a batch without a directory")
    directory = signed.directory
    size = previous.size if previous else 0
    slots = directory.policy.letters
    fillers = [filler_letter(random(c.SYM_KEY), random(c.LETTER_PLAIN)) for _ in range(max(0, slots - len(letters)))]
    placed = shuffled([*letters, *fillers], random)
    pack = b"".join(placed)
    named = after.named(batch)
    entries = [entry(Kind.LETTER, body) for body in placed] + [entry(kind, raw) for kind, raw in notes]
    files: dict[str, bytes] = {f"packs/{batch}": pack}
    if previous is None:
        files["log.vkey"] = f"{VerifierKey(directory.origin, ed25519_public(log_seed))}\n".encode()
    if notes:
        files[f"keynotes/{batch}"] = encode_cbor([[kind.value, raw] for kind, raw in notes])
    index = list(sheet_index)
    sheet = None
    number = due_sheet(previous, batch)
    if number is not None:
        notes_by_desk = dict(named)
        heads = [PageHead(directory.policy.slots, p.desk, notes_by_desk.get(p.desk, NO_HASH)) for p in directory.pages]
        bodies = [_page(pages.get(i), head.slots, random) for i, head in enumerate(heads)]
        sheet = make_sheet(number, batch, signed.hash, heads, bodies)
        files[f"sheets/{number}"] = sheet.raw
        entries.append(entry(Kind.SHEET, sheet.raw))
        index = [*index, (number, sheet.hash)][-c.SHEETS_KEPT :]
    manifest = Manifest(
        n=batch,
        open=previous.batch if previous else 0,
        first=size,
        previous=manifest_hash(previous.manifest) if previous else NO_HASH,
        directory=signed.hash,
        notes=named,
        pack=h(pack),
        sheets=sheet_index_hash(index),
    ).encode()
    files[f"manifests/{batch}"] = manifest
    entries.append(entry(Kind.MANIFEST, manifest))
    tiles = files_for_append(size, entries, read)
    files |= tiles
    new_size = size + len(entries)

    def read_new(path: str) -> bytes:
        return tiles[path] if path in tiles else read(path)

    root = root_from_tiles(new_size, read_new)
    checkpoint = Checkpoint(directory.origin, new_size, root).sign(log_seed)
    after = forget(after, oldest_day(batch, index))
    return Built(Tip(new_size, root, batch, manifest, checkpoint), size, files, after, sheet)


def _page(uploaded: bytes | None, slots: int, random: Random) -> bytes:
    if uploaded is not None and len(uploaded) == page_size(slots):
        return uploaded
    return noise_page(slots, random)
