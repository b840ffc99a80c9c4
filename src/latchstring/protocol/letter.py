# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters: 4096 bytes each, enc (1120) ‖ ciphertext (2976), sealed to the desk's epoch.

Plaintext (2960): body' = LP("letter-body", msg_id, pk_S, A, psk, CBOR), HMAC(K_letter, H(LP("letter-mac", body'))),
zeros. The MAC says that whoever wrote it holds the thread's keys; the desk could have made it too. A change of the
passphrase (`change.py`) carries a second MAC behind the first, over the same, with the K_letter of the new keys.
"""

from dataclasses import dataclass, field

from latchstring.protocol import constants as c
from latchstring.protocol.answers import Answers, parse_answers
from latchstring.protocol.attachment import Attachment, parse_item, parse_items
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.encoding import (
    Fields,
    ProtocolError,
    decode_cbor,
    encode_cbor,
    h,
    lp,
    read_lp,
    sized,
)
from latchstring.protocol.epoch import EpochNote, OpenEpoch
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.pair import Pair, pair_of_desk, pair_of_source
from latchstring.protocol.primitives import mac, same
from latchstring.protocol.source_keys import SourceKeys, ThreadKeys

MAX_READ = 64
MAX_ATTACHED = 64  # in the letter itself; more than fit are named by a list


@dataclass(frozen=True, slots=True)
class LetterBody:
    """What a letter says. `way`: how it came ("client"). `read`: ids (16 bytes) of replies the person has read.

    `attachments`: what comes with it; when they do not all fit, none of them and a `listed` attachment whose content is
    the list (`encode_list`). `answers`: to the desk's questions; when they do not fit, none, and `answers_in` is an
    attachment whose content they are (`Answers.encode`).
    """

    language: str
    way: str
    text: str = field(repr=False)
    read: tuple[bytes, ...] = field(default=(), repr=False)
    attachments: tuple[Attachment, ...] = ()
    listed: Attachment | None = None
    answers: Answers | None = field(default=None, repr=False)
    answers_in: Attachment | None = None

    def encode(self) -> bytes:
        """CBOR; ProtocolError when it does not fit one letter (see `room_left`)."""
        if self.attachments and self.listed is not None:
            raise ProtocolError("letter: attachments are named in one way")
        if self.answers is not None and self.answers_in is not None:
            raise ProtocolError("letter: answers are given in one way")
        raw = _encode(self)
        if len(raw) > c.LETTER_CBOR_MAX:
            raise ProtocolError("a letter that is too long for one envelope")
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "LetterBody":
        """ProtocolError for anything else than a letter's body of this version."""
        f = Fields(decode_cbor(raw), "letter")
        if f.text("kind", 32) != "letter":
            raise ProtocolError("a letter of a kind that this version does not know")
        language, way, text, read = f.text("lang", 35), f.text("way", 32), f.text("text"), f.items("read", MAX_READ)
        attached = f.items("attachments", MAX_ATTACHED) if f.has("attachments") else None
        listed = parse_item(f.take("list")) if f.has("list") else None
        answers = parse_answers(f.take("answers")) if f.has("answers") else None
        answers_in = parse_item(f.take("answers-in")) if f.has("answers-in") else None
        f.done()
        if answers is not None and answers_in is not None:
            raise ProtocolError("letter: answers are given in one way")
        if attached == [] or (attached is not None and listed is not None):
            raise ProtocolError("letter: attachments are named in one way, and only when there are any")
        items = parse_items(attached or [])
        return cls(language, way, text, tuple(_read(read)), items, listed, answers, answers_in)


def _read(items: list[object]) -> list[bytes]:
    ids = []
    for item in items:
        if not isinstance(item, bytes) or len(item) != c.REPLY_ID:
            raise ProtocolError("letter: 'read' holds something else than reply ids")
        ids.append(item)
    return ids


def _encode(body: LetterBody) -> bytes:
    value: dict[str, object] = {
        "kind": "letter",
        "lang": body.language,
        "way": body.way,
        "text": body.text,
        "read": list(body.read),
    }
    if body.attachments:
        value["attachments"] = [a.as_item() for a in body.attachments]
    if body.listed is not None:
        value["list"] = body.listed.as_item()
    if body.answers is not None:
        value["answers"] = body.answers.as_item()
    if body.answers_in is not None:
        value["answers-in"] = body.answers_in.as_item()
    return encode_cbor(value)


def room_left(body: LetterBody) -> int:
    """How many bytes of UTF-8 text still fit; negative when it is too long already."""
    return c.LETTER_CBOR_MAX - len(_encode(body))


@dataclass(frozen=True, slots=True)
class OpenedLetter:
    """A letter whose MAC holds. `body` is None when this version cannot read `cbor`: it is kept all the same.

    `change`: the new keys, when it is a change of the passphrase that is proved in full; `body` is None then.
    """

    epoch: bytes  # H(epoch note)
    thread_keys: ThreadKeys = field(repr=False)
    thread: bytes = field(repr=False)
    msg_id: bytes = field(repr=False)
    cbor: bytes = field(repr=False)
    body: LetterBody | None
    change: ChangeBody | None = field(default=None, repr=False)


def letter_info(note: EpochNote) -> bytes:
    """What the seal is bound to: LP("letter", door, desk, H(epoch note))."""
    return lp("letter", note.door, note.desk, note.hash)


def _letter_mac(pair: Pair, framed: bytes) -> bytes:
    return mac(pair.key("letter"), h(lp("letter-mac", framed)))


def _framed(keys: ThreadKeys, msg_id: bytes, cbor: bytes) -> bytes:
    return lp("letter-body", sized(msg_id, c.MSG_ID, "a letter's id"), keys.seal_key.raw, keys.dh, keys.psk, cbor)


def _padded(plain: bytes) -> bytes:
    if len(plain) > c.LETTER_PLAIN:
        raise ProtocolError("a letter that is too long for one envelope")
    return plain.ljust(c.LETTER_PLAIN, b"\0")


def frame_letter(pair: Pair, msg_id: bytes, cbor: bytes) -> bytes:
    """The 2960 bytes of plaintext, by whoever holds the pair: the source, or the desk (that is the deniability)."""
    framed = _framed(pair.thread_keys, msg_id, cbor)
    return _padded(framed + _letter_mac(pair, framed))


def frame_change(old: Pair, new: Pair, msg_id: bytes, cbor: bytes) -> bytes:
    """The 2960 bytes of a change: under the old keys, with the MACs of both."""
    framed = _framed(old.thread_keys, msg_id, cbor)
    return _padded(framed + _letter_mac(old, framed) + _letter_mac(new, framed))


def _check_note(keys: SourceKeys, note: EpochNote) -> None:
    if (note.door, note.desk) != (keys.door, keys.desk):
        raise ProtocolError("an epoch of another desk")


def seal_letter(keys: SourceKeys, note: EpochNote, msg_id: bytes, body: LetterBody) -> bytes:
    """4096 bytes to `POST /v1/letters`; ProtocolError for another door's or desk's note, or a body too long."""
    _check_note(keys, note)
    plain = frame_letter(pair_of_source(keys, note), msg_id, body.encode())
    return note.seal_key.seal(plain, letter_info(note))


def seal_change(old: SourceKeys, new: SourceKeys, note: EpochNote, msg_id: bytes) -> bytes:
    """4096 bytes like any letter's; ProtocolError for another desk's note or keys, or keys that stay the same."""
    _check_note(old, note)
    cbor = ChangeBody.make(old, new).encode()
    plain = frame_change(pair_of_source(old, note), pair_of_source(new, note), msg_id, cbor)
    return note.seal_key.seal(plain, letter_info(note))


def open_sealed(epoch: OpenEpoch, sealed: bytes) -> bytes:
    """The 2960 bytes inside a letter or memo. NotOurs when it is not sealed to this epoch."""
    return epoch.open_key.open(sized(sealed, c.LETTER_SIZE, "a letter"), letter_info(epoch.note))


def open_letter(epoch: OpenEpoch, sealed: bytes) -> OpenedLetter:
    """Open one letter with one epoch. NotOurs when it is not sealed to it; ProtocolError when the inside is wrong."""
    return read_letter(epoch, open_sealed(epoch, sealed))


def read_letter(epoch: OpenEpoch, plain: bytes) -> OpenedLetter:
    """A letter from its plaintext; ProtocolError when the inside is wrong or its writer does not hold the keys."""
    note = epoch.note
    fields, used = read_lp("letter-body", 5, plain)
    msg_id, seal_key, dh, psk, cbor = fields
    sized(msg_id, c.MSG_ID, "a letter's id")
    sized(psk, 32, "a thread's secret")
    if len(plain) != c.LETTER_PLAIN or used + c.MAC_SIZE > len(plain):
        raise ProtocolError("a letter that is not padded as it must be")
    keys = ThreadKeys.parse(seal_key, dh, psk)
    framed, rest = plain[:used], plain[used + c.MAC_SIZE :]
    if not same(_letter_mac(pair_of_desk(epoch, keys), framed), plain[used : used + c.MAC_SIZE]):
        raise ProtocolError("a letter whose writer does not hold the thread's keys")
    body, change = _body(cbor)
    if change is not None:
        _check_change(epoch, keys, change, framed, rest[: c.MAC_SIZE])
        rest = rest[c.MAC_SIZE :]
    if rest.strip(b"\0"):
        raise ProtocolError("a letter that is not padded as it must be")
    return OpenedLetter(note.hash, keys, keys.thread(note.door, note.desk), msg_id, cbor, body, change)


def _body(cbor: bytes) -> tuple[LetterBody | None, ChangeBody | None]:
    """What the CBOR is; neither when this version cannot read it."""
    try:
        return LetterBody.parse(cbor), None
    except ProtocolError:
        pass
    try:
        return None, ChangeBody.parse(cbor)
    except ProtocolError:
        return None, None


def _check_change(epoch: OpenEpoch, old: ThreadKeys, change: ChangeBody, framed: bytes, second: bytes) -> None:
    """ProtocolError unless c0 is the old keys' and the writer holds the new ones too."""
    if not change.follows(old):
        raise ProtocolError("a change whose writer does not hold the old passphrase")
    if not same(_letter_mac(pair_of_desk(epoch, change.keys), framed), second):
        raise ProtocolError("a change whose writer does not hold the new keys")


def filler_letter(secret: bytes, noise: bytes) -> bytes:
    """A letter's size sealed to a key that is thrown away: `secret` 32 random bytes, `noise` 2960 random bytes."""
    sized(noise, c.LETTER_PLAIN, "noise")
    return OpenKey.from_secret(secret).seal_key().seal(noise, lp("filler"))
