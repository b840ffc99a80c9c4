# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's key file: made once, for its owner alone, and refused when it is not what it must be."""

import stat
from pathlib import Path

import pytest

from latchstring.protocol.encoding import decode_cbor, encode_cbor
from latchstring.server.keys import ServerKeys, load_keys, save_keys
from latchstring.store.sql import StoreError
from tests.builders import Stream


def test_keys_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    keys = ServerKeys.make(Stream("k"))
    save_keys(tmp_path / "keys", keys)
    assert load_keys(tmp_path / "keys") == keys
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    keys = ServerKeys.make(Stream("k"))
    save_keys(tmp_path / "keys", keys)
    with pytest.raises(StoreError, match="never overwritten"):
        save_keys(tmp_path / "keys", ServerKeys.make(Stream("l")))
    assert load_keys(tmp_path / "keys") == keys


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        load_keys(tmp_path / "keys")


def test_every_damage_is_refused(tmp_path: Path) -> None:
    raw = ServerKeys.make(Stream("k")).encode()
    fields = decode_cbor(raw)
    assert isinstance(fields, dict)
    damaged = [
        b"",
        raw[:-1],
        raw + b"\0",
        *(encode_cbor({k: v for k, v in fields.items() if k != gone}) for gone in fields),
        encode_cbor({**fields, "more": 1}),
        encode_cbor({**fields, "v": 2}),
        encode_cbor({**fields, "log": bytes(31)}),
        encode_cbor({**fields, "log": "text"}),
    ]
    for each in damaged:
        (tmp_path / "keys").write_bytes(each)
        with pytest.raises(StoreError, match="damaged"):
            load_keys(tmp_path / "keys")


def test_secrets_are_not_shown() -> None:
    keys = ServerKeys.make(Stream("k"))
    assert keys.log.hex() not in repr(keys)
    assert repr(keys.log) not in repr(keys)
