# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a source does: write a letter, read the thread, change the passphrase. Nothing is kept on the device."""

from dataclasses import replace
from typing import Final

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import constants as c
from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.letter import LetterBody, room_left, seal_change, seal_letter
from latchstring.protocol.source_keys import SourceKeys, seed_of, source_keys
from latchstring.source.sending import AGAIN as AGAIN
from latchstring.source.sending import CannotWrite as CannotWrite
from latchstring.source.sending import Sent as Sent
from latchstring.source.sending import send as send
from latchstring.source.thread import Reply, find_replies

WAY: Final = "client"
NAMED: Final = 16  # replies of those that were read


class TooLong(CannotWrite):
    """`over`: by how many bytes."""

    def __init__(self, over: int) -> None:
        super().__init__(
            f"The letter is {over} bytes too long for one envelope. Shorten it, send two letters, "
            "or attach it as a file."
        )
        self.over = over


def keys_for(passphrase_bits: bytes, visit: VerifiedVisit, desk: str) -> SourceKeys:
    """The source's keys for one desk of this door; takes about a tenth of a second (Argon2id)."""
    door = visit.directory.door
    return source_keys(seed_of(passphrase_bits, door), door, desk)


def read_thread(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
    """The replies, oldest first: none for a passphrase that was never used."""
    return find_replies(visit, keys)


def compose(
    text: str,
    language: str,
    read: tuple[Reply, ...],
    attachments: tuple[Attachment, ...] = (),
    listed: Attachment | None = None,
    answers: Answers | None = None,
) -> LetterBody:
    """A letter's body; CannotWrite when it is empty, TooLong when it does not fit."""
    return naming(LetterBody(language, WAY, text, (), attachments, listed, answers), read)


def naming(body: LetterBody, read: tuple[Reply, ...]) -> LetterBody:
    """The letter with the replies that were read; naming them gives way to what is said. CannotWrite, TooLong."""
    says_something(body)
    body = replace(body, read=tuple(reply.id for reply in read[-NAMED:]))
    while body.read and room_left(body) < 0:
        body = replace(body, read=body.read[1:])
    over = -room_left(body)
    if over > 0:
        raise TooLong(over)
    return body


def says_something(body: LetterBody) -> None:
    """CannotWrite when it is empty, or no text."""
    if not body.text.strip() and body.answers is None and body.answers_in is None:
        raise CannotWrite("The letter is empty. Write a few words, then try again.")
    try:
        body.text.encode("utf-8")
    except UnicodeEncodeError:
        raise CannotWrite("The letter holds bytes that are not text. Save it as UTF-8 and try again.") from None


def too_old_to_seal(visit: VerifiedVisit, now: int) -> bool:
    """Is the copy of /visit a day old, so that keys may have changed since? `now`: Unix seconds."""
    return visit.directory.policy.batch_at(now) - visit.manifest.n >= c.VISIT_FRESH_TICKS


def note_to_seal_to(visit: VerifiedVisit, desk: str) -> EpochNote:
    """The desk's epoch; CannotWrite when the door's directory is too old or the desk takes no letters now."""
    if visit.directory.closed is not None:
        raise CannotWrite("This door is closed for good: it takes no letters any more. Its answers you can read.")
    if visit.expired:
        raise CannotWrite(
            "This door's directory is out of date, so letters stop until the organisation renews it. You can read. "
            "Try again in a few days."
        )
    note = visit.note(desk)
    if note is None:
        raise CannotWrite("This desk takes no letters just now. Try again in an hour, or choose another desk.")
    return note


def seal(visit: VerifiedVisit, keys: SourceKeys, body: LetterBody, msg_id: bytes) -> bytes:
    """The letter's 4096 bytes; CannotWrite when the door's directory is too old or the desk takes no letters now."""
    return seal_letter(keys, note_to_seal_to(visit, keys.desk), msg_id, body)


def change(visit: VerifiedVisit, old: SourceKeys, new: SourceKeys, msg_id: bytes) -> bytes:
    """The 4096 bytes by which a desk learns that the thread goes on under new words; CannotWrite as for a letter.

    Made again, with the same two passphrases, it means the same to the desk: a change is followed once.
    """
    return seal_change(old, new, note_to_seal_to(visit, old.desk), msg_id)
