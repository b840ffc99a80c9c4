# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worker processes that each hold one end of a pipe, and nothing else: when one is killed, at any moment, the pipe says
so at once. (The standard pool shares its queue between workers; one that is killed while it reads can leave everybody
waiting for ever.)
"""

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

Init = TypeVar("Init")
Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(Exception):
    """A worker process ended before it had answered."""


def _serve(line: "Connection[Any, Any]", start: Callable[[Init], Callable[[Task], Result]], given: Init) -> None:
    work = start(given)
    while True:
        try:
            task = line.recv()
        except (EOFError, OSError):
            return  # whoever asked is done, or gone
        line.send(work(task))


class Pool(Generic[Task, Result]):
    """`workers` processes, each of which calls `start(given)` once and its result for every task.

    Started by spawning, not by forking: a forked child would inherit everything that is open.
    """

    def __init__(self, workers: int, start: Callable[[Init], Callable[[Task], Result]], given: Init) -> None:
        context = get_context("spawn")
        self._workers: list[tuple[BaseProcess, Connection[Any, Any]]] = []
        self._feeder: Thread | None = None  # of the newest stream
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, start, given), daemon=True)
            process.start()
            theirs.close()  # so that a killed worker's end is the last one
            self._workers.append((process, ours))

    @property
    def pids(self) -> list[int]:
        """The processes' numbers."""
        return [process.pid or 0 for process, _ in self._workers]

    def map(self, tasks: Sequence[Task]) -> list[Result]:
        """One result for each task, in order. WorkerDied when a worker ends meanwhile; then only `close` is left."""
        results: dict[int, Result] = {}
        self._feed(tasks, results.__setitem__)
        return [results[number] for number in range(len(tasks))]

    def stream(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """As `map`, each result as soon as it and those before it are there; the workers go on meanwhile. One that is
        not read to its end leaves only `close`."""
        ready: SimpleQueue[tuple[int, Result] | None] = SimpleQueue()

        def feed() -> None:
            try:
                self._feed(tasks, lambda number, result: ready.put((number, result)))
            except WorkerDied:
                ready.put(None)

        self._feeder = feeder = Thread(target=feed, daemon=True)
        feeder.start()
        early: dict[int, Result] = {}
        for number in range(len(tasks)):
            while number not in early:
                came = ready.get()
                if came is None:
                    raise WorkerDied
                early[came[0]] = came[1]
            yield early.pop(number)
        feeder.join()

    def _feed(self, tasks: Sequence[Task], got: Callable[[int, Result], None]) -> None:
        """Give each worker that is idle the next task, and `got` what comes back."""
        busy: dict[Connection[Any, Any], int] = {}
        idle = [line for _, line in self._workers]
        given = done = 0
        try:
            while done < len(tasks):
                while idle and given < len(tasks):
                    line = idle.pop()
                    busy[line] = given
                    line.send(tasks[given])
                    given += 1
                ready = set(wait(list(busy)))
                for line in [line for line in busy if line in ready]:
                    got(busy.pop(line), line.recv())
                    idle.append(line)
                    done += 1
        except (EOFError, OSError):
            raise WorkerDied from None

    def close(self) -> None:
        """End the workers."""
        for process, _ in self._workers:
            process.terminate()
        for process, _ in self._workers:
            process.join(5)
            if process.is_alive():
                process.kill()
        if self._feeder is not None:
            self._feeder.join()  # it hears that they are gone; a pipe that it still uses must not be closed under it
        for _, line in self._workers:
            line.close()
        self._workers = []
