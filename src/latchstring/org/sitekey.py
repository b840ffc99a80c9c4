# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who signs the manifest of the door's pages, in the readable directory and in a card."""

from typing import Final

from latchstring.org.tomlfile import Table, lines_of
from latchstring.protocol.directory import Directory
from latchstring.protocol.site_key import SiteKey

_MOST: Final = 1 << 62
SITE_REMARK: Final = (
    "# Who signs the list of the door's pages (latchstring site sign), and the lowest number of such a list that\n"
    "# counts: raise it when pages that were signed turn out to be bad.\n"
)


def read_site(t: Table) -> SiteKey:
    """The block, or the card, which need not say the lowest number."""
    site = SiteKey(t.signing_key("key"), t.number("least", 1, _MOST) if t.has("least") else 1)
    t.done()
    return site


def render_site(site: SiteKey) -> str:
    """The block; `read_site` reads the same from it."""
    return f"[site]\n{lines_of({'key': site.key.hex(), 'least': site.least})}"


def with_site(old: SiteKey | None, card: SiteKey) -> SiteKey:
    """The card's key; the numbers of signed lists go on where they are, whoever signs."""
    return SiteKey(card.key, max(old.least if old is not None else 1, card.least))


def site_changes(old: Directory | None, new: Directory) -> list[str]:
    """What differs from the directory before, in sentences for whoever signs."""
    was, now = old.site if old is not None else None, new.site
    if was == now:
        return []
    if now is None:
        return ["Nobody signs the door's pages any more: they cannot be checked from the outside."]
    if was is None:
        return [f"The door's pages are signed by the key {now.key.hex()[:16]}, from number {now.least} on."]
    out = []
    if was.key != now.key:
        out.append(f"The door's pages are signed by another key ({now.key.hex()[:16]}): sign them anew with it.")
    if was.least != now.least:
        out.append(f"Signed lists of the door's pages count from number {now.least} on, not {was.least}.")
    return out
