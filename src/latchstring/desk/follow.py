# SPDX-License-Identifier: AGPL-3.0-or-later
"""Following the log: manifests back to the last batch that was opened, then forward, letters and key notes.

What a group of batches brought is stored in one transaction together with how far the log was followed: a crash makes
the next session fetch and open the group again; it never loses one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.answering import keep_asked
from latchstring.desk.changes import forget_old_ids
from latchstring.desk.errors import ServerFault
from latchstring.desk.facts import FactKinds, Reader
from latchstring.desk.identity import Identity
from latchstring.desk.keeping import forget_seen, keep_outcomes, settle, shared_now
from latchstring.desk.keys import note_logged
from latchstring.desk.leaves import Leaves
from latchstring.desk.line import Line
from latchstring.desk.opening import Job, Opener, in_window
from latchstring.desk.presence import is_here
from latchstring.desk.progress import (
    Followed,
    MissingPack,
    keep_followed,
    keep_missing,
)
from latchstring.desk.promises import expire, overdue
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.seen import add_gap
from latchstring.desk.tally import Tally
from latchstring.desk.unopened import forget_unopened, keep_unopened
from latchstring.desk.vault import Vault
from latchstring.log.tree import leaf_hash, leaf_hashes
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.encoding import ProtocolError, decode_cbor, h
from latchstring.protocol.entry import KEY_NOTES, ROOT_NOTES, Kind, entry
from latchstring.protocol.keystate import KeyState, Note, forget, next_state
from latchstring.protocol.manifest import Manifest, manifest_hash

GROUP: Final = 16  # batches stored together: 256 letters at the usual size, a megabyte
_TELL: Final = "Tell the organisation; nothing that came after was believed."
OTHER_LETTERS: Final = (
    "The letters that the server hands out for batch {} are not those that its log holds: one may have been taken out. "
    "Tell the organisation."
)

Step = Callable[[str, int, int], None]
"""Progress: what is being done, how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Link:
    """A manifest of the verified chain, its bytes, and the log's size after it."""

    manifest: Manifest
    raw: bytes = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch as fetched. `here`: whether the directory named us then. `letters`: none when the pack did not come, or
    we were not at the desk yet; `logged`: the leaf hashes that the log has for them; `leaves`: what `same_leaves`
    compares with."""

    link: Link
    notes: tuple[Note, ...] = field(repr=False)
    state: KeyState = field(repr=False)
    gen: int
    here: bool
    letters: tuple[bytes, ...] = field(repr=False)
    leaves: bytes
    logged: tuple[bytes, ...]
    tally: Tally


# --- the chain -----------------------------------------------------------------------------------


def walk_back(line: Line, visit: VerifiedVisit, last: Followed, step: Step) -> tuple[Link, ...]:
    """All batches after `last`, oldest first, each named by the one after it. ServerFault when the chain breaks."""
    links: list[Link] = []
    raw, size = visit.manifest_raw, visit.pin.size
    span = visit.manifest.n - last.batch
    while True:
        manifest = _manifest(raw)
        if manifest.n <= last.batch:
            known = last.manifest is None or manifest_hash(raw) == last.manifest
            if manifest.n != last.batch or not known:
                raise ServerFault("The server's log does not hold a batch that was opened here.", _TELL)
            break
        if manifest.first >= size:
            raise ServerFault("The server's manifests do not fit the log.", _TELL)
        links.append(Link(manifest, raw, size))
        if manifest.previous == NO_HASH:
            if last.batch >= 0:
                raise ServerFault("The server's log does not hold a batch that was opened here.", _TELL)
            break
        if manifest.open >= manifest.n:
            raise ServerFault("The server's manifests are not in order.", _TELL)
        step("manifests", visit.manifest.n - manifest.n, span)
        size = manifest.first
        earlier = line.get(f"/manifests/{manifest.open}")
        if earlier.status != 200 or h(earlier.body) != manifest.previous:
            raise ServerFault(f"The server does not hand out the manifest of batch {manifest.open} as it was.", _TELL)
        raw = earlier.body
        if _manifest(raw).n != manifest.open:
            raise ServerFault("The server's manifests are not in order.", _TELL)
    return tuple(reversed(links))


def _manifest(raw: bytes) -> Manifest:
    try:
        return Manifest.parse(raw)
    except ProtocolError:
        raise ServerFault("The server's log holds a manifest that is none.", _TELL) from None


# --- fetching one batch --------------------------------------------------------------------------


def fetch_pack(line: Line, batch: int, digest: bytes) -> bytes | None:
    """The batch's letters run together, checked against the manifest; None when the server has no such pack."""
    answer = line.signed("GET", f"/v1/packs/{batch}")
    if answer.status != 200 or h(answer.body) != digest or len(answer.body) % c.LETTER_SIZE:
        return None
    return answer.body


def split_pack(pack: bytes) -> tuple[bytes, ...]:
    """The letters of a pack."""
    return tuple(pack[i : i + c.LETTER_SIZE] for i in range(0, len(pack), c.LETTER_SIZE))


def same_leaves(leaves: bytes, letters: Sequence[bytes]) -> bool:
    """Are these letters, in their order, the ones that the log holds? `leaves`: H of their leaf hashes run together."""
    return h(b"".join(leaf_hashes([entry(Kind.LETTER, letter) for letter in letters]))) == leaves


def fetch_notes(line: Line, batch: int) -> tuple[Note, ...]:
    """What the server says are the directories and key notes of a batch; the leaves tell whether it is true."""
    answer = line.get(f"/keynotes/{batch}")
    if answer.status != 200:
        return ()
    try:
        items = decode_cbor(answer.body)
        return tuple(_note(item) for item in items) if isinstance(items, list) else ()
    except ProtocolError:
        return ()


def _note(item: object) -> Note:
    match item:
        case [str(kind), bytes(raw)] if kind in KEY_NOTES or kind in ROOT_NOTES:
            return Kind(kind), raw
        case _:
            raise ProtocolError("not a key note")


def _fetch_batch(
    line: Line, leaves: Leaves, visit: VerifiedVisit, who: Identity, state: KeyState, link: Link
) -> _Batch:
    """One batch with all its leaves checked: letters, then notes, the sheet when one was due, the manifest."""
    manifest = link.manifest
    n = manifest.n
    logged = leaves.hashes(manifest.first, link.size - manifest.first)
    group = fetch_notes(line, n)
    sheet = manifest.previous != NO_HASH and c.sheet_of(n) > c.sheet_of(manifest.open)
    count = len(logged) - len(group) - int(sheet) - 1  # of letters
    if count < 0:
        raise ServerFault(f"Batch {n} of the server's log has fewer entries than it must have.", _TELL)
    if logged[-1] != leaf_hash(entry(Kind.MANIFEST, link.raw)):
        raise ServerFault("The server's manifests do not fit the log.", _TELL)
    try:
        after = next_state(state, n, group, visit.directory.door)
    except ProtocolError:
        raise ServerFault(f"Batch {n} of the server's log holds a key note that breaks the rules.", _TELL) from None
    here = is_here(after.directory, who)
    usual = count == after.directory.policy.letters
    # from before our time we have no key: then the letters are wanted only to tell them from notes kept back
    pack = fetch_pack(line, n, manifest.pack) if here or not usual else None
    letters = split_pack(pack or b"")
    leaves_hash = h(b"".join(logged[:count]))
    same_letters = same_leaves(leaves_hash, letters)
    # leaves that are no letters of the pack are notes kept back, unless there are as many as a batch has letters
    hidden = not same_letters and not usual
    if hidden or logged[count : count + len(group)] != leaf_hashes([entry(kind, raw) for kind, raw in group]):
        raise ServerFault(f"The server does not hand out the key notes of batch {n} as they were logged.", _TELL)
    after = forget(after, c.day_of(n) - c.BODY_DAYS)
    desk = after.directory.desk(who.desk)
    tally = Tally(batches=1, faults=_named_faults(after, manifest))
    if not here:
        pass
    elif pack is None:
        tally = tally.plus(absent(n, visit.manifest.n))
    elif not same_letters:  # what came is opened all the same: a letter proves itself
        tally = tally.plus(Tally(faults=(OTHER_LETTERS.format(n),)))
    kept = letters if here else ()
    own = tuple(logged[:count])
    return _Batch(link, group, after, desk.gen if desk else 0, here, kept, leaves_hash, own, tally)


def _named_faults(state: KeyState, manifest: Manifest) -> tuple[str, ...]:
    n = manifest.n
    faults = []
    if state.current is not None and manifest.directory != state.current.hash:
        faults.append(f"The manifest of batch {n} names another directory than the log holds.")
    if manifest.notes != state.named(n) and c.day_of(n) >= state.knows_from:
        faults.append(f"The manifest of batch {n} names other desk keys than the log's rules choose.")
    return tuple(faults)


def absent(batch: int, newest: int) -> Tally:
    """A pack that did not come: lost when it is older than the server must keep it, else owed."""
    if batch < newest - c.BODY_DAYS * c.TICKS_PER_DAY:
        return Tally(lost=(batch,))
    return Tally(
        missing=(batch,), faults=(f"The server does not hand out the letters of batch {batch}, which it must keep.",)
    )


# --- opening -------------------------------------------------------------------------------------


def counting(state: KeyState, desk: str, gen: int, batch: int) -> dict[bytes, int]:
    """Epochs for which a letter in `batch` counts, by hash of their note with their day: fixed for the desk, their 72
    hours not over.
    """
    today = c.day_of(batch)
    days = (day for day in range(max(0, today - 3), today + 1) if in_window(day, batch))
    found = {day: state.fixed.get((desk, gen, day)) for day in days}
    return {note: day for day, note in found.items() if note is not None}


def jobs_of(opener: Opener, letters: Sequence[bytes], batch: int, counts: frozenset[bytes]) -> list[Job]:
    """A job for each letter of a batch: epochs that count, newest first, then the others that are live.

    Those of days that have not begun are not tried: nobody honest seals to them, and they are two thirds of a vault's.
    """
    begun = [(i, s.note_hash) for i, s in enumerate(opener.secrets) if s.day <= c.day_of(batch)]
    first = tuple(i for i, note in begun if note in counts)
    late = tuple(i for i, note in begun if note not in counts)
    return [Job(letter, first, late) for letter in letters]


def _closed_day(who: Identity, link: Link, held: frozenset[bytes]) -> Tally:
    note = link.manifest.note(who.desk)
    return Tally(closed_days=(c.day_of(link.manifest.n),)) if note is not None and note not in held else Tally()


def open_batches(
    vault: Vault,
    line: Line,
    visit: VerifiedVisit,
    who: Identity,
    last: Followed,
    links: Sequence[Link],
    kinds: FactKinds,
    workers: int,
    step: Step,
) -> tuple[Followed, Tally]:
    """Fetch, open and store batch after batch. What is stored stays stored, whatever happens later."""
    total, tally, at = len(links), Tally(), last
    position = 0
    leaves = Leaves(line, visit)
    reader = Reader(visit.directory.door, who.desk, who.member)
    opener = Opener(epoch_secrets(vault), workers)
    try:
        while position < total:
            group: list[_Batch] = []
            state = at.state
            while position < total and len(group) < GROUP:
                batch = _fetch_batch(line, leaves, visit, who, state, links[position])
                state = batch.state
                group.append(batch)
                position += 1
                step("batches", position, total)
                if batch.notes:
                    break  # they may bring a wrap, whose epoch opens what comes next
            secrets = epoch_secrets(vault)
            if secrets != opener.secrets:
                opener.close()
                opener = Opener(secrets, workers)
            counts = [counting(b.state, who.desk, b.gen, b.link.manifest.n) for b in group]
            jobs = [
                jobs_of(opener, b.letters, b.link.manifest.n, frozenset(some))
                for b, some in zip(group, counts, strict=True)
            ]
            outcomes = opener.open_each([job for batch_jobs in jobs for job in batch_jobs])
            newest = group[-1].link
            at = Followed(newest.manifest.n, manifest_hash(newest.raw), state)
            found = Tally()
            with vault.transaction():
                for directory in {b.state.directory.seq: b.state.directory for b in group}.values():
                    keep_asked(vault, directory, who.desk)
                tried = {secret.note_hash for secret in secrets}
                for batch, some in zip(group, counts, strict=True):
                    n = batch.link.manifest.n
                    found = found.plus(batch.tally)
                    forget_old_ids(vault, c.day_of(n))
                    own = shared_now(vault, kinds, reader, n, batch.logged, frozenset(some))
                    found = found.plus(Tally(shared=own, faults=tuple(b.sentence for b in overdue(vault, n))))
                    opened = [next(outcomes) for _ in batch.letters]
                    found = found.plus(keep_outcomes(vault, kinds, reader, n, opened))
                    note_logged(vault, who, batch.state, n, batch.notes)
                    pack = MissingPack(n, batch.link.manifest.pack, batch.gen, batch.leaves)
                    if batch.tally.missing:
                        keep_missing(vault, pack)
                    if batch.here:
                        keep_unopened(vault, pack, {note: day for note, day in some.items() if note not in tried})
                    found = found.plus(settle(vault))
                forget_seen(vault, at.batch)
                forget_unopened(vault, visit.manifest.n)
                expire(vault, frozenset(counting(state, who.desk, group[-1].gen, at.batch + 1)))
                keep_followed(vault, at)
                held = frozenset(s.note_hash for s in epoch_secrets(vault))
                for batch, some in zip(group, counts, strict=True):
                    if batch.here:
                        found = found.plus(_closed_day(who, batch.link, held))
                    if set(some) - held or batch.tally.lost:  # from before our time, too
                        add_gap(vault, batch.link.manifest.open, batch.link.manifest.n)
            tally = tally.plus(found)
    finally:
        opener.close()
    return at, tally
