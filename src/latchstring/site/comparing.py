# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an address serves beside what was signed: the list itself, then everything in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from latchstring.client.transport import NetworkFailed, is_onion
from latchstring.protocol.constants import MAX_SITE
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.site_manifest import SITE_PATH, SiteItem, SiteManifest, open_site
from latchstring.site.fetching import OddlyPacked, Served, TooLong
from latchstring.site.listing import FREE
from latchstring.site.markup import RUNS, faults
from latchstring.site.routes import FORMS
from latchstring.workers.headers import STRICT_TRANSPORT

SCRIPT: Final = "/static/app.js"
_PAGE_MOST: Final = 1 << 20  # bytes of a page that each visit makes anew
_TRIES: Final = 3

Step = Callable[[int, int], None]


class Pages(Protocol):
    """Who answers for the pages of one address; `fetching.Line` over the network."""

    def ask(self, path: str, kind: str, most: int, keep: bool) -> Served:
        """As `fetching.Line.ask`."""


class NotSigned(Exception):
    """There is no list that could be compared with. The text says why; `wrong`: it is not as it must be, rather than
    missing at the organisation itself."""

    def __init__(self, text: str, wrong: bool) -> None:
        super().__init__(text)
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was signed, in words that follow the path."""

    path: str
    what: str


def signed_list(pages: Pages, directory: Directory, least: int) -> SiteManifest:
    """The list that this address serves, if the organisation has signed it and not taken it back. NotSigned otherwise.

    `least`: the lowest number that counts, for whoever knows of a newer list than the directory does.
    """
    if directory.site is None:
        raise NotSigned("The organisation signs no list of this door's pages, so they cannot be compared.", False)
    try:
        served = _patiently(pages, SITE_PATH, "application/octet-stream", MAX_SITE, True)
    except (TooLong, OddlyPacked):
        raise NotSigned("What this address serves as the signed list of its pages is none.", True) from None
    if served.status != 200:
        raise NotSigned("This address serves no signed list of its pages, and the organisation signs one.", True)
    try:
        manifest = open_site(served.body, directory.site.key)
    except ProtocolError:
        raise NotSigned("The list of this address's pages was not signed by the door's organisation.", True) from None
    if manifest.door != directory.door:
        raise NotSigned("The list of this address's pages is another door's.", True)
    if manifest.n < max(directory.site.least, least):
        raise NotSigned(
            f"The list of this address's pages is an old one: it has the number {manifest.n}, and those below "
            f"{max(directory.site.least, least)} count no more.",
            True,
        )
    return manifest


def differences(
    pages: Pages, items: Sequence[SiteItem], address: str, directory: Directory, step: Step
) -> list[Difference]:
    """Ask for each of `items` and say what differs from `SiteManifest.items`. NetworkFailed when one does not come.

    `address`: where `pages` are; `step` is told how far it has come.
    """
    onions = [one for one in directory.addresses if is_onion(one)]
    listed = {item.path: dict(item.headers).get("content-type", "") for item in items}
    onion = is_onion(address)
    found: list[Difference] = []
    for done, item in enumerate(items):
        step(done, len(items))
        content = item.body(onion)
        try:
            most = content.size if content else _PAGE_MOST
            served = _patiently(pages, item.path, listed[item.path], most, content is None)
        except TooLong:
            found.append(Difference(item.path, "it is longer than what was signed"))
            continue
        except OddlyPacked:
            found.append(Difference(item.path, "it comes cut, or packed in a way that was not signed"))
            continue
        runs = _runs(item.path, listed, directory)
        what = [*_head(item, served, onions), *_body(item, served, onion, listed, runs)]
        found += [Difference(item.path, one) for one in what]
    step(len(items), len(items))
    return found


def _patiently(pages: Pages, path: str, kind: str, most: int, keep: bool) -> Served:
    """A circuit may break on the way."""
    for left in reversed(range(_TRIES)):
        try:
            return pages.ask(path, kind, most, keep)
        except NetworkFailed:
            if not left:
                raise
    raise AssertionError("unreachable")


def _head(item: SiteItem, served: Served, onions: Sequence[str]) -> list[str]:
    if served.status != item.status:
        return [f"it answers with the status {served.status}, not {item.status}"]
    found = []
    signed, given = dict(item.headers), {name: value for name, value in served.headers if name not in FREE}
    may = {STRICT_TRANSPORT, *(("onion-location", onion.rstrip("/") + item.path) for onion in onions)}
    for name in sorted({name for name, _ in served.headers if name not in FREE}):
        if sum(other == name for other, _ in served.headers) > 1:
            found.append(f"the header {name} comes twice")
        elif name not in signed and (name, given[name]) not in may:
            found.append(f"the header {name} was not signed")
    for name, value in signed.items():
        if name not in given:
            found.append(f"the header {name} is missing")
        elif given[name] != value:
            found.append(f"the header {name} is another one")
    return found


def _runs(path: str, listed: dict[str, str], directory: Directory) -> Sequence[str]:
    """Which scripts a page that changes must run: of what a desk asks there is no script that seals the answers."""
    name = path.rpartition("/")[2]
    if name not in FORMS or SCRIPT not in listed:
        return ()
    return () if name == "write" and any(desk.questions for desk in directory.desks) else RUNS


def _body(item: SiteItem, served: Served, onion: bool, listed: dict[str, str], runs: Sequence[str]) -> list[str]:
    if served.status != item.status:
        return []
    content = item.body(onion)
    if content is None:
        return faults(served.body, listed, runs)
    if (served.size, served.digest) == (content.size, content.digest):
        return []
    other = item.body(not onion)
    if other is not None and (served.size, served.digest) == (other.size, other.digest):
        return ["it says the wrong thing of the way on which one comes (by Tor or not)"]
    return ["its bytes are not those that were signed"]
