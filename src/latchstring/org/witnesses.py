# SPDX-License-Identifier: AGPL-3.0-or-later
"""Witnesses in the readable directory: an address, and one or two verifier keys of one name."""

from typing import Final

from latchstring.log.cosignature import CosignerKey, witness_of
from latchstring.log.errors import LogError
from latchstring.org.errors import OrgError
from latchstring.org.tomlfile import Table
from latchstring.protocol.directory import Directory
from latchstring.protocol.witness import Witness

QUORUM_REMARK: Final = (
    "# How many witnesses must have cosigned what a client believes: more than half of them; 0 without witnesses.\n"
    "# To show somebody another log, 2 * quorum less their number of them must help the server.\n"
)


def read_witness(t: Table) -> Witness:
    """A witness's block or card; OrgError names what is wrong. `name` may be left out: the keys say it."""
    name = t.text("name") if t.has("name") else None
    address, texts = t.text("address"), t.texts("keys")
    t.done()
    try:
        witness = witness_of([CosignerKey.parse(text) for text in texts], address)
    except LogError as error:
        raise OrgError(f"A witness's keys are not right: {error}. Copy them from its card.") from None
    if name not in (None, witness.name):
        raise OrgError("A witness's card says another name than its keys. Ask for the card anew.")
    return witness


def usual_quorum(count: int) -> int:
    """Of so many witnesses: all but a third, so that some may be down and as many may be bad (0 of 0)."""
    return count - (count - 1) // 3 if count else 0


def with_witness(witnesses: tuple[Witness, ...], quorum: int, new: Witness) -> tuple[tuple[Witness, ...], int]:
    """The witnesses with one more, or with its new keys; the quorum at least what is usual for so many."""
    together = (*(w for w in witnesses if w.name != new.name), new)
    return together, quorum if len(together) == len(witnesses) else max(quorum, usual_quorum(len(together)))


def witness_changes(old: Directory | None, new: Directory) -> list[str]:
    """What differs from the directory before, in sentences for whoever signs; nothing when neither has witnesses."""
    was, now = {w.name: w for w in old.witnesses} if old else {}, {w.name: w for w in new.witnesses}
    out = [f"Witness '{name}' is added." for name in now if name not in was]
    out += [f"Witness '{name}' is removed." for name in was if name not in now]
    out += [
        f"Witness '{name}' has other keys or another address." for name in now if was.get(name, now[name]) != now[name]
    ]
    if out or (old is not None and old.quorum != new.quorum):
        out.append(
            f"A checkpoint needs {new.quorum} of {len(now)} witnesses: with fewer, nobody reads or writes."
            if now
            else "The log has no witnesses any more: whoever keeps no pin can be shown another log."
        )
    return out
