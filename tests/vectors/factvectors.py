# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every kind of fact that members tell each other in memos: what is taken in, what is nothing, what is kept apart."""

from collections.abc import Mapping
from typing import Any, Final

from latchstring.desk.facts import At
from latchstring.desk.gone import mark_of
from latchstring.desk.passing import filled_fact, letter_fact
from latchstring.desk.shared_replies import reply_fact
from latchstring.protocol.constants import LETTER_CBOR_MAX, REPLY_CBOR_MAX
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.memo import Fact
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import source_keys

AT: Final = At(500, 3, 1)  # where all of them are told, by whom, and in whose vault they are heard
BY, READER, DESK, DOOR = "anna", "ben", "news", Door(b"\x20" * 32)
THREAD, OTHER, ID, MARK, KEY = b"\x0e" * 32, b"\x11" * 32, b"\x12" * 16, b"\x13" * 8, b"\x14" * 32
TELLER: Final = source_keys(b"\x15" * 32, DOOR, DESK).thread_keys
_LETTER: Final = LetterBody("uk", "client", "Дивіться.").encode()
_LONG: Final = encode_cbor({"text": "x" * REPLY_CBOR_MAX, "acks": [], "known": False})
_REPLY: Final = ReplyBody("Дякуємо.", (MARK,), True)


def _good() -> dict[str, list[Fact]]:
    told: dict[str, list[Fact]] = {
        "assign": [{"thread": THREAD, "to": "ben"}, {"thread": THREAD, "to": None}],
        "known": [{"thread": THREAD, "known": True}, {"thread": THREAD, "known": False}],
        "note": [{"id": ID, "thread": THREAD, "text": "Передзвонити.", "written": 1_700_000_000}],
        "read": [{"thread": THREAD, "letters": [MARK, KEY[:8]]}, {"thread": THREAD, "letters": []}],
        "reply": [reply_fact(ID, THREAD, _REPLY, 1_700_000_000, 499)],
        "placed": [{"reply": ID, "sheet": AT.batch // 36}],
        "take": [{"what": b"pass:ben", "turn": 1}],
        "seen": [{"batch": AT.batch, "gaps": [[0, 3], [7, 7]]}, {"batch": 0, "gaps": []}],
        "filled": [filled_fact("ben", KEY, (0, AT.batch))],
        "delete": [{"gone": [mark_of(ID), mark_of(MARK * 2)]}],
        "forget": [{"threads": [mark_of(THREAD)]}],
        "keep": [{"thread": THREAD, "on": True}, {"thread": THREAD, "on": False}],
        "link": [{"a": THREAD, "b": OTHER, "on": True}, {"a": OTHER, "b": THREAD, "on": False}],
        "withdraw": [{"reply": ID}],
        "thread": [{"seal": TELLER.seal_key.raw, "dh": TELLER.dh, "psk": TELLER.psk}],
        "letter": [letter_fact(THREAD, ID, AT.batch, 15, 3, True, _LETTER)],
    }
    good: dict[str, list[Fact]] = {kind: [{**fact, "kind": kind} for fact in facts] for kind, facts in told.items()}
    again = [facts[0] for kind, facts in good.items() if kind not in ("thread", "letter")]
    before = At(499, 0, 0).number
    early: dict[str, object] = {"batch": 499, "last": 499, "sheet": 13}  # what lies later than its place is nothing
    good["again"] = [
        {"kind": "again", "by": "clara", "at": before, "fact": {k: early.get(k, v) for k, v in fact.items()}}
        for fact in again
    ]
    return good


def _bad(good: Mapping[str, list[Fact]]) -> dict[str, dict[str, Fact]]:
    """Of each kind: a wrong type or length of each part, a part left out, one too many; and what is said by name."""
    bad: dict[str, dict[str, Fact]] = {}
    for kind, facts in good.items():
        fact = facts[0]
        bad[kind] = {"a part that is not known": {**fact, "more": 1}}
        for part, value in fact.items():
            if part == "kind":
                continue
            bad[kind][f"'{part}' is missing"] = {k: v for k, v in fact.items() if k != part}
            bad[kind][f"'{part}' is of another type"] = {**fact, part: _another_type(value)}
            if isinstance(value, bytes) and part not in ("what", "body", "cbor"):
                bad[kind][f"'{part}' is a byte short"] = {**fact, part: value[:-1]}
                bad[kind][f"'{part}' is a byte too long"] = {**fact, part: value + b"\0"}
            if type(value) is int:
                bad[kind][f"'{part}' is below nothing"] = {**fact, part: -1}
    said: dict[str, dict[str, dict[str, object]]] = {
        "assign": {"'to' is no member's name": {"to": "Ben"}},
        "note": {"a text that is too long": {"text": "x" * 501}},
        "read": {"a mark of 7 bytes": {"letters": [MARK[:7]]}, "too many marks": {"letters": [MARK] * 201}},
        "reply": {
            "a body that is none": {"body": b"\xa0"},
            "a body that is too long": {"body": _LONG},
        },
        "placed": {"a sheet that is still to come": {"sheet": AT.batch // 36 + 1}},
        "take": {"nothing": {"what": b""}, "65 bytes": {"what": bytes(65)}, "turn 0": {"turn": 0}},
        "seen": {
            "a batch that is still to come": {"batch": AT.batch + 1},
            "gaps out of order": {"gaps": [[7, 7], [0, 3]]},
            "gaps that overlap": {"gaps": [[0, 3], [3, 7]]},
            "a gap that ends before it begins": {"gaps": [[3, 2]]},
            "a gap of three": {"gaps": [[1, 2, 3]]},
            "true for 1": {"gaps": [[True, 3]]},
            "too many gaps": {"gaps": [[n, n] for n in range(65)]},
        },
        "filled": {
            "a batch that is still to come": {"last": AT.batch + 1},
            "a span that ends before it begins": {"first": 2, "last": 1},
            "no member's name": {"for": "Ben"},
        },
        "delete": {"65 marks": {"gone": [bytes(32)] * 65}, "a mark of 31 bytes": {"gone": [bytes(31)]}},
        "forget": {"65 marks": {"threads": [bytes(32)] * 65}, "a mark of 33 bytes": {"threads": [bytes(33)]}},
        "link": {"one thread alone": {"b": THREAD}},
        "thread": {"an X25519 key of small order": {"dh": bytes(32)}},
        "letter": {
            "a batch that is still to come": {"batch": AT.batch + 1},
            "longer than a letter can be": {"cbor": bytes(LETTER_CBOR_MAX + 1)},
            "place 4096": {"place": 4096},
        },
        "again": {
            "told where it is told again": {"at": AT.number},
            "by no member": {"by": "Clara"},
            "a kind that itself passes on": {"fact": good["thread"][0]},
            "a fact that is nothing": {"fact": {"kind": "assign"}},
            "a fact without a kind": {"fact": {"thread": THREAD, "to": None}},
        },
    }  # fmt: skip
    for kind, cases in said.items():
        bad[kind] |= {why: {**good[kind][0], **changes} for why, changes in cases.items()}
    return bad


def _another_type(value: object) -> object:
    return [] if isinstance(value, (dict, bytes, str, bool, int)) else {}


def facts() -> dict[str, Any]:
    """Each kind's facts as CBOR, told by `by` at `at` and heard by `reader`, whose vault is empty before each."""
    good = _good()
    bad = _bad(good)
    return {
        "door": DOOR.hex(),
        "desk": DESK,
        "by": BY,
        "reader": READER,
        "at": {"batch": AT.batch, "letter": AT.letter, "fact": AT.fact, "number": AT.number},
        "marks": [{"id": i.hex(), "mark": mark_of(i).hex()} for i in (ID, MARK * 2)],
        "thread": TELLER.thread(DOOR, DESK).hex(),
        "kinds": {
            kind: {
                "taken": [encode_cbor(dict(fact)).hex() for fact in told],
                "refused": [{"why": why, "fact": encode_cbor(dict(f)).hex()} for why, f in bad[kind].items()],
            }
            for kind, told in good.items()
        },
        "kept": encode_cbor({"kind": "of a later version", "x": [1, None]}).hex(),
    }
