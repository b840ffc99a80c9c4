# SPDX-License-Identifier: AGPL-3.0-or-later
"""What lies in files: an organisation's, a server's backup, what a door publishes. With what must be refused."""

import json
from pathlib import Path
from typing import Any, Final

from latchstring.cli.enrolling import format_card
from latchstring.client.visit import VisitRefused
from latchstring.desk.identity import Identity
from latchstring.log.addcheckpoint import AddCheckpoint
from latchstring.org.membership import Invitation, format_invitation
from latchstring.org.rootfile import lock_root
from latchstring.org.rotation import format_rotation
from latchstring.org.sitefile import lock_site_key
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.encoding import encode_cbor, h, lp
from latchstring.protocol.entry import Kind
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.letter import filler_letter
from latchstring.protocol.primitives import mac
from latchstring.protocol.root import Door, RootKeys
from latchstring.protocol.sheet import PageHead, make_sheet
from latchstring.server.backup_list import BackupList, Copied
from latchstring.server.keys import ServerKeys
from tests.builders import Stream, found
from tests.visits import FOUNDING, HONEST, NOW, check

PASSPHRASE: Final = "correct  horse  café"
ROOTS: Final = Path(__file__).parent / "roots.json"
DOOR: Final = Door(bytes(range(32)))
KEYS: Final = ServerKeys(b"\x21" * 32, b"\x22" * 32, b"\x23" * 32)
MEMBER: Final = Identity(format_link(DOOR), "news", "news-2", ("http://a.example",), b"\x28" * 32, b"\x29" * 32)


def _cases(cases: dict[str, bytes]) -> list[dict[str, str]]:
    return [{"why": why, "bytes": raw.hex()} for why, raw in cases.items()]


def _spoiled(raw: bytes, label: str, parts: list[bytes]) -> dict[str, bytes]:
    """A locked file as nobody wrote it."""
    salt, nonce, sealed = parts
    return {
        "cut short": raw[:-1],
        "a byte too many": raw + b"\0",
        "a secret a byte short": lp(label, salt, nonce, sealed[1:]),
        "a salt of 15 bytes": lp(label, salt[1:], nonce, sealed),
        "another kind of file": lp("other-file", salt, nonce, sealed),
    }


def locked() -> dict[str, Any]:
    """Files that a passphrase opens: the root keys, the site key. Argon2id takes 256 MiB for each."""
    root = RootKeys(b"\x24" * 32, b"\x25" * 32)
    made = {
        "root-file": (root.ed25519_seed + root.mldsa_seed, lock_root(root, PASSPHRASE, Stream("vector-root-file"))),
        "site-file": (b"\x26" * 32, lock_site_key(b"\x26" * 32, PASSPHRASE, Stream("vector-site-file"))),
    }
    out: dict[str, Any] = {"passphrase": PASSPHRASE, "the_same": "correct horse cafe\u0301", "another": "correct horse"}
    for label, (secret, raw) in made.items():
        random = Stream(f"vector-{label}")
        parts = [random(16), random(12), raw[-(len(secret) + 16) :]]
        changed = (raw[:-1] + bytes([raw[-1] ^ 1])).hex()
        out[label] = {
            "secret": secret.hex(),
            "bytes": raw.hex(),
            "changed": changed,
            "refused": _cases(_spoiled(raw, label, parts)),
        }
    return out


def _list_lines(raw: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    for old, new in changes:
        if old not in raw:
            raise ValueError("nothing to change")
        raw = raw.replace(old, new)
    return raw


def files() -> dict[str, Any]:
    """A server's keys and a backup's list; a rotation; an invitation; a member's card."""
    rotated = found("vectors").roots.then(bytes.fromhex(json.loads(ROOTS.read_text("utf-8"))["note"]))
    digest = h(b"a copy")
    copied = {
        "store/db.1": Copied(6, digest),
        "config/1.toml": Copied(0, h(b"")),
        "published/log.vkey": Copied(6, digest),
    }
    raw = BackupList(DOOR, "door.example/log", 37, 800, b"\x05" * 32, "store/db.1", copied).encode(KEYS.backup_key)
    invitation = format_invitation(Invitation(format_link(DOOR, ("http://a.example",)), "news", "news-2"))
    lines = raw.split(b"\n")
    card = format_card(MEMBER)
    return {
        "server_keys": {"cbor": KEYS.encode().hex(), "backup_key": KEYS.backup_key.hex()},
        "rotation": format_rotation(rotated).hex(),
        "backup_list": {
            "text": raw.decode(),
            "refused": [
                {"why": why, "text": text.decode()}
                for why, text in {
                    "another version": _list_lines(raw, (b"backup 1", b"backup 2")),
                    "a head left out": _list_lines(raw, (b"batch 37\n", b"")),
                    "heads in another order": _list_lines(raw, (b"batch 37\nsize 800\n", b"size 800\nbatch 37\n")),
                    "a number with a zero before it": _list_lines(raw, (b"batch 37", b"batch 037")),
                    "a door of 63 digits": _list_lines(raw, (lines[1], lines[1][:-1])),
                    "digits in capitals": _list_lines(raw, (lines[7][:64], lines[7][:64].upper())),
                    "files out of order": _list_lines(raw, (lines[7] + b"\n" + lines[8], lines[8] + b"\n" + lines[7])),
                    "a file twice": _list_lines(raw, (lines[7], lines[7] + b"\n" + lines[7])),
                    "a path that leads out": _list_lines(raw, (b"published/log.vkey", b"published/../log.vkey")),
                    "a store that is not there": _list_lines(raw, (b"store store/db.1", b"store store/db.2")),
                    "a line feed left out": raw[:-1],
                    "a line too many": raw + b"\n",
                    "carriage returns": raw.replace(b"\n", b"\r\n"),
                }.items()
            ],
            "forged": _list_lines(raw, (b"size 800", b"size 801")).decode(),
            "mac_with_another_key": mac(bytes(32), raw[: raw.rfind(b"mac ")]).hex(),
        },
        "invitation": {
            "text": invitation,
            "refused": [
                {"why": why, "text": text}
                for why, text in {
                    "nothing": "",
                    "not TOML": "[invitation",
                    "no table": 'invitation = "x"',
                    "a name left out": invitation.replace('member = "news-2"\n', ""),
                    "a name that is not known": invitation + 'more = "x"\n',
                    "a number": invitation.replace('"news-2"', "2"),
                    "a table too many": invitation + "[more]\n",
                    "a list of them": invitation.replace("[invitation]", "[[invitation]]"),
                }.items()
            ],
        },
        "member_card": {
            "sign_seed": MEMBER.sign_seed.hex(),
            "request_seed": MEMBER.request_seed.hex(),
            "text": card,
            "refused": [
                {"why": why, "text": text}
                for why, text in {
                    "nothing": "",
                    "not TOML": "[member",
                    "a key left out": card.replace(f'request = "{MEMBER.request_public.hex()}"\n', ""),
                    "a key of 63 digits": card.replace(MEMBER.request_public.hex(), MEMBER.request_public.hex()[:-1]),
                    "a key in capitals": card.replace(MEMBER.sign_public.hex(), MEMBER.sign_public.hex().upper()),
                    "a signing key of small order": card.replace(MEMBER.sign_public.hex(), "00" * 32),
                    "no desk": card.replace('desk = "news"\n', ""),
                    "a setting that there is not": card + 'more = "x"\n',
                    "a table too many": card + "[more]\n",
                    "a list of them": card.replace("[member]", "[[member]]"),
                    "another kind of card": card.replace("[member]", "[somebody]"),
                }.items()
            ],
        },
    }


def published() -> dict[str, Any]:
    """A whole sheet and a batch's key notes, of made-up contents, and what a log asks a witness."""
    heads = [PageHead(1, "news", b"\x03" * 32)]
    pages = [b"\x01" * (16 + 3072)]
    sheet = make_sheet(1, 36, b"\x02" * 32, heads, pages)
    body = b"".join(pages)

    def other(index: object, n: int = 1, run: bytes = body) -> bytes:
        return lp("sheet", n, 36, b"\x02" * 32, encode_cbor(index), run)

    index = [[0, 1, "news", b"\x03" * 32]]
    asked = AddCheckpoint(3, (b"\x05" * 32, b"\x06" * 32), "a\n\n\u2014 b AAAAAAAA\n".encode())
    return {
        "sheet": {
            "n": 1, "close": 36, "hash": sheet.hash.hex(), "bytes": sheet.raw.hex(), "refused": _cases({
                "cut short": sheet.raw[:-1],
                "a byte too many": sheet.raw + b"\0",
                "a page a byte short": other(index, run=body[:-1]),
                "a first page that is not 0": other([[1, *index[0][1:]]]),
                "a page too few": other([]),
                "no slot": other([[0, 0, "news", b"\x03" * 32]]),
                "true for 1": other([[0, True, "news", b"\x03" * 32]]),
                "a hash of 31 bytes": other([[0, 1, "news", b"\x03" * 31]]),
                "a header that is no list": other({}),
                "a number of seven bytes": lp("sheet", bytes(7), 36, b"\x02" * 32, encode_cbor(index), body),
                "a number of 2^63": lp("sheet", b"\x80" + bytes(7), 36, b"\x02" * 32, encode_cbor(index), body),
            }),
        },
        "keynotes": encode_cbor([[kind.value, b"bytes"] for kind in (Kind.DIRECTORY, Kind.TRANSPORT)]).hex(),
        "add_checkpoint": {"old": 3, "text": asked.encode().decode(), "refused": [
            {"why": why, "text": text} for why, text in {
                "no old size": "\na\n\n\u2014 b AAAAAAAA\n",
                "a size with a zero before it": asked.encode().decode().replace("old 3", "old 03"),
                "a hash of 31 bytes": f"old 3\n{'A' * 40}AA==\n\na\n",
                "no blank line": "old 3\n",
            }.items()
        ]},
    }  # fmt: skip


def filler() -> dict[str, Any]:
    """What stands in a letter's place when there is none: sealed to a key that is thrown away, but for here."""
    secret, noise = b"\x27" * 32, Stream("vector-noise")(2960)
    sealed = filler_letter(secret, noise)
    if OpenKey.from_secret(secret).open(sealed, lp("filler")) != noise:
        raise ValueError("a filler that does not open")
    return {"secret": secret.hex(), "noise": noise.hex(), "sealed": sealed.hex()}


def visit() -> dict[str, Any]:
    """A whole `/visit` of a small door, the time at which it holds, and changes of one byte that must be refused.

    Of every 523rd byte one bit is turned.
    """
    refused = []
    for at in range(0, len(HONEST), 523):
        spoiled = HONEST[:at] + bytes([HONEST[at] ^ (1 << at % 8)]) + HONEST[at + 1 :]
        try:
            check(spoiled)
        except VisitRefused as error:
            refused.append({"at": at, "xor": 1 << at % 8, "reason": error.reason})
    return {"door": FOUNDING.door.hex(), "now": NOW, "sheets": 2, "bytes": HONEST.hex(), "refused": refused}
