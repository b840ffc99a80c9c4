# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a dataclass shows of itself ends up in tracebacks and logs: no secret, and nothing that leads to a source.

Every field of bytes is hidden unless it is named here as public; so are fields of text with a telling name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import latchstring

PUBLIC = {
    # in the directory, the log or a card
    "root", "root256", "root65536", "directory", "directory_hash", "head", "previous", "manifest", "pack", "sheets",
    "note", "note_hash", "epoch", "hash", "hashes", "digest", "key", "leaves", "proof", "checkpoint", "page_hash",
    "ed25519", "mldsa", "public", "log_key", "receipt_key", "receipt_keys", "request_key", "sign_key", "door",
    "signature", "signatures", "seal_key", "salt",
}  # fmt: skip
TELLING = {"text", "body", "passphrase", "words", "psk", "c0", "seed", "token", "knock", "headers", "query", "snippet"}
SHOWN = {
    # names that say too little by themselves: all of it is in the log, a card or the source code
    "server.check.Finding.text", "server.check_witnesses.WitnessFinding.text", "log.note.Note.text",
    "site.pages.turn.Trouble.text", "cli.visiting.Visitor.words", "site.pages.door.DoorView.words",
    "protocol.site_manifest.SiteItem.headers", "site.fetching.Served.headers",
    "desk.follow._Batch.logged", "desk.keyplan.KeyPlan.wraps", "desk.keyplan.KeysHeld.signing",
    "desk.keyplan.KeysHeld.wrapping", "desk.keyplan.Known.wraps", "log.note.SignatureLine.id", "log.tree.Frontier.edge",
    "log.tlog_proof.TlogProof.extra", "log.verify._Link.raw", "protocol.directory.SignedDirectory.raw",
    "protocol.hpke.SealKey.raw", "site.door._Held.raw", "protocol.epoch.EpochNote.dh", "protocol.epoch.Wrap.sealed",
    "protocol.keystate.KeyState.epochs", "protocol.keystate.KeyState.fixed", "protocol.manifest.Manifest.notes",
    "protocol.reply.Place.r",
}  # fmt: skip


def dataclasses_of(package: Any) -> Iterator[tuple[str, type]]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name.endswith("__main__") or found.name == "latchstring.demo.child":
            continue
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.__name__:
                yield f"{module.__name__}.{value.__name__}".removeprefix("latchstring."), value


def holds_bytes(hint: Any) -> bool:
    if get_origin(hint) is Callable:
        return False
    return hint in (bytes, bytearray) or any(holds_bytes(inner) for inner in get_args(hint))


def shown(name: str, kind: type) -> list[str]:
    """The fields of a dataclass that its repr shows and should not."""
    hints = get_type_hints(kind)
    return [
        f"{name}.{one.name}"
        for one in fields(kind)
        if one.repr
        and ((holds_bytes(hints[one.name]) and one.name not in PUBLIC) or one.name in TELLING)
        and not any(is_dataclass(inner) for inner in (hints[one.name], *get_args(hints[one.name])))  # looked at itself
        and f"{name}.{one.name}" not in SHOWN
    ]


def test_no_dataclass_shows_a_secret_or_what_leads_to_a_source() -> None:
    every = list(dataclasses_of(latchstring))
    assert [problem for name, kind in every for problem in shown(name, kind)] == []
    assert {f"{name}.{one.name}" for name, kind in every for one in fields(kind)} >= SHOWN, "names that are gone"


@dataclass
class Leaky:
    thread: bytes
    ids: tuple[bytes, ...]
    text: str
    hidden: bytes = field(repr=False)
    directory: bytes
    count: int


def test_it_would_be_noticed() -> None:
    assert shown("x", Leaky) == ["x.thread", "x.ids", "x.text"]
