# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of knocks, posted in each session for every epoch that counts now or soon: of one size and number whatever the
desk has marked, and the same bytes from every member who has followed the log as far.
"""

from collections.abc import Callable

from latchstring.desk.identity import Identity
from latchstring.desk.known import known_threads
from latchstring.desk.letters import thread_keys
from latchstring.desk.line import Line
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import (
    KNOCK_DAYS,
    KNOCK_LIST,
    KNOCKS_A_THREAD,
    NOTE_FIXED_DAYS_AHEAD,
    day_of,
)
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.knock import Knock, KnockList, dummy, make_list
from latchstring.protocol.source_keys import ThreadKeys


def lists(vault: Vault, who: Identity, state: KeyState, batch: int) -> tuple[KnockList, ...]:
    """One for each fixed note of the days that count, whose epoch this vault holds. `batch`: to which it followed."""
    desk = state.directory.desk(who.desk)
    if desk is None:
        return ()
    held = {secret.note_hash: secret for secret in epoch_secrets(vault)}
    keys = _keys_of_known(vault)
    made = []
    today = day_of(batch)
    for day in range(today - KNOCK_DAYS + 1, today + NOTE_FIXED_DAYS_AHEAD + 1):
        note = state.fixed.get((who.desk, desk.gen, day))
        if note is not None and note in held:
            made.append(make_list(held[note].open(), keys, batch))
    return tuple(made)


def dummies(vault: Vault, epoch: OpenEpoch, random: Callable[[int], bytes]) -> tuple[Knock, ...]:
    """As many knocks as a known source has, out of those of the epoch that belong to no thread."""
    count = KNOCK_LIST - KNOCKS_A_THREAD * len(known_threads(vault))
    return tuple(dummy(epoch, int.from_bytes(random(8), "big") % count) for _ in range(KNOCKS_A_THREAD))


def _keys_of_known(vault: Vault) -> list[ThreadKeys]:
    found = []
    for thread in known_threads(vault):
        try:
            found.append(thread_keys(vault, thread))
        except KeyError:
            continue  # its letters have not come to this vault yet
    return found


def post_lists(vault: Vault, line: Line, who: Identity, state: KeyState, batch: int) -> tuple[str, ...]:
    """Post them in one request; what the server refused, in words. A refusal does not end the session."""
    made = lists(vault, who, state, batch)
    if not made:
        return ()
    answer = line.signed("POST", "/v1/knocks", "", encode_cbor([item.raw for item in made]))
    if answer.status == 201:
        return ()
    return (
        f"The server refused the lists of knocks, which the next sync posts again: {answer.sentence()} "
        "If this goes on, tell the organisation: known sources cannot get in while the door is flooded.",
    )
