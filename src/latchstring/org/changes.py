# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a new directory changes, and what to think of before it is signed, in sentences for whoever signs it."""

from collections import Counter
from dataclasses import fields
from typing import Final
from urllib.parse import urlsplit

from latchstring.org.asking import question_changes, question_warnings
from latchstring.org.closing import statement
from latchstring.org.sitekey import site_changes
from latchstring.org.witnesses import witness_changes
from latchstring.protocol.constants import TICKS_PER_DAY
from latchstring.protocol.directory import Desk, Directory, Policy

_SHORT_DAYS: Final = 14
_FIGURES: Final = {
    "letters": "letters in a batch",
    "queue": "letters that may wait",
    "slots": "slots of a member's page",
    "erase_days": "days until keys are erased",
    "answer_days": "days until an answer, as promised",
    "keep_days": "days until desks delete quiet threads",
    "attachment": "bytes that one attachment may have",
}


def changes(old: Directory | None, new: Directory) -> list[str]:
    """What differs from `old`, the newest directory before; the desks when there is none."""
    if old is None:
        names = ", ".join(f"'{d.id}' ({_members(len(d.members))})" for d in new.desks)
        first = f"This is the door's first directory. Desks: {names}."
        return [first, *witness_changes(None, new), *site_changes(None, new)]
    out = ["The door is closed for good: no letter is taken any more."] if new.closed and not old.closed else []
    out += statement(new.closed) if new.closed and new.closed != old.closed else []
    addresses = [f"Address removed: {a}" for a in old.addresses if a not in new.addresses]
    addresses += [f"Address added: {a}" for a in new.addresses if a not in old.addresses]
    out += addresses
    if not addresses and old.addresses != new.addresses:
        out.append("The addresses stand in another order.")
    for desk in new.desks:
        before = old.desk(desk.id)
        if before is None:
            out.append(f"Desk '{desk.id}' is new ({_members(len(desk.members))}).")
        else:
            out += _desk_changes(before, desk)
    out += [f"Desk '{desk.id}' is closed." for desk in old.desks if new.desk(desk.id) is None]
    out += _figures(old.policy, new.policy)
    out += witness_changes(old, new)
    out += site_changes(old, new)
    if old.pages != new.pages:
        counts = Counter(page.member for page in new.pages)
        out.append("Pages of a sheet: " + ", ".join(f"{count} of '{m}'" for m, count in counts.items()) + ".")
    if old.receipt_key != new.receipt_key:
        out.append("The server has a new key for receipts.")
    if old.request_key != new.request_key:
        out.append("The server has a new key for members' requests.")
    return out or ["Nothing changes but the date until which it is good."]


def _members(count: int) -> str:
    return f"{count} member{'' if count == 1 else 's'}"


def _desk_changes(before: Desk, desk: Desk) -> list[str]:
    name, out = f"Desk '{desk.id}'", []
    was, now = {m.id: m for m in before.members}, {m.id: m for m in desk.members}
    out += [f"{name}: member '{m}' is added." for m in now if m not in was]
    out += [f"{name}: member '{m}' is removed." for m in was if m not in now]
    out += [f"{name}: member '{m}' has other keys." for m in now if m in was and was[m] != now[m]]
    if desk.gen != before.gen:
        out.append(
            f"{name} makes new keys because of that (gen {desk.gen}); it takes no letters until they are logged."
        )
    for what, a, b in (("title", before.titles, desk.titles), ("greeting", before.greetings, desk.greetings)):
        languages = sorted(lang for lang in a.keys() | b.keys() if a.get(lang) != b.get(lang))
        if languages:
            out.append(f"{name}: the {what} changes ({', '.join(languages)}).")
    return out + question_changes(before, desk)


def _figures(old: Policy, new: Policy) -> list[str]:
    pairs = ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in fields(Policy))
    return [f"{_FIGURES.get(name, name)}: {a} becomes {b}." for name, a, b in pairs if a != b]


def warnings(old: Directory | None, new: Directory, now: int) -> list[str]:
    """What may be a mistake; nothing of it forbids signing. `now`: Unix seconds."""
    out, today = [], max(0, new.policy.batch_at(now))
    days = (new.expires - today) // TICKS_PER_DAY
    if days < _SHORT_DAYS:
        out.append(
            f"It is good for {days} day{'' if days == 1 else 's'} only; after that nobody can write to the door."
        )
    if old is not None and today >= old.expires:
        out.append("The directory before this one has run out: the door takes no letters until this one is logged.")
    if new.closed is not None:
        out.append("It is the last directory: nothing can be signed after it, and the door never opens again.")
        if not new.closed.instead:
            out.append("The closing names nowhere to turn instead.")
    if old is not None and new.expires < old.expires:
        out.append("It runs out before the directory that it follows would have.")
    if old is not None and new.policy.answer_days > old.policy.answer_days:
        out.append(f"Whoever wrote until now was promised an answer within {old.policy.answer_days} days.")
    if new.policy.keep_days and (old is None or not 0 < old.policy.keep_days <= new.policy.keep_days):
        out.append(f"Desks will delete threads that have been quiet for {new.policy.keep_days} days, after a warning.")
    if not new.addresses:
        out.append("It names no address: the card's QR code will lead nowhere.")
    out += [f"{a} is not encrypted on its way: everyone between sees who comes." for a in new.addresses if _bare(a)]
    if len({page.member for page in new.pages}) < sum(len(desk.members) for desk in new.desks):
        out.append(
            "A sheet has fewer slots than there are members: those without a page cannot send replies themselves."
        )
    for desk in new.desks:
        if len(desk.members) == 1:
            out.append(f"Desk '{desk.id}' has one member: while they are away or if their vault is lost, nobody reads.")
    out += question_warnings(old, new)
    if old is not None:
        out += [
            f"Desk '{desk.id}' is closed: its sources can neither write nor be answered any more."
            for desk in old.desks
            if new.desk(desk.id) is None
        ]
    return out


def _bare(address: str) -> bool:
    """Plain HTTP to somewhere that is neither an onion service nor this machine?"""
    try:
        url = urlsplit(address)
        host = url.hostname or ""
    except ValueError:
        return False
    return url.scheme == "http" and not host.endswith(".onion") and host not in ("127.0.0.1", "::1", "localhost")
