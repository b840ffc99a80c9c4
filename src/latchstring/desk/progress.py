# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far the log was followed: the last batch opened, the key state after it, packs that the server still owes."""

from dataclasses import dataclass, field

from latchstring.desk.errors import VaultDamaged
from latchstring.desk.vault import Vault
from latchstring.protocol.directory import NO_HASH, open_directory
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.keystate import KeyState, LoggedEpoch
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootChain


@dataclass(frozen=True, slots=True)
class Followed:
    """The state after `batch`, whose manifest has hash `manifest`: zeros (and batch -1) before the first, None where a
    new vault begins at an old door.
    """

    batch: int = -1
    manifest: bytes | None = NO_HASH
    state: KeyState = field(default_factory=KeyState, repr=False)


@dataclass(frozen=True, slots=True)
class MissingPack:
    """A batch whose letters are still owed: H(pack) as its manifest names it, the desk's gen then, and the hash of the
    letters' leaf hashes run together (None in a vault of the version before).
    """

    batch: int
    pack: bytes
    gen: int
    leaves: bytes | None


def encode_state(state: KeyState) -> bytes:
    """CBOR; only for a state with a directory."""
    if state.current is None:
        raise ValueError("a key state without a directory")
    return encode_cbor(
        {
            "batch": state.batch,
            "directory": state.current.raw,
            "roots": list(state.roots.raws) if state.roots else [],
            "count": state.count,
            "since": state.since + 1,
            "epochs": [
                [e.note.raw, e.order, [[m, raw] for m, raw in sorted(e.signatures.items())]]
                for e in state.epochs.values()
            ],
            "fixed": [[desk, gen, day, note] for (desk, gen, day), note in sorted(state.fixed.items())],
        }
    )


def decode_state(raw: bytes, door: Door) -> KeyState:
    """ProtocolError for other bytes."""
    f = Fields(decode_cbor(raw), "key state")
    epochs: dict[bytes, LoggedEpoch] = {}
    fixed: dict[tuple[str, int, int], bytes] = {}
    batch, count = f.count("batch"), f.count("count")
    roots = RootChain(door)
    for item in f.items("roots") if f.has("roots") else ():  # a vault of an earlier version has none
        if not isinstance(item, bytes):
            raise ProtocolError("a key state with something else than root rotations")
        roots = roots.then(item)
    directory = open_directory(f.raw("directory"), roots)
    for item in f.items("epochs"):
        match item:
            case [bytes(note_raw), int(order), list(signed)] if type(order) is int and order >= 0:
                signatures: dict[str, bytes] = {}
                for pair in signed:
                    match pair:
                        case [str(member), bytes(signature)]:
                            signatures[member] = signature
                        case _:
                            raise ProtocolError("a key state with something else than signatures")
                note = EpochNote.parse(note_raw)
                epochs[note.hash] = LoggedEpoch(note, order, signatures)
            case _:
                raise ProtocolError("a key state with something else than epochs")
    for item in f.items("fixed"):
        match item:
            case [str(desk), int(gen), int(day), bytes(chosen)] if (
                type(gen) is type(day) is int and min(gen, day) >= 0 and chosen in epochs
            ):
                fixed[(desk, gen, day)] = chosen
            case _:
                raise ProtocolError("a key state with something else than choices")
    since = f.count("since") - 1 if f.has("since") else -1  # as above
    f.done()
    return KeyState(batch, directory, epochs, fixed, count, roots, since)


def followed(vault: Vault) -> Followed:
    """Where to go on from."""
    rows = vault.rows("SELECT f.batch, f.manifest, f.state, m.door FROM followed f, me m")
    if not rows:
        return Followed()
    batch, manifest, state, door = rows[0]
    try:
        return Followed(batch, manifest, decode_state(state, Door(door)))
    except (ProtocolError, TypeError):
        raise VaultDamaged(
            "The vault holds a key state that cannot be read.", "Put back a copy of the vault."
        ) from None


def keep_followed(vault: Vault, to: Followed) -> None:
    """Part of a transaction: the batch counts as opened once this is stored."""
    vault.do(
        "INSERT INTO followed (one, batch, manifest, state) VALUES (1, ?, ?, ?)"
        " ON CONFLICT (one) DO UPDATE SET batch = excluded.batch, manifest = excluded.manifest, state = excluded.state",
        to.batch,
        to.manifest,
        encode_state(to.state),
    )


def failing_since(vault: Vault, today: int) -> int:
    """The day of the first session in a row that could not fetch everything: `today` for the first, which is kept."""
    with vault.transaction():
        vault.do("INSERT OR IGNORE INTO failing (one, since) VALUES (1, ?)", today)
    return int(vault.rows("SELECT since FROM failing")[0][0])


def went_well(vault: Vault) -> None:
    """A session fetched everything. Opens its own transaction, after one that had not."""
    if vault.rows("SELECT 1 FROM failing"):
        with vault.transaction():
            vault.do("DELETE FROM failing")


def missing_packs(vault: Vault) -> tuple[MissingPack, ...]:
    """Oldest first."""
    rows = vault.rows("SELECT batch, pack, gen, leaves FROM missing_pack ORDER BY batch")
    return tuple(MissingPack(*row) for row in rows)


def keep_missing(vault: Vault, pack: MissingPack) -> None:
    """Part of a transaction."""
    vault.do(
        "INSERT OR IGNORE INTO missing_pack (batch, pack, gen, leaves) VALUES (?, ?, ?, ?)",
        pack.batch,
        pack.pack,
        pack.gen,
        pack.leaves,
    )


def drop_missing(vault: Vault, batch: int) -> None:
    """Part of a transaction: it came, or will not come any more."""
    vault.do("DELETE FROM missing_pack WHERE batch = ?", batch)
