# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member's part in what the desk shares, once a session: what is told, taken over and passed on to others."""

from dataclasses import dataclass

from latchstring.desk.passing import pass_on
from latchstring.desk.seen import own_gaps, tell_seen
from latchstring.desk.shared import AGAIN
from latchstring.desk.shared_replies import adopt, take_over, tell_placed
from latchstring.desk.vault import Vault
from latchstring.protocol.directory import Directory


@dataclass(frozen=True, slots=True)
class Shared:
    """What became of it. `gaps`: spans of batches that another member has yet to pass on to us."""

    adopted: int = 0  # replies that are ours to place now
    asked: int = 0  # turns asked for
    passed_on: int = 0  # facts made ready for members who missed them
    gaps: tuple[tuple[int, int], ...] = ()


def share(vault: Vault, desk_id: str, me: str, directory: Directory, batch: int) -> Shared:
    """After the log was followed to `batch`, before pages are made. Each step is a transaction of its own."""
    desk = directory.desk(desk_id)
    members = {m.id: m.sign_key for m in desk.members} if desk else {}
    tell_placed(vault)
    adopted = adopt(vault, me)
    asked = take_over(vault, me, members, batch)
    tell_seen(vault, me, batch)
    passed = pass_on(vault, me, members, batch, AGAIN)
    return Shared(adopted, asked, passed, own_gaps(vault) if len(members) > 1 else ())
