# SPDX-License-Identifier: AGPL-3.0-or-later
"""Knocks: what lets a letter of a thread that its desk marked as known in when the door is flooded.

knock = HMAC(K_knock, LP("knock", day, c)), c < 4, for each thread and epoch; day: the epoch's.
dummy = HMAC(desk key, LP("knock-dummy", day, i)): the rest of the 256, which members' own letters spend.
For each epoch the server holds a list of 256 entries H(LP("knock-entry", salt, knock)), and cannot tell the two apart.

The salt is another one in each version: entries of two versions cannot be compared, so that the difference does not
show when, and how many, threads were marked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, h, lp, parse_lp, parse_u64, sized
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.pair import Pair, pair_of_desk
from latchstring.protocol.primitives import mac
from latchstring.protocol.source_keys import ThreadKeys

HEADER: Final = "latchstring-knock"
"""The request header that carries a knock: in the head, so that a letter stays 4096 bytes, and not in the address,
which servers and proxies write down. Whoever has none sends `NO_KNOCK`: all letters have one size on the line."""
_DIGITS: Final = 2 * (c.HASH_SIZE + c.KNOCK_SIZE)
NO_KNOCK: Final = "0" * _DIGITS


@dataclass(frozen=True, slots=True)
class Knock:
    """A knock and whose list it is in: `note` is H(epoch note), `value` 32 bytes that only its holders know."""

    note: bytes
    value: bytes = field(repr=False)

    def header(self) -> str:
        """128 hexadecimal digits, lower case."""
        return (self.note + self.value).hex()


def read_header(text: str | None) -> Knock | None:
    """The knock of a request; None when there is none, or something that is none."""
    if text is None or text == NO_KNOCK or len(text) != _DIGITS or not text.isascii() or text != text.lower():
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    if len(raw) != c.HASH_SIZE + c.KNOCK_SIZE:  # spaces are no digits
        return None
    return Knock(raw[: c.HASH_SIZE], raw[c.HASH_SIZE :])


def knocks_of(pair: Pair) -> tuple[Knock, ...]:
    """The four of a thread under one epoch, for both sides."""
    key, note = pair.key("knock"), pair.note
    return tuple(Knock(note.hash, mac(key, lp("knock", note.day, number))) for number in range(c.KNOCKS_A_THREAD))


def dummy(epoch: OpenEpoch, number: int) -> Knock:
    """The knock number `number` (from 0) that belongs to no thread; a list has at least 64."""
    return Knock(epoch.note.hash, mac(epoch.desk_key, lp("knock-dummy", epoch.note.day, number)))


def entry_of(salt: bytes, value: bytes) -> bytes:
    """How a list names a knock: 32 bytes."""
    return h(lp("knock-entry", salt, value))


@dataclass(frozen=True, slots=True)
class KnockList:
    """What the server holds for one epoch. `version`: up to which batch its maker had followed the log; `entries`:
    256 of 32 bytes, in rising order, run together."""

    note: bytes
    version: int
    salt: bytes
    entries: bytes = field(repr=False)

    @property
    def raw(self) -> bytes:
        """LP("knock-list", H(epoch note), v, salt, entries): some 8 KB, always the same length."""
        return lp("knock-list", self.note, self.version, self.salt, self.entries)

    @classmethod
    def parse(cls, raw: bytes) -> "KnockList":
        """ProtocolError unless there are exactly 256 entries, rising."""
        note, version, salt, entries = parse_lp("knock-list", 4, raw)
        sized(entries, c.KNOCK_LIST * c.HASH_SIZE, "a list of knocks")
        made = cls(sized(note, c.HASH_SIZE, "a hash"), parse_u64(version), sized(salt, c.HASH_SIZE, "a salt"), entries)
        each = made.each()
        if any(a >= b for a, b in pairwise(each)):
            raise ProtocolError("a list of knocks that is not in order")
        return made

    def each(self) -> list[bytes]:
        """The entries one by one."""
        size = c.HASH_SIZE
        return [self.entries[at : at + size] for at in range(0, len(self.entries), size)]


def make_list(epoch: OpenEpoch, threads: Iterable[ThreadKeys], version: int) -> KnockList:
    """The list of an epoch for these threads: the same bytes from every member who marks the same ones.

    ProtocolError for more than 48 threads.
    """
    values = [knock.value for keys in threads for knock in knocks_of(pair_of_desk(epoch, keys))]
    if len(values) > c.KNOWN_THREADS * c.KNOCKS_A_THREAD:
        raise ProtocolError("more threads than a list of knocks holds")
    values += [dummy(epoch, number).value for number in range(c.KNOCK_LIST - len(values))]
    salt = mac(epoch.desk_key, lp("knock-salt", version, h(b"".join(sorted(values)))))
    return KnockList(epoch.note.hash, version, salt, b"".join(sorted(entry_of(salt, value) for value in values)))
