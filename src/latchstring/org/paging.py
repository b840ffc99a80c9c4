# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which pages of the sheets belong to whom. A sheet's size is everyone's download: it stays while members come and go.

Pages times slots is what the organisation wants of a sheet. Every member gets a page at least, as long as there are
slots enough; the others get theirs from whoever has most. Of a desk of more members than slots, those who were there
first have a page; the others' replies are placed by them.
"""

from collections.abc import Sequence

from latchstring.protocol.directory import MAX_PAGES, PageOwner


def page_slots(total: int, members: int, before: int | None) -> int:
    """Slots of each page, of a sheet of `total` slots for `members`. `before`: of each page until now; kept if it can.

    The largest that divides the sheet into enough pages; when none does, a sheet of fewer slots.
    """

    def fits(slots: int) -> bool:
        return total % slots == 0 and min(members, total) <= total // slots <= MAX_PAGES

    if before is not None and fits(before):
        return before
    return next((s for s in range(total, 0, -1) if fits(s)), max(1, -(-total // MAX_PAGES)))


def share_pages(pages: int, members: Sequence[PageOwner], before: Sequence[PageOwner]) -> tuple[PageOwner, ...]:
    """An owner for each page. Whoever had one keeps it, but for what others need; pages of those who went are shared
    out, to whoever has least.
    """
    if not members:
        return ()
    owners: list[PageOwner | None] = [o if o in members else None for o in before[:pages]]
    owners += [None] * (pages - len(owners))

    def count(member: PageOwner) -> int:
        return owners.count(member)

    for place, owner in enumerate(owners):
        if owner is None:
            owners[place] = min(members, key=count)
    for member in members[:pages]:
        if not count(member):
            most = max(members, key=count)
            owners[len(owners) - 1 - owners[::-1].index(most)] = member
    return tuple(owner for owner in owners if owner is not None)
