# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is present: members say how far they followed the log, and which batches they could not open.

Fact: {"kind": "seen", "batch": n, "gaps": [[first, last], ...]}; the last in the log holds.
"""

from dataclasses import dataclass
from typing import Final

from latchstring.desk.facts import At, Told
from latchstring.desk.outbox import take_back, tell, waiting
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import PAGES_AHEAD, TICKS_PER_SHEET
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.memo import Fact

ABSENT_TICKS: Final = PAGES_AHEAD * TICKS_PER_SHEET  # 1,008: as far as pages are made ahead, 7 days
MOST_GAPS: Final = 64

Gap = tuple[int, int]
"""First and last batch, both within."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a member said last: the log followed to `batch`, `gaps` not opened; said in batch `said`."""

    member: str
    batch: int
    gaps: tuple[Gap, ...]
    said: int


def apply_seen(vault: Vault, told: Told, fields: Fields) -> None:
    """The last in the log holds."""
    batch, gaps = fields.count("batch"), _gaps(fields.items("gaps", MOST_GAPS))
    fields.done()
    if batch > told.at.batch:  # else a forged word would outlast all that the member says
        raise ProtocolError("seen: a batch that was not closed yet")
    vault.do(
        "INSERT INTO member_seen (member, batch, gaps, at) VALUES (?, ?, ?, ?) ON CONFLICT (member) DO UPDATE SET"
        " batch = excluded.batch, gaps = excluded.gaps, at = excluded.at WHERE excluded.at > member_seen.at",
        told.by,
        batch,
        encode_cbor([list(gap) for gap in gaps]),
        told.at.number,
    )


def _gaps(items: list[object]) -> tuple[Gap, ...]:
    gaps: list[Gap] = []
    for item in items:
        match item:
            case [int(first), int(last)] if (
                type(first) is type(last) is int  # true is no second way to write 1
                and (gaps[-1][1] if gaps else -1) < first <= last < 1 << 38
            ):
                gaps.append((first, last))
            case _:
                raise ProtocolError("seen: 'gaps' holds something else than spans of batches in their order")
    return tuple(gaps)


def again_seen(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """What was last said from place `first` to `last`."""
    rows = vault.rows("SELECT at, member, batch, gaps FROM member_seen WHERE at BETWEEN ? AND ?", first, last)
    return [(at, m, {"kind": "seen", "batch": n, "gaps": decode_cbor(gaps)}) for at, m, n, gaps in rows]


def seen(vault: Vault) -> dict[str, Seen]:
    """By member."""
    found = {}
    for member, batch, raw, at in vault.rows("SELECT member, batch, gaps, at FROM member_seen"):
        gaps = decode_cbor(raw)
        found[member] = Seen(member, batch, _gaps(gaps if isinstance(gaps, list) else []), At.of(at).batch)
    return found


def is_absent(said: Seen | None, batch: int) -> bool:
    """Has nothing been heard of them for seven days, as of `batch`?"""
    return said is None or said.said < batch - ABSENT_TICKS


# --- our own -------------------------------------------------------------------------------------


def own_gaps(vault: Vault) -> tuple[Gap, ...]:
    """Batches that this vault could not open, oldest first."""
    return tuple((first, last) for first, last in vault.rows("SELECT first, last FROM gap ORDER BY first"))


def is_catching_up(gaps: tuple[Gap, ...], batch: int) -> bool:
    """Were we away as long as it takes to be absent, and is that still to be passed on to us? For seven days: nobody
    keeps us waiting for longer. `gaps`: our own. Pure."""
    return any(last - first >= ABSENT_TICKS and last >= batch - ABSENT_TICKS for first, last in gaps)


def add_gap(vault: Vault, previous: int, batch: int) -> None:
    """Part of a transaction: not all letters of `batch` could be opened; `previous` is the batch before it."""
    if not vault.do("UPDATE gap SET last = ? WHERE last = ?", batch, previous):
        vault.do("INSERT OR IGNORE INTO gap (first, last) VALUES (?, ?)", batch, batch)


def close_gap(vault: Vault, span: Gap) -> None:
    """Part of a transaction: what lies within was passed on to us."""
    gaps = own_gaps(vault)
    left = without(gaps, (span,))
    if left != gaps:
        vault.do("DELETE FROM gap")
        for first, last in left:
            vault.do("INSERT INTO gap (first, last) VALUES (?, ?)", first, last)


def without(gaps: tuple[Gap, ...], filled: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """`gaps` less what `filled` covers. Pure."""
    left = list(gaps)
    for first, last in filled:
        cut: list[Gap] = []
        for a, b in left:
            if b < first or last < a:
                cut.append((a, b))
                continue
            cut += [(a, first - 1)] if a < first else []
            cut += [(last + 1, b)] if last < b else []
        left = cut
    return tuple(left)


def tell_seen(vault: Vault, me: str, batch: int) -> None:
    """Say how far we followed: once a sheet's time, and when our gaps changed. Opens its own transaction."""
    gaps = [list(gap) for gap in own_gaps(vault)[:MOST_GAPS]]
    said = waiting(vault, "seen")
    known = seen(vault).get(me)
    last: Fact | None = said[-1].fact if said else None
    if last is None and known is not None:
        last = {"batch": known.batch, "gaps": [list(gap) for gap in known.gaps]}
    if last is not None:
        at = last.get("batch")
        if isinstance(at, int) and batch < at + TICKS_PER_SHEET and last.get("gaps") == gaps:
            return
    with vault.transaction():
        take_back(vault, "seen")
        tell(vault, {"kind": "seen", "batch": batch, "gaps": gaps})
