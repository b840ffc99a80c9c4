# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole system in one process, as values: a server on a store in memory, desks with real vaults, sources with a
passphrase, a clock that jumps, and a network that loses, repeats and delays, and on which everything is overheard.

Time moves only when a test says so: `tick` lets the publisher do what is due, `close` closes one batch and skips
those before it, as a door does that stood still.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from latchstring.client.door import fetch_visit
from latchstring.client.pin import Pin
from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.client.visit import VerifiedVisit
from latchstring.desk.identity import Identity, keep_identity
from latchstring.desk.letters import letters, mark_opened
from latchstring.desk.replies import Reply as DeskReply
from latchstring.desk.replies import write_reply
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import Cost, Vault, create_vault, open_vault
from latchstring.protocol.directory import Desk as DirectoryDesk
from latchstring.protocol.directory import PageOwner, Policy
from latchstring.protocol.passphrase import Passphrase, generate
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import SourceKeys, seed_of, source_keys
from latchstring.server.accept import accept_directory
from latchstring.server.api import Api, Request
from latchstring.server.publisher import Shelves
from latchstring.source.acts import Sent, change, compose, read_thread, seal, send
from latchstring.source.sending import TRIES, knocks_for, may_knock
from latchstring.source.thread import Reply
from latchstring.store.sql import open_sqlite
from tests.builders import Founding, MemberKeys, Stream, found, rotated, successor
from tests.faults import Core, FaultyObjects, FaultySql, Fuse

CHEAP: Final = Cost(64, 1)  # Argon2id's cost in tests
VAULT_PASSPHRASE: Final = "seven sleepy otters"
AUTHORITY: Final = "door.example"
_EXPIRY_DAYS: Final = 90

Fate = Literal["pass", "drop", "cut", "twice", "late"]
"""What the network does with a request: lose it before the server heard, cut the line after the server took it,
deliver it twice, or keep it back (the sender hears nothing) until `World.deliver_late`."""


@dataclass(frozen=True)
class Crossing:
    """One request and its answer, as whoever listens on the line or runs the server has them. `status` 0: none came."""

    who: str
    at: int  # Unix seconds
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    answer: bytes

    @property
    def shape(self) -> tuple[str, str, int]:
        """What is left when content is not looked at."""
        return self.method, self.path, len(self.body)

    @property
    def sent(self) -> bytes:
        """All that the sender put on the line."""
        head = "\n".join((self.method, self.path, self.query, *(f"{k}: {v}" for k, v in self.headers)))
        return head.encode() + b"\n" + self.body


class Unanswered(Exception):
    """The server is down."""


class World:
    """One door and everything around it. `now`: the true time, Unix seconds."""

    def __init__(self, *desks: str, seed: str = "door", each: int = 1, **policy: int) -> None:
        """`each`: members of each desk, "news-1", "news-2" and so on."""
        figures = {"letters": 2, "queue": 8, "slots": 1, **policy}
        made = found(seed, desks or ("news",), 600, each, **figures)
        made = replace(made, directory=replace(made.directory, expires=_EXPIRY_DAYS * 144))
        fuse = Fuse()
        shelves = Shelves(FaultyObjects(fuse), FaultyObjects(fuse))
        self.core = Core(made, fuse, FaultySql(open_sqlite(None), fuse), shelves, Stream(f"server {seed}"))
        self.now = self.policy.started
        self.up = True
        self.traffic: list[Crossing] = []
        self.late: list[tuple[str, Request]] = []
        self.start()
        accept_directory(self.core.intake, made.signed, self.now)

    # --- the server ----------------------------------------------------------------------------------

    @property
    def founding(self) -> Founding:
        return self.core.founding

    @property
    def policy(self) -> Policy:
        return self.core.founding.directory.policy

    @property
    def door(self) -> Door:
        return self.core.founding.door

    @property
    def batch(self) -> int:
        """The newest closed batch."""
        return self.core.batch

    def start(self) -> None:
        """A new process on the same store."""
        self.core.restart()
        self.core.publisher.start()
        self.api = Api(self.core.intake, self.core.shelves)
        self.up = True

    def tick(self, ticks: int = 1) -> list[int]:
        """Let time pass and, if the server runs, the publisher close what is due; the batches it closed."""
        closed = []
        for _ in range(ticks):
            self.now = self.policy.closes_at(self.policy.batch_at(self.now) + 1)
            if self.up:
                closed += self.core.publisher.run_due(self.now, self.core.random)
        return closed

    def close(self, *batches: int) -> None:
        """Close these batches at their time (default: the next), none between."""
        for batch in batches or (self.batch + 1,):
            self.now = self.policy.closes_at(batch) + 1
            self.core.publisher.close(batch, self.core.random)

    def pass_time(self, ticks: int) -> None:
        """The server does nothing."""
        self.now += ticks * self.policy.tick

    def renew(self, **changes: object) -> None:
        """The organisation signs its next directory; it is in force with the next batch."""
        changes.setdefault("expires", max(0, self.batch) + _EXPIRY_DAYS * 144)
        changes.setdefault("issued", max(0, self.batch))
        self.core.founding = successor(self.founding, **changes)
        accept_directory(self.core.intake, self.founding.posted, self.now)

    def rotate(self, seed: str = "new roots", **changes: object) -> None:
        """The organisation hands over to new root keys, which sign its next directory."""
        changes.setdefault("expires", max(0, self.batch) + _EXPIRY_DAYS * 144)
        changes.setdefault("issued", max(0, self.batch))
        self.core.founding = rotated(self.founding, seed, **changes)
        accept_directory(self.core.intake, self.founding.posted, self.now)

    def add_member(self, member: str, desk: str = "news") -> None:
        """The organisation adds somebody (or gives an id other keys: then gen rises) and a page for them."""
        keys = Stream(f"{member} {len(self.founding.members)}")
        made = MemberKeys(member, desk, keys(32), keys(32))
        d = self.founding.directory
        found = d.desk(desk)
        assert found is not None
        others = tuple(m for m in found.members if m.id != member)
        gen = d.seq + 1 if len(others) < len(found.members) else found.gen
        pages = (*(p for p in d.pages if p.member != member), PageOwner(desk, member))
        self.core.founding = replace(self.founding, members=(*self.founding.members, made))
        self.renew(desks=self._desks(replace(found, gen=gen, members=(*others, made.public))), pages=pages)

    def remove_member(self, member: str) -> None:
        """The organisation removes somebody; their pages go to the first who is left."""
        self.renew(**self.without(member))

    def without(self, member: str) -> dict[str, object]:
        """What the directory without them changes."""
        d = self.founding.directory
        found = d.member(member)
        assert found is not None
        desk = replace(found[0], gen=d.seq + 1, members=tuple(m for m in found[0].members if m.id != member))
        pages = tuple(PageOwner(desk.id, desk.members[0].id) if p.member == member else p for p in d.pages)
        return {"desks": self._desks(desk), "pages": pages}

    def _desks(self, changed: DirectoryDesk) -> tuple[DirectoryDesk, ...]:
        return tuple(changed if d.id == changed.id else d for d in self.founding.directory.desks)

    def answer(self, request: Request) -> Response:
        """What the server answers now."""
        if not self.up:
            raise Unanswered
        answer = self.api.handle(request, AUTHORITY, self.now)
        if answer.file is None:
            return Response(answer.status, answer.body)
        try:
            return Response(answer.status, self.core.public.get(answer.file))
        except KeyError:
            return Response(404, b"There is nothing here.\n")

    def deliver_late(self) -> list[Response]:
        """What the network kept back reaches the server now."""
        held, self.late = self.late, []
        return [self.answer(request) for _, request in held]

    def is_door(self, door: bytes) -> bool:
        """As somebody checks who has the printed card."""
        return door == self.door

    def copy(self) -> "World":
        """The same door with a store of its own; both go their ways from here."""
        other = object.__new__(World)
        other.core, other.now = self.core.copy(), self.now
        other.traffic, other.late = list(self.traffic), list(self.late)
        other.start()
        return other

    # --- what an attacker has -------------------------------------------------------------------------

    def disk(self) -> bytes:
        """All that the server stores: database, published files, packs, and its private keys."""
        files = b"".join(
            path.encode() + body
            for shelf in (self.core.public, self.core.private)
            for path, body in sorted(shelf.files.items())
        )
        dump = "\n".join(self.core.sql.dump())
        blobs = b"\n".join(bytes.fromhex(found) for found in re.findall(r"X'([0-9A-F]*)'", dump))
        return dump.encode() + blobs + files + self.core.keys.encode()

    def overheard(self) -> bytes:
        """All that crossed the network, both ways."""
        return b"".join(crossing.sent + crossing.answer for crossing in self.traffic)


Meddle = Callable[[Request, Response], Response]


def _honest(_request: Request, answer: Response) -> Response:
    return answer


class Wire:
    """One person's way to the door: a `Transport`. `fates` are used up, one a request; then everything passes.

    `meddle` sees each request with the honest answer and gives what arrives.
    """

    authority = AUTHORITY

    def __init__(self, world: World, who: str) -> None:
        self._world, self._who = world, who
        self.fates: list[Fate] = []
        self.meddle: Meddle = _honest

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        request = Request(method, path, query, dict(headers or {}), body)
        fate = self.fates.pop(0) if self.fates else "pass"
        answer: Response | None = None
        try:
            if fate == "late":
                self._world.late.append((self._who, request))
            elif fate != "drop":
                answer = self.meddle(request, self._world.answer(request))
                if fate == "twice":
                    self._world.answer(request)
                if fate == "cut":
                    answer = None
        except Unanswered:
            pass
        self._overhear(request, answer)
        if answer is None:
            raise NetworkFailed("no answer")
        return answer

    def _overhear(self, request: Request, answer: Response | None) -> None:
        self._world.traffic.append(
            Crossing(
                self._who,
                self._world.now,
                request.method,
                request.path,
                request.query,
                tuple(sorted(request.headers.items())),
                request.body,
                answer.status if answer else 0,
                answer.body if answer else b"",
            )
        )


class Desk:
    """A member at their vault. `skew`: by how many seconds their clock is ahead; `name`: the desk's."""

    def __init__(self, world: World, folder: Path, desk: str = "news", member: str | None = None) -> None:
        """`member`: their id; the desk's first if left out."""
        keys = world.founding.keys_of(member) if member else world.founding.member(desk)
        self.world, self.name, self.member, self.skew = world, desk, keys.id, 0
        label = f"{desk} {member}" if member else desk
        self.path = folder / f"{label.replace(' ', '-')}.vault"
        self.random = Stream(f"desk {label}")
        folder.mkdir(parents=True, exist_ok=True)
        with create_vault(self.path, VAULT_PASSPHRASE, self.random, CHEAP) as created:
            who = Identity("words", desk, keys.id, ("http://door.example",), keys.sign_seed, keys.request_seed)
            keep_identity(created, who)
        self.vault: Vault = open_vault(self.path, VAULT_PASSPHRASE, CHEAP)
        self.wire = Wire(world, f"desk {label}")
        self.memos = False  # are any sent?

    def copy(self, world: World, folder: Path) -> "Desk":
        """The same member at a copy of their vault, with other randomness to come."""
        other = object.__new__(Desk)
        other.world, other.name, other.member, other.skew = world, self.name, self.member, self.skew
        other.path = folder / self.path.name
        other.path.write_bytes(self.path.read_bytes())
        other.random = Stream(f"desk {self.name} {self.member} again")
        other.vault = open_vault(other.path, VAULT_PASSPHRASE, CHEAP)
        other.wire = Wire(world, f"desk {self.name}")
        other.memos = self.memos
        return other

    def clock(self) -> int:
        return self.world.now + self.skew

    def sync(self) -> SyncReport:
        memos = self.fresh if self.memos else None
        return synchronise(self.vault, self.wire, self.world.is_door, self.clock, self.random, memos=memos)

    @contextmanager
    def fresh(self) -> Iterator[Wire]:
        """A way to the door that nobody used before."""
        yield Wire(self.world, f"memo of {self.member}")

    def texts(self, verified: bool = True) -> list[str]:
        """What lies in the vault, in the order of the log."""
        return [x.body.text for x in letters(self.vault) if x.body is not None and x.verified is verified]

    def thread(self, source: "Source") -> bytes:
        """The thread of one source."""
        return source.keys(self.name).thread_keys.thread(self.world.door, self.name)

    def show(self, source: "Source") -> None:
        """A human opens all letters of a thread."""
        mark_opened(self.vault, tuple(x.number for x in letters(self.vault, self.thread(source))))

    def answer(self, source: "Source", text: str) -> DeskReply:
        """Write a reply; the next sync places it."""
        return write_reply(self.vault, self.thread(source), text, self.world.now, self.random)


@lru_cache(maxsize=256)
def _seed(bits: bytes, door: Door) -> bytes:
    return seed_of(bits, door)  # a tenth of a second each


class Source:
    """Somebody with a passphrase and nothing else: every act starts from it."""

    def __init__(self, world: World, name: str, passphrase: Passphrase | None = None) -> None:
        self.world, self.name = world, name
        self.passphrase = passphrase or generate(Stream(f"source {name}"))
        self.random = Stream(f"ids {name}")
        self.wire = Wire(world, f"source {name}")

    def keys(self, desk: str = "news") -> SourceKeys:
        return source_keys(_seed(self.passphrase.bits, self.world.door), self.world.door, desk)

    def look(self, pin: Pin | None = None) -> VerifiedVisit:
        return fetch_visit(self.wire, self.world.is_door, self.world.now, pin)

    def read(self, desk: str = "news") -> tuple[Reply, ...]:
        """The thread, as this person reads it now."""
        return read_thread(self.look(), self.keys(desk))

    def heard(self, desk: str = "news") -> list[str]:
        """The texts of what is read."""
        return [reply.text for reply in self.read(desk) if reply.text is not None]

    def write(self, text: str, desk: str = "news", *, tell: bool = True, tries: int = TRIES) -> Sent:
        """Look, read, write, send, as the program does. `tell`: name the replies that were read, and use a knock when
        they say that the thread is known."""
        visit = self.look()
        keys = self.keys(desk)
        read = read_thread(visit, keys) if tell else ()
        msg_id = self.random(16)
        letter = seal(visit, keys, compose(text, "en", read), msg_id)
        note = visit.note(desk)
        knocks = knocks_for(keys, note, self.random) if note and may_knock(read, False) else ()
        sent = send(self.wire, visit, letter, msg_id, lambda _attempt: None, knocks, tries)
        if sent.receipt_raw not in self.world.core.receipts:
            self.world.core.receipts.append(sent.receipt_raw)
        return sent

    def change(self, to: "Source", desk: str = "news") -> Sent:
        """Tell a desk that this thread goes on under another's passphrase: the same person's."""
        visit = self.look()
        msg_id = self.random(16)
        letter = change(visit, self.keys(desk), to.keys(desk), msg_id)
        return send(self.wire, visit, letter, msg_id, lambda _attempt: None)


def open_door(folder: Path, *desks: str, seed: str = "door", **policy: int) -> tuple[World, dict[str, Desk]]:
    """A founded door whose desks are open and have their pages up: three batches, as the protocol's section 4 says."""
    world = World(*desks, seed=seed, **policy)
    members = {name: Desk(world, folder, name) for name in desks or ("news",)}
    for batch in range(3):
        world.close(batch)
        for desk in members.values():
            report = desk.sync()
    assert report.desk_open
    return world, members


def open_team(
    folder: Path, members: int = 3, *desks: str, seed: str = "door", **policy: int
) -> tuple[World, dict[str, Desk]]:
    """A founded door whose desks of `members` each are open and have their pages up; by member id."""
    world = World(*desks, seed=seed, each=members, **policy)
    team = {keys.id: Desk(world, folder, keys.desk, keys.id) for keys in world.founding.members}
    for batch in range(5):
        world.close(batch)
        reports = [desk.sync() for desk in team.values()]
    assert all(report.desk_open for report in reports)
    return world, team


@dataclass(frozen=True)
class TeamStage:
    """A door whose only desk has three members, open at batch 4; see `copy`."""

    world: World
    team: dict[str, Desk]

    def copy(self, folder: Path) -> "TeamStage":
        """The same, for one test: founding it takes seconds."""
        folder.mkdir(parents=True, exist_ok=True)
        world = self.world.copy()
        return TeamStage(world, {name: desk.copy(world, folder) for name, desk in self.team.items()})
