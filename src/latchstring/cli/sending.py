# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending a letter for a person who waits: what is tried, when it is tried again, and what Ctrl-C leaves."""

import secrets
import time
from collections.abc import Sequence

from latchstring.cli import ui
from latchstring.cli.visiting import Visitor
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.knock import Knock
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.source_keys import SourceKeys
from latchstring.source import acts
from latchstring.source.sending import EnoughTries, StoppedSending, knocks_for, may_knock, pause_before
from latchstring.source.thread import Reply

_AGAIN = "To send it later, write it again with the same passphrase and --continue."


def knocks_here(visit: VerifiedVisit, keys: SourceKeys, replies: Sequence[Reply], came_back: bool) -> tuple[Knock, ...]:
    """The thread's knocks under the desk's present epoch, when it has any as far as one can know."""
    note = visit.note(keys.desk)
    return knocks_for(keys, note, secrets.token_bytes) if note and may_knock(replies, came_back) else ()


def send_letter(
    visitor: Visitor, keys: SourceKeys, body: LetterBody, replies: Sequence[Reply], came_back: bool, hours: float
) -> acts.Sent:
    """Seal and send, trying again for so many hours while the door is full. Ends the command when it was not taken."""
    msg_id, waited = secrets.token_bytes(16), 0.0

    def pause(attempt: int) -> None:
        nonlocal waited
        seconds = pause_before(attempt, secrets.token_bytes)
        if waited + seconds > hours * 3600:
            raise EnoughTries
        if not waited:
            ui.say(
                f"No receipt yet. The letter is tried again by itself, at random times, for up to {hours:g} hours. "
                "Ctrl-C stops it at any time, and says whether the letter is in.",
                "yellow",
            )
        waited += seconds
        ui.countdown(time.time() + seconds, f"Try number {attempt + 1}")

    visit = visitor.visit
    if acts.too_old_to_seal(visit, int(time.time())):
        visit = visitor.fetch(visit.pin)
    try:
        letter = acts.seal(visit, keys, body, msg_id)
        knocks = knocks_here(visit, keys, replies, came_back)
        with ui.waiting("Sending..."):
            return acts.send(visitor.transport, visit, letter, msg_id, pause, knocks, None)
    except StoppedSending as stopped:
        twice = "Sending it once more does no harm: the desk then has it twice at most. " if stopped.unsure else ""
        ui.fail(str(stopped), twice + _AGAIN, ui.STOPPED)
    except acts.CannotWrite as cannot:
        ui.fail(str(cannot), _AGAIN if waited else _elsewhere(visitor))


def _elsewhere(visitor: Visitor) -> str:
    """A mirror hands out files and takes no letters: where else the door answers."""
    others = [a for a in visitor.visit.directory.addresses if a.rstrip("/") != visitor.address.rstrip("/")]
    return f"The door answers at these addresses too: {', '.join(others)}" if others else ""
