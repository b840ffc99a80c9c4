# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole demonstration door in one folder: root keys, server, and two desks of one member each."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from latchstring.client.door import fetch_visit
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.client.visit import VerifiedVisit
from latchstring.demo.witnesses import DemoWitness, start_witness
from latchstring.desk.alone import alone
from latchstring.desk.fetching import DEFAULT_CAP, Fetched, fetch
from latchstring.desk.identity import Identity, identity, keep_identity, new_identity
from latchstring.desk.line import Line
from latchstring.desk.progress import followed
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import VAULT_COST, Cost, Vault, create_vault, open_vault
from latchstring.log.mirror import at_one_moment
from latchstring.log.note import VerifierKey
from latchstring.log.verify import Read
from latchstring.org.draft import Draft, format_draft, next_directory
from latchstring.org.rootfile import lock_root
from latchstring.protocol.constants import DEFAULT_QUEUE
from latchstring.protocol.directory import Desk, Directory, Member, Policy, sign_directory
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.root import Door, RootKeys
from latchstring.server.config import Config, format_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.store.objects import FolderObjects
from latchstring.workers.listening import CannotListen, need_free

ORIGIN: Final = "demo.latchstring.example/log"
PASSPHRASE: Final = "the latchstring is out"  # noqa: S105  # printed by the demonstration: its folder is thrown away
TITLES: Final = {
    "newsroom": {"en": "Newsroom", "ru": "Редакция", "uk": "Редакція"},
    "ombudsman": {"en": "Ombudsman", "ru": "Уполномоченный по правам", "uk": "Уповноважений з прав"},
}
GREETINGS: Final = {
    "newsroom": {
        "en": "Our door is always open. A person reads every letter.",
        "ru": "Наша дверь всегда открыта. Каждое письмо читает человек.",
        "uk": "Наші двері завжди відчинені. Кожен лист читає людина.",
    },
    "ombudsman": {
        "en": "You may ask first and tell later.",
        "ru": "Вы можете сначала спросить, а рассказать потом.",
        "uk": "Ви можете спершу запитати, а розповісти потім.",
    },
}
_START_SECONDS: Final = 30
T = TypeVar("T")


class DemoFailed(Exception):
    """Something in the demonstration did not go as it must. The text says what."""


@dataclass(frozen=True)
class DemoDoor:
    """What the demonstration founded. `process` is the running server."""

    folder: Path
    directory: Directory
    signed: bytes = field(repr=False)
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)
    witnesses: tuple[DemoWitness, ...] = ()
    cost: Cost = VAULT_COST

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def door(self) -> Door:
        """The door's hash."""
        return self.directory.door

    @property
    def link(self) -> str:
        """The door's link with its address."""
        return format_link(self.door, (self.address,))

    def vault_file(self, desk: str) -> Path:
        """A desk's vault."""
        return self.folder / f"{desk}.vault"

    def vault(self, desk: str) -> Vault:
        """A desk's vault, open."""
        return open_vault(self.vault_file(desk), PASSPHRASE, self.cost)

    def transport(self) -> HttpTransport:
        """A new connection to the server."""
        return HttpTransport(self.address)

    def visit(self) -> VerifiedVisit:
        """What everyone fetches, verified against the door alone."""
        with self.transport() as transport:
            return fetch_visit(transport, lambda door: door == self.door, int(time.time()), None)

    def log(self) -> Read:
        """What is published, as it is at one moment."""
        return published(self.folder / "server" / "published")

    def sync(self, desk: str) -> SyncReport:
        """One session of a desk's member."""
        with self.vault(desk) as vault, alone(vault), self.transport() as transport:
            return synchronise(
                vault, transport, lambda door: door == self.door, lambda: int(time.time()), secrets.token_bytes
            )

    def fetch_attachments(self, desk: str) -> Fetched:
        """What a member's session does after the letters: fetch the pieces of all attachments, whosever they are."""
        with self.vault(desk) as vault, alone(vault), self.transport() as transport:
            at = followed(vault)
            directory = at.state.directory
            line = Line.of(transport, lambda: int(time.time()), secrets.token_bytes, identity(vault), directory)
            return fetch(vault, line, directory.policy, at.batch, DEFAULT_CAP, lambda _what, _done, _of: None)

    def post_directory(self) -> None:
        """Send the signed directory to the server."""
        with self.transport() as transport:
            answer = transport.request("POST", "/v1/directory", body=self.signed)
        if answer.status != 201:
            raise DemoFailed(f"The server did not take the directory: {answer.sentence()}")

    @property
    def patience(self) -> float:
        """Seconds in which some batches close, however long they last, and on a busy machine too."""
        return 60 + 4 * self.directory.policy.tick

    def wait_batch(self, batch: int, seconds: float | None = None) -> VerifiedVisit:
        """Wait until a batch of at least that number is published."""
        return wait_for(lambda: self._batch_visit(batch), seconds or self.patience, f"batch {batch} to close")

    def wait_leaf(self, leaf: bytes, seconds: float | None = None) -> None:
        """Wait until a letter is in the log: at the next tick while few wait, whatever its receipt promises."""
        wait_for(lambda: self.visit().has_leaf(leaf) or None, seconds or self.patience, "a letter to be in the log")

    def open_desks(self) -> None:
        """Let the desks publish their keys until everyone sees them open.

        However many batches that takes: transport keys must be in the log before epochs are sealed to them, and what is
        posted while a batch closes goes into the one after it. DemoFailed when a desk finds a fault, or never opens.
        """
        wait_for(self._desks_open, self.patience, "the desks to open")

    def _desks_open(self) -> bool | None:
        for desk in TITLES:
            report = self.sync(desk)
            if report.faults:
                raise DemoFailed(f"Desk '{desk}' found a fault: {report.faults[0]}")
        manifest = self.wait_batch(self.visit().manifest.n + 1).manifest
        return {name for name, _ in manifest.notes} == set(TITLES) or None

    def _batch_visit(self, batch: int) -> VerifiedVisit | None:
        try:
            visit = self.visit()
        except NetworkFailed:
            return None
        return visit if visit.manifest.n >= batch else None

    def stop(self) -> int:
        """End the server and the witnesses; the server's exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for witness in self.witnesses:
            witness.stop()
        return self.process.wait()


def wait_for(attempt: Callable[[], T | None], seconds: float, what: str) -> T:
    """Try until there is a value; DemoFailed when it takes too long."""
    until = time.monotonic() + seconds
    while (value := attempt()) is None:
        if time.monotonic() > until:
            raise DemoFailed(f"Waited {round(seconds)} s in vain for {what}.")
        time.sleep(0.2)
    return value


def published(folder: Path) -> Read:
    """A log's folder, standing still: its server may close a batch while somebody reads."""
    return at_one_moment(FolderObjects(folder).get)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(
    folder: Path,
    port: int,
    tick: int,
    first_batch: int,
    queue: int = DEFAULT_QUEUE,
    witnesses: int = 0,
    cost: Cost = VAULT_COST,
) -> DemoDoor:
    """Make everything in `folder` and start the server. `first_batch`: the number the first batch gets; `queue`: how
    many letters may wait, and so how long receipts promise; `witnesses`: how many, of whom all must cosign; `cost`: of
    the vaults' passphrase (commands open those of VAULT_COST).

    DemoFailed when the server does not start, or another one listens at the port.
    """
    try:
        need_free("127.0.0.1", port, time.sleep, tries=1)
    except CannotListen as taken:
        raise DemoFailed(str(taken)) from None
    random = secrets.token_bytes
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = RootKeys(random(32), random(32))
    door = root.public().door()
    (folder / "root.key").write_bytes(lock_root(root, PASSPHRASE, random))
    (folder / "passphrase.txt").write_text(PASSPHRASE + "\n")
    config = Config(data=folder / "server", door=door, origin=ORIGIN, port=port, workers=2)
    config.data.mkdir(mode=0o700)
    keys = ServerKeys.make(random)
    save_keys(config.keys_file, keys)
    config_file = folder / "server.toml"
    config_file.write_text(format_config(config))
    members = {desk: _member(folder, desk, door, f"http://127.0.0.1:{port}", cost) for desk in TITLES}
    log = VerifierKey(ORIGIN, keys.log_public)
    beside = tuple(start_witness(folder / f"witness-{i}", i, free_port(), log) for i in range(1, witnesses + 1))
    policy = Policy(tick=tick, started=int(time.time()) - first_batch * tick, queue=queue)
    draft = Draft(
        door=door,
        valid_days=60,
        policy=policy,
        addresses=(f"http://127.0.0.1:{port}",),
        origin=ORIGIN,
        log_key=keys.log_public,
        receipt_key=keys.receipt_public,
        request_key=keys.request_public,
        desks=tuple(Desk(desk, 1, TITLES[desk], GREETINGS[desk], (members[desk],)) for desk in TITLES),
        witnesses=tuple(witness.named for witness in beside),
        quorum=witnesses,
    )
    (folder / "directory.toml").write_text(format_draft(draft))
    directory = next_directory(draft, None, int(time.time()))
    signed = sign_directory(directory, root)
    (folder / "directory.signed").write_bytes(signed)
    command = ["server", "run", "--clock-is-right", "--config", str(config_file)]
    process = subprocess.Popen(
        [sys.executable, "-m", "latchstring.demo.child", *command],
        stdin=subprocess.PIPE,  # closes when we end
        stdout=subprocess.DEVNULL,
        stderr=(folder / "server.log").open("wb"),
        env={**os.environ, "LATCHSTRING_DEBUG": ""},
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    made = DemoDoor(folder, directory, signed, port, process, beside, cost)
    try:
        wait_for(lambda: answers(made), _START_SECONDS, "the server to start")
    except DemoFailed:
        made.stop()
        raise
    return made


def _member(folder: Path, desk: str, door: Door, address: str, cost: Cost) -> Member:
    who: Identity = new_identity(format_link(door), desk, f"{desk}-1", (address,), secrets.token_bytes)
    with create_vault(folder / f"{desk}.vault", PASSPHRASE, secrets.token_bytes, cost) as vault:
        keep_identity(vault, who)
    return Member(who.member, who.sign_public, who.request_public)


def answers(made: DemoDoor) -> bool | None:
    """Does its server answer yet? None: not yet. DemoFailed when it has ended."""
    if made.process.poll() is not None:
        said = (made.folder / "server.log").read_text(errors="replace").strip().splitlines()
        raise DemoFailed(f"The server did not start. {said[-1] if said else ''}".strip())
    try:
        with made.transport() as transport:
            transport.request("GET", "/checkpoint")
    except NetworkFailed:
        return None
    return True
