# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk assign, note, search, evidence; and what the other members did, as inbox and show tell it."""

import re
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.client.text import one_line, printable
from latchstring.desk.identity import identity
from latchstring.desk.marks import NOTE_LONGEST, add_note, assign
from latchstring.desk.progress import followed
from latchstring.desk.promises import evidence
from latchstring.desk.search import ensure_index, search
from latchstring.desk.sync import SyncReport
from latchstring.desk.timeline import Came, Sent, Thread, find_thread
from latchstring.desk.vault import Vault

Open = Callable[[Path, int | None], AbstractContextManager[Vault]]
NOBODY: Final = "nobody"

VaultFile = Annotated[
    Path, typer.Option("--vault", envvar="LATCHSTRING_VAULT", help="The vault's file.", show_default=True)
]
Fd = Annotated[int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this file descriptor.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Named = Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")]


# --- what inbox, show and sync say of the others -------------------------------------------------


def in_hand(thread: Thread) -> str:
    """Who has it in hand, for the inbox."""
    given = thread.assigned
    if given is None or given.member is None:
        return ""
    return given.member + (" (not yet told)" if given.pending else "")


def answered_by(thread: Thread) -> str:
    """Whose replies came after the newest letter, when more than our own did."""
    newest = thread.newest.letter.batch
    names = [s.author or "you" for s in thread.sent if s.crossed] or [
        s.author for s in thread.sent[-1:] if s.author is not None and (s.reply.read or newest + 1) > newest
    ]
    return " and ".join(dict.fromkeys(names)) + (", not knowing of each other" if len(set(names)) > 1 else "")


def opened_by_others(thread: Thread) -> str:
    """For letters that nobody opened here."""
    others = {
        name for came in thread.letters if not came.letter.opened for name in thread.readers.get(came.letter.mark, ())
    }
    return "opened by " + ", ".join(sorted(others)) if others else ""


def of_letter(thread: Thread, came: Came) -> list[str]:
    """Lines under a letter."""
    said = []
    if came.letter.passed_on_by is not None:
        said.append(
            f"Passed on by {came.letter.passed_on_by}: this vault could not open it, and takes their word for it."
        )
    names = thread.readers.get(came.letter.mark, ())
    if names:
        said.append("opened by " + ", ".join(names))
    return said


def of_reply(sent: Sent) -> list[str]:
    """Lines under a reply."""
    said = [f"{other.author} answered too, at {ui.when(other.written)}." for other in sent.crossed]
    if sent.pending:
        said.append("The other members do not know of it yet: a memo of the coming hours tells them.")
    return said


def show_notes(thread: Thread) -> None:
    """Under a thread: who has it in hand, and what members noted."""
    if thread.assigned is not None:
        ui.out.print()
        given = thread.assigned
        ui.show(
            f"In the hands of {given.member or NOBODY}, says {given.by}" + (" (not yet told)" if given.pending else "")
        )
    for note in thread.notes:
        ui.out.print()
        ui.show(
            f"Note of {note.author}, {ui.when(note.written)}" + (" (not yet told)" if note.pending else ""), "magenta"
        )
        for line in printable(note.text).split("\n"):
            ui.show(f"  {line}")


def thread_value(thread: Thread) -> dict[str, object]:
    """For JSON."""
    given = thread.assigned
    return {
        "assigned": {"to": given.member, "by": given.by, "pending": given.pending} if given else None,
        "unopened_here": thread.unopened_here,
        "notes": [{"author": n.author, "at": n.written, "pending": n.pending, "text": n.text} for n in thread.notes],
    }


def letter_value(thread: Thread, came: Came) -> dict[str, object]:
    """For JSON."""
    return {
        "opened_by": list(thread.readers.get(came.letter.mark, ())),
        "passed_on_by": came.letter.passed_on_by,
    }


def reply_value(sent: Sent) -> dict[str, object]:
    """For JSON."""
    return {
        "author": sent.author,
        "pending": sent.pending,
        "answered_too": [{"author": o.author, "at": o.written} for o in sent.crossed],
    }


def of_session(report: SyncReport) -> list[str]:
    """What a session did with memos."""
    said = []
    if report.tally.facts:
        said.append(f"Heard {ui.count(report.tally.facts, 'thing')} that other members did.")
    if report.memos.sent:
        said.append(f"Sent {ui.count(report.memos.sent, 'memo')}, real ones and dummies alike.")
    if report.memos.facts:
        said.append(
            f"To be told to the other members, or to be seen in the log: {ui.count(report.memos.facts, 'thing')}."
        )
    if report.shared.adopted:
        said.append(f"Of absent members, yours to place now: {ui.count(report.shared.adopted, 'reply', 'replies')}.")
    if report.shared.gaps:
        said.append("Some letters could not be opened here; a member who has them passes them on in the coming days.")
    if report.memos.stopped:
        said.append(f"Memos wait: {report.memos.stopped}")
    return said


# --- commands ------------------------------------------------------------------------------------


def add_to(app: typer.Typer, opened: Open, default: Path) -> None:
    """`desk assign`, `note`, `search` and `evidence`."""

    @app.command("assign", epilog=f"Example: latchstring desk assign 1eb569dc anna   |   ... 1eb569dc {NOBODY}")
    def assign_to(
        thread: Named,
        member: Annotated[str, typer.Argument(help=f"A member of the desk, or '{NOBODY}'.")],
        vault: VaultFile = default,
        fd: Fd = None,
        as_json: Json = False,
    ) -> None:
        """Say who has a thread in hand. The others see it once a memo told them."""
        with opened(vault, fd) as at:
            found = find_thread(at, thread)
            desk = followed(at).state.directory.desk(identity(at).desk)
            names = [m.id for m in desk.members] if desk else []
            if member != NOBODY and member not in names:
                ui.fail(
                    f"There is no member '{one_line(member, 40)}' at this desk.",
                    f"Name one of: {', '.join(names)}; or '{NOBODY}'.",
                    ui.USAGE,
                )
            assign(at, found.id, None if member == NOBODY else member)
        value = {"thread": found.id.hex(), "to": None if member == NOBODY else member, "pending": True}
        ui.emit(as_json, value, lambda: ui.show(f"Thread {found.mark} is in the hands of {member}. {_TOLD}", "green"))

    @app.command("note", epilog="Example: latchstring desk note 1eb569dc   |   ... note 1eb569dc --file note.txt")
    def note(
        thread: Named,
        file: Annotated[str | None, typer.Option("--file", help="The note's file; left out, it is typed.")] = None,
        vault: VaultFile = default,
        fd: Fd = None,
        as_json: Json = False,
    ) -> None:
        """Note something about a thread for the desk's members. The source never sees it.

        It is typed or read from a file, since other programs see a command line.
        """
        with opened(vault, fd) as at:
            found = find_thread(at, thread)
            at.need_writable()
            said = ui.read_text(file, f"your note (up to {NOTE_LONGEST} characters)")
            add_note(at, found.id, said.strip(), int(time.time()), secrets.token_bytes)
        ui.emit(
            as_json,
            {"thread": found.id.hex(), "pending": True},
            lambda: ui.show(f"Noted in the vault. {_TOLD}", "green"),
        )

    @app.command("search", epilog="Example: latchstring desk search")
    def search_for(
        vault: VaultFile = default,
        fd: Fd = None,
        as_json: Json = False,
    ) -> None:
        """Find words in letters, replies and notes of this vault; the newest first, 50 at most.

        It asks for them, since other programs see a command line: words or their beginnings; all must stand together.
        """
        words = ui.ask("Words to find:")
        if not words:
            ui.fail("No words were typed.", "Type them, or pass them as one line of standard input.", ui.USAGE)
        with opened(vault, fd) as at:
            ensure_index(at)
            hits = search(at, words)

        def human() -> None:
            if not hits:
                ui.show("Nothing found.")
                return
            rows = [(h.thread.hex()[:8], h.kind, one_line(re.sub("[\x02\x03]", "", h.snippet), 80)) for h in hits]
            ui.table("", ("Thread", "In a", "Words"), rows)

        value = [
            {"thread": h.thread.hex(), "kind": h.kind, "snippet": re.sub("[\x02\x03]", "", h.snippet)} for h in hits
        ]
        ui.emit(as_json, value, human)

    @app.command("evidence", epilog="Example: latchstring desk evidence --json > evidence.json")
    def show_evidence(vault: VaultFile = default, fd: Fd = None, as_json: Json = False) -> None:
        """Show the server's signed promises that it broke: letters of this desk that it took and did not log."""
        with opened(vault, fd) as at:
            broken = evidence(at)

        def human() -> None:
            if not broken:
                ui.show("The server kept every promise that this vault could check.")
            for promise in broken:
                ui.show(
                    f"Promised for batch {promise.publish_by}, not in the log after batch {promise.noticed}:", "red"
                )
                ui.show(f"  {promise.receipt.hex()}")

        value = [{"publish_by": p.publish_by, "noticed": p.noticed, "receipt": p.receipt.hex()} for p in broken]
        ui.emit(as_json, value, human)


_TOLD: Final = "The other members see it once a memo told them; 'sync' sends those when they are due."
