# SPDX-License-Identifier: AGPL-3.0-or-later
"""The quorum of the directory's witnesses: who cosigned a checkpoint, and how long ago."""

from collections.abc import Sequence

from latchstring.log.cosignature import Witnessed, witnessed
from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError


def quorum_of(checkpoint: bytes, directory: Directory) -> tuple[Witnessed, ...]:
    """Who of the directory's witnesses cosigned; ProtocolError when they are fewer than its quorum.

    LogError when a cosignature in the name of one does not hold.
    """
    seen = witnessed(checkpoint, directory.witnesses)
    if len(seen) < directory.quorum:
        raise ProtocolError(
            f"cosigned by {len(seen)} of the log's {len(directory.witnesses)} witnesses, and it must be "
            f"{directory.quorum}"
        )
    return seen


def check_fresh(seen: Sequence[Witnessed], directory: Directory, closed_at: int, now: int, ahead: int) -> None:
    """ProtocolError unless a quorum cosigned within the last 24 h (144 ticks), and not in the future.

    At a door that is closed for good: within 24 h before the newest batch, or after it, since its files stay as they
    were. `closed_at`: when that batch closed, as `now` in Unix seconds; `ahead`: by how many clocks may differ.
    """
    tick = directory.policy.tick
    since = min(now, closed_at) if directory.closed is not None else now
    oldest, newest = since - max(c.VISIT_FRESH_TICKS * tick, ahead), now + ahead + 2 * tick
    if sum(oldest <= witness.time <= newest for witness in seen) < directory.quorum:
        raise ProtocolError("no quorum of witnesses has cosigned it within a day")
