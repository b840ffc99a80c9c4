# SPDX-License-Identifier: AGPL-3.0-or-later
"""A pin: what a client remembers of a door's log, so that it can never be shown an older or another one."""

from dataclasses import dataclass

from latchstring.protocol.encoding import Fields, decode_cbor, encode_cbor


@dataclass(frozen=True, slots=True)
class Pin:
    """Size and root of the log, the roots at the size rounded down to 256 and to 65,536, the newest directory's seq and
    hash, the newest batch; how many root rotations there were and what the newest hashes to (None in a pin of an
    earlier version)."""

    size: int
    root: bytes
    root256: bytes
    root65536: bytes
    seq: int
    directory: bytes
    batch: int
    rotations: int = 0
    head: bytes | None = None
    closed: bool = False  # the newest directory closed the door: none may follow

    def encode(self) -> bytes:
        """The bytes to keep."""
        return encode_cbor(
            {
                "v": 2 if self.head is not None else 1,
                "size": self.size,
                "root": self.root,
                "root256": self.root256,
                "root65536": self.root65536,
                "seq": self.seq,
                "directory": self.directory,
                "batch": self.batch,
                **(
                    {"rotations": self.rotations, "head": self.head, "closed": self.closed}
                    if self.head is not None
                    else {}
                ),
            }
        )

    @classmethod
    def parse(cls, raw: bytes) -> "Pin":
        """ProtocolError for other bytes."""
        f = Fields(decode_cbor(raw), "pin")
        version = f.count("v", 1, 2)
        pin = cls(
            f.count("size"),
            f.raw("root", 32),
            f.raw("root256", 32),
            f.raw("root65536", 32),
            f.count("seq"),
            f.raw("directory", 32),
            f.count("batch"),
            *((f.count("rotations"), f.raw("head", 32), f.flag("closed")) if version == 2 else ()),
        )
        f.done()
        return pin
