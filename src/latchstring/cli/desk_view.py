# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `latchstring desk` shows of threads and sessions: a row of the inbox, a whole thread, a session's sentences; and
the same threads as values for machines.
"""

from collections.abc import Sequence

from latchstring.cli import desk_answers, desk_attachments, desk_sharing, ui
from latchstring.client.text import one_line, printable
from latchstring.desk.sync import SyncReport
from latchstring.desk.timeline import MARK_DIGITS, Came, Sent, Stage, Thread

# --- a session -----------------------------------------------------------------------------------


def of_session(report: SyncReport) -> list[str]:
    """What a session did, for a person."""
    tally, said = report.tally, [f"Followed the log to batch {report.batch}."]
    inside = tally.new - tally.unverified
    said.append("No new letter." if not tally.new else f"New letters: {inside}. See: latchstring desk inbox")
    if tally.unverified:
        said.append(f"Came outside the days of their keys, shown as unverified: {tally.unverified}.")
    if tally.malformed:
        said.append(f"Sealed to this desk but with nothing in them that a letter holds, so dropped: {tally.malformed}.")
    if tally.repeated:
        said.append(f"Came a second time, so dropped: {tally.repeated}.")
    if tally.read:
        said.append(f"Replies now read by their source: {tally.read}.")
    if tally.changed:
        said.append(f"Passphrases changed by their source: {tally.changed}. Replies not read yet are placed anew.")
    if tally.unchanged:
        said.append(f"Changes of a passphrase not followed, as another came first, or came in time: {tally.unchanged}.")
    if report.audit.published:
        said.append(f"Replies now published: {report.audit.published}.")
    if report.placed.pages:
        said.append(f"Sent {ui.count(report.placed.pages, 'page')} for the coming sheets, replies and filler alike.")
    if report.posted:
        said.append(f"Key notes sent: {report.posted}. Each counts once the log holds it.")
    if report.deleted:
        said.append(f"Deleted for having been quiet as long as the policy says: {ui.count(report.deleted, 'thread')}.")
    if report.erased:
        said.append(f"Erased the keys of {ui.count(len(report.erased), 'day')}.")
    said += desk_sharing.of_session(report)
    if not report.desk_open:
        said.append(f"The desk is not open yet: sync again after {ui.clock_time(report.next_close)}.")
    return said


# --- a row of the inbox --------------------------------------------------------------------------


def row_of(thread: Thread) -> tuple[str, str, str, str, str, str]:
    """Mark, time of the newest letter, language, state, in whose hands, how it begins."""
    when = ui.when(thread.newest.at)
    return (_marks(thread), when, _language(thread), _state(thread), desk_sharing.in_hand(thread), _first_line(thread))


def _marks(thread: Thread) -> str:
    """Its own, and those of threads that it is linked with."""
    return " + ".join((thread.mark, *(other.hex()[:MARK_DIGITS] for other in thread.linked)))


def _language(thread: Thread) -> str:
    body = thread.newest.letter.body
    return one_line(body.language, 12) if body else "?"


def _state(thread: Thread) -> str:
    if not thread.letters:
        return "unverified"
    if thread.unopened:
        return f"{thread.unopened} new"
    by = desk_sharing.answered_by(thread)
    if by:
        return f"answered by {by}"
    if not thread.sent:
        return desk_sharing.opened_by_others(thread) or "opened"
    return _stage(thread.sent[-1])


def _stage(sent: Sent) -> str:
    again = sent.reply.planned if sent.stage is Stage.PUBLISHED else None
    when = ui.clock_time(sent.at) if sent.at is not None else ""
    match sent.stage:
        case Stage.READ:
            return "read by the source"
        case Stage.PUBLISHED:
            return f"published in sheet {sent.sheet}" + (f", again in {again}" if again is not None else "")
        case Stage.WAITING:
            return f"waiting for sheet {sent.sheet} at {when}"
        case Stage.WITHDRAWN:
            return "withdrawn" + (f", published in sheet {sent.sheet}" if sent.sheet is not None else "")
        case Stage.UNREAD:
            return "never read: it was out for a year"
        case Stage.UNSENT:
            return "waiting for the next sync" if sent.author is None else "not published yet"


def _first_line(thread: Thread) -> str:
    body = thread.newest.letter.body
    if body is None:
        return "(written by a newer program)"
    return one_line(body.text, 60) or ("(answers alone)" if body.answers or body.answers_in else "")


# --- as values -----------------------------------------------------------------------------------


def thread_value(thread: Thread) -> dict[str, object]:
    """For `--json`."""
    return {
        "thread": thread.id.hex(),
        "mark": thread.mark,
        "unopened": thread.unopened,
        **desk_sharing.thread_value(thread),
        "items": [_came_value(thread, i) if isinstance(i, Came) else _sent_value(i) for i in thread.in_order()],
        "outside": [_came_value(thread, came) for came in thread.outside],
    }


def _came_value(thread: Thread, came: Came) -> dict[str, object]:
    letter = came.letter
    return {
        "kind": "letter",
        "mark": letter.mark.hex(),
        "at": came.at,
        "batch": letter.batch,
        "verified": letter.verified,
        "stale": letter.stale,
        "opened": letter.opened,
        **desk_sharing.letter_value(thread, came),
        "language": letter.body.language if letter.body else None,
        "way": letter.body.way if letter.body else None,
        "text": letter.body.text if letter.body else None,
        "answers": desk_answers.values(came),
    }


def _sent_value(sent: Sent) -> dict[str, object]:
    return {
        "kind": "reply",
        "id": sent.reply.id.hex(),
        "at": sent.reply.written,
        "stage": sent.stage.value,
        "sheet": sent.sheet,
        "sheet_at": sent.at,
        "again": sent.reply.planned,
        "published": sent.reply.published,
        "text": sent.reply.body.text,
        "acks": [mark.hex() for mark in sent.reply.body.acks],
        **desk_sharing.reply_value(sent),
    }


# --- a whole thread ------------------------------------------------------------------------------


def show_threads(threads: Sequence[Thread]) -> None:
    """A thread, and those that a member linked with it."""
    for number, thread in enumerate(threads):
        if number:
            ui.out.print()
            ui.show("Linked by a member as of the same source; answer it by its own mark:", "bold")
        _show_thread(thread)


def _show_thread(thread: Thread) -> None:
    ui.show(f"Thread {thread.mark}", "bold")
    for item in thread.in_order():
        ui.out.print()
        if isinstance(item, Came):
            _show_letter(thread, item)
        else:
            by = f" by {item.author}" if item.author is not None else ""
            mark = item.reply.id.hex()[:MARK_DIGITS]
            ui.show(f"Reply {mark}{by} of {ui.when(item.reply.written)} ({_stage(item)})", "bold green")
            _indented(printable(item.reply.body.text) if item.reply.body.text.strip() else "(no text)")
            if item.reply.body.acks:
                ui.show("  acknowledges " + ", ".join(mark.hex() for mark in item.reply.body.acks))
            for line in desk_sharing.of_reply(item):
                ui.show(f"  {line}", "yellow")
    desk_sharing.show_notes(thread)

    if thread.outside:
        ui.out.print()
        ui.show("Outside the thread: these came outside the days of their keys, or under changed words.", "bold yellow")
        ui.show("Whoever got hold of such keys or words can have written them; do not act on them alone.", "yellow")
    for came in thread.outside:
        ui.out.print()
        _show_letter(thread, came)


def _show_letter(thread: Thread, came: Came) -> None:
    letter = came.letter
    head = f"Letter {letter.mark.hex()} of {ui.when(came.at)}"
    if letter.stale:
        head += ", under words that the source had changed before"
    if letter.body is None:
        ui.show(head, "bold cyan")
        ui.show("  (written by a newer program: bring yours up to date to read it)")
        return
    ui.show(f"{head}, {one_line(letter.body.language, 12)}, by {one_line(letter.body.way, 20)}", "bold cyan")
    _indented(printable(letter.body.text))
    for line in desk_answers.of_letter(came):
        ui.show(line)
    for line in desk_attachments.of_letter(letter.body):
        ui.show(line, "cyan")
    for line in desk_sharing.of_letter(thread, came):
        ui.show(f"  {line}", "yellow" if letter.passed_on_by else "dim")


def _indented(text: str) -> None:
    for line in text.split("\n"):
        ui.show(f"  {line}")
