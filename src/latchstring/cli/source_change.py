# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring source change: the same thread under new words, told to each desk that the person chooses."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.visiting import (
    At,
    Door,
    Fd,
    Json,
    PinFile,
    Visitor,
    desk_table,
    visiting,
)
from latchstring.cli.words import make, practise, typed
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.passphrase import Passphrase
from latchstring.protocol.wordlist import WordList, of_code
from latchstring.source import acts
from latchstring.source.sending import StoppedSending

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Told:
    """One desk: what the server answered, or why it was not told; `stopped`: because of Ctrl-C."""

    desk: str
    sent: acts.Sent | None
    trouble: str = ""
    stopped: bool = False


@app.command(
    epilog="Examples: latchstring source change --door LINK --tor   |   "
    "latchstring source change --door LINK --desk news --resume"
)
def change(
    door: Door,
    at: At = None,
    desk: Annotated[
        list[str] | None,
        typer.Option("--desk", help="A desk to tell; repeat it for more. Asked when not given."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a change that was cut short: you type both passphrases.")
    ] = False,
    language: Annotated[
        str, typer.Option("--language", help="The language of the new words, such as en or ru.")
    ] = "en",
    tor: Tor = False,
    proxy: Proxy = None,
    pin: PinFile = None,
    fd: Fd = None,
    new_fd: Annotated[
        int | None, typer.Option("--new-passphrase-fd", help="With --resume: read the new words from this descriptor.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change your passphrase: your threads go on under ten new words, and the old ones lose them.

    Nothing is sent before you have typed the new words. Keep both until every desk was told.
    """
    if new_fd is not None and not resume:
        ui.fail("New words are made for you.", "With --resume you can give those that were made before.", ui.USAGE)
    with visiting(door, at or [], tor, proxy, pin) as visitor:
        visit = visitor.visit
        ui.say(f"This is the door: {' '.join(door_words(visit.directory.door, visitor.words))}")
        desks = choose_desks(visit, desk)
        _need_one_open(visit, desks)
        old = typed("The words that you have now", visitor.words, fd)
        new = typed("The new words", visitor.words, new_fd) if resume else _make_new(of_code(language))
        if new == old:
            ui.fail(
                "These are the words that you have now.",
                "Nothing was sent. The new words must be other ones: run the command again without --resume.",
                ui.USAGE,
            )
        told: list[Told] = []
        for one in desks:
            stopped = bool(told) and told[-1].stopped
            told.append(Told(one, None, "You stopped.", True) if stopped else _tell(visitor, one, old, new))
    value = {
        "told": [t.desk for t in told if t.sent is not None],
        "not_told": {t.desk: t.trouble for t in told if t.sent is None},
        "publish_at": max((t.sent.publish_at for t in told if t.sent is not None), default=None),
    }
    ui.emit(as_json, value, lambda: _say(told))
    if any(t.sent is None for t in told):
        raise typer.Exit(ui.COULD_NOT)


def choose_desks(visit: VerifiedVisit, named: Sequence[str] | None) -> tuple[str, ...]:
    """The desks to tell: those named, the only one, or those the person picks from a list."""
    names = [d.id for d in visit.directory.desks]
    if not named and len(names) > 1:
        desk_table(visit)
        named = ui.ask("Which desks did you write to? (their names, or 'all')").replace(",", " ").split()
        named = names if named == ["all"] else named
        if not named:
            ui.fail("No desk was chosen.", "Nothing was sent. Give their names with --desk.", ui.USAGE)
    chosen = tuple(dict.fromkeys(named or names))
    for one in chosen:
        if one not in names:
            ui.fail(f"There is no desk '{one}' here.", f"There are: {', '.join(names)}. Nothing was sent.", ui.USAGE)
    return chosen


def _need_one_open(visit: VerifiedVisit, desks: Sequence[str]) -> None:
    """End the command when none can be told now: nobody should learn new words in vain."""
    for left, one in enumerate(reversed(desks)):
        try:
            acts.note_to_seal_to(visit, one)
            return
        except acts.CannotWrite as cannot:
            if left == len(desks) - 1:
                ui.fail(str(cannot), "Nothing was sent: the words that you have are the right ones still.")


def _make_new(words: WordList) -> Passphrase:
    if not ui.can_type():
        ui.fail(
            "New words are shown and typed back, and there is no terminal to do it on.",
            "Nothing was sent. Run the command in a terminal.",
            ui.USAGE,
        )
    new = make(words, "Your new passphrase. It is shown now and never again:")
    if not practise(new, words, "Type the ten new words; only then is anything sent", may_skip=False):
        ui.fail(
            "The new words were not typed right, three times.",
            "Nothing was sent: your old words are the right ones still. Run the command again for other new words.",
        )
    ui.say("Right.", "green")
    return new


def _tell(visitor: Visitor, desk: str, old: Passphrase, new: Passphrase) -> Told:
    msg_id = secrets.token_bytes(16)
    try:
        with ui.waiting(f"Telling '{desk}'..."):
            visit = visitor.visit
            if acts.too_old_to_seal(visit, int(time.time())):
                visit = visitor.fetch(visit.pin)
            keys = [acts.keys_for(words.bits, visit, desk) for words in (old, new)]
            letter = acts.change(visit, keys[0], keys[1], msg_id)
            return Told(desk, acts.send(visitor.transport, visit, letter, msg_id, _pause))
    except StoppedSending as stopped:
        return Told(desk, None, str(stopped), True)
    except acts.CannotWrite as cannot:
        return Told(desk, None, str(cannot))
    except ui.CliError as error:  # the door could not be fetched once more
        return Told(desk, None, error.what)


def _pause(attempt: int) -> None:
    seconds = 5 * 2**attempt + secrets.randbelow(5)
    ui.countdown(time.time() + seconds, "The door did not take it yet; trying again")


def _say(told: Sequence[Told]) -> None:
    for one in told:
        if one.sent is not None:
            ui.show(f"'{one.desk}': accepted; in the public log by {ui.clock_time(one.sent.publish_at)}.", "bold green")
        else:
            ui.show(f"'{one.desk}' was not told. {one.trouble}", "bold yellow")
    missed = [one.desk for one in told if one.sent is None]
    if missed:
        again = " ".join(f"--desk {desk}" for desk in missed)
        ui.show(f"Keep both passphrases, and later run: latchstring source change {again} --resume", "yellow")
    if len(missed) < len(told):
        for line in AFTERWARDS:
            ui.show(line)


AFTERWARDS = (
    "A desk follows when it next fetches letters, mostly within a day. What you had not read comes again under the new "
    "words; until then look with both: latchstring source read",
    "What the old words still show: answers from before, to whoever knows the words; the sheets that hold them are "
    "public for good. What is written from now on opens with the new words alone.",
    "A letter written with the old words is shown to the desk as one that may not be yours.",
)
