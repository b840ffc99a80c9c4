# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source: write, read, check. Nothing is kept on this device unless a file is named."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import source_change, ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.asking import answers_for
from latchstring.cli.attaching import look_at_files, send_files
from latchstring.cli.sending import knocks_here, send_letter
from latchstring.cli.visiting import (
    At,
    DeskId,
    Door,
    Fd,
    Json,
    PinFile,
    Visitor,
    choose_desk,
    visiting,
)
from latchstring.cli.words import make, practise, typed
from latchstring.client.text import printable
from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.constants import TICKS_PER_SHEET, sheet_of
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.passphrase import Passphrase
from latchstring.protocol.source_keys import SourceKeys
from latchstring.protocol.wordlist import WordList, of_code
from latchstring.source import acts
from latchstring.source.composing import compose
from latchstring.source.thread import Reply

app = typer.Typer(
    add_completion=False,
    help="Write to a door and read its replies. Keeps nothing on this device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(source_change.app)


def _new(words: WordList) -> Passphrase:
    """Make a passphrase, show it once, and let the person practise."""
    sentence = "Your passphrase. It is shown now and never again; it is the only way back to the answer:"
    passphrase = make(words, sentence)
    prompt = "Practise: type the ten words (Enter skips)"
    if ui.can_type() and practise(passphrase, words, prompt, may_skip=True):
        ui.say("Right. You can come back with it.", "green")
    return passphrase


def _show_replies(replies: Sequence[Reply]) -> None:
    if replies and replies[-1].known:
        ui.show("The desk knows this thread: your letters get in even when the door is flooded.", "green")
    for reply in replies:
        ui.show(f"Reply of {ui.when(reply.at)}", "bold")
        if reply.text is None:
            ui.show("  (written by a newer program: bring yours up to date to read it)")
        elif reply.text.strip():
            ui.show(printable(reply.text))
        for ack in reply.acks:
            ui.show(f"  Your letter {mark(ack)} was opened and read by a person at the desk.", "green")
        ui.out.print()


def mark(raw: bytes) -> str:
    """A letter's mark as people read it: 4 groups of 4 digits."""
    return " ".join(raw.hex()[i : i + 4] for i in range(0, 16, 4))


@app.command(
    epilog="Examples: latchstring source write --door 'WORDS' --at http://ADDRESS.onion --tor   |   "
    "latchstring source write --door LINK --continue --file letter.txt --attach scan.pdf --attach photo.jpg"
)
def write(
    door: Door,
    at: At = None,
    desk: DeskId = None,
    file: Annotated[str | None, typer.Option("--file", help="The letter's file; '-' for standard input.")] = None,
    editor: Annotated[
        bool, typer.Option("--editor", help="Write in $EDITOR. Editors may leave copies on the disk.")
    ] = False,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", help="Send this file along, sealed too; repeat it for more.")
    ] = None,
    answers_file: Annotated[
        Path | None,
        typer.Option("--answers", help="Answers to the desk's questions: a TOML file, a line for each question's id."),
    ] = None,
    nameless: Annotated[bool, typer.Option("--nameless", help="Files get numbers in place of their names.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="You have a passphrase already: go on in the same thread.")
    ] = False,
    language: Annotated[str, typer.Option("--language", help="The language you write in, and of new words.")] = "en",
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--keep-receipt",
            "--receipt",
            help="Keep the server's receipt here. It proves a broken promise, and that you wrote: it is evidence.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the letter is in the public log.")] = False,
    try_for: Annotated[
        float, typer.Option("--try-for", min=0.0, max=12.0, help="Hours to go on trying while the door is full.")
    ] = 6.0,
    tor: Tor = False,
    proxy: Proxy = None,
    pin: PinFile = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Write a letter: sealed on this device, readable by the desk alone."""
    if receipt is not None and os.path.lexists(receipt):
        ui.fail(f"'{receipt.name}' is there already and was not touched. Nothing was sent.", "Choose another name.")
    if receipt is not None and not os.access(receipt.parent, os.W_OK | os.X_OK):  # it is given once
        ui.fail("The receipt could not be kept there. Nothing was sent.", "Name a folder that is there, and is yours.")
    with visiting(door, at or [], tor, proxy, pin) as visitor, _cannot():
        visit = visitor.visit
        if visit.directory.closed is not None:
            ui.fail("Nothing was sent: the door is closed for good.", "Read what it answered: latchstring source read")
        files = look_at_files(attach or [], visit.directory.policy.attachment, nameless)
        ui.say(f"This is the door: {' '.join(door_words(visit.directory.door, visitor.words))}")
        chosen = choose_desk(visit, desk)
        acts.note_to_seal_to(visit, chosen)  # before anybody writes a letter, or learns words, in vain
        known = fd is not None or go_on
        passphrase = typed("Passphrase", of_code(language), fd) if known else None
        keys = _keys(visit, chosen, passphrase) if passphrase else None
        replies = acts.read_thread(visit, keys) if keys else ()
        if replies and not as_json:
            _show_replies(replies)
        answers = answers_for(visit, chosen, answers_file, known)
        text = _letter(file, editor)
        body = compose(text, language, replies, files.drafts(), answers, visit.directory.policy.attachment)
        if body.text != text:
            ui.say("Your letter is long: it goes along as an attachment, sealed too, and begins in the envelope.")
        if keys is None:
            keys = _keys(visit, chosen, _new(of_code(language)))
        body = send_files(body, text, files, visitor.another, knocks_here(visit, keys, replies, known), answers)
        sent = send_letter(visitor, keys, body, replies, known, try_for)
    if receipt is not None:
        _keep_receipt(receipt, sent)
    if wait:
        _wait_for_leaf(visitor, door, at or [], tor, proxy, sent)
    value = {
        "accepted": True,
        "mark": sent.mark.hex(),
        "leaf": sent.leaf.hex(),
        "publish_by": sent.publish_by,
        "publish_at": sent.publish_at,
        "in_log": wait,
        "attachments": len(files.contents),
        "answers": len(answers.given) if answers is not None else 0,
    }
    ui.emit(as_json, value, lambda: _say_sent(sent, wait, visit.directory.policy.answer_days))


@contextmanager
def _cannot() -> Iterator[None]:
    """What cannot be written or sent, as an error of the command."""
    try:
        yield
    except acts.CannotWrite as cannot:
        ui.fail(str(cannot))
    except NetworkFailed as failed:
        ui.fail(str(failed))


def _keep_receipt(path: Path, sent: acts.Sent) -> None:
    try:
        ui.write_private(path, sent.receipt_raw)
        ui.say(
            f"The receipt is in '{path.name}'. Whoever finds it knows that a letter was sent from here. Check it when "
            "the promise is due (latchstring log receipt), then destroy it.",
            "yellow",
        )
    except ui.CliError as error:  # the letter is in: that must be said whatever becomes of this file
        ui.say(f"The receipt could not be kept: {error.what}", "yellow")


def _letter(file: str | None, editor: bool) -> str:
    if not editor:
        return ui.read_text(file, "your letter")
    program = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "nano"
    ui.say("Your editor may leave copies of the letter on this disk (swap and backup files).", "yellow")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:  # noqa: S108  # memory, not disk
        path = Path(folder) / "letter.txt"
        path.touch(0o600)
        try:
            subprocess.run([*program.split(), str(path)], check=True)
        except (OSError, subprocess.CalledProcessError):
            ui.fail("The editor did not finish well. Nothing was sent.", "Use --file, or type the letter here.")
        return ui.read_text(str(path), "your letter")


def _keys(visit: VerifiedVisit, desk: str, passphrase: Passphrase) -> SourceKeys:
    with ui.waiting("Working out your keys..."):
        return acts.keys_for(passphrase.bits, visit, desk)


def _say_sent(sent: acts.Sent, waited: bool, days: int) -> None:
    ui.show("Your letter was accepted.", "bold green")
    if waited:
        ui.show("It is in the public log.")
    else:
        ui.show(f"It will be in the public log soon, and must be there by {ui.when(sent.publish_at)}.")
    ui.show(f"Its mark is {mark(sent.mark)}: an answer names it when a person has read the letter.")
    ui.show(f"The organisation promises an answer within {days} days. Come back with: latchstring source read")


def _wait_for_leaf(
    visitor: Visitor, door: str, at: Sequence[str], tor: bool, proxy: str | None, sent: acts.Sent
) -> None:
    policy = visitor.visit.directory.policy
    latest = sent.publish_at + 3 * policy.tick + 5
    trouble: ui.CliError | None = None
    newest = -1
    while time.time() < latest:
        batch = policy.batch_at(int(time.time())) + 1
        ui.countdown(policy.closes_at(batch) + min(2.0, policy.tick / 2), "Until the next batch")
        try:
            with visiting(door, at, tor, proxy, None) as again:
                trouble = None
                if again.visit.has_leaf(sent.leaf):
                    return
                newest = again.visit.manifest.n
        except ui.CliError as error:
            trouble = error
    if trouble is not None:
        ui.fail(
            f"Your letter was accepted, but it could not be seen in the log. {trouble.what}",
            "Look later whether there is an answer: latchstring source read",
            trouble.code,
        )
    if newest < sent.publish_by:  # nothing is broken yet: what is published waits for its witnesses
        ui.fail(
            "Your letter was accepted, but what is published has not come so far yet.",
            "Look later whether there is an answer: latchstring source read",
        )
    ui.fail(
        "The letter is not in the log although the server promised it by now.",
        "Keep the receipt if you can do so safely: it proves the broken promise. Send the letter again.",
        ui.FOUND_WRONG,
    )


@app.command(epilog="Example: latchstring source read --door LINK --tor")
def read(
    door: Door,
    at: At = None,
    desk: DeskId = None,
    tor: Tor = False,
    proxy: Proxy = None,
    pin: PinFile = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Read the answers in your thread. A passphrase that was never used shows an empty thread."""
    with visiting(door, at or [], tor, proxy, pin) as visitor:
        chosen = choose_desk(visitor.visit, desk)
        keys = _keys(visitor.visit, chosen, typed("Passphrase", visitor.words, fd))
        replies = acts.read_thread(visitor.visit, keys)
    value = [
        {"at": r.at, "text": r.text, "acks": [a.hex() for a in r.acks], "known": r.known, "id": r.id.hex()}
        for r in replies
    ]

    def human() -> None:
        _show_replies(replies)
        if replies:
            ui.show("Your next letter tells the desk that you have read this. A reply stays here for three weeks.")
            ui.show(
                "If you have changed your words: the old ones show what was answered before, the new ones the rest."
            )
        else:
            every = ui.span(TICKS_PER_SHEET * visitor.visit.directory.policy.tick)
            ui.show(f"There is no reply in this thread yet. Come back later; answers appear every {every}.")
            ui.show("If you have changed your words, look with the new ones.")

    ui.emit(as_json, value, human)


@app.command(epilog="Example: latchstring source check --door LINK --tor")
def check(
    door: Door,
    at: At = None,
    desk: DeskId = None,
    tor: Tor = False,
    proxy: Proxy = None,
    pin: PinFile = None,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Say in one line whether the door is open, when the next sheet comes, and whether there are replies."""
    with visiting(door, at or [], tor, proxy, pin) as visitor:
        visit = visitor.visit
        chosen = choose_desk(visit, desk)
        keys = _keys(visit, chosen, typed("Passphrase", visitor.words, fd))
        count = len(acts.read_thread(visit, keys))
    next_sheet = visit.directory.policy.closes_at((sheet_of(visit.manifest.n) + 1) * TICKS_PER_SHEET)
    closed = visit.directory.closed
    is_open = visit.note(chosen) is not None and not visit.expired and closed is None
    value = {
        "open": is_open,
        "closed": {"texts": closed.texts, "instead": list(closed.instead)} if closed else None,
        "replies": count,
        "next_sheet": next_sheet,
        "batch": visit.manifest.n,
        "addresses": list(visit.directory.addresses),
    }
    words = "no reply" if not count else "1 reply" if count == 1 else f"{count} replies"
    line = (
        f"The door is {'open' if is_open else 'closed for letters just now'}; your thread has {words}; "
        f"the next answers appear at {ui.clock_time(next_sheet)} (in {ui.span(next_sheet - time.time())})."
    )
    if closed is not None:
        line = f"The door is closed for good; your thread has {words}."

    def human() -> None:
        ui.show(line)
        if visit.directory.addresses:
            ui.show(f"Its addresses: {', '.join(visit.directory.addresses)}")

    ui.emit(as_json, value, human)
