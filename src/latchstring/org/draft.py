# SPDX-License-Identifier: AGPL-3.0-or-later
"""The directory as a file to read and edit (TOML), and the directory that follows from it.

A draft says what the organisation decides; what follows from it (seq, the hash of the one before, a desk's gen, the
pages) is worked out when it is signed, so that nobody has to get it right by hand.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from latchstring.log.cosignature import keys_of
from latchstring.org.asking import read_questions, render_question
from latchstring.org.errors import OrgError
from latchstring.org.paging import page_slots, share_pages
from latchstring.org.sitekey import SITE_REMARK, read_site, render_site, with_site
from latchstring.org.tomlfile import Table, lines_of, read_toml
from latchstring.org.witnesses import QUORUM_REMARK, read_witness, with_witness
from latchstring.protocol import constants as c
from latchstring.protocol.directory import (
    MAX_PAGES,
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
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.witness import Witness

_LAST_START: Final = 253_402_300_799  # Unix seconds: the end of the year 9999


@dataclass(frozen=True, slots=True)
class ServerCard:
    """A server's public keys, 32 bytes each, and the name of its log."""

    origin: str
    log_key: bytes
    receipt_key: bytes
    request_key: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole draft's content. `policy.slots` counts a whole sheet's slots; a desk's gen is worked out when signing."""

    door: Door
    valid_days: int
    policy: Policy
    addresses: tuple[str, ...]
    origin: str
    log_key: bytes
    receipt_key: bytes
    request_key: bytes
    desks: tuple[Desk, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    site: SiteKey | None = None


@dataclass(frozen=True, slots=True)
class _Sketch:
    """A draft that may still lack the server and the desks."""

    door: Door
    valid_days: int
    policy: Policy
    addresses: tuple[str, ...]
    server: ServerCard | None
    desks: tuple[Desk, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    site: SiteKey | None = None


def new_draft(door: Door, tick: int, started: int) -> str:
    """The file that founding makes: complete but for the server's card and the members' cards."""
    return _render(_Sketch(door, c.DEFAULT_EXPIRY_DAYS, Policy(tick, started), (), None, ()))


def format_draft(draft: Draft) -> str:
    """The readable file; `parse_draft` reads the same draft from it."""
    server = ServerCard(draft.origin, draft.log_key, draft.receipt_key, draft.request_key)
    return _render(
        _Sketch(
            draft.door,
            draft.valid_days,
            draft.policy,
            draft.addresses,
            server,
            draft.desks,
            draft.witnesses,
            draft.quorum,
            draft.site,
        )
    )


def draft_of(directory: Directory, valid_days: int = c.DEFAULT_EXPIRY_DAYS) -> Draft:
    """The draft that a directory could have come from, when the file itself was lost."""
    d = directory
    policy = replace(d.policy, slots=d.policy.slots * len(d.pages))
    return Draft(
        d.door,
        valid_days,
        policy,
        d.addresses,
        d.origin,
        d.log_key,
        d.receipt_key,
        d.request_key,
        _gen_one(d.desks),
        d.witnesses,
        d.quorum,
        d.site,
    )


def _gen_one(desks: tuple[Desk, ...]) -> tuple[Desk, ...]:
    return tuple(replace(desk, gen=1) for desk in desks)


def parse_draft(text: str) -> Draft:
    """Read a whole draft; OrgError names the setting that is wrong or missing."""
    s = _read(text)
    if s.server is None:
        raise OrgError("The server's card is missing. Add --add server-card.toml, the file that 'server init' made.")
    if not s.desks:
        raise OrgError("There is no desk yet. Add --add CARD, the file that 'desk init --card' made, for each member.")
    v = s.server
    return Draft(
        s.door,
        s.valid_days,
        s.policy,
        s.addresses,
        v.origin,
        v.log_key,
        v.receipt_key,
        v.request_key,
        s.desks,
        s.witnesses,
        s.quorum,
        s.site,
    )


def _read(text: str) -> _Sketch:
    t = read_toml(text, "draft")
    door, valid = Door(t.key("door")), t.number("valid_days", 1, c.MAX_EXPIRY_DAYS)
    addresses = t.addresses("addresses")
    p = t.table("policy")
    policy = Policy(
        tick=p.number("tick", 1, 86_400),
        started=p.number("started", 1, _LAST_START),
        letters=p.number("letters", 1, 4096),
        queue=p.number("queue", 1, 1_000_000),
        slots=p.number("sheet_slots", 1, 4096),
        erase_days=p.number("erase_days", c.MIN_ERASE_DAYS, 28),
        answer_days=p.number("answer_days", 1, 366),
        keep_days=_keep_days(p),
        attachment=p.number("attachment", 0, c.MAX_ATTACHMENT) if p.has("attachment") else c.DEFAULT_ATTACHMENT,
    )
    p.done()
    server = _server(t.table("server")) if t.has("server") else None
    desks = tuple(_desk(d) for d in t.tables("desk"))
    witnesses = tuple(read_witness(w) for w in t.tables("witness"))
    quorum = t.number("quorum", 0, c.MAX_WITNESSES) if t.has("quorum") else 0
    site = read_site(t.table("site")) if t.has("site") else None
    t.done()
    return _Sketch(door, valid, policy, addresses, server, desks, witnesses, quorum, site)


def _keep_days(p: Table) -> int:
    """None in a draft of a version before: 0."""
    days = p.number("keep_days", 0, c.MAX_KEEP_DAYS) if p.has("keep_days") else 0
    if 0 < days < c.MIN_KEEP_DAYS:
        raise OrgError(f"'keep_days' in [policy] is 0, or from {c.MIN_KEEP_DAYS} to {c.MAX_KEEP_DAYS} days.")
    return days


def _server(t: Table) -> ServerCard:
    card = ServerCard(t.text("origin"), t.signing_key("log"), t.signing_key("receipt"), t.key("request"))
    t.done()
    return card


def _desk(t: Table) -> Desk:
    desk_id = t.text("id")
    titles, greetings = t.text_map("titles"), t.text_map("greetings") if t.has("greetings") else {}
    members, questions = tuple(_member(m) for m in t.tables("member")), read_questions(t)
    t.done()
    return Desk(desk_id, 1, titles, greetings, members, questions)


def _member(t: Table) -> Member:
    member = Member(t.text("id"), t.signing_key("sign"), t.key("request"))
    t.done()
    return member


def add_card(draft: str, card: str) -> str:
    """The draft with a card put in (a server's, a member's, a witness's, the pages'); OrgError when one cannot be read.

    A member whose desk is new gets a desk with a title to be edited; one whose id the desk has already gets the
    card's keys. A witness that is new raises the quorum to what is usual for so many.
    """
    sketch, t = _read(draft), read_toml(card, "card")
    if t.has("server"):
        sketch = replace(sketch, server=_server(t.table("server")))
    elif t.has("member"):
        m = t.table("member")
        desk_id = m.text("desk")
        sketch = replace(sketch, desks=_with_member(sketch.desks, desk_id, _member(m)))
    elif t.has("witness"):
        witnesses, quorum = with_witness(sketch.witnesses, sketch.quorum, read_witness(t.table("witness")))
        sketch = replace(sketch, witnesses=witnesses, quorum=quorum)
    elif t.has("site"):
        sketch = replace(sketch, site=with_site(sketch.site, read_site(t.table("site"))))
    else:
        raise OrgError(
            "That is not a card: 'server init' makes a server's, 'desk init --card' a member's, 'witness init' a "
            "witness's, 'site key' that of the pages."
        )
    t.done()
    return _render(sketch)


def _with_member(desks: tuple[Desk, ...], desk_id: str, member: Member) -> tuple[Desk, ...]:
    desk = next((d for d in desks if d.id == desk_id), None)
    if desk is None:
        return (*desks, Desk(desk_id, 1, {"en": desk_id.replace("-", " ").title()}, {}, (member,)))
    others = tuple(m for m in desk.members if m.id != member.id)
    return tuple(replace(d, members=(*others, member)) if d is desk else d for d in desks)


def next_directory(draft: Draft, previous: SignedDirectory | None, now: int) -> Directory:
    """The directory to sign; OrgError when the draft breaks a rule. `now`: Unix seconds.

    A sheet's slots are shared out among the members in pages, as `paging.py` says.
    """
    old = previous.directory if previous else None
    if old is not None:
        _check_lasting(draft, old)
    members = [PageOwner(desk.id, m.id) for desk in draft.desks for m in desk.members]
    total = draft.policy.slots
    slots = page_slots(total, len(members), old.policy.slots if old else None)
    seq = old.seq + 1 if old else 1
    present = max(0, draft.policy.batch_at(now))
    directory = Directory(
        door=draft.door,
        seq=seq,
        previous=previous.hash if previous else NO_HASH,
        expires=present + draft.valid_days * c.TICKS_PER_DAY,
        origin=draft.origin,
        log_key=draft.log_key,
        receipt_key=draft.receipt_key,
        request_key=draft.request_key,
        addresses=draft.addresses,
        policy=replace(draft.policy, slots=slots),
        desks=tuple(replace(desk, gen=_gen(desk, old, seq)) for desk in draft.desks),
        pages=share_pages(min(total // slots, MAX_PAGES), members, old.pages if old else ()),
        witnesses=draft.witnesses,
        quorum=draft.quorum,
        issued=present,
        site=draft.site,
    )
    try:
        check_directory(directory)
    except ProtocolError as error:
        raise OrgError(f"The draft cannot be signed: {str(error).removeprefix('directory: ')}.") from None
    return directory


def _check_lasting(draft: Draft, old: Directory) -> None:
    """What is for ever may not change, whatever else does."""
    for name, mine, before in (
        ("door", draft.door, old.door),
        ("policy.tick", draft.policy.tick, old.policy.tick),
        ("policy.started", draft.policy.started, old.policy.started),
        ("server.origin", draft.origin, old.origin),
        ("server.log", draft.log_key, old.log_key),
    ):
        if mine != before:
            raise OrgError(f"'{name}' is not what the directory before says, and it never changes. Put it back.")


def _gen(desk: Desk, old: Directory | None, seq: int) -> int:
    """Kept, unless the desk is new or a member was removed or has other keys: then the directory's own number.

    No gen of the past is as high, so that a desk that was closed and comes back never names its old keys again.
    """
    before = old.desk(desk.id) if old else None
    if before is None:
        return seq
    return before.gen if set(before.members) <= set(desk.members) else seq


_HEAD: Final = """\
# A Latchstring directory: what your organisation says of itself to everyone who comes.
# Edit it, then: latchstring org directory sign THIS-FILE
# Nothing in it is secret. Cards of the server and of members are put in with --add; that writes this file anew,
# and remarks of your own are not kept.
"""


def _render(s: _Sketch) -> str:
    p = s.policy
    start = datetime.fromtimestamp(p.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if p.started <= _LAST_START else ""
    blocks = [
        _HEAD,
        f"# For ever.\n{_line('door', s.door.hex())}\n"
        f"# Days from signing until it must be signed anew, at most {c.MAX_EXPIRY_DAYS}. After that nobody can write.\n"
        f"{_line('valid_days', s.valid_days)}\n"
        "# Where the door answers, the best first; the first two go into the QR code. Onion addresses begin http://\n"
        f"{_line('addresses', list(s.addresses))}",
        "[policy]\n"
        f"# For ever: the seconds between batches, and when the first one closed ({start}).\n"
        f"{_line('tick', p.tick)}{_line('started', p.started)}"
        "# Letters in every batch, real or filler, and how many may wait.\n"
        f"{_line('letters', p.letters)}{_line('queue', p.queue)}"
        "# Replies in every sheet, shared out among the members.\n"
        f"{_line('sheet_slots', p.slots)}"
        "# Days until the keys of a day are erased: letters deleted then are gone for good.\n"
        f"{_line('erase_days', p.erase_days)}"
        "# Days within which you promise an answer. Every source is told.\n"
        f"{_line('answer_days', p.answer_days)}"
        "# Days after which desks delete threads that are quiet, from 30 on; 0: only by hand.\n"
        f"{_line('keep_days', p.keep_days)}"
        "# The most bytes that one attachment may have; 0: no attachments.\n"
        f"{_line('attachment', p.attachment)}",
    ]
    blocks[1] += f"\n{QUORUM_REMARK}{_line('quorum', s.quorum)}".removesuffix("\n")
    if s.server is not None:
        v = s.server
        blocks.append(
            "# From the server's card.\n[server]\n"
            f"{_line('origin', v.origin)}{_line('log', v.log_key.hex())}"
            f"{_line('receipt', v.receipt_key.hex())}{_line('request', v.request_key.hex())}"
        )
    if s.site is not None:
        blocks.append(f"{SITE_REMARK}{render_site(s.site)}")
    for desk in s.desks:
        blocks.append(
            f"[[desk]]\n{_line('id', desk.id)}\n"
            "# The desk's name, and what it says to whoever comes, by language (en, uk, ...).\n"
            f"[desk.titles]\n{lines_of(desk.titles)}\n[desk.greetings]\n{lines_of(desk.greetings)}"
        )
        blocks += [render_question(question) for question in desk.questions]
        blocks += [
            f"[[desk.member]]\n{_line('id', m.id)}"
            f"{_line('sign', m.sign_key.hex())}{_line('request', m.request_key.hex())}"
            for m in desk.members
        ]
    blocks += [
        f"[[witness]]\n{_line('address', w.address)}{_line('keys', [str(key) for key in keys_of(w)])}"
        for w in s.witnesses
    ]
    return "\n".join(blocks)


def _line(name: str, value: object) -> str:
    return lines_of({name: value})
