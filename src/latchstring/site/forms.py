# SPDX-License-Identifier: AGPL-3.0-or-later
"""What rides in a form from one step to the next: encrypted under a random key of this run, for an hour, for one page
and one language. The server keeps nothing between two steps; whoever holds the form holds what was typed in it.

Token: base64url of nonce (12) ‖ ChaCha20-Poly1305(CBOR, length-padded) under AAD LP("site-form", page, language).
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from latchstring.protocol.answers import Answer
from latchstring.protocol.attachment import Attachment, parse_item
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor, h, lp

LIFE: Final = 3600  # seconds
MOST_FIELDS: Final = 2200  # a desk's 64 questions with 32 choices each, and what stands beside them
_NONCE: Final = 12
_STEP: Final = 1024  # tokens are of few lengths, whatever was typed
_LONGEST: Final = 1_500_000
_FILES: Final = 64


class BadForm(ValueError):
    """A body that is no form, or has more fields than any of ours."""


class Forged(Exception):
    """A token that this run did not make for this page and language."""


class Stale(Exception):
    """One that is true but older than an hour; `state` is what was in it."""

    def __init__(self, state: "State") -> None:
        super().__init__()
        self.state = state


@dataclass(frozen=True, slots=True)
class State:
    """Where somebody is. `bits`: their passphrase's, empty while there is none; `old`: the one that is being replaced.

    `answers`: to the questions of each desk that was looked at, as they were typed; `asked`: by which a change of the
    questions shows; `step`: the page of them that is shown. `known`: they came back with their words. `letter`: sealed
    already (so that sending it twice is sending it once), empty when it was edited since; `note`: the hash of the key
    note to which, empty before the first try. `maybe`: the id under which a letter may be in after a try; `doubt`: why
    that is not sure, if not because an answer was lost. `seed`: random, for the letter's id. `once`: by which a worker
    knows that words were changed from this state. `redrawn`: why these may be other words than were shown before:
    `changed` (the letter), `late` (an hour passed, or the server was started anew) or empty. `decoy`: it is
    the harmless one. `chosen`: the desks that are to be told of new words.
    """

    at: int
    once: bytes = field(repr=False)
    desk: str = ""
    text: str = field(default="", repr=False)
    answers: Mapping[str, Mapping[str, Answer]] = field(default_factory=dict, repr=False)
    asked: bytes = field(default=b"", repr=False)
    step: int = 0
    bits: bytes = field(default=b"", repr=False)
    old: bytes = field(default=b"", repr=False)
    known: bool = False
    redrawn: str = ""
    decoy: bool = False
    seed: bytes = field(default=b"", repr=False)
    letter: bytes = field(default=b"", repr=False)
    note: bytes = field(default=b"", repr=False)
    maybe: bytes = field(default=b"", repr=False)
    doubt: str = ""
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    chosen: tuple[str, ...] = ()

    @property
    def given(self) -> Mapping[str, Answer]:
        """The answers to the chosen desk's questions."""
        return self.answers.get(self.desk, {})

    @property
    def msg_id(self) -> bytes:
        """The id of this letter: the same however often it is sent, another for other words in it, files or a desk."""
        files = [file.as_item() for file in self.files]
        content = [self.desk, self.text, dict(self.given), files]
        return h(lp("site-letter", self.seed, self.bits, encode_cbor(content)))[:16]

    def answer(self, given: Mapping[str, Answer]) -> "State":
        """With these answers to the chosen desk's questions; what was sealed with others is not the letter any more."""
        now = {**self.given, **given}
        return replace(self if now == self.given else self.other(), answers={**self.answers, self.desk: now})

    def other(self) -> "State":
        """For a letter that says more than before: not sealed or tried yet, and not under words that were shown for it
        before. The form may be of somebody who saw those and has the person write on. Who only leaves out a file, or
        chooses another desk, keeps their words: the form's owner learns nothing by that.
        """
        untried = replace(self, letter=b"", note=b"")
        return untried if self.known or not self.bits else replace(untried, bits=b"", redrawn="changed")


class Forms:
    """Seals and opens states."""

    def __init__(self, key: bytes, random: Callable[[int], bytes], now: Callable[[], int]) -> None:
        """`key`: 32 bytes; `now`: Unix seconds."""
        self._aead, self._random, self._now = ChaCha20Poly1305(key), random, now

    def new(self) -> State:
        """An empty state of now."""
        return State(self._now(), self._random(16))

    def seal(self, state: State, page: str, code: str) -> str:
        """The token for a form of this page in this language, with an hour from now."""
        fresh = replace(state, at=self._now())
        raw = encode_cbor(
            {
                "at": fresh.at,
                "once": fresh.once,
                "desk": fresh.desk,
                "text": fresh.text,
                "answers": {desk: dict(given) for desk, given in fresh.answers.items()},
                "asked": fresh.asked,
                "step": fresh.step,
                "bits": fresh.bits,
                "old": fresh.old,
                "known": fresh.known,
                "redrawn": fresh.redrawn,
                "decoy": fresh.decoy,
                "seed": fresh.seed,
                "letter": fresh.letter,
                "note": fresh.note,
                "maybe": fresh.maybe,
                "doubt": fresh.doubt,
                "files": [file.as_item() for file in fresh.files],
                "chosen": list(fresh.chosen),
            }
        )
        plain = len(raw).to_bytes(4, "big") + raw
        plain += bytes(-len(plain) % _STEP)
        nonce = self._random(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, plain, _bound(page, code))).decode()

    def open(self, token: str, page: str, code: str) -> State:
        """Forged, or Stale, for anything but a token of this run, page and language that is at most an hour old."""
        if len(token) > _LONGEST:
            raise Forged
        try:
            sealed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(page, code))
        except (InvalidTag, ValueError, binascii.Error):
            raise Forged from None
        state = _parse(plain[4 : 4 + int.from_bytes(plain[:4], "big")])
        age = self._now() - state.at
        if not -LIFE <= age <= LIFE:  # a clock that was set back is no fault of the person's
            raise Stale(state)
        return state


def _bound(page: str, code: str) -> bytes:
    return lp("site-form", page.encode(), code.encode())


def _parse(raw: bytes) -> State:
    try:
        f = Fields(decode_cbor(raw), "form")
        state = State(
            at=f.count("at"),
            once=f.raw("once", 16),
            desk=f.text("desk"),
            text=f.text("text", _LONGEST),
            answers=_answers(f.take("answers")),
            asked=_bytes(f.take("asked")),
            step=f.count("step"),
            bits=_bytes(f.take("bits")),
            old=_bytes(f.take("old")),
            known=f.flag("known"),
            redrawn=f.text("redrawn"),
            decoy=f.flag("decoy"),
            seed=_bytes(f.take("seed")),
            letter=_bytes(f.take("letter")),
            note=_bytes(f.take("note")),
            maybe=_bytes(f.take("maybe")),
            doubt=f.text("doubt"),
            files=tuple(parse_item(item) for item in f.items("files", _FILES)),
            chosen=tuple(str(desk) for desk in f.items("chosen", MOST_FIELDS)),
        )
        f.done()
    except ProtocolError:  # of another version of this program, under the same key: none
        raise Forged from None
    return state


def _answers(value: object) -> dict[str, dict[str, Answer]]:
    match value:
        case dict(desks) if all(isinstance(given, dict) for given in desks.values()):
            return {desk: {name: _answer(answer) for name, answer in given.items()} for desk, given in desks.items()}
        case _:
            raise ProtocolError("form: not answers")


def _answer(value: object) -> Answer:
    match value:
        case str(text):
            return text
        case [*chosen] if all(isinstance(choice, str) for choice in chosen):
            return tuple(str(choice) for choice in chosen)
        case _:
            raise ProtocolError("form: not an answer")


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ProtocolError("form: not bytes")
    return value


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of an urlencoded body, the last of each name. BadForm for too many, or for what is not UTF-8 text.

    Line breaks become one character; what no keyboard types (NUL and its like) is left out.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MOST_FIELDS
        )
    except (ValueError, UnicodeDecodeError):
        raise BadForm from None
    return {name: clean(value) for name, value in pairs}


def clean(text: str) -> str:
    """With newlines alone at the ends of lines, and without the control characters of ASCII but tabs. All others stay:
    whoever shows a text to somebody else shows them as such (`client/text.py`)."""
    broken = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(ch for ch in broken if ch in "\n\t" or (ord(ch) >= 32 and ord(ch) != 127))


def value_of(fields: Mapping[str, str], name: str) -> str:
    """A field, empty when it is missing."""
    return fields.get(name, "")
