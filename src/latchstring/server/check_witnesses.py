# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the witnesses say: each is asked, as after a batch, for its cosignature of the newest checkpoint."""

import time
from dataclasses import dataclass
from typing import Final

from latchstring.log.cosignature import witnessed
from latchstring.log.errors import LogError
from latchstring.log.note import parse_note
from latchstring.log.proof import consistency_proof
from latchstring.log.tiles import hash_at
from latchstring.protocol.directory import Directory
from latchstring.protocol.visit import Visit
from latchstring.server.asking import Post
from latchstring.server.candidate import Candidate
from latchstring.server.cosigning import ROUND_SECONDS, Cosigning
from latchstring.store.objects import NoObject, Objects
from latchstring.store.tip import Tip

_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class WitnessFinding:
    """`ok` is False when something must be done."""

    ok: bool
    text: str


def ask_witnesses(at: Tip, directory: Directory, public: Objects, post: Post) -> list[WitnessFinding]:
    """One finding for each witness, one for the quorum, one when what is published lags behind."""
    if not directory.witnesses:
        return []
    visit = Visit(at.checkpoint, (), (), (), at.manifest, (), (), ())
    candidate = Candidate(at.size, visit, directory)

    def prove(old: int, _candidate: Candidate) -> list[bytes]:
        return consistency_proof(old, at.size, hash_at(at.size, public.get))

    cosigning = Cosigning(post, prove, time.time, time.monotonic, grace=ROUND_SECONDS)
    cosigning.step(candidate)
    while cosigning.busy:
        cosigning.step(candidate)
        time.sleep(_STEP)
    good = 0
    found = []
    for witness in directory.witnesses:
        told = cosigning.last[witness.name]
        good += not told.trouble
        found.append(WitnessFinding(not told.trouble, f"Witness '{witness.name}' {told.trouble or 'cosigns'}."))
    many = f"{good} of {len(directory.witnesses)} witnesses cosign, and {directory.quorum} must"
    found.append(
        WitnessFinding(True, f"{many}.")
        if good >= directory.quorum
        else WitnessFinding(False, f"{many}: nothing new is published, and after a day nobody can read or write.")
    )
    return [*found, *_lag(at, directory, public)]


def _lag(at: Tip, directory: Directory, public: Objects) -> list[WitnessFinding]:
    try:
        raw = public.get("checkpoint")
        if parse_note(raw).text == parse_note(at.checkpoint).text:
            held = witnessed(raw, directory.witnesses)
            return [WitnessFinding(True, f"What is published is the newest batch, cosigned by {len(held)}.")]
    except (NoObject, LogError):
        return [WitnessFinding(False, "Nothing is published yet: it waits for the witnesses.")]
    return [WitnessFinding(True, "The newest batch waits for the witnesses; what is published is an earlier one.")]
