# SPDX-License-Identifier: AGPL-3.0-or-later
"""A witness's configuration, `witness.toml`, and its keys in a file beside it. The configuration holds no secret."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w

from latchstring.log.cosignature import Cosigner
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.witness.errors import WitnessError


@dataclass(frozen=True, slots=True)
class Config:
    """Where the witness keeps its files, its name, the keys of the logs it cosigns, and where it listens."""

    data: Path
    name: str
    logs: tuple[VerifierKey, ...] = field(default=())
    bind: str = "127.0.0.1"
    port: int = 8410

    @property
    def keys_file(self) -> Path:
        """The signing keys."""
        return self.data / "keys.cbor"

    @property
    def states(self) -> Path:
        """What was seen last of each log."""
        return self.data / "seen"

    @property
    def by_origin(self) -> Mapping[str, VerifierKey]:
        """The logs' keys."""
        return {key.name: key for key in self.logs}


def _line(name: str, value: object) -> str:
    return tomli_w.dumps({name: value})


def format_config(config: Config) -> str:
    """The commented file."""
    head = (
        "# Latchstring witness. Every setting that there is stands here.\n\n[witness]\n"
        "# Folder for the keys and for what was seen last of each log. They belong together: back up both or neither,\n"
        "# and never run a copy of an older one.\n"
        f"{_line('data', str(config.data))}\n"
        "# The name that stands in every cosignature, for ever.\n"
        f"{_line('name', config.name)}\n"
        "# Where to listen. Leave this on 127.0.0.1 and put Tor's onion service, or a web server with TLS, in front.\n"
        f"{_line('bind', config.bind)}{_line('port', config.port)}\n"
        "# The keys of the logs that are cosigned, one block for each; a log's 'log.vkey' holds its key:\n"
        "#   [[log]]\n"
        '#   key = "door.example.org/log+0123abcd+AQ..."\n'
    )
    return head + "".join(f"\n[[log]]\n{_line('key', str(key))}" for key in config.logs)


def load_config(path: Path) -> Config:
    """Read the file; WitnessError names the setting that is wrong."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WitnessError("There is no configuration file here. Run 'latchstring witness init' first.") from None
    except (OSError, UnicodeDecodeError):
        raise WitnessError("The configuration file cannot be read.") from None
    except (ValueError, RecursionError):
        raise WitnessError("The configuration file is not valid TOML.") from None
    main, logs = table.pop("witness", None), table.pop("log", [])
    if not isinstance(main, dict) or not isinstance(logs, list) or table:
        raise WitnessError("The configuration file has one table [witness] and blocks [[log]], and nothing else.")
    config = Config(
        data=_folder(path.parent, _text(main, "data")),
        name=_text(main, "name"),
        logs=tuple(_log(block) for block in logs),
        bind=_text(main, "bind"),
        port=_port(main),
    )
    if main:
        raise WitnessError(f"There is no setting {sorted(main)[0][:40]!r}.")
    if len(config.by_origin) != len(config.logs):
        raise WitnessError("Two blocks [[log]] name the same log.")
    return config


def _folder(parent: Path, name: str) -> Path:
    try:
        return (parent / name).resolve()
    except (OSError, ValueError):  # ValueError: a NUL in it
        raise WitnessError("The setting 'data' is not the path of a folder.") from None


def _text(table: dict[str, object], name: str) -> str:
    value = table.pop(name, None)
    if not isinstance(value, str) or not value:
        raise WitnessError(f"The setting '{name}' is missing or not a text.")
    return value


def _port(table: dict[str, object]) -> int:
    value = table.pop("port", None)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65_535:
        raise WitnessError("The setting 'port' is a whole number from 1 to 65535.")
    return value


def _log(block: object) -> VerifierKey:
    if not isinstance(block, dict) or set(block) != {"key"} or not isinstance(block["key"], str):
        raise WitnessError("A block [[log]] has one setting, 'key'.")
    try:
        return VerifierKey.parse(block["key"].strip())
    except LogError:
        raise WitnessError("A 'key' is not a log's key: copy the line of its 'log.vkey'.") from None


def make_keys(name: str, random: Callable[[int], bytes]) -> Cosigner:
    """New keys."""
    return Cosigner(name, random(32), random(32))


def encode_keys(keys: Cosigner) -> bytes:
    """The key file's bytes."""
    return encode_cbor({"v": 1, "ed25519": keys.ed25519_seed, "mldsa": keys.mldsa_seed})


def load_keys(config: Config) -> Cosigner:
    """Read the key file; WitnessError in plain words when it cannot be used."""
    try:
        raw = config.keys_file.read_bytes()
    except OSError:
        raise WitnessError("The witness's keys are missing or cannot be read: check who owns the file.") from None
    try:
        f = Fields(decode_cbor(raw), "keys")
        f.count("v", 1, 1)
        keys = Cosigner(config.name, f.raw("ed25519", 32), f.raw("mldsa", 32))
        f.done()
    except ProtocolError:
        raise WitnessError("The witness's key file is damaged. Restore it from your backup.") from None
    return keys


def check_files(config: Config) -> None:
    """WitnessError when the keys cannot be read or the folder cannot be written."""
    load_keys(config)
    if not os.access(config.data, os.W_OK):
        raise WitnessError("The witness's folder cannot be written: check who owns it.")
