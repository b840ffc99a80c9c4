# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk: init, card, sync, inbox, show, reply; with what `desk_sharing.py` adds."""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import (
    desk_attachments,
    desk_delete,
    desk_known,
    desk_sharing,
    desk_team,
    desk_threads,
    ui,
)
from latchstring.cli.addresses import Proxy, Tor, connecting, typed_addresses
from latchstring.cli.desk_view import of_session, row_of, show_threads, thread_value
from latchstring.cli.enrolling import checked_identity, format_card, make_vault, public
from latchstring.cli.org.files import opened as signed_file
from latchstring.cli.org.files import read
from latchstring.cli.vaults import DEFAULT as _DEFAULT
from latchstring.cli.vaults import Fd, Json, VaultFile, progress
from latchstring.cli.vaults import opened as _opened
from latchstring.client.text import printable
from latchstring.client.transport import (
    NEEDS_TOR,
    TOR_SOCKS,
    HttpTransport,
    NetworkFailed,
    NoProxy,
    is_onion,
    tor_proxy,
)
from latchstring.client.visit import ClockOff, VisitRefused
from latchstring.client.ways import Ways, try_these
from latchstring.desk.addresses import ways
from latchstring.desk.alone import Busy, alone
from latchstring.desk.errors import VaultError
from latchstring.desk.fetching import Fetched
from latchstring.desk.identity import Identity, identity
from latchstring.desk.letters import mark_opened
from latchstring.desk.memos import Posts, next_due, send_due
from latchstring.desk.replies import write_reply
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.timeline import (
    all_threads,
    find_thread,
    newest_threads,
    with_linked,
)
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import REPLY_CBOR_MAX
from latchstring.protocol.directory import SignedDirectory
from latchstring.protocol.doorwords import parse_door
from latchstring.protocol.wordlist import load

app = typer.Typer(
    add_completion=False,
    help="Answer: a member's encrypted vault, letters, replies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_NEWEST: Final = 50  # threads in the inbox, unless all are wanted


# --- init and card -------------------------------------------------------------------------------


@app.command(
    epilog="Example: latchstring desk init --door 'twelve words' --at http://ADDRESS.onion --desk news --member anna"
)
def init(
    door: Annotated[str, typer.Option(help="The door's twelve words, or its link.")],
    desk: Annotated[str, typer.Option(help="The desk's name in the directory.")],
    member: Annotated[str, typer.Option(help="Your name in the directory; everyone can read it.")],
    at: Annotated[list[str] | None, typer.Option("--at", help="The door's address; repeat it for more.")] = None,
    vault: VaultFile = _DEFAULT,
    card: Annotated[Path | None, typer.Option(help="Write your card to this file.")] = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Make an encrypted vault with your keys, and the card that the organisation adds to its directory."""
    who, path = checked_identity(door, at, desk, member), vault.expanduser()
    make_vault(who, path, card, fd)

    def human() -> None:
        ui.show(f"The vault is {path}. There is no way back to it without the passphrase.", "green")
        if card is not None:
            ui.show(f"Your card is {card}. Next: give it to whoever signs the directory; then: latchstring desk sync")
        else:
            ui.say("Your card. Give it to whoever signs the directory; then: latchstring desk sync")
            ui.show(format_card(who))

    ui.emit(as_json, {"vault": str(path), "member": public(who)}, human)


@app.command("card", epilog="Example: latchstring desk card > member-card.toml")
def show_card(vault: VaultFile = _DEFAULT, fd: Fd = None, as_json: Json = False) -> None:
    """Show your public keys as the block that a directory draft takes."""
    with _opened(vault, fd) as opened:
        who = identity(opened)
    ui.emit(as_json, public(who), lambda: ui.show(format_card(who)))


# --- sync ----------------------------------------------------------------------------------------


@app.command(epilog="Example: latchstring desk sync --tor   |   latchstring desk sync --every 3600")
def sync(
    vault: VaultFile = _DEFAULT,
    every: Annotated[int | None, typer.Option(min=1, help="Go on, about every so many seconds, until Ctrl-C.")] = None,
    tor: Tor = False,
    proxy: Proxy = None,
    at: Annotated[
        list[str] | None, typer.Option("--at", help="Ask this address now, not the vault's; repeat it for more.")
    ] = None,
    attachments_cap: desk_attachments.Cap = desk_attachments.DEFAULT,
    coming: Annotated[
        Path | None, typer.Option(help="Make keys for this signed directory before the organisation sends it.")
    ] = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Fetch and open letters, publish keys, place replies, erase keys that are due."""
    cap = desk_attachments.read_cap(attachments_cap)
    ahead = signed_file(read(coming)).signed if coming else None
    with _opened(vault, fd) as opened:
        way = _Way(proxy or (TOR_SOCKS if tor else None), tuple(at or ()))
        while True:
            done = _whole(opened, way, cap, going_on=every is not None, coming=ahead)
            if done is not None:
                _tell(*done, as_json)
            if every is None:
                break
            # not on the beat: sessions at fixed times would name the member to whoever watches the line
            pause = every * (0.75 + secrets.randbelow(500) / 1000)
            _until(opened, way, time.time() + pause)
    if done is not None and done[0].faults:
        raise typer.Exit(ui.FOUND_WRONG)


@dataclass(frozen=True, slots=True)
class _Way:
    """Directly, or through a SOCKS proxy whose every user name is a circuit of its own."""

    socks: str | None
    at: tuple[str, ...] = ()  # for this run, in place of what the vault knows

    def addresses(self, vault: Vault) -> Ways:
        """Those to try in turn. None where an onion address was typed and the way to it forgotten."""
        typed = typed_addresses(self.at or identity(vault).addresses)
        if self.socks is None and any(is_onion(address) for address in typed):
            ui.fail(NEEDS_TOR, "To be seen at an address without Tor, name that one alone with --at.", ui.USAGE)
        return ways(vault, self.socks is not None, typed if self.at else ())

    def to(self, address: str) -> HttpTransport:
        """A way that nobody used before."""
        return HttpTransport(address, tor_proxy(self.socks) if self.socks else None)


def _until(vault: Vault, way: _Way, end: float) -> None:
    """Wait for the next session; memos go out at their own times meanwhile."""
    who = identity(vault)
    while True:
        due = next_due(vault)
        if due is None or due >= end:
            ui.countdown(end, "Until the next session")
            return
        ui.countdown(due, "Until the next session or memo")
        try:
            with alone(vault):
                posts = _post_memos(vault, way, who)
        except Busy as busy:
            posts = Posts(stopped=str(busy))
        for fault in posts.faults:
            ui.say(f"Fault of the server: {printable(fault)}", "bold red")
        if posts.stopped is not None:  # a session will say why
            ui.countdown(min(end, time.time() + _PATIENCE), "Until the next session or memo")
            if time.time() >= end:
                return


def _post_memos(vault: Vault, way: _Way, who: Identity) -> Posts:
    """Those that are due, by the first address that takes them."""
    posts = Posts()
    for address in way.addresses(vault):
        posts = send_due(
            vault, partial(way.to, address), who, lambda: int(time.time()), secrets.token_bytes, lambda *_: None
        )
        if posts.stopped is None:
            break
    return posts


_PATIENCE: Final = 60.0  # seconds before a memo that could not go out is tried again


def _whole(
    vault: Vault, way: _Way, cap: int, going_on: bool, coming: SignedDirectory | None
) -> tuple[SyncReport, Fetched] | None:
    """A session and its attachments, while no other program has one; None when there was none and another will come."""
    try:
        with alone(vault):
            report = _session(vault, way, going_on, coming)
            if report is None:
                return None
            with progress() as step:
                return report, desk_attachments.fetch_attachments(
                    vault, way.addresses(vault), way.to, lambda: int(time.time()), cap, step
                )
    except Busy as busy:
        if not going_on:
            raise
        ui.say(str(busy), "yellow")
        return None


def _session(vault: Vault, way: _Way, going_on: bool, coming: SignedDirectory | None = None) -> SyncReport | None:
    """One session by the first address that answers; None when none does and another session will come."""
    who = identity(vault)
    name = parse_door(who.door_text, load())
    last: Exception = NetworkFailed("This vault knows no address of the door.")
    tried = way.addresses(vault)
    for address in tried:
        try:
            with way.to(address) as transport, progress(connecting(False, way.socks)) as step:
                return synchronise(
                    vault,
                    transport,
                    name.matches,
                    lambda: int(time.time()),
                    secrets.token_bytes,
                    coming=coming,
                    memos=partial(way.to, address),
                    workers=min(4, os.cpu_count() or 1),
                    step=step,
                )
        except (NetworkFailed, VisitRefused, ClockOff) as failed:
            last = failed  # one bad address keeps nobody from the next
            if isinstance(failed, NoProxy):
                break
            tried.name(failed.addresses if isinstance(failed, ClockOff) else ())
    if tried.unasked:
        ui.say(try_these(tried.unasked), "yellow")
    if not going_on:
        raise last
    ui.say(str(last), "yellow")
    return None


def _tell(report: SyncReport, fetched: Fetched, as_json: bool) -> None:
    value = {**asdict(report), "faults": list(report.faults), "attachments": asdict(fetched)}

    def human() -> None:
        said, amiss = desk_attachments.told(fetched)
        for line in (*of_session(report), *said):
            ui.show(line)
        for warning in (*report.warnings, *amiss):
            ui.show(warning, "yellow")
        for fault in report.faults:
            ui.show(f"Fault of the server: {printable(fault)}", "bold red")
        if report.faults:
            ui.show("Keep this and tell the organisation.", "red")

    ui.emit(as_json, value, human)


# --- reading and answering -----------------------------------------------------------------------


@app.command(epilog="Example: latchstring desk inbox")
def inbox(
    vault: VaultFile = _DEFAULT,
    every: Annotated[bool, typer.Option("--all", help=f"All threads, not the newest {_NEWEST} alone.")] = False,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """List the threads, the one with the newest letter last."""
    with _opened(vault, fd) as opened:
        threads = all_threads(opened) if every else newest_threads(opened, _NEWEST)

    def human() -> None:
        if not threads:
            ui.show("No letters yet. 'latchstring desk sync' fetches them.")
            return
        rows = [row_of(thread) for thread in threads]
        columns = ("Thread", "Newest letter", "Language", "State", "In hand", "Begins")
        if any(row[4] for row in rows):
            ui.table("Threads", columns, rows)
        else:  # nobody speaks of hands in a desk of one
            ui.table("Threads", (*columns[:4], columns[5]), [(*row[:4], row[5]) for row in rows])
        if not every and len(threads) == _NEWEST:
            ui.show(f"The newest {_NEWEST} threads; --all shows the others too.")

    ui.emit(as_json, [thread_value(t) for t in threads], human)


@app.command(epilog="Example: latchstring desk show 1eb569dc")
def show(
    thread: Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")],
    vault: VaultFile = _DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Show a whole thread. Its letters count as opened then; your next reply tells the source so."""
    with _opened(vault, fd) as opened:
        found = with_linked(opened, find_thread(opened, thread))
        try:
            mark_opened(opened, tuple(came.letter.number for one in found for came in (*one.letters, *one.outside)))
        except VaultError as full:  # reading needs no room
            ui.say(f"That they were opened could not be kept. {full}", "yellow")
    value = {**thread_value(found[0]), "linked": [thread_value(other) for other in found[1:]]}
    ui.emit(as_json, value, lambda: show_threads(found))


@app.command(epilog="Example: latchstring desk reply 1eb569dc --file answer.txt")
def reply(
    thread: Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")],
    file: Annotated[str | None, typer.Option("--file", help="The reply's file; '-' for standard input.")] = None,
    ack_only: Annotated[
        bool, typer.Option("--ack-only", help="No text: only tell the source that you opened the letters.")
    ] = False,
    vault: VaultFile = _DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Write a reply; the next sync puts it into a coming sheet."""
    with _opened(vault, fd) as opened:
        found = find_thread(opened, thread)
        if not found.letters:
            ui.say("No letter of this thread is verified: what it asks may not come from the source.", "yellow")
        opened.need_writable()
        text = "" if ack_only else ui.read_text(file, f"your reply (up to about {REPLY_CBOR_MAX} bytes)")
        if not ack_only and not text.strip():
            ui.fail("The reply is empty.", "Write something, or use --ack-only to say only that you read the letters.")
        written = write_reply(opened, found.id, text, int(time.time()), secrets.token_bytes)
    value = {"thread": found.id.hex(), "id": written.id.hex(), "acks": [mark.hex() for mark in written.body.acks]}
    ui.emit(as_json, value, _kept(len(written.body.acks)))


def _kept(acks: int) -> Callable[[], None]:
    def human() -> None:
        ui.show("Kept in the vault. Next: latchstring desk sync puts it into the earliest sheet with room.", "green")
        if acks:
            ui.show(f"It tells the source that {acks} of their letters {'was' if acks == 1 else 'were'} opened here.")

    return human


desk_attachments.add_to(app, lambda path, fd: _opened(path, fd), _DEFAULT)
desk_known.add_to(app, lambda path, fd: _opened(path, fd), _DEFAULT)
desk_team.register(app)
desk_sharing.add_to(app, lambda path, fd: _opened(path, fd), _DEFAULT)
app.add_typer(desk_delete.app)
app.add_typer(desk_threads.app)
