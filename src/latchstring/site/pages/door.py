# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a verified `/visit` says, in one language's words: for every template."""

from dataclasses import dataclass, replace

from latchstring.client.text import one_line, printable
from latchstring.client.transport import is_onion
from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.constants import TICKS_PER_SHEET, sheet_of
from latchstring.protocol.directory import Directory
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.wordlist import WordList
from latchstring.site.texts import Texts


@dataclass(frozen=True, slots=True)
class DeskView:
    """A desk as a person reads of it. `open`: takes letters now."""

    id: str
    title: str
    title_language: str
    greeting: str
    greeting_language: str
    open: bool


@dataclass(frozen=True, slots=True)
class DoorView:
    """Times are texts. `days`: the promised response time; `attachment`: the most bytes of one, 0 for none."""

    words: tuple[str, ...]
    desks: tuple[DeskView, ...]
    addresses: tuple[str, ...]
    onions: tuple[str, ...]
    days: int
    attachment: int
    open: bool
    expired: bool
    closed: bool
    closing: str
    instead: tuple[str, ...]
    tick: str
    sheet: str
    next_tick: str
    next_sheet: str
    published: str


def view(visit: VerifiedVisit, texts: Texts, words: WordList, now: int) -> DoorView:
    """`words`: the list in which doors are written on cards; `now`: Unix seconds."""
    policy = visit.directory.policy
    newest = max(visit.manifest.n, policy.batch_at(now))
    lasting = lasting_view(visit.directory, texts, words)
    desks = tuple(
        replace(desk, open=not lasting.closed and not visit.expired and visit.note(desk.id) is not None)
        for desk in lasting.desks
    )
    return replace(
        lasting,
        desks=desks,
        open=any(desk.open for desk in desks),
        expired=visit.expired,
        next_tick=texts.when(policy.closes_at(newest + 1)),
        next_sheet=texts.when(policy.closes_at((sheet_of(newest) + 1) * TICKS_PER_SHEET)),
        published=texts.when(policy.closes_at(visit.manifest.n)),
    )


def lasting_view(directory: Directory, texts: Texts, words: WordList) -> DoorView:
    """What stays as long as the directory does: every desk shut, no time of a next tick."""
    policy, closed = directory.policy, directory.closed
    return DoorView(
        words=door_words(directory.door, words),
        desks=tuple(
            DeskView(
                desk.id,
                one_line(texts.pick(desk.titles), 200) or desk.id,
                texts.language_of(desk.titles),
                one_line(texts.pick(desk.greetings), 4000),
                texts.language_of(desk.greetings),
                False,
            )
            for desk in directory.desks
        ),
        addresses=directory.addresses,
        onions=tuple(a for a in directory.addresses if is_onion(a)),
        days=policy.answer_days,
        attachment=policy.attachment,
        open=False,
        expired=False,
        closed=closed is not None,
        closing=printable(texts.pick(closed.texts)) if closed else "",
        instead=tuple(closed.instead) if closed else (),
        tick=texts.span(policy.tick),
        sheet=texts.span(policy.tick * TICKS_PER_SHEET),
        next_tick="",
        next_sheet="",
        published="",
    )
