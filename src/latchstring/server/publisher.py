# SPDX-License-Identifier: AGPL-3.0-or-later
"""The publisher: closes batches, in an order of writes that a crash at any point cannot turn into a fork or a loss.

1. Take what waits. 2. Build and sign every file. 3. One SQL transaction is the commit point: compare-and-swap the
tip, keep the built files as rows, mark letters and notes as placed. 4. Copy the rows to their final place.
5. Publish the checkpoint, then `/visit`. 6. Drop the rows. `start` runs 4 to 6 for whatever an earlier run left.

With witnesses step 5 waits: 4 and 6 leave a `Candidate`, and `release` publishes it once a quorum has cosigned. Batches
go on closing meanwhile; what is published is always what a quorum has seen, and so may lag behind the tip.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.proof import consistency_proof
from latchstring.log.tiles import hash_at, left_over, root_from_tiles, superseded
from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory, Policy, SignedDirectory, open_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import ROOT_NOTES, Kind
from latchstring.protocol.keystate import KeyState, Note, apply_note, comes_too_late, forget, may_log_key_notes
from latchstring.protocol.root import Door
from latchstring.protocol.sheet import Sheet, parse_sheet
from latchstring.protocol.visit import encode_visit
from latchstring.server.accept import current_roots
from latchstring.server.batch import Built, Random, build_batch, due_sheet, oldest_day
from latchstring.server.candidate import Candidate
from latchstring.server.keys import ServerKeys
from latchstring.server.visit_file import build_visit
from latchstring.store import knocks, letters, notes, pages, tip
from latchstring.store.objects import NoObject, Objects
from latchstring.store.sql import Sql, StoreError
from latchstring.store.tip import Tip, TipMoved

NOTES_AHEAD: Final = c.EPOCH_DAYS_AHEAD + 2  # days: an epoch's note is logged at most that long before its day
_PRIVATE: Final = "packs/"


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where files go: what everyone may fetch, and packs, which only members may."""

    public: Objects
    private: Objects

    def of(self, path: str) -> Objects:
        """The shelf of a file."""
        return self.private if path.startswith(_PRIVATE) else self.public


@dataclass(slots=True)
class _Memory:
    """What the publisher need not read again at every tick; all of it can be made from the store."""

    state: KeyState = field(default_factory=KeyState)
    directories: list[SignedDirectory] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)


def batches_due(last: int | None, present: int, catch_up: int) -> list[int]:
    """Which batches to close now: those missed, one by one, at most `catch_up` of them; then the present one.

    After a gap a receipt's batch is so still kept, and how many are closed does not tell how many letters waited.
    """
    if last is None:
        return [present] if present >= 0 else []
    missed = list(range(last + 1, min(last + catch_up, present) + 1))
    return [*missed, present] if present > last + catch_up else missed


def catch_up_batches(policy: Policy) -> int:
    """As many as a full queue can need, and the two that a promise adds."""
    return -(-policy.queue // policy.letters) + 2


class Publisher:
    """Closes batches of one door on one store. Not for several threads."""

    def __init__(self, sql: Sql, shelves: Shelves, keys: ServerKeys, door: Door) -> None:
        self._sql, self._shelves, self._keys, self._door = sql, shelves, keys, door
        self._memory = _Memory()
        self._candidate: Candidate | None = None

    # --- start ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Finish what an earlier run began, check store and files against each other, read what is needed.

        StoreError, in the operator's words, when they contradict each other: then nothing was changed.
        """
        with self._sql.read() as connection:
            at = tip.read(connection)
            rows = tip.files(connection)
        if at is not None:
            self._remember()
        self._check_published(at, bool(rows))
        for shelf in (self._shelves.public, self._shelves.private):
            shelf.sweep()
        if at is not None:
            self._check_tiles(at, rows)
            self._copy_out(at, rows)
            for path in left_over(list(self._shelves.public.paths("tile")), self._published_size()):
                self._shelves.public.delete(path)  # a crash before they were tidied away

    def _check_tiles(self, at: Tip, rows: dict[str, bytes]) -> None:
        def read(path: str) -> bytes:
            return rows[path] if path in rows else self._shelves.public.get(path)

        try:
            whole = root_from_tiles(at.size, read) == at.root
        except (LogError, NoObject):
            whole = False
        if not whole:
            raise StoreError(
                "Published tiles are missing or damaged at the end of the log. Restore them from a mirror or backup."
            )

    def _check_published(self, at: Tip | None, unfinished: bool) -> None:
        """With witnesses, what is published may lag behind, or not be there yet."""
        witnessed = at is not None and self._memory.state.directory.quorum > 0
        try:
            raw = self._shelves.public.get("checkpoint")
        except NoObject:
            if at is not None and not unfinished and not witnessed:
                raise StoreError(
                    "The database knows a log whose published files are missing. Restore them from a mirror or backup."
                ) from None
            return
        if at is None:
            raise StoreError(
                "There are published files of a log that this database does not know. Starting would fork the log: "
                "restore the database that belongs to them."
            )
        try:
            published = open_checkpoint(raw, self._keys.verifier(_origin(raw)))
        except LogError:
            raise StoreError("The published checkpoint is damaged or not of this server's key.") from None
        if published.size > at.size:
            raise StoreError(
                "The published log is ahead of the database, as after restoring an old backup. Starting would fork "
                "the log: restore the newest database."
            )
        if published.size == at.size and published.root != at.root:
            raise StoreError("The published log and the database disagree at one size. Starting would fork the log.")
        if published.size < at.size and not unfinished:
            if not witnessed:
                raise StoreError("Published files are older than the database. Restore them from a mirror or backup.")
            self._check_lagging(published)

    def _check_lagging(self, published: Checkpoint) -> None:
        """Is what was published last a beginning of this log? Its partial tiles are kept until the next release."""
        try:
            same = root_from_tiles(published.size, self._shelves.public.get) == published.root
        except (LogError, NoObject):
            same = False
        if not same:
            raise StoreError(
                "The published checkpoint is not a beginning of the database's log. Starting would fork the log: "
                "restore what belongs together."
            )

    def _remember(self) -> None:
        """Read the key state and the last sheets from the store. StoreError when they do not fit together."""
        memory = _Memory()
        with self._sql.read() as connection:
            logged = notes.logged(connection)
            index = tip.last_sheets(connection, c.SHEETS_KEPT)
            at = tip.read(connection)
            rows = tip.files(connection)
            chosen = notes.all_fixed(connection)
        state = KeyState()
        for row in logged:
            kind = Kind(row.kind)
            try:
                state = apply_note(state, kind, row.body, self._door)
                if kind is Kind.DIRECTORY and state.current is not None:
                    memory.directories.append(state.current)
            except ProtocolError:
                if kind not in (Kind.SIGNATURE, Kind.WRAP):  # those of a note which is forgotten by now
                    raise StoreError(
                        "The database holds notes that this door did not log. Restore it from a backup, and see that "
                        "the configuration names the right door."
                    ) from None
        if at is not None:
            state = replace(state, batch=at.batch, fixed=chosen)
            memory.state = forget(state, oldest_day(at.batch, index))
        for number, digest in index:
            path = f"sheets/{number}"
            try:
                sheet = parse_sheet(rows[path] if path in rows else self._shelves.public.get(path))
            except (NoObject, ProtocolError):
                sheet = None
            if sheet is None or sheet.hash != digest:
                raise StoreError(
                    f"The published sheet {number} is missing or damaged. Restore it from a mirror or backup."
                )
            memory.sheets.append(sheet)
        self._memory = memory

    # --- closing -------------------------------------------------------------------------------------

    def policy(self) -> Policy | None:
        """The door's figures; of the waiting directory before the first batch; None when there is no directory."""
        if self._memory.directories:
            return self._memory.directories[-1].directory.policy
        with self._sql.read() as connection:
            row = notes.newest(connection, Kind.DIRECTORY, in_log=False)
            roots = current_roots(connection, self._door, in_log=False)
        return open_directory(row.body, roots).directory.policy if row else None

    def last_batch(self) -> int | None:
        """The number of the newest batch."""
        with self._sql.read() as connection:
            at = tip.read(connection)
        return at.batch if at else None

    def run_due(self, now: int, random: Random) -> list[int]:
        """Close every batch that is due at `now` (Unix seconds); their numbers. None while the clock is behind."""
        policy = self.policy()
        if policy is None:
            return []
        due = batches_due(self.last_batch(), policy.batch_at(now), catch_up_batches(policy))
        for batch in due:
            self.close(batch, random)
        return due

    def ticks_behind(self, now: int) -> int:
        """By how many ticks the clock is behind the newest batch (0: it is not): until then nothing closes."""
        policy, last = self.policy(), self.last_batch()
        return 0 if policy is None or last is None else max(0, last - policy.batch_at(now))

    def resume(self) -> None:
        """Finish a batch that is committed and not wholly published; read again what another run or an unheard
        commit has changed. Does nothing when there is nothing to finish.
        """
        with self._sql.read() as connection:
            at = tip.read(connection)
            rows = tip.files(connection)
        if at is None:
            return
        if at.batch != self._memory.state.batch:
            self._remember()
        if rows:
            self._copy_out(at, rows)

    def close(self, batch: int, random: Random) -> None:
        """Close one batch.

        StoreFailed: nothing of it was kept, or all, and the next `close` or `start` finishes it. TipMoved: another
        publisher was quicker, and nothing of ours was kept.
        """
        self.resume()
        state = self._memory.state
        with self._sql.write() as connection:
            before = tip.read(connection)
            if (-1 if before is None else before.batch) != state.batch or batch <= state.batch:
                raise TipMoved
            group, ids, useless, after = self._notes_for(connection, batch)
            directory = after.directory
            most = max(directory.policy.letters, letters.due(connection, batch))
            waiting = letters.oldest(connection, most)
            sheet = due_sheet(before, batch)
            uploaded = pages.of_sheet(connection, sheet) if sheet is not None else {}
            built = build_batch(
                batch=batch,
                previous=before,
                state=state,
                letters=[w.body for w in waiting],
                notes=group,
                pages=_owned(uploaded, directory),
                sheet_index=tip.last_sheets(connection, c.SHEETS_KEPT),
                door=self._door,
                log_seed=self._keys.log,
                read=self._shelves.public.get,
                random=random,
            )
            self._commit(connection, built, before, [w.id for w in waiting], ids)
            notes.drop(connection, useless)
        self._after_commit(built, group)
        self._copy_out(built.tip, built.files)
        self._tidy(built, before)

    def _notes_for(self, connection: Connection, batch: int) -> tuple[list[Note], list[int], list[int], KeyState]:
        """The notes that go into `batch`, their rows, the rows of those that had their chance, the state with them."""
        rows = notes.waiting(connection)
        with_directory = any(row.kind in ROOT_NOTES for row in rows)
        if not may_log_key_notes(self._memory.state, batch, with_directory):
            rows = []
        group: list[Note] = []
        ids: list[int] = []
        useless: list[int] = []
        state = self._memory.state
        for row in rows:
            note = (Kind(row.kind), row.body)
            try:
                after = apply_note(state, *note, self._door)
                if comes_too_late(after, *note, batch):  # members may have forgotten its epoch
                    raise ProtocolError("a signature or wrap that helps nobody any more")
                state = after
            except ValueError:
                if row.day < c.day_of(batch):  # a removed member's, say; one of today may wait for what it needs
                    useless.append(row.id)
                continue
            group.append(note)
            ids.append(row.id)
        if state.rotating:  # taken together with its directory, and yet that does not count: neither does
            raise StoreError("The database holds a root rotation without its directory. Restore it from a backup.")
        return group, ids, useless, state

    def _commit(
        self, connection: Connection, built: Built, before: Tip | None, letter_ids: list[int], note_ids: list[int]
    ) -> None:
        tip.swap(connection, before, built.tip)
        tip.add_files(connection, built.files)
        tip.add_batch(connection, built.tip.batch, built.first, c.VISIT_BATCHES)
        letters.place(connection, letter_ids, built.tip.batch)
        notes.place(connection, note_ids, built.tip.batch)
        known = self._memory.state.fixed
        notes.fix(connection, {k: v for k, v in built.state.fixed.items() if k not in known})
        if built.sheet is not None:
            tip.add_sheet(connection, built.sheet.n, built.sheet.hash)
            pages.drop_through(connection, built.sheet.n)

    def _after_commit(self, built: Built, group: list[Note]) -> None:
        memory = self._memory
        memory.state = built.state
        roots = built.state.roots
        memory.directories += [open_directory(raw, roots) for kind, raw in group if kind is Kind.DIRECTORY]
        if built.sheet is not None:
            memory.sheets = [*memory.sheets, built.sheet][-c.SHEETS_KEPT :]

    def _copy_out(self, at: Tip, files: dict[str, bytes]) -> None:
        """Steps 4 to 6: the same for a batch just committed and for one that a crash left."""
        for path, body in files.items():
            self._shelves.of(path).put(path, body)
        directory = self._memory.state.directory
        if files and not directory.quorum:
            self._shelves.public.put("checkpoint", at.checkpoint)
        with self._sql.read() as connection:
            recent = tip.recent_first(connection)
        visit = build_visit(
            tip=at,
            recent_first=recent,
            state=self._memory.state,
            directories=self._memory.directories,
            sheets=self._memory.sheets,
            read=self._shelves.public.get,
        )
        if directory.quorum:
            self._candidate = Candidate(at.size, visit, directory)
        else:
            self._candidate = None
            self._shelves.public.put("visit", encode_visit(visit))
        with self._sql.write() as connection:
            tip.drop_files(connection, files)

    # --- releasing what witnesses cosigned -------------------------------------------------------------

    @property
    def candidate(self) -> Candidate | None:
        """What waits for the witnesses: the newest batch, until it is published."""
        return self._candidate

    def prove(self, old: int, candidate: Candidate) -> list[bytes]:
        """The consistency proof from the log of `old` leaves to the candidate's. LogError when it was never so long."""
        return consistency_proof(old, candidate.size, hash_at(candidate.size, self._shelves.public.get))

    def release(self, candidate: Candidate, checkpoint: bytes) -> bool:
        """Publish a candidate under its checkpoint with cosignatures; False when they are too few, or newer is out.

        StoreFailed: release it again; only whole files are replaced, and each belongs to this log.
        """
        public = self._shelves.public
        if not candidate.holds(checkpoint):
            return False
        before = self._published_size()
        if before > candidate.size:
            return False
        public.put("checkpoint", checkpoint)
        public.put("visit", encode_visit(replace(candidate.visit, checkpoint=checkpoint)))
        self._tidy_tiles(candidate.size, before)
        if self._candidate is candidate:
            self._candidate = None
        return True

    def _published_size(self) -> int:
        """Leaves of the log as it was published last; 0 before."""
        try:
            raw = self._shelves.public.get("checkpoint")
        except NoObject:
            return 0
        return open_checkpoint(raw, self._keys.verifier(_origin(raw))).size

    def _tidy_tiles(self, size: int, before: int) -> None:
        """Remove partial tiles whose full tile is there."""
        public = self._shelves.public
        for tile in superseded(size, before):
            for path in list(public.paths(f"{tile}.p")):
                public.delete(path)

    def _tidy(self, built: Built, before: Tip | None) -> None:
        """Remove partial tiles, unless what is published still lags; once a day, bodies past their retention."""
        if before is None:
            return
        if self._candidate is None:
            self._tidy_tiles(built.tip.size, before.size)
        if c.day_of(built.tip.batch) > c.day_of(before.batch):
            edge = built.tip.batch - c.BODY_DAYS * c.TICKS_PER_DAY
            with self._sql.write() as connection:
                letters.prune(connection, edge)
                knocks.prune(connection, c.day_of(built.tip.batch) - c.KNOCK_DAYS + 1)
                index = tip.last_sheets(connection, c.SHEETS_KEPT)
                day = oldest_day(built.tip.batch, index)
                notes.prune(connection, (day - NOTES_AHEAD) * c.TICKS_PER_DAY, day)
            for path in list(self._shelves.private.paths("packs")):
                if int(path.removeprefix(_PRIVATE)) < edge:
                    self._shelves.private.delete(path)


def _owned(uploaded: Mapping[int, tuple[str, bytes]], directory: Directory) -> dict[int, bytes]:
    """The pages whose uploader still owns their place, with the same keys."""
    marks = {member.id: member.keys_mark for desk in directory.desks for member in desk.members}
    owners = {number: marks[page.member] for number, page in enumerate(directory.pages)}
    return {page: body for page, (owner, body) in uploaded.items() if owners.get(page) == owner}


def _origin(checkpoint: bytes) -> str:
    return checkpoint.split(b"\n", 1)[0].decode("utf-8", "replace")
