# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copies of the published log, compared with one's own by the log's own proofs: which is ahead, and is it one log?"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import BadProof, LogError
from latchstring.log.note import VerifierKey
from latchstring.log.proof import consistency_proof, verify_consistency
from latchstring.log.tiles import hash_at
from latchstring.server.backup_check import Read
from latchstring.store.sql import StoreError


@dataclass(frozen=True, slots=True)
class Mirror:
    """A place with published files, named as the operator named it. `read` raises KeyError or OSError."""

    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mirror shows now: a checkpoint that the log's key has signed."""

    mirror: Mirror
    checkpoint: Checkpoint
    raw: bytes = field(repr=False)


class Forked(StoreError):
    """Two logs under one key."""


def look(mirror: Mirror, key: VerifierKey) -> Seen:
    """The newest checkpoint of a mirror; StoreError when there is none of this log."""
    try:
        raw = mirror.read("checkpoint")
    except (KeyError, OSError):
        raise StoreError(
            f"'{mirror.name}' gives no checkpoint, so that it cannot be compared. Try again, or name another copy of "
            "the published files."
        ) from None
    try:
        return Seen(mirror, open_checkpoint(raw, key), raw)
    except LogError:
        raise StoreError(f"'{mirror.name}' shows a checkpoint that this log's key did not sign.") from None


def same_log(older: Checkpoint, newer: Checkpoint, tiles: Read, names: tuple[str, str]) -> None:
    """Does the log of `newer`, whose tiles are read, begin with that of `older`? Forked when not; StoreError when the
    tiles do not give a proof. `names`: where each was seen.
    """
    try:
        proof = consistency_proof(older.size, newer.size, hash_at(newer.size, tiles))
    except (LogError, KeyError, OSError):
        raise StoreError(f"'{names[1]}' lacks tiles of its newest log, so that it cannot be compared.") from None
    try:
        verify_consistency(older.size, older.root, newer.size, newer.root, proof)
    except BadProof:
        raise Forked(
            f"'{names[0]}' (at {older.size} leaves) and '{names[1]}' (at {newer.size}) do not show one log: one of "
            "them is damaged, or the log was forked before. Keep copies of both as evidence."
        ) from None


def compare(own: Checkpoint, tiles: Read, mirrors: Sequence[Mirror], key: VerifierKey) -> list[Seen]:
    """What each mirror shows, longest first, once all of them and our own are one log. StoreError otherwise."""
    seen = sorted((look(mirror, key) for mirror in mirrors), key=lambda s: -s.checkpoint.size)
    us = "the backup"
    longest = seen[0] if seen and seen[0].checkpoint.size > own.size else None
    for one in seen:
        if one is not longest:
            if longest is None:
                same_log(one.checkpoint, own, tiles, (one.mirror.name, us))
            else:
                names = (one.mirror.name, longest.mirror.name)
                same_log(one.checkpoint, longest.checkpoint, longest.mirror.read, names)
    if longest is not None:
        same_log(own, longest.checkpoint, longest.mirror.read, (us, longest.mirror.name))
    return seen
