# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk: delete letters and threads for good, see what goes by the directory's policy, mark what stays."""

from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.vaults import DEFAULT, Fd, Json, VaultFile, opened, progress
from latchstring.desk.changes import keys_stay
from latchstring.desk.deletion import Deleted, delete_letters, delete_thread, last_key_day
from latchstring.desk.facts import At
from latchstring.desk.identity import identity
from latchstring.desk.letters import letters
from latchstring.desk.naming import find_letter
from latchstring.desk.progress import followed
from latchstring.desk.replies import replies
from latchstring.desk.retention import Quiet, keep, quiet_threads
from latchstring.desk.scrub import scrub
from latchstring.desk.secrets import erase_days
from latchstring.desk.timeline import MARK_DIGITS, find_thread
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import TICKS_PER_DAY, day_of

app = typer.Typer(pretty_exceptions_enable=False)


@app.command(
    epilog="Examples: latchstring desk delete 1eb569dc 77aa01bc   |   latchstring desk delete --thread 1eb569dc"
)
def delete(
    letter: Annotated[list[str] | None, typer.Argument(help="Letters' marks, or their beginnings.")] = None,
    thread: Annotated[str | None, typer.Option("--thread", help="A whole thread: letters, replies, keys.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Delete letters or a whole thread for good, here and on the other members' machines.

    A thread that loses its last letter goes whole. Copies of replies that were published stay published.
    """
    if bool(letter) is (thread is not None):
        ui.fail("Name letters, or one thread with --thread.", "'latchstring desk show' has the marks.", ui.USAGE)
    with opened(vault, fd) as held:
        newest = followed(held)
        batch = newest.batch
        if thread is not None:
            whole = find_thread(held, thread).id
            gone = letters(held, whole)
            question = f"Delete thread {whole.hex()[:MARK_DIGITS]}, {_count(len(gone), 'letter')} and "
            question += f"{_count(len(replies(held, whole)), 'reply')}, for good?"
        else:
            gone = tuple({found.number: found for found in (find_letter(held, one) for one in letter or ())}.values())
            question = f"Delete {_count(len(gone), 'letter')} for good?"
        if not yes and ui.ask(f"{question} Type yes:").strip().lower() != "yes":
            ui.fail("Nothing was deleted.", "Run the command again and type yes, or give --yes.")
        until = _keys_until(held, last_key_day(held, gone, batch))
        others = _others(held)
        threads = {found.thread for found in gone} if thread is None else {whole}
        if thread is not None:
            deleted = delete_thread(held, whole, batch)
        else:
            deleted = delete_letters(held, (found.msg_id for found in gone), batch)
        with progress() as step:
            scrub(held, step)
        stay = keys_stay(held, threads)
        thread_keys = None if stay is None else newest.state.directory.policy.closes_at(stay * TICKS_PER_DAY)
    value = {
        "letters": deleted.letters,
        "replies": deleted.replies,
        "threads": deleted.threads,
        "keys_erased_at": until,
        "thread_keys_erased_at": thread_keys,
    }
    ui.emit(as_json, value, lambda: _say_deleted(deleted, until, thread_keys, others))


def _count(number: int, what: str) -> str:
    many = "replies" if what == "reply" else f"{what}s"
    return f"1 {what}" if number == 1 else f"{number} {many}"


def _others(vault: Vault) -> int:
    """How many other members the desk has."""
    desk = followed(vault).state.directory.desk(identity(vault).desk)
    return len(desk.members) - 1 if desk is not None else 0


def _keys_until(vault: Vault, last: int | None) -> int | None:
    """Unix seconds of the time from which no key of day `last`, or of days before, is left on a machine that runs."""
    directory = followed(vault).state.directory
    days = erase_days(directory, identity(vault).desk)
    return None if last is None else directory.policy.closes_at((last + days) * TICKS_PER_DAY)


def _say_deleted(deleted: Deleted, until: int | None, thread_keys: int | None, others: int) -> None:
    what = [_count(deleted.letters, "letter"), _count(deleted.replies, "reply")]
    if deleted.threads:
        what.append(_count(deleted.threads, "thread") + (" with its keys" if thread_keys is None else ""))
    ui.show(f"Deleted and erased here: {', '.join(what)}.", "green")
    if thread_keys is not None:
        ui.show(
            "The source changed the words in the last 35 days. So that letters under the old words are still "
            f"recognised, the thread's keys stay in this vault until its first sync after {ui.when(thread_keys)}. They "
            "open no letter, but until then whoever gets into this vault, and has the words, can prove that they wrote "
            "to this desk."
        )
    ui.show("The other members' machines do the same at their next sync, once this one has synchronised.")
    if until is not None:
        ui.show(
            f"From {ui.when(until)} on the letters cannot be recovered from machines that have run since and all that "
            "the server ever held: until then the keys of the days on which they were sent and passed on are kept."
        )
    if until is not None and others:
        ui.show(
            "If another member's machine passes them on to somebody before it hears of this, it is as much later. To "
            "be sure, run the others' 'desk sync' soon after this one's."
        )
    ui.show("Copies elsewhere (backups, exports, paper) are yours to find.")


@app.command("keep", epilog="Examples: latchstring desk keep 1eb569dc   |   latchstring desk keep 1eb569dc --off")
def keep_thread(
    thread: Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")],
    off: Annotated[bool, typer.Option("--off", help="Take the mark away.")] = False,
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Mark a thread to stay, however long it is quiet."""
    with opened(vault, fd) as held:
        found = find_thread(held, thread)
        keep(held, found.id, not off, At(followed(held).batch, 4095, 4095))
    said = "may go again when it has been quiet for long" if off else "stays, however long it is quiet"
    ui.emit(as_json, {"thread": found.id.hex(), "kept": not off}, lambda: ui.show(f"Thread {found.mark} {said}."))


@app.command(epilog="Example: latchstring desk retention")
def retention(vault: VaultFile = DEFAULT, fd: Fd = None, as_json: Json = False) -> None:
    """Show what the directory's policy says about quiet threads, and when each of them goes."""
    with opened(vault, fd) as held:
        newest = followed(held)
        if newest.batch < 0:
            ui.fail("This vault has not seen the directory yet.", "Run 'latchstring desk sync' first.")
        policy = newest.state.directory.policy
        found = quiet_threads(held, policy)
    days = policy.keep_days
    since = [policy.closes_at(q.since * TICKS_PER_DAY) for q in found]
    rows = [(q.thread.hex()[:MARK_DIGITS], ui.when(at), _goes(q, days)) for q, at in zip(found, since, strict=True)]
    value = {
        "keep_days": days,
        "threads": [
            {
                "thread": q.thread.hex(),
                "quiet_since": quiet_since,
                "kept": q.kept,
                "unopened": q.unopened,
                "days_left": max(0, q.since + days - day_of(newest.batch)) if days and not q.kept else None,
            }
            for q, quiet_since in zip(found, since, strict=True)
        ],
    }

    def human() -> None:
        if not days:
            ui.show("Letters stay until a member deletes them: the directory's policy sets no time.")
        else:
            ui.show(f"A thread that is quiet for {days} days is deleted by 'desk sync', after a week's warning.")
        if rows:
            ui.table("Threads", ("Thread", "Quiet since", "Goes"), rows)

    ui.emit(as_json, value, human)


def _goes(quiet: Quiet, days: int) -> str:
    if quiet.kept:
        return "stays: marked to be kept"
    if not days:
        return "stays"
    if quiet.unopened:
        return f"after {days} days, once it was opened"
    return f"after {days} days"
