# SPDX-License-Identifier: AGPL-3.0-or-later
"""Getting a letter in: until there is a receipt, with the same bytes each time, by the lottery or by a knock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.client.promise import check_receipt
from latchstring.client.transport import NetworkFailed, Transport
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.knock import HEADER, NO_KNOCK, Knock, knocks_of
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.source_keys import SourceKeys
from latchstring.source.thread import Reply

TRIES: Final = 4
AGAIN: Final = (408, 500, 502, 503, 504)  # of the server, or of what stands before it
_FULL: Final = 503
_NO_KNOCK: Final = 409
FIRST_PAUSE: Final = 10.0  # seconds, in the mean
LONGEST_PAUSE: Final = 120.0


class CannotWrite(Exception):
    """The letter was not sent, or not taken. The text says why and what to do."""


class NotTaken(CannotWrite):
    """The door says no for what the letter is: trying again is no use as long as nothing else changes."""


class Unsure(CannotWrite):
    """The letter may have been taken: an answer got lost, or was no valid receipt."""


class NoReceipt(Unsure):
    """The answer came, and was no valid receipt."""


class StoppedSending(CannotWrite):
    """The person stopped it. `unsure`: an answer that got lost may have been a receipt."""

    def __init__(self, unsure: bool) -> None:
        super().__init__(
            "Stopped. It is not sure whether the letter was taken: an answer may have been lost on the way."
            if unsure
            else "Stopped. The letter was not taken: nothing of it was kept, neither here nor at the door."
        )
        self.unsure = unsure


class EnoughTries(Exception):
    """What `pause` raises when there has been waiting enough."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter that the server took. `mark`: 8 bytes by which an acknowledgement names it. `receipt_raw`: whoever keeps
    it can prove the server's promise, and that they were here."""

    mark: bytes = field(repr=False)
    leaf: bytes = field(repr=False)
    publish_by: int
    publish_at: int  # Unix seconds of that batch's close
    receipt_raw: bytes = field(repr=False)


def pause_before(attempt: int, random: Callable[[int], bytes]) -> float:
    """Seconds to wait before try number `attempt` (from 1): longer each time up to two minutes, and anywhere between
    half and one and a half of that, so that people who were refused together do not come back together.
    """
    mean = min(FIRST_PAUSE * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE)
    return mean * (0.5 + int.from_bytes(random(4), "big") / 2.0**32)


def may_knock(replies: Sequence[Reply], came_back: bool) -> bool:
    """Has the thread knocks, as far as one can know? The newest reply says; when there is none to be read any more,
    somebody who came back with a passphrase tries.
    """
    return replies[-1].known if replies else came_back


def knocks_for(keys: SourceKeys, note: EpochNote, random: Callable[[int], bytes]) -> tuple[Knock, ...]:
    """The thread's four knocks under the epoch, in random order; none when the epoch's value is refused."""
    try:
        four = list(knocks_of(pair_of_source(keys, note)))
    except ProtocolError:
        return ()
    return tuple(four.pop(int.from_bytes(random(8), "big") % len(four)) for _ in range(len(four)))


def send(
    transport: Transport,
    visit: VerifiedVisit,
    letter: bytes,
    msg_id: bytes,
    pause: Callable[[int], None],
    knocks: Sequence[Knock] = (),
    tries: int | None = TRIES,
) -> Sent:
    """Post the letter until it is taken; the same bytes every time, so that it is taken once.

    `pause` waits before try number n, may tell the person, and ends it all with EnoughTries. `knocks` are used in turn
    once the door has said that it is full, without a pause. `tries` None: as long as the door answers and `pause` lets.
    CannotWrite when the door stays full or silent, NotTaken, Unsure, StoppedSending at Ctrl-C.
    """
    trouble, lost, asking, silent, refused = "", False, False, 0, False
    head, left, attempt = NO_KNOCK, [knock.header() for knock in knocks], 0
    try:
        while True:
            asking = True
            try:
                answer = transport.request("POST", "/v1/letters", body=letter, headers={HEADER: head})
            except NetworkFailed as failed:
                trouble, lost, silent = str(failed), True, silent + 1
            else:
                if answer.status == 201:
                    return _taken(visit, letter, msg_id, answer.body)
                asking, trouble = False, answer.sentence()
                if left and answer.status == (_FULL if head == NO_KNOCK else _NO_KNOCK):
                    head = left.pop(0)
                    continue
                if answer.status == _NO_KNOCK and head != NO_KNOCK:
                    head = NO_KNOCK  # none is left: like everybody from here
                elif answer.status not in AGAIN:
                    refused = True
                    break
                elif answer.status == _FULL:
                    silent = 0
                else:  # 503 says "not taken"; the others that the server does not know
                    lost, silent = True, silent + 1
            asking = False
            attempt += 1
            if attempt == tries or silent == TRIES:
                break
            pause(attempt)
    except EnoughTries:
        pass
    except KeyboardInterrupt:
        raise StoppedSending(lost or asking) from None
    if lost:  # an answer that got lost on the way may have been a receipt
        raise Unsure(
            f"It is not sure that the letter was taken. {trouble} Sending it once more, with the same passphrase, "
            "does no harm: the desk then has it twice at most."
        )
    raise (NotTaken if refused else CannotWrite)(f"The letter was not taken. {trouble}".strip())


def _taken(visit: VerifiedVisit, letter: bytes, msg_id: bytes, raw: bytes) -> Sent:
    """Check the receipt before saying that the letter is in."""
    leaf = entry(Kind.LETTER, letter)
    try:
        receipt = check_receipt(visit, leaf, raw)
    except ProtocolError:
        raise NoReceipt(
            "The server answered without a valid receipt, so it is not sure that your letter was taken. "
            "Send it again later, with the same passphrase."
        ) from None
    at = visit.directory.policy.closes_at(receipt.publish_by)
    return Sent(msg_id[: c.ACK_SIZE], leaf, receipt.publish_by, at, raw)
