# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring demo: a whole door on this machine."""

import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import ClockOff, VisitRefused
from latchstring.demo.door import PASSPHRASE, TITLES, DemoDoor, DemoFailed, found
from latchstring.demo.folder import sweep, throw_away
from latchstring.demo.story import Step, play
from latchstring.desk.errors import DeskError
from latchstring.org.card import card_qr
from latchstring.protocol.constants import TICKS_PER_SHEET
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.wordlist import load
from latchstring.store.sql import StoreError

app = typer.Typer(add_completion=False, invoke_without_command=True, pretty_exceptions_enable=False)


@app.callback(
    epilog="Examples: latchstring demo | latchstring demo --once --json | latchstring demo --once --keep kept"
)
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8400,
    tick: Annotated[int, typer.Option(min=1, max=600, help="Seconds between batches; a real door has 600.")] = 2,
    once: Annotated[bool, typer.Option("--once", help="Play the whole story by itself, check it, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: the steps as JSON.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="With --once: leave the folders and the published log here.")
    ] = None,
) -> None:
    """Found a demonstration organisation with two desks in a throw-away folder, and run its server until Ctrl-C."""
    if once:
        raise typer.Exit(_once(as_json, keep))
    if keep is not None or as_json:
        ui.fail("--keep and --json go with --once.", "Add --once.", ui.USAGE)
    _run(port, tick)


def _once(as_json: bool, keep: Path | None) -> int:
    if keep is not None and keep.exists() and any(keep.iterdir()):
        ui.fail(f"'{keep.name}' is not empty.", "Name a new folder.")

    def begin(name: str) -> None:
        if ui.err.is_terminal:
            ui.say(f"  …  {name}")

    def tell(step: Step) -> None:
        mark = "good " if step.ok else "WRONG"
        ui.say(f"{mark} {step.seconds:6.1f} s  {step.name}", "" if step.ok else "bold red")
        if step.reason:
            ui.say(f"               {step.reason}")

    with _folder(keep) as folder:
        start = time.monotonic()
        steps = play(folder, keep, begin if not as_json else lambda _name: None, tell)
    ok = all(step.ok for step in steps)
    value = {
        "ok": ok,
        "seconds": round(time.monotonic() - start, 2),
        "steps": [{"name": s.name, "seconds": round(s.seconds, 3), "ok": s.ok} for s in steps],
    }

    def human() -> None:
        ui.show(f"{'Every step held' if ok else 'A step did not hold'}, in {ui.span(time.monotonic() - start)}.")
        if keep is not None:
            ui.show(f"Left in {keep}: the server's folders and the log. Try: latchstring log verify {keep}/published")

    ui.emit(as_json, value, human)
    return 0 if ok else ui.FOUND_WRONG


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    if sweep(Path(tempfile.gettempdir())):
        ui.say("Removed what a demonstration had left that was killed.")
    with throw_away() as folder:
        yield folder


def _run(port: int, tick: int) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with _folder(None) as folder:
        try:
            with ui.waiting("Founding a demonstration door..."):
                door = found(folder, port, tick, 0, witnesses=2)
        except (DemoFailed, StoreError) as error:
            ui.fail(str(error), f"Is something else using port {port}? Try: latchstring demo --port 8500")
        try:
            with ui.waiting("The desks publish their keys and open..."):
                door.post_directory()
                door.wait_batch(0)
                door.open_desks()
            _explain(door, tick)
            _attend(door, tick, stop)
        except KeyboardInterrupt:
            pass
        except DemoFailed as failed:
            ui.fail(str(failed))
        finally:
            ui.say("Ending...")
            door.stop()
    ui.say("Ended; the demonstration's folder is removed.")


def _explain(door: DemoDoor, tick: int) -> None:
    me = "latchstring" if shutil.which("latchstring") else sys.argv[0]
    ui.show("A demonstration door is open on this machine.", "bold")
    ui.show(f"Address  {door.address}")
    ui.show(f"Words    {' '.join(door_words(door.door, load()))}")
    ui.show(f"Link     {door.link}")
    print(card_qr(door.directory))
    ui.show(f"A batch closes every {tick} s, a sheet of answers every {ui.span(TICKS_PER_SHEET * tick)}.")
    ui.show(f"Open {door.address}/ in a browser, with JavaScript or without: the pages for sources.", "bold")
    ui.show("Or try this, in another terminal:", "bold")
    ui.show("  1. Write a letter; you are shown a passphrase: keep it.")
    ui.show(f"     {me} source write --desk newsroom --door '{door.link}'")
    ui.show(f"  2. Answer at the desk. The vault's passphrase is: {PASSPHRASE}")
    ui.show(f"     export LATCHSTRING_VAULT={door.vault_file('newsroom')}")
    ui.show(f"     {me} desk sync        # fetches and opens the letters")
    ui.show(f"     {me} desk inbox       # names each thread")
    ui.show(f"     {me} desk show THREAD")
    ui.show(f"     {me} desk reply THREAD")
    ui.show(f"     {me} desk sync        # places the reply")
    ui.show("  3. When the next sheet has come, read the answer with nothing but the passphrase.")
    ui.show(f"     {me} source read --desk newsroom --door '{door.link}'")
    ui.show("  4. Check the whole public log.")
    ui.show(f"     {me} log verify {door.address}")
    ui.show(f"     Two witnesses beside it cosign every batch; a quorum of {door.directory.quorum} is asked for.")
    ui.show("Ctrl-C ends it and removes everything.")


def _attend(door: DemoDoor, tick: int, stop: threading.Event) -> None:
    """Keep the desks' keys ahead, as a desk's scheduled sync does; random pauses, as members' programs make."""
    while not stop.wait(TICKS_PER_SHEET * tick + secrets.randbelow(5)):
        if door.process.poll() is not None:
            raise DemoFailed("The server ended by itself.")
        for desk in TITLES:
            try:
                door.sync(desk)
            except (NetworkFailed, VisitRefused, ClockOff, DeskError) as error:
                ui.say(f"Desk '{desk}' will sync again later: {error}", "yellow")
