# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's one configuration file, `server.toml`. It holds no secret: the keys lie in the data folder."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tomli_w

from latchstring.protocol.root import Door
from latchstring.server.accept import DEFAULT_ROOM
from latchstring.store.sql import StoreError

_HEX: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_PROXY: Final = re.compile(r"[A-Za-z0-9.-]{1,200}:[0-9]{1,5}\Z", re.ASCII)
_ORIGIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9./-]{0,98}[a-z0-9])?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    """Where the server keeps its files, whose door it is, and where it listens."""

    data: Path
    door: Door
    origin: str
    bind: str = "127.0.0.1"
    port: int = 8400
    workers: int = 2
    queue_limit: int | None = None
    attachment_room: int = DEFAULT_ROOM
    witness_proxy: str | None = None
    site: bool = True

    @property
    def keys_file(self) -> Path:
        """The server's keys."""
        return self.data / "keys.cbor"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "store.sqlite"

    @property
    def published(self) -> Path:
        """What everyone may fetch: any web server can serve this folder."""
        return self.data / "published"

    @property
    def private(self) -> Path:
        """Letter packs, for members only."""
        return self.data / "private"


def format_config(config: Config) -> str:
    """The commented file."""
    proxy = "127.0.0.1:9050" if config.witness_proxy is None else config.witness_proxy
    return f"""# Latchstring server. Every setting that there is stands here.

[server]
# Folder for keys, database and published files. Only the server's user should be able to read it.
data = {_quoted(config.data)}

# Whose door this is: the 64 hexadecimal digits that 'latchstring org found' printed.
door = "{config.door.hex()}"

# Name of the public log, for ever: your domain and a path, in lower case.
origin = "{config.origin}"

# Where to listen. Leave this on 127.0.0.1 and put Tor's onion service, or a web server with TLS, in front.
bind = {_quoted(config.bind)}
port = {config.port}

# Processes that answer requests. The publisher is one more.
workers = {config.workers}

# The most letters that wait at one time, at most as many as the directory says (so many when this is left out): with
# more, receipts would promise what no client believes.
{"# queue_limit = 2304" if config.queue_limit is None else f"queue_limit = {config.queue_limit}"}

# Bytes of disk for attachments, each kept 14 days. Half is kept back for sources whom a desk has marked as known.
attachment_room = {config.attachment_room}

# A SOCKS proxy through which the directory's witnesses are asked, such as Tor's. Without it they learn this machine's
# address: set it when the door is an onion service.
{"# " if config.witness_proxy is None else ""}witness_proxy = {_quoted(proxy)}

# The pages for sources, at this same address. What they say of the organisation stands in site.toml beside this file.
site = {"true" if config.site else "false"}
"""


def _quoted(value: object) -> str:
    """As a string of TOML, whatever is in it."""
    return tomli_w.dumps({"x": str(value)}).removeprefix("x = ").strip()


def is_origin(text: str) -> bool:
    """Can the public log have this name?"""
    return bool(_ORIGIN.match(text))


def load_config(path: Path) -> Config:
    """Read the file; StoreError names the setting that is wrong and what it should be."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError("There is no configuration file here. Run 'latchstring server init' first.") from None
    except (OSError, UnicodeDecodeError):
        raise StoreError("The configuration file cannot be read.") from None
    except tomllib.TOMLDecodeError as error:
        raise StoreError(f"The configuration file is not valid TOML: {error}.") from None
    except (ValueError, RecursionError):
        raise StoreError("The configuration file is not valid TOML: a value is too long or nested too deep.") from None
    server = table.pop("server", None)
    if not isinstance(server, dict) or table:
        raise StoreError("The configuration file has one table, [server], and nothing else.")
    data = _text(server, "data", "the path of a folder")
    door = _text(server, "door", "64 hexadecimal digits")
    origin = _text(server, "origin", "a name such as door.example.org/log")
    if not _HEX.match(door):
        raise StoreError("The setting 'door' is 64 hexadecimal digits in lower case.")
    if not is_origin(origin):
        raise StoreError("The setting 'origin' is a name such as door.example.org/log, in lower case.")
    config = Config(
        data=_folder(path.parent, data),
        door=Door(bytes.fromhex(door)),
        origin=origin,
        bind=_text(server, "bind", "an address such as 127.0.0.1", "127.0.0.1"),
        port=_number(server, "port", 1, 65_535, 8400),
        workers=_number(server, "workers", 1, 64, 2),
        queue_limit=_number(server, "queue_limit", 1, 100_000_000, 0) or None,
        attachment_room=_number(server, "attachment_room", 0, 1 << 50, DEFAULT_ROOM),
        witness_proxy=_proxy(server),
        site=_switch(server, "site", True),
    )
    if server:
        raise StoreError(f"There is no setting {sorted(server)[0][:40]!r}.")
    return config


def _folder(parent: Path, name: str) -> Path:
    try:
        return (parent / name).resolve()
    except (OSError, ValueError):  # ValueError: a NUL in it
        raise StoreError("The setting 'data' is missing or not the path of a folder.") from None


def _text(table: dict[str, object], name: str, what: str, default: str | None = None) -> str:
    value = table.pop(name, default)
    if not isinstance(value, str) or not value:
        raise StoreError(f"The setting '{name}' is missing or not {what}.")
    return value


def _proxy(table: dict[str, object]) -> str | None:
    if "witness_proxy" not in table:
        return None
    value = _text(table, "witness_proxy", "an address such as 127.0.0.1:9050")
    if not _PROXY.match(value):
        raise StoreError("The setting 'witness_proxy' is a SOCKS proxy's address, such as 127.0.0.1:9050.")
    return value


def _switch(table: dict[str, object], name: str, default: bool) -> bool:
    value = table.pop(name, default)
    if not isinstance(value, bool):
        raise StoreError(f"The setting '{name}' is true or false.")
    return value


def _number(table: dict[str, object], name: str, low: int, high: int, default: int) -> int:
    value = table.pop(name, None)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise StoreError(f"The setting '{name}' is a whole number from {low} to {high}.")
    return value
