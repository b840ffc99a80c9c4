# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log prove and check-proof: files that show to anyone what is in a log, or that it was forked."""

from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.log.reading import (
    DoorOption,
    Json,
    Vkey,
    Where,
    door_name,
    log_key,
    need_whole,
    opened,
    whole_log,
)
from latchstring.log.cosignature import Witnessed, witnessed
from latchstring.log.errors import LogError
from latchstring.log.fork import check_fork, parse_fork
from latchstring.log.mirror import at_one_moment
from latchstring.log.note import VerifierKey
from latchstring.log.proof import hashes_of, inclusion_proof
from latchstring.log.receipts import open_any
from latchstring.log.tlog_proof import HEADER, TlogProof, check_tlog_proof, parse_tlog_proof
from latchstring.log.tree import leaf_hashes
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.rooted import open_rooted

PROVE_EXAMPLE: Final = (
    "Example: latchstring log prove http://ADDRESS.onion --tor --receipt letter.receipt --out letter.tlog-proof"
)
CHECK_EXAMPLE: Final = (
    "Examples: latchstring log check-proof letter.tlog-proof --vkey log.vkey | "
    "latchstring log check-proof letter.tlog-proof --directory directory.signed | "
    "latchstring log check-proof fork.proof --vkey log.vkey"
)


def prove(
    where: Where,
    out: Annotated[Path, typer.Option("--out", help="The proof's file, such as letter.tlog-proof; a new one.")],
    leaf: Annotated[str | None, typer.Option("--leaf", help="The log entry: 64 hexadecimal digits.")] = None,
    receipt: Annotated[Path | None, typer.Option("--receipt", help="A kept receipt: its letter's entry.")] = None,
    vkey: Vkey = None,
    door: DoorOption = None,
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Json = False,
) -> None:
    """Write a proof that an entry is in the log (C2SP tlog-proof), which anyone checks without the log.

    The whole log is read and verified, so that nobody learns which entry it is about.
    """
    if (leaf is None) == (receipt is None):
        ui.fail("Name one entry.", "Give --leaf DIGITS or --receipt FILE.", ui.USAGE)
    name, key = door_name(door), log_key(vkey, where)
    with opened(where, tor, proxy) as now:
        read = at_one_moment(now)
        log, fault = whole_log(read, key, name, "Reading and verifying the log")
        need_whole(fault)
        checkpoint = read("checkpoint")
    entry = _entry(leaf, receipt, log.receipt_keys)
    try:
        index = log.entries.index(entry)
    except ValueError:
        ui.fail(
            "That entry is not in the log.",
            "If it was promised, 'latchstring log receipt' says whether the promise is broken.",
            ui.FOUND_WRONG,
        )
    size = len(log.entries)
    hashes = tuple(inclusion_proof(index, size, hashes_of(leaf_hashes(log.entries))))
    ui.write_private(out, TlogProof(index, hashes, checkpoint, entry).encode())
    value = {"index": index, "size": size, "file": str(out), "cosigned": [w.name for w in log.report.cosigned]}

    def human() -> None:
        ui.show(f"Written: {out.name}. It proves that entry {index} of the log of {size} is {entry.hex()}.")
        ui.show("It says nothing of who sent a letter; but whoever holds it chose this entry. Give it with care.")

    ui.emit(as_json, value, human)


def _entry(leaf: str | None, receipt: Path | None, keys: frozenset[bytes]) -> bytes:
    try:
        if receipt is not None:
            return open_any(receipt.read_bytes(), keys).leaf
        raw = bytes.fromhex(leaf or "")
    except OSError:
        ui.fail("The receipt cannot be read.", "Check the file's name.")
    except ProtocolError:
        ui.fail("That is no receipt for a letter by this door's server.", "Check the file, and the address.")
    except ValueError:
        raw = b""
    if len(raw) != 32:
        ui.fail("That is not a log entry.", "It is 64 hexadecimal digits.", ui.USAGE)
    return raw


def check_proof(
    file: Annotated[Path, typer.Argument(help="A .tlog-proof, or the proof of a fork.")],
    vkey: Annotated[Path | None, typer.Option("--vkey", help="The log's key, from a source you trust.")] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="The signed directory: its log key and its witnesses' quorum.")
    ] = None,
    leaf: Annotated[
        str | None, typer.Option("--leaf", help="The entry that it must prove; else the one in it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a proof without the log: that an entry is in it, or that its key signed two logs. Exit status 3 if not."""
    named = _directory(directory)
    if vkey is None and named is None:
        ui.fail("Whose log is it?", "Give --vkey log.vkey, or --directory directory.signed.", ui.USAGE)
    key = log_key(vkey, "://") or (VerifierKey(named.origin, named.log_key) if named else None)
    assert key is not None  # noqa: S101  # one of the two was given
    try:
        raw = file.read_bytes()
    except OSError:
        ui.fail(f"'{file.name}' cannot be read.", "Check the name and that you may read it.")
    try:
        if raw.startswith(HEADER.encode()):
            _check_entry(raw, key, named, leaf, as_json)
        else:
            one, two = check_fork(parse_fork(raw), key)
            value = {"fork": True, "origin": key.name, "sizes": [one.size, two.size]}
            text = f"It holds: the key of '{key.name}' signed two logs, one of {one.size} leaves and one of {two.size}."
            ui.emit(as_json, value, lambda: ui.show(f"{text} No honest log does that.", "bold red"))
    except LogError as error:
        ui.fail(f"It proves nothing: {error}.", "Ask for it anew, or check the key.", ui.FOUND_WRONG)


def _check_entry(raw: bytes, key: VerifierKey, named: Directory | None, leaf: str | None, as_json: bool) -> None:
    proof = parse_tlog_proof(raw)
    entry = _entry(leaf, None, frozenset()) if leaf is not None else proof.extra
    if entry is None:
        ui.fail("The proof does not say of which entry.", "Add --leaf with its 64 hexadecimal digits.", ui.USAGE)
    checkpoint = check_tlog_proof(proof, entry, key)
    seen: tuple[Witnessed, ...] = ()
    if named is not None:
        seen = witnessed(proof.checkpoint, named.witnesses)
        if len(seen) < named.quorum:
            raise LogError(f"cosigned by {len(seen)} witnesses, and it must be {named.quorum}")
    value = {
        "fork": False,
        "origin": checkpoint.origin,
        "entry": entry.hex(),
        "index": proof.index,
        "size": checkpoint.size,
        "cosigned": [{"witness": w.name, "at": w.time} for w in seen],
    }

    def human() -> None:
        ui.show(f"It holds: entry {proof.index} of '{checkpoint.origin}' is {entry.hex()}.", "bold green")
        ui.show(f"The log had {checkpoint.size} leaves then.")
        for witness in seen:
            ui.show(f"Cosigned by {witness.name}, {ui.when(witness.time)}.")
        if named is None:
            ui.show("Only the log's own signature was looked at; --directory looks at its witnesses too.")

    ui.emit(as_json, value, human)


def _directory(path: Path | None) -> Directory | None:
    if path is None:
        return None
    try:
        return open_rooted(path.read_bytes(), None).signed.directory
    except (OSError, ProtocolError):
        ui.fail(f"'{path.name}' is not a signed directory.", "Use the file that 'org directory sign' wrote.")
