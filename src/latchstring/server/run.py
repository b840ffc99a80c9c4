# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running a server: workers that answer, one publisher that closes batches, and a clean end for both."""

import fcntl
import multiprocessing
import os
import resource
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from latchstring.protocol.constants import TICKS_PER_DAY
from latchstring.server.app import CONFIG_VARIABLE
from latchstring.server.asking import http_post
from latchstring.server.attachments import drop_old, reconcile, recount
from latchstring.server.config import load_config
from latchstring.server.cosigning import Cosigning
from latchstring.server.metrics import NAME
from latchstring.server.publisher import Publisher
from latchstring.server.setup import open_parts
from latchstring.server.watch import Watch
from latchstring.store import guard
from latchstring.store.sql import Sql, StoreError, StoreFailed
from latchstring.store.tip import TipMoved
from latchstring.workers.edge import http1
from latchstring.workers.listening import CannotListen, need_free
from latchstring.workers.parent import end_with_parent

LEASE_SECONDS: Final = 10
_RENEW_SECONDS: Final = 3
_STEP_SECONDS: Final = 0.5  # so soon a stop is heard
_ROUND_STEP_SECONDS: Final = 0.05  # while witnesses are asked
_ASK_SECONDS: Final = 10.0  # for one answer of a witness; three times that through a proxy
MOST_DAYS_AWAY: Final = 14
_FAR_AHEAD: Final = (
    "By this machine's clock nothing was published for {} days. Publishing waits: batches that are closed by a wrong "
    "clock can never be taken back, and the door would stand still until that day. Set the clock. If it is right, "
    "start with --clock-is-right."
)
_SECOND: Final = "Another publisher is at work on this store. Stop it first; one store has one publisher."

CONNECTIONS: Final = 4096  # of one worker; more wait with the system

Say = Callable[[str], None]
Stopped = Callable[[], bool]


def lock_store(file: Path, wait: Callable[[float], None]) -> int:
    """Hold the machine's lock on this store until the process ends, however it ends; an open file, to be kept.

    StoreError when a living publisher holds it for longer than one needs to stop, or the file cannot be made.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        raise StoreError("The data folder cannot be written: check who owns it, and that its disk has room.") from None
    for _ in range(LEASE_SECONDS * 5):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            wait(0.2)
        else:
            return handle
    os.close(handle)
    raise StoreError(_SECOND)


def take_lease(sql: Sql, holder: str, wait: Callable[[float], None], alone: bool = False) -> None:
    """Become the one publisher of this store.

    A lease that a crashed publisher left runs out within seconds; `alone`, with the machine's lock in hand, takes it
    at once. StoreError when another one keeps renewing it.
    """
    seen: tuple[str, int] | None = None
    for attempt in range(2):
        with sql.write() as connection:
            if alone:
                seen = guard.holder(connection)
            left = guard.take_lease(connection, holder, int(time.time()), LEASE_SECONDS, seen)
            seen = guard.holder(connection)
        if not left:
            return
        if attempt == 0:
            wait(left + 1)
    raise StoreError(_SECOND)


def become_publisher(folder: Path, sql: Sql, holder: str, wait: Callable[[float], None]) -> None:
    """The machine's lock, then the lease at once. StoreError when another publisher lives."""
    lock_store(folder / "publisher.lock", wait)
    take_lease(sql, holder, wait, alone=True)


def publish(
    publisher: Publisher,
    sql: Sql,
    holder: str,
    stopped: Stopped,
    say: Say,
    tidy: Callable[[int], object],
    cosigning: Cosigning | None = None,
    sure: bool = False,
) -> None:
    """Close batches at their ticks until told to stop, and `tidy` (told the time) between them.

    StoreError when the lease was lost or the tip moved. `cosigning`: asks the witnesses meanwhile; None: nobody does.
    `sure`: the operator says that the clock is right, however long nothing was published; it counts for once.
    """
    renew_at = 0.0
    troubled = doubted = False
    said: dict[str, str] = {}
    while not stopped():
        now = time.time()
        try:
            if now >= renew_at:
                with sql.write() as connection:
                    if guard.take_lease(connection, holder, int(now), LEASE_SECONDS):
                        raise StoreError("Another publisher took this store over. This one stops.")
                renew_at = now + _RENEW_SECONDS
            _warn_if_behind(publisher, int(now), say)
            away = days_away(publisher, int(now))
            doubts = away > MOST_DAYS_AWAY and not sure
            if not doubts:
                closed = publisher.run_due(int(now), secrets.token_bytes)
                sure = sure and not closed
                tidy(int(now))
            elif not doubted:
                say(_FAR_AHEAD.format(away))
            doubted = doubts
            if cosigning is not None:
                release(publisher, cosigning, said, say)
            if troubled:
                say("The store takes writes again; publishing goes on.")
            troubled = False
        except TipMoved:
            raise StoreError("Another publisher moved this log. This one stops.") from None
        except StoreFailed as failed:
            if not troubled:
                say(f"Publishing waits: {failed} (disk full or read-only?). Nothing that was accepted is lost.")
            troubled = True
            time.sleep(1)
        most = _ROUND_STEP_SECONDS if cosigning is not None and cosigning.busy else _STEP_SECONDS
        time.sleep(min(most, _until_next(publisher, time.time())))


def release(publisher: Publisher, cosigning: Cosigning, said: dict[str, str], say: Say) -> None:
    """One step of asking the witnesses, and publishing what a quorum has cosigned. `said`: each one's last trouble,
    so that it is told once."""
    done = cosigning.step(publisher.candidate)
    for name, told in cosigning.last.items():
        if said.get(name, "") != told.trouble:
            said[name] = told.trouble
            say(f"Witness '{name}' {told.trouble or 'cosigns again'}.")
    if done is not None:
        publisher.release(*done)


def _until_next(publisher: Publisher, now: float) -> float:
    """Seconds to sleep: to the next nominal close, but not so long that a stop would wait."""
    policy = publisher.policy()
    if policy is None:
        return _STEP_SECONDS
    left = policy.closes_at(policy.batch_at(int(now)) + 1) - now
    return max(0.02, min(_STEP_SECONDS, left))


def days_away(publisher: Publisher, now: int) -> int:
    """How many whole days lie between the newest batch and this machine's time."""
    policy, last = publisher.policy(), publisher.last_batch()
    return 0 if policy is None or last is None else max(0, policy.batch_at(now) - last) // TICKS_PER_DAY


def _warn_if_behind(publisher: Publisher, now: int, say: Say) -> None:
    policy, last = publisher.policy(), publisher.last_batch()
    if policy is not None and last is not None and policy.batch_at(now) < last:
        say("This machine's clock is behind the newest batch. Set the clock; publishing waits for it.")
        time.sleep(5)


def publisher_process(config_path: str, metrics: str | None, sure: bool) -> None:
    """The publisher's process: until SIGTERM, or until its parent is gone. `metrics`: where to write them."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which tells us
    end_with_parent()
    holder = secrets.token_hex(16)
    try:
        config = load_config(Path(config_path))
        parts = open_parts(config)
        become_publisher(config.data, parts.sql, holder, lambda seconds: _said(stop.wait(seconds)))
        parts.public.sweep()
        parts.private.sweep()
        publisher = parts.publisher()
        publisher.start()
        if not recount(parts.sql):
            _say("What attachments take was summed up wrongly: something else changed the database. It is put right.")
        reconcile(parts.sql, parts.private)

        watch = Watch(parts, Path(metrics) if metrics else config.data / NAME, _say)

        def tidy(now: int) -> None:
            watch.look(now)
            policy = publisher.policy()
            if policy is not None:
                drop_old(parts.sql, parts.private, max(policy.batch_at(now), publisher.last_batch() or 0))

        post = http_post(config.witness_proxy, _ASK_SECONDS * (3 if config.witness_proxy else 1))
        cosigning = Cosigning(post, publisher.prove, time.time, time.monotonic)

        publish(publisher, parts.sql, holder, stop.is_set, _say, tidy, cosigning, sure)
        with parts.sql.write() as connection:
            guard.drop_lease(connection, holder)
    except (StoreError, StoreFailed) as error:
        _say(str(error))
        sys.exit(1)


def _said(_: object) -> None:
    return None


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def allow_connections() -> None:
    """As many open files, for the workers too, as connections need and the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def run_server(
    config_path: Path,
    ready: Callable[[], None] | None = None,
    metrics: Path | None = None,
    sure: bool = False,
    loader: Callable[[], Any] | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; the exit status. StoreError when the configuration or store cannot be used.

    `metrics`: the file for monitoring, in the data folder when it is None. `sure`: as `publish` has it.
    `loader`: makes a worker's application, in the worker (it is pickled); None: the store's API alone.
    """
    config = load_config(config_path)
    open_parts(config).sql.close()  # say what is wrong before any process starts
    try:
        need_free(config.bind, config.port, time.sleep)
    except CannotListen as taken:
        raise StoreError(str(taken)) from None
    os.environ[CONFIG_VARIABLE] = str(config_path.resolve())
    context = multiprocessing.get_context("spawn")
    given = (str(config_path.resolve()), str(metrics.resolve()) if metrics else None, sure)
    publisher = context.Process(target=publisher_process, args=given, daemon=False)
    publisher.start()
    allow_connections()
    server = Server(
        "latchstring.server.app:load",
        address=config.bind,
        port=config.port,
        interface=Interfaces.ASGI,
        workers=config.workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=True,
        log_level="error",  # type: ignore[arg-type]  # the enumeration's value is accepted
        log_access=False,
        factory=True,
        backlog=1024,
        backpressure=CONNECTIONS,
        http1_settings=http1(),
        respawn_failed_workers=True,
        workers_kill_timeout=20,
    )
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if not publisher.is_alive():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    if ready is not None:
        server.on_startup(ready)
    try:
        server.serve(target_loader=loader, wrap_loader=False)
    finally:
        done.set()
        failed = not publisher.is_alive()
        publisher.terminate()
        publisher.join(30)
    return 1 if failed else 0
