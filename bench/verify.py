# SPDX-License-Identifier: AGPL-3.0-or-later
"""verify: leaves a second when a whole log is verified, beside hashing its leaves alone."""

import os
import secrets

from bench.figure import Figure, Goal, best, number
from bench.world import found_door
from latchstring.log.tree import leaf_hashes, root_of
from latchstring.log.verify import verify_log
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.sheet import Sheet
from latchstring.protocol.visit import encode_visit
from latchstring.server.batch import build_batch
from latchstring.server.visit_file import build_visit
from latchstring.store import tip as tips
from latchstring.store.objects import MemoryObjects

STARTED = 1_700_000_000


def published_log(leaves: int) -> MemoryObjects:
    """A log of at least that many leaves as an honest server publishes it, without the letters' bodies.

    The bodies stand in for seals, which no verifier sees; everything else is what the server's own code makes.
    """
    door = found_door(None, STARTED)
    public = MemoryObjects()
    public.files.update({path: door.shelves.public.get(path) for path in door.shelves.public.paths("tile")})
    for path in ("log.vkey", "checkpoint", "manifests/0", "manifests/1", "keynotes/0", "keynotes/1"):
        public.files[path] = door.shelves.public.get(path)
    memory = door.publisher._memory  # the state to go on from
    state = memory.state
    index: list[tuple[int, bytes]] = []
    sheets: list[Sheet] = []
    with door.intake.sql.read() as connection:
        tip = tips.read(connection)
    assert tip is not None
    n = Manifest.parse(tip.manifest).n
    while tip.size < leaves:
        n += 1
        built = build_batch(
            batch=n,
            previous=tip,
            state=state,
            letters=[secrets.token_bytes(64) for _ in range(16)],
            notes=[],
            pages={},
            sheet_index=index,
            door=door.directory.door,
            log_seed=door.intake.keys.log,
            read=public.get,
            random=secrets.token_bytes,
        )
        public.files.update({path: body for path, body in built.files.items() if not path.startswith("packs/")})
        state, tip = built.state, built.tip
        if built.sheet is not None:
            index, sheets = [*index, (built.sheet.n, built.sheet.hash)][-84:], [*sheets, built.sheet][-84:]
    public.files["checkpoint"] = tip.checkpoint
    public.files["visit"] = encode_visit(
        build_visit(
            tip=tip,
            recent_first=max(0, tip.size - 18 * 288),
            state=state,
            directories=memory.directories,
            sheets=sheets,
            read=public.get,
        )
    )
    return public


def run(quick: bool) -> Figure:
    """One process."""
    public = published_log(20_000 if quick else 300_000)
    report = verify_log(public.get)
    assert report.ok, report.fault
    whole = best(lambda: verify_log(public.get), 2)
    entries = [secrets.token_bytes(32) for _ in range(report.size)]
    alone = best(lambda: root_of(leaf_hashes(entries)), 2)
    rate, hashing = report.size / whole, report.size / alone
    return Figure(
        "verify: a whole log, one process",
        ("What", "leaves a second", "of hashing alone"),
        (
            ("everything that log verify checks", number(rate), f"{rate / hashing:.0%}"),
            ("hashing leaves and root alone", number(hashing), "100%"),
        ),
        (Goal("leaves a second", rate, 200_000, True),),
        (
            f"{report.size:,} leaves in {report.batches:,} batches with {report.sheets} sheets, files in memory; "
            f"load now {os.getloadavg()[0]:.1f}.",
        ),
    )
