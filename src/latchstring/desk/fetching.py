# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetching the chunks of all attachments, whosever they are, so that the server cannot tell which are for this desk.

What is asked for follows from the server's own list, the cap and when each chunk was last fetched alone: never from
which belong to a letter, nor from whether they verify. What came whole is not asked for again within 18 days, wrong or
not. After them a desk may have forgotten what no letter of its own names; so every desk asks for what is listed once
more by then, also the one that kept it.
"""

from dataclasses import dataclass
from typing import Final

from latchstring.client.transport import NetworkFailed
from latchstring.desk.attachments import Item, State, forget_states, items, names_of_all, review
from latchstring.desk.chunks import KEEP_FREE, ChunkFolder
from latchstring.desk.errors import DeskError, VaultError
from latchstring.desk.follow import Step
from latchstring.desk.line import Line
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import parse_names
from latchstring.protocol.directory import Policy
from latchstring.protocol.encoding import ProtocolError

DEFAULT_CAP: Final = 20 * 10**9  # bytes of what the server lists
MOST_NAMES: Final = 1 << 22  # a list that goes on for ever must not
_KEPT: Final = c.ATTACHMENT_KEPT_DAYS * c.TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. Counts of chunks, but `here`, `wrong` and `dropped`: attachments of letters in all."""

    new: int = 0
    beyond: int = 0  # listed, and not fetched for the cap
    withheld: int = 0  # listed, and not handed out
    removed: int = 0  # of no letter, and of no use any more
    here: int = 0
    coming: int = 0
    wrong: int = 0
    dropped: int = 0
    trouble: str = ""  # why it stopped, for the member: the next session goes on


def fetch(vault: Vault, line: Line, policy: Policy, batch: int, cap: int, step: Step) -> Fetched:
    """One session's fetching, then a look at what it made whole. `batch`: how far the log was followed.

    VaultError alone goes on to the caller; any other trouble is told in the outcome, and nothing is lost by it.
    """
    folder = ChunkFolder.of(vault)
    at, old = policy.closes_at(batch), policy.closes_at(batch - _KEPT)
    new, beyond, withheld, trouble = 0, 0, 0, ""
    listed: tuple[bytes, ...] | None = None
    try:
        listed = list_names(line)
        within = listed[: cap // c.ATTACHMENT_CHUNK]
        wanted = [name for name in within if (folder.fetched(name) or 0) < old]
        beyond = len(listed) - len(within)
        for number, name in enumerate(wanted, 1):
            if folder.free() < KEEP_FREE:
                raise DeskError(
                    "The disk beside the vault is nearly full, so attachments wait.", "Make room there and sync again."
                )
            answer = line.signed("GET", f"/v1/attachments/{name.hex()}")
            if answer.status == 200 and len(answer.body) == c.ATTACHMENT_CHUNK:
                if folder.has(name):
                    folder.renew(name, at)
                else:
                    folder.put(name, answer.body, at)
                new += 1
            else:
                withheld += 1
            step("attachments", number, len(wanted))
    except VaultError:
        raise
    except (NetworkFailed, DeskError) as failed:
        trouble = str(failed)
    if listed is None:
        return _told(items(vault, folder), Fetched(trouble=trouble))
    found = review(vault, folder, frozenset(listed))
    forget_states(vault, found)
    removed = prune(folder, found, frozenset(listed), old)
    return _told(found, Fetched(new, beyond, withheld, removed, trouble=trouble))


def _told(found: tuple[Item, ...], fetched: Fetched) -> Fetched:
    def count(state: State) -> int:
        return sum(item.state is state for item in found)

    return Fetched(
        fetched.new,
        fetched.beyond,
        fetched.withheld,
        fetched.removed,
        count(State.HERE),
        count(State.COMING),
        count(State.WRONG),
        count(State.DROPPED),
        fetched.trouble,
    )


def list_names(line: Line) -> tuple[bytes, ...]:
    """The names of all chunks that the server has, oldest first. DeskError when it lists them as no door does."""
    names: dict[bytes, None] = {}
    after = 0
    while True:
        answer = line.signed("GET", "/v1/attachments", f"after={after}")
        try:
            if answer.status != 200:
                raise ProtocolError("no list")
            last, some = parse_names(answer.body)
        except ProtocolError:
            raise DeskError(
                "The server does not say which attachments it has.", "Sync again later; tell the organisation."
            ) from None
        if not some:
            return tuple(names)
        if last <= after or len(names) + len(some) > MOST_NAMES:
            raise DeskError(
                "The server's list of attachments has no end.", "Nothing was fetched; tell the organisation."
            )
        names.update(dict.fromkeys(some))
        after = last


def prune(folder: ChunkFolder, found: tuple[Item, ...], listed: frozenset[bytes], before: int) -> int:
    """Remove chunks that no letter names, that the server lists no more, and that came before `before`; how many."""
    kept = names_of_all(found)
    removed = 0
    for name, at in list(folder.kept()):
        if name not in kept and name not in listed and at < before:
            folder.drop(name)
            removed += 1
    return removed
