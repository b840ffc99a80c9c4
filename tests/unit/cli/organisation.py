# SPDX-License-Identifier: AGPL-3.0-or-later
"""Someone at the organisation's terminal, and a server that answers what it was told to."""

import os
import re
from pathlib import Path

import pytest

from latchstring.cli.main import run
from latchstring.cli.org import files
from latchstring.client.transport import NetworkFailed, Response
from latchstring.org import lockedfile
from latchstring.org.rootfile import unlock_root
from latchstring.protocol.directory import SignedDirectory, open_directory
from latchstring.protocol.primitives import ed25519_public, x25519_public
from latchstring.protocol.root import Door
from tests.builders import Stream

PASSPHRASE = "correct horse battery"
ADDRESS = "http://door.example"


class Server:
    """Stands for `HttpTransport`: answers what it was told to, keeps what came."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, bytes]] = []
        self.ways: list[str | None] = []
        self.answer: Response | NetworkFailed = Response(201, b"")

    def __call__(self, address: str, via: str | None) -> "Server":
        assert address == ADDRESS
        self.ways.append(via)
        return self

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None: ...

    def request(self, method: str, path: str, body: bytes = b"", progress: object = None) -> Response:
        self.posted.append((method, path, body))
        if isinstance(self.answer, NetworkFailed):
            raise self.answer
        return self.answer


class Organisation:
    """Someone at the terminal of the machine that is kept offline."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capfd, self.server = folder, capfd, Server()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(lockedfile, "MEMORY_KIB", 64)
        monkeypatch.setattr(files, "HttpTransport", self.server)
        self.out = self.err = ""

    def type(self, *args: str, passphrase: str | None = None, code: int = 0, group: str = "org") -> str:
        """Run `latchstring org ARGS` (or another group's command); what was printed, both outputs together."""
        read, write = os.pipe()
        os.write(write, (passphrase or "").encode() + b"\n")
        os.close(write)
        try:
            status = run([group, *args, *(("--passphrase-fd", str(read)) if passphrase else ())])
        finally:
            os.close(read)
        self.out, self.err = self.capfd.readouterr()
        assert status == code, self.out + self.err
        for secret in [PASSPHRASE, *self.secrets()]:
            assert secret not in self.out + self.err
        assert "Traceback" not in self.err
        return self.out + self.err

    def secrets(self) -> list[str]:
        """The root keys as they must not show."""
        if not (self.folder / "door" / "root.key").exists():
            return []
        keys = unlock_root((self.folder / "door" / "root.key").read_bytes(), PASSPHRASE)
        return [keys.ed25519_seed.hex(), keys.mldsa_seed.hex()]

    def found(self) -> Door:
        """Found the door in the folder 'door'."""
        self.type("found", "--out", "door", "--tick", "5", passphrase=PASSPHRASE)
        return Door(bytes.fromhex(re.findall("[0-9a-f]{64}", self.read("door/directory.toml"))[0]))

    def sign(self, *args: str, code: int = 0, passphrase: str = PASSPHRASE) -> str:
        """Sign the draft."""
        paths = ("door/directory.toml", "--root", "door/root.key")
        return self.type("directory", "sign", *paths, *args, passphrase=passphrase, code=code)

    def cards(self, *members: tuple[str, str]) -> list[str]:
        """Cards of a server and of members (desk, name), as arguments."""
        random = Stream("server")
        log, receipt, request = random(32), random(32), random(32)
        self.write(
            "server-card.toml",
            f'[server]\norigin = "door.example/log"\nlog = "{ed25519_public(log).hex()}"\n'
            f'receipt = "{ed25519_public(receipt).hex()}"\nrequest = "{x25519_public(request).hex()}"\n',
        )
        args = ["--add", "server-card.toml"]
        for desk, name in members:
            random = Stream(name)
            sign, request = ed25519_public(random(32)), x25519_public(random(32))
            self.write(
                f"{name}.toml",
                f'[member]\ndesk = "{desk}"\nid = "{name}"\nsign = "{sign.hex()}"\nrequest = "{request.hex()}"\n',
            )
            args += ["--add", f"{name}.toml"]
        return args

    def first(self) -> SignedDirectory:
        """A door with its first directory signed."""
        door = self.found()
        self.sign(*self.cards(("news", "anna"), ("news", "bea")), "--yes")
        return self.signed(door)

    def signed(self, door: Door, name: str = "directory.signed") -> SignedDirectory:
        return open_directory((self.folder / name).read_bytes(), door)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")
