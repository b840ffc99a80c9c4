# SPDX-License-Identifier: AGPL-3.0-or-later
"""What programs keep: a client's pin, and how far a vault has followed the keys. With what must be refused."""

import json
from pathlib import Path
from typing import Any, Final

from latchstring.client.pin import Pin
from latchstring.desk.progress import encode_state
from latchstring.protocol.directory import open_directory
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.keystate import KeyState, LoggedEpoch
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import open_rooted
from tests.builders import found

HERE: Final = Path(__file__).parent
PIN: Final = Pin(70_000, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, 2, b"\x04" * 32, 900, 1, b"\x05" * 32, True)
OLD_PIN: Final = Pin(3, b"\x01" * 32, bytes(32), bytes(32), 1, b"\x04" * 32, 30)


def _cases(cases: dict[str, tuple[str, object]]) -> list[dict[str, str | None]]:
    """A key of the good map, and what stands there instead (None: nothing does)."""
    return [
        {"why": why, "key": key, "value": None if value is None else encode_cbor(value).hex()}
        for why, (key, value) in cases.items()
    ]


def _pin(pin: Pin) -> dict[str, object]:
    told = {
        "size": pin.size, "root": pin.root, "root256": pin.root256, "root65536": pin.root65536, "seq": pin.seq,
        "directory": pin.directory, "batch": pin.batch, "rotations": pin.rotations, "head": pin.head,
        "closed": pin.closed, "bytes": pin.encode(),
    }  # fmt: skip
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in told.items()}


def _stored(name: str) -> dict[str, Any]:
    """Vectors with signatures that are made once."""
    loaded: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return loaded


def _key_state() -> KeyState:
    """Of the door of the other vectors, after one epoch note with its signature, which is fixed for its day."""
    founding, keys = found("vectors"), _stored("keys")
    note = EpochNote.parse(bytes.fromhex(keys["epoch"]["note"]))
    directory = open_directory(bytes.fromhex(_stored("sealed")["directory"]), founding.door)
    logged = LoggedEpoch(note, 0, {founding.member("news").id: bytes.fromhex(keys["signature"])})
    return KeyState(40, directory, {note.hash: logged}, {("news", 1, 3): note.hash}, 1, RootChain(founding.door))


def _rotated() -> KeyState:
    """After a rotation of the root keys and the directory that goes with it; followed from batch 36 on."""
    rooted = open_rooted(bytes.fromhex(_stored("roots")["posted"]), found("vectors").door)
    return KeyState(37, rooted.signed, roots=rooted.roots, since=36)


def states() -> dict[str, Any]:
    """Pins of both versions, key states; and those that must be refused: with one value of the map another."""
    state, rotated = _key_state(), _rotated()
    (note,) = state.fixed.values()
    (epoch,) = state.epochs.values()
    return {
        "pin": _pin(PIN),
        "pin_of_version_1": _pin(OLD_PIN),
        "refused_pins": _cases(
            {
                "version 3": ("v", 3),
                "version 1 with what 2 has": ("v", 1),
                "a root of 31 bytes": ("root", bytes(31)),
                "no head": ("head", None),
                "a number for 'closed'": ("closed", 1),
                "a size below 0": ("size", -1),
                "a size that is a truth": ("size", True),
                "something else too": ("more", 1),
            },
        ),
        "door": found("vectors").door.hex(),
        "key_state": {
            "batch": state.batch, "count": state.count, "directory": state.current.hash.hex() if state.current else "",
            "fixed": [["news", 1, 3, note.hex()]], "signed_by": sorted(epoch.signatures),
            "bytes": encode_state(state).hex(),
        },
        "key_state_after_a_rotation": {
            "batch": rotated.batch, "since": rotated.since, "head": rotated.roots.head.hex() if rotated.roots else "",
            "directory": rotated.current.hash.hex() if rotated.current else "", "bytes": encode_state(rotated).hex(),
        },
        "refused_key_states": _cases(
            {
                "no directory": ("directory", None),
                "a directory of other root keys": ("directory", rotated.current.raw if rotated.current else b""),
                "a rotation that is none": ("roots", [b"note"]),
                "a rotation that is no bytes": ("roots", [7]),
                "an epoch without signatures": ("epochs", [[epoch.note.raw, 0]]),
                "a signature of three parts": ("epochs", [[epoch.note.raw, 0, [["news-1", b"", b""]]]]),
                "an order that is a truth": ("epochs", [[epoch.note.raw, True, []]]),
                "an order below 0": ("epochs", [[epoch.note.raw, -1, []]]),
                "a choice of a note that is not there": ("fixed", [["news", 1, 3, bytes(32)]]),
                "a choice below gen 0": ("fixed", [["news", -1, 3, note]]),
                "a choice that is no list": ("fixed", [note]),
                "a batch below 0": ("batch", -1),
                "something else too": ("more", 1),
            },
        ),
    }  # fmt: skip
