# SPDX-License-Identifier: AGPL-3.0-or-later
"""The publisher's lease, and the nonces of members' requests."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from latchstring.store.tables import lease, nonces

# put together once: every request of a member runs them, and putting them together takes longer than all three
_DROP_SPENT: Final = delete(nonces).where(nonces.c.expires < bindparam("now"))
_SPENT: Final = select(nonces.c.nonce).where(nonces.c.nonce == bindparam("nonce"))
_SPEND: Final = insert(nonces)


def take_lease(connection: Connection, holder: str, now: int, seconds: int, seen: tuple[str, int] | None = None) -> int:
    """Take or renew the lease. 0 when it is ours now, else the seconds to wait before asking again.

    `seen`: what `holder` gave one lease ago. Whoever lives has renewed it since, so a row that is still the same is
    taken whatever time it names: a clock that was set back does not lock the store.
    """
    row = connection.execute(select(lease.c.holder, lease.c.expires)).first()
    if row is None:
        connection.execute(insert(lease).values(id=1, holder=holder, expires=now + seconds))
        return 0
    if row.holder != holder and row.expires > now and (row.holder, row.expires) != seen:
        return min(int(row.expires - now), seconds)
    connection.execute(update(lease).values(holder=holder, expires=now + seconds))
    return 0


def holder(connection: Connection) -> tuple[str, int] | None:
    """Who holds the lease, and until when."""
    row = connection.execute(select(lease.c.holder, lease.c.expires)).first()
    return (row.holder, row.expires) if row else None


def drop_lease(connection: Connection, holder_id: str) -> None:
    """Give the lease back."""
    connection.execute(delete(lease).where(lease.c.holder == holder_id))


def spend_nonce(connection: Connection, nonce: str, expires: int, now: int) -> bool:
    """Remember a nonce until `expires`; False when it was seen before."""
    connection.execute(_DROP_SPENT, {"now": now})
    if connection.execute(_SPENT, {"nonce": nonce}).first() is not None:
        return False
    connection.execute(_SPEND, {"nonce": nonce, "expires": expires})
    return True
