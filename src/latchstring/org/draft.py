# SPDX-License-Identifier: AGPL-3.0-or-later
"""The directory as a file to read and edit (TOML), and what changes when it is signed.

A draft says what the organisation decides; what follows from it (seq, the hash of the one before, a desk's gen, the
pages) is worked out when it is signed, so that nobody has to get it right by hand.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any, Final

import tomli_w

from latchstring.org.errors import OrgError
from latchstring.protocol import constants as c
from latchstring.protocol.directory import (
    NO_HASH,
    Desk,
    Directory,
    Member,
    PageOwner,
    Policy,
    SignedDirectory,
    check_directory,
)
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.root import Door

_HEX: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
HEADER: Final = """\
# A Latchstring directory: what your organisation says of itself to everyone who comes.
# Edit it, then: latchstring org directory sign THIS-FILE
# Nothing in it is secret. 'door', 'tick' and 'started' never change.

"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft's content. Figures are those of `Policy`; a desk's gen is worked out when signing."""

    door: Door
    valid_days: int
    policy: Policy
    addresses: tuple[str, ...]
    origin: str
    log_key: bytes
    receipt_key: bytes
    request_key: bytes
    desks: tuple[Desk, ...]


def new_draft(door: Door, tick: int, started: int) -> str:
    """The file that founding makes: complete but for the server's card and the members' cards."""
    table: dict[str, Any] = {
        "door": door.hex(),
        "valid_days": c.DEFAULT_EXPIRY_DAYS,
        "addresses": [],
        "policy": {
            "tick": tick,
            "started": started,
            "letters": c.DEFAULT_LETTERS_PER_BATCH,
            "queue": c.DEFAULT_QUEUE,
            "sheet_slots": c.DEFAULT_SHEET_SLOTS,
            "erase_days": c.DEFAULT_ERASE_DAYS,
            "answer_days": 7,
        },
        "desk": [],
    }
    return HEADER + tomli_w.dumps(table)


def format_draft(draft: Draft) -> str:
    """The readable file."""
    p = draft.policy
    table: dict[str, Any] = {
        "door": draft.door.hex(),
        "valid_days": draft.valid_days,
        "addresses": list(draft.addresses),
        "policy": {
            "tick": p.tick,
            "started": p.started,
            "letters": p.letters,
            "queue": p.queue,
            "sheet_slots": p.slots,
            "erase_days": p.erase_days,
            "answer_days": p.answer_days,
        },
        "server": {
            "origin": draft.origin,
            "log": draft.log_key.hex(),
            "receipt": draft.receipt_key.hex(),
            "request": draft.request_key.hex(),
        },
        "desk": [
            {
                "id": desk.id,
                "titles": desk.titles,
                "greetings": desk.greetings,
                "member": [
                    {"id": m.id, "sign": m.sign_key.hex(), "request": m.request_key.hex()} for m in desk.members
                ],
            }
            for desk in draft.desks
        ],
    }
    return HEADER + tomli_w.dumps(table)


def add_card(text: str, card: str) -> str:
    """The draft with a server's or a member's card put in; OrgError when either cannot be read.

    A member whose desk is new gets a desk with a title to be edited.
    """
    table, extra = _toml(text), _toml(card)
    if set(extra) == {"server"}:
        table["server"] = extra["server"]
    elif set(extra) == {"member"} and isinstance(extra["member"], dict):
        member = dict(extra["member"])
        desk_id = member.pop("desk", None)
        if not isinstance(desk_id, str):
            raise OrgError("The member's card names no desk.")
        desks = table.setdefault("desk", [])
        desk = next((d for d in desks if d.get("id") == desk_id), None)
        if desk is None:
            desk = {"id": desk_id, "titles": {"en": desk_id.replace("-", " ").title()}, "greetings": {}, "member": []}
            desks.append(desk)
        members = [m for m in desk.setdefault("member", []) if m.get("id") != member.get("id")]
        desk["member"] = [*members, member]
    else:
        raise OrgError("That is not a server's or a member's card.")
    return HEADER + tomli_w.dumps(table)


def parse_draft(text: str) -> Draft:
    """Read a draft; OrgError names the setting that is wrong or missing."""
    t = _Table(_toml(text), "")
    door = Door(t.key("door"))
    valid = t.number("valid_days", 1, c.MAX_EXPIRY_DAYS)
    addresses = tuple(t.texts("addresses"))
    p = t.table("policy")
    policy = Policy(
        tick=p.number("tick", 1, 86_400),
        started=p.number("started", 1, 1 << 40),
        letters=p.number("letters", 1, 4096),
        queue=p.number("queue", 1, 1_000_000),
        slots=p.number("sheet_slots", 1, 4096),
        erase_days=p.number("erase_days", c.MIN_ERASE_DAYS, 28),
        answer_days=p.number("answer_days", 1, 366),
    )
    p.done()
    if not t.has("server"):
        raise OrgError(
            "The server's card is missing. Add it: latchstring org directory sign DRAFT --add server-card.toml"
        )
    s = t.table("server")
    origin, log, receipt, request = s.text("origin"), s.key("log"), s.key("receipt"), s.key("request")
    s.done()
    desks = tuple(_desk(d) for d in t.tables("desk"))
    t.done()
    if not desks:
        raise OrgError(
            "There is no desk yet. Add a member's card: latchstring org directory sign DRAFT --add member-card.toml"
        )
    return Draft(door, valid, policy, addresses, origin, log, receipt, request, desks)


def _desk(t: "_Table") -> Desk:
    desk_id = t.text("id")
    titles, greetings = t.text_map("titles"), t.text_map("greetings")
    members = []
    for m in t.tables("member"):
        members.append(Member(m.text("id"), m.key("sign"), m.key("request")))
        m.done()
    t.done()
    return Desk(desk_id, 1, titles, greetings, tuple(members))


def next_directory(draft: Draft, previous: SignedDirectory | None, now: int) -> Directory:
    """The directory to sign; OrgError when the draft breaks a rule.

    A desk's gen rises by one when a member was removed or got other keys; a sheet's slots are shared out among the
    members, one page each.
    """
    old = previous.directory if previous else None
    if old is not None and old.door != draft.door:
        raise OrgError("The draft is for another door than the directory before it.")
    members = [(desk.id, m.id) for desk in draft.desks for m in desk.members]
    slots = max(1, draft.policy.slots // max(1, len(members)))
    today = max(0, draft.policy.batch_at(now))
    directory = Directory(
        door=draft.door,
        seq=old.seq + 1 if old else 1,
        previous=previous.hash if previous else NO_HASH,
        expires=today + draft.valid_days * c.TICKS_PER_DAY,
        origin=draft.origin,
        log_key=draft.log_key,
        receipt_key=draft.receipt_key,
        request_key=draft.request_key,
        addresses=draft.addresses,
        policy=replace(draft.policy, slots=slots),
        desks=tuple(replace(desk, gen=_gen(desk, old)) for desk in draft.desks),
        pages=tuple(PageOwner(desk, member) for desk, member in members),
    )
    try:
        check_directory(directory)
    except ProtocolError as error:
        raise OrgError(f"The draft cannot be signed: {error}.") from None
    return directory


def _gen(desk: Desk, old: Directory | None) -> int:
    before = old.desk(desk.id) if old else None
    if before is None:
        return 1
    kept = {(m.id, m.sign_key, m.request_key) for m in desk.members}
    removed = any((m.id, m.sign_key, m.request_key) not in kept for m in before.members)
    return before.gen + 1 if removed else before.gen


def changes(old: Directory | None, new: Directory) -> list[str]:
    """What a new directory changes, in sentences for whoever signs it."""
    if old is None:
        names = ", ".join(f"'{d.id}' ({len(d.members)} member{'s' if len(d.members) > 1 else ''})" for d in new.desks)
        return [f"This is the door's first directory. Desks: {names}."]
    out = []
    for address in sorted(set(new.addresses) ^ set(old.addresses)):
        out.append(f"Address {'added' if address in new.addresses else 'removed'}: {address}")
    for desk in new.desks:
        before = old.desk(desk.id)
        if before is None:
            out.append(f"Desk '{desk.id}' is new.")
            continue
        was, now = {m.id: m for m in before.members}, {m.id: m for m in desk.members}
        out += [f"Desk '{desk.id}': member '{m}' is added." for m in now if m not in was]
        out += [f"Desk '{desk.id}': member '{m}' is removed." for m in was if m not in now]
        out += [f"Desk '{desk.id}': member '{m}' has new keys." for m in now if m in was and was[m] != now[m]]
        if desk.gen != before.gen:
            out.append(
                f"Desk '{desk.id}' makes new epochs (gen {desk.gen}); until they are logged it takes no letters."
            )
        if (desk.titles, desk.greetings) != (before.titles, before.greetings):
            out.append(f"Desk '{desk.id}': titles or greetings change.")
    out += [f"Desk '{desk.id}' is closed for good." for desk in old.desks if new.desk(desk.id) is None]
    if replace(old.policy, slots=0) != replace(new.policy, slots=0):
        out.append("The door's figures (policy) change.")
    if (old.receipt_key, old.request_key) != (new.receipt_key, new.request_key):
        out.append("The server's keys change.")
    return out or ["Nothing changes but the date until which it is good."]


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OrgError(f"The file is not valid TOML: {error}.") from None


class _Table:
    """Reads a TOML table key by key; every complaint names the setting."""

    def __init__(self, table: dict[str, Any], where: str) -> None:
        self._left, self._where = dict(table), where

    def _take(self, name: str, what: str) -> Any:
        if name not in self._left:
            raise OrgError(f"'{self._where}{name}' is missing: {what}.")
        return self._left.pop(name)

    def _wrong(self, name: str, what: str) -> OrgError:
        return OrgError(f"'{self._where}{name}' is not right: it is {what}.")

    def has(self, name: str) -> bool:
        return name in self._left

    def text(self, name: str) -> str:
        value = self._take(name, "a text")
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._take(name, "a list of texts")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of texts")
        return list(value)

    def text_map(self, name: str) -> dict[str, str]:
        value = self._take(name, "texts by language, such as { en = '...' }")
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(name, "texts by language, such as { en = '...' }")
        return dict(value)

    def number(self, name: str, low: int, high: int) -> int:
        what = f"a whole number from {low} to {high}"
        value = self._take(name, what)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(name, what)
        return value

    def key(self, name: str) -> bytes:
        value = self._take(name, "64 hexadecimal digits")
        if not isinstance(value, str) or not _HEX.match(value):
            raise self._wrong(name, "64 hexadecimal digits in lower case")
        return bytes.fromhex(value)

    def table(self, name: str) -> "_Table":
        value = self._take(name, "a table")
        if not isinstance(value, dict):
            raise self._wrong(name, "a table")
        return _Table(value, f"{self._where}{name}.")

    def tables(self, name: str) -> list["_Table"]:
        value = self._take(name, "a list of tables")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "a list of tables")
        return [_Table(item, f"{self._where}{name}[{i + 1}].") for i, item in enumerate(value)]

    def done(self) -> None:
        if self._left:
            raise OrgError(f"'{self._where}{sorted(self._left)[0][:40]}' is not a setting that there is.")
