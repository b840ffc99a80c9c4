# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the directory itself gives a member to know: that it runs out, that the door is closed."""

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.renewal import reminder, renewal


def notices(visit: VerifiedVisit, now: int, known: tuple[str, ...]) -> tuple[str, ...]:
    """Sentences for the member. `now`: Unix seconds; `known`: the addresses as the session before learned them."""
    return (*_moved(visit.directory.addresses, known), *_running_out(visit, now))


def _moved(addresses: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    if not known or set(addresses) == set(known):
        return ()
    return (f"The door's addresses have changed; this vault remembers them: {', '.join(addresses) or 'none'}.",)


def _running_out(visit: VerifiedVisit, now: int) -> tuple[str, ...]:
    directory = visit.directory
    present = max(visit.manifest.n, directory.policy.batch_at(now)) if visit.expired else visit.manifest.n
    if directory.closed is None:
        remind = reminder(directory, present)
        return () if remind is None else (remind,)
    said = "The organisation has closed this door for good: no letters are taken any more. "
    if visit.expired:
        return (said + "Nothing more is published either. When all is read here, destroy the vault.",)
    days = max(1, renewal(directory, present).days_left)
    return (said + f"Answers can still be placed for {days} day{'' if days == 1 else 's'}.",)
