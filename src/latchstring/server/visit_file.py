# SPDX-License-Identifier: AGPL-3.0-or-later
"""Building `/visit` from what is published: nothing in it is new, so it can be made again at any time."""

from collections.abc import Sequence

from latchstring.log.tiles import ReadTile, entry_range, hash_range
from latchstring.protocol.directory import SignedDirectory
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.sheet import Sheet
from latchstring.protocol.visit import Visit, visit_starts
from latchstring.store.tip import Tip


def build_visit(
    *,
    tip: Tip,
    recent_first: int,
    state: KeyState,
    directories: Sequence[SignedDirectory],
    sheets: Sequence[Sheet],
    read: ReadTile,
) -> Visit:
    """The file's parts after the batch of `tip`, with the checkpoint as the log alone signed it.

    `sheets`: the last 84; `directories`: all that are known, oldest first.
    """
    manifest = Manifest.parse(tip.manifest)
    wanted = {manifest.directory} | {sheet.directory for sheet in sheets}
    named = {note for _, note in manifest.notes} | {head.note for sheet in sheets for head in sheet.heads}
    epochs = sorted((e for k, e in state.epochs.items() if k in named), key=lambda e: e.order)
    start1, start0 = visit_starts(tip.size, recent_first)
    return Visit(
        checkpoint=tip.checkpoint,
        directories=tuple(d.raw for d in directories if d.hash in wanted),
        epochs=tuple((e.note.raw, tuple(e.signatures[m] for m in sorted(e.signatures))) for e in epochs),
        sheets=tuple(sheet.raw for sheet in sheets),
        manifest=tip.manifest,
        level2=tuple(hash_range(2, 0, start1 >> 16, tip.size, read)),
        level1=tuple(hash_range(1, start1 >> 8, start0 >> 8, tip.size, read)),
        entries=tuple(entry_range(start0, tip.size, tip.size, read)),
        roots=state.roots.raws if state.roots else (),
    )
