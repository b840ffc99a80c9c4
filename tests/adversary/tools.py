# SPDX-License-Identifier: AGPL-3.0-or-later
"""What attackers need: a server's way to rewrite its own log, an epoch of one's own, and bytes that equal everything.

The last is for the deliberately broken variants: where a check compares, it then finds no difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latchstring.desk import placing
from latchstring.log.checkpoint import Checkpoint
from latchstring.log.tree import leaf_hashes, root_from_ranges
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.root import Door
from latchstring.protocol.visit import Visit, encode_visit, parse_visit
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_door

MALLORY = Stream("mallory")(32)  # the attacker's own signing seed


class Anything(bytes):
    """Equal to whatever it is compared with."""

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False

    __hash__ = bytes.__hash__


@dataclass
class Stage:
    """An open door of two desks, one day old, with a source who has written; both desks have pinned the log."""

    world: World
    desks: dict[str, Desk]
    source: Source

    @property
    def desk(self) -> Desk:
        return self.desks["news"]

    @property
    def raw(self) -> bytes:
        """/visit as it is now."""
        return self.world.core.public.get("visit")

    def copy(self, folder: Path) -> "Stage":
        """The same, for one test."""
        world = self.world.copy()
        desks = {name: desk.copy(world, folder) for name, desk in self.desks.items()}
        source = Source(world, self.source.name)
        source.random = Stream("ids again")
        return Stage(world, desks, source)

    def serve(self, raw: bytes) -> None:
        """From now on the server gives everyone this /visit."""
        for wire in (self.source.wire, *(desk.wire for desk in self.desks.values())):
            wire.meddle = lambda request, answer: replace(answer, body=raw) if request.path == "/visit" else answer


def make_stage(folder: Path) -> Stage:
    """See `Stage`."""
    world, desks = open_door(folder, "legal", "news")
    stage = Stage(world, desks, Source(world, "a"))
    stage.source.write("the first letter")
    world.close(3)
    for batch in (36, 72, 108, 144, 145):
        world.close(batch)
    for desk in desks.values():
        desk.sync()
    return stage


def reforge(
    world: World,
    raw: bytes,
    *,
    manifest: Callable[[Manifest], Manifest] = lambda m: m,
    append: Sequence[bytes] = (),
    log_seed: bytes | None = None,
    **parts: object,
) -> bytes:
    """`raw` with its manifest changed, leaves `append`ed before it, other `parts` replaced, and the log signed anew:
    a server has the key for that. With `append` the old manifest stays where it is, a leaf like any other."""
    visit: Visit = replace(parse_visit(raw), **parts)  # type: ignore[arg-type]  # a test's shorthand
    changed = manifest(Manifest.parse(visit.manifest)).encode()
    before = visit.entries if append else visit.entries[:-1]
    entries = (*before, *append, entry(Kind.MANIFEST, changed))
    visit = replace(visit, manifest=changed, entries=entries)
    root = root_from_ranges(visit.level2, visit.level1, leaf_hashes(entries))
    checkpoint = Checkpoint(world.founding.directory.origin, visit.size, root)
    return encode_visit(replace(visit, checkpoint=checkpoint.sign(log_seed or world.core.keys.log)))


def own_epoch(
    door: Door, day: int, *, desk: str = "news", member: str = "news-1", gen: int = 1, sign_seed: bytes = MALLORY
) -> tuple[OpenEpoch, tuple[bytes, tuple[bytes, ...]]]:
    """An epoch whose secret the attacker holds, and how /visit carries it, signed with `sign_seed`."""
    epoch = OpenEpoch.make(Stream(f"mallory {desk} {day} {gen}")(32), door, desk, gen, 1, day)
    signature = EpochSignature.make(epoch.note.hash, member, sign_seed)
    return epoch, (epoch.note.raw, (signature.raw,))


def naming(**notes: bytes) -> Callable[[Manifest], Manifest]:
    """A manifest that names these notes (by desk) instead."""

    def change(manifest: Manifest) -> Manifest:
        named = dict(manifest.notes) | notes
        return replace(manifest, notes=tuple(sorted(named.items())))

    return change


def fewer_pages(patch: pytest.MonkeyPatch) -> None:
    """Sessions make the pages of five sheets, not of 28: most of their work."""
    patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 6))
