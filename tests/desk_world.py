# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door, a desk and sources in one process: the server's own core in memory, a clock that is a number."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.client.visit import VerifiedVisit, check_visit
from latchstring.desk.identity import Identity, keep_identity
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import Cost, Vault, create_vault, open_vault
from latchstring.protocol.letter import LetterBody, seal_letter
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.reply import OpenedReply, Place, open_reply, reply_tag
from latchstring.protocol.source_keys import SourceKeys, source_keys
from latchstring.server.accept import Intake, accept_directory
from latchstring.server.api import Api, Request
from latchstring.server.keys import ServerKeys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store.objects import MemoryObjects
from latchstring.store.sql import Sql, open_sqlite
from tests.builders import Founding, Stream, found, successor
from tests.faults import copy_of

CHEAP = Cost(64, 1)  # Argon2id's cost in tests
PASSPHRASE = "correct horse battery staple"


class World:
    """One door. `now` is Unix seconds; `batch` the newest closed one."""

    def __init__(self, founding: Founding | None = None) -> None:
        made = founding or found()
        self.founding = replace(made, directory=replace(made.directory, expires=144 * 90))
        self.random = Stream("world")
        self.policy = self.founding.directory.policy
        self.keys = ServerKeys(made.log_seed, made.receipt_seed, made.request_seed)
        self.public, self.private = MemoryObjects(), MemoryObjects()
        self._serve(open_sqlite(None))
        self.batch = -1
        accept_directory(self.intake, self.founding.signed, self.policy.started)

    def copy(self) -> "World":
        """The same door with a store of its own; both go their ways from here."""
        other = object.__new__(World)
        other.founding, other.policy, other.keys, other.batch = self.founding, self.policy, self.keys, self.batch
        other.random = Stream(f"world again {self.batch}")
        other.public, other.private = MemoryObjects(), MemoryObjects()
        other.public.files, other.private.files = dict(self.public.files), dict(self.private.files)
        other._serve(copy_of(self.intake.sql))
        return other

    def _serve(self, sql: Sql) -> None:
        self.shelves = Shelves(self.public, self.private)
        self.intake = Intake(sql, self.keys, self.founding.door)
        self.publisher = Publisher(sql, self.shelves, self.keys, self.founding.door)
        self.publisher.start()
        self.api = Api(self.intake, self.shelves)

    @property
    def now(self) -> int:
        return self.policy.closes_at(self.batch) + 1

    def close(self, *batches: int) -> None:
        """Close these batches (default: the next)."""
        for batch in batches or (self.batch + 1,):
            self.publisher.close(batch, self.random)
            self.batch = batch

    def renew(self, **changes: object) -> None:
        """The next directory, for ninety days from now; it is logged with the next batch."""
        changes.setdefault("expires", max(0, self.batch) + 144 * 90)
        changes.setdefault("issued", max(0, self.batch))
        self.founding = successor(self.founding, **changes)
        accept_directory(self.intake, self.founding.signed, self.now)

    def visit(self) -> VerifiedVisit:
        raw = self.shelves.public.get("visit")
        return check_visit(raw, lambda door: door == self.founding.door, self.now, None)

    def transport(self) -> "LocalTransport":
        return LocalTransport(self)

    def write(self, source: "Source", text: str, *, read: tuple[bytes, ...] = (), msg_id: bytes | None = None) -> bytes:
        """A source writes as the newest /visit says; the letter's id."""
        note = self.visit().note(source.keys.desk)
        assert note is not None, "the desk is not open"
        chosen = msg_id or self.random(16)
        self.post(seal_letter(source.keys, note, chosen, LetterBody("en", "client", text, read)))
        return chosen

    def post(self, letter: bytes) -> None:
        answer = self.api.handle(Request("POST", "/v1/letters", body=letter), "door.example", self.now)
        assert answer.status == 201


class Source:
    """Somebody with a passphrase."""

    def __init__(self, world: World, seed: str, desk: str = "news") -> None:
        self.keys: SourceKeys = source_keys(Stream(seed)(32), world.founding.door, desk)

    def replies(self, world: World) -> list[OpenedReply]:
        """All that the sheets in /visit hold for this source, the plain slow way."""
        found = []
        visit = world.visit()
        for sheet in visit.sheets:
            for page, head in enumerate(sheet.heads):
                if head.desk != self.keys.desk or head.note not in visit.notes:
                    continue
                pair = pair_of_source(self.keys, visit.notes[head.note])
                for number in range(head.slots):
                    place, slot = Place(sheet.n, page, sheet.r(page), number), sheet.slot(page, number)
                    if slot[:16] == reply_tag(pair.key("tag"), place):
                        found.append(open_reply(pair, self.keys.open_key, place, slot))
        return found


Meddle = Callable[[str, str, Response], Response]


class LocalTransport:
    """Straight into the server's endpoints. `requests` are remembered; `meddle` may change answers; `fail` cuts the
    line before (or, with `after`, once the server has acted) at the n-th request from now."""

    authority = "door.example"

    def __init__(self, world: World) -> None:
        self._world = world
        self.requests: list[tuple[str, str, int]] = []
        self.meddle: Meddle = lambda _method, _path, answer: answer
        self.fail: int | None = None
        self.after = False
        self.before_request: Callable[[str, str], None] = lambda _method, _path: None

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        self.before_request(method, path)
        self.requests.append((method, path, len(body)))
        cut = self.fail is not None and self.fail <= 0
        if self.fail is not None:
            self.fail -= 1
        if cut and not self.after:
            raise NetworkFailed("cut before the server heard")
        request = Request(method, path, query, dict(headers or {}), body)
        answer = self._world.api.handle(request, self.authority, self._world.now)
        raw = answer.body
        if answer.file is not None:
            try:
                raw = self._world.shelves.public.get(answer.file)
            except KeyError:
                return self.meddle(method, path, Response(404, b"There is nothing here.\n"))
        if cut:
            raise NetworkFailed("cut before the answer came")
        return self.meddle(method, path, Response(answer.status, raw))


class DeskAt:
    """A member at their vault."""

    def __init__(self, world: World, folder: Path, desk: str = "news", vault: type[Vault] = Vault) -> None:
        self.world = world
        self.path = folder / f"{desk}.vault"
        self.random = Stream(f"desk-{desk}")
        keys = world.founding.member(desk)
        created = create_vault(self.path, PASSPHRASE, self.random, CHEAP)
        self.who = Identity("words", desk, keys.id, ("http://door.example",), keys.sign_seed, keys.request_seed)
        keep_identity(created, self.who)
        created.close()
        self.vault = self.reopen(vault)
        self.transport = world.transport()

    def reopen(self, vault: type[Vault] = Vault) -> Vault:
        opened = open_vault(self.path, PASSPHRASE, CHEAP)
        opened.__class__ = vault  # a subclass that fails on purpose
        return opened

    def copy(self, world: World, folder: Path, vault: type[Vault] = Vault) -> "DeskAt":
        """The same member at a copy of their vault, with other randomness to come."""
        other = object.__new__(DeskAt)
        other.world, other.who, other.path = world, self.who, folder / self.path.name
        other.path.write_bytes(self.path.read_bytes())
        other.random = Stream(f"{self.path.name} again {world.batch}")
        other.vault = other.reopen(vault)
        other.transport = world.transport()
        return other

    def sync(self, vault: Vault | None = None) -> SyncReport:
        world = self.world
        return synchronise(
            vault or self.vault,
            self.transport,
            lambda door: door == world.founding.door,
            lambda: world.now,
            self.random,
        )


def open_desk(world: World, folder: Path, desk: str = "news") -> DeskAt:
    """The founding as section 4 of the protocol tells it: after three batches the desk is open, its pages are up."""
    at = DeskAt(world, folder, desk)
    world.close()
    at.sync()
    world.close()
    at.sync()
    world.close()
    report = at.sync()
    assert report.desk_open
    return at
