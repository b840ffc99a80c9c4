# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring server init, check and run, as an operator types them. A server that really runs: `tests/integration`."""

import json
from pathlib import Path

import pytest

from latchstring.cli import server as cli
from latchstring.cli.main import run
from latchstring.org.draft import add_card, new_draft
from latchstring.protocol.doorwords import format_link
from latchstring.server.config import load_config
from latchstring.server.keys import ServerKeys, load_keys
from latchstring.store.sql import StoreError
from tests.builders import found

DOOR = found("operator").door
LINK = format_link(DOOR, ("http://door.example",))


class Operator:
    """Somebody at the server's terminal."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.data, self.capfd = folder, folder / "door", capfd

    def run(self, *args: str, code: int = 0) -> str:
        status = run(["server", *args])
        printed = self.capfd.readouterr()
        assert status == code, printed
        assert "Traceback" not in printed.err
        return printed.out + printed.err

    def init(self, *more: str, door: str = LINK, origin: str = "door.example/log", code: int = 0) -> str:
        return self.run("init", "--data", str(self.data), "--door", door, "--origin", origin, *more, code=code)

    @property
    def config(self) -> tuple[str, str]:
        return "--config", str(self.data / "server.toml")


@pytest.fixture
def operator(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capfd)


def test_init_makes_what_run_and_check_read(operator: Operator) -> None:
    said = operator.init("--port", "8500")
    config = load_config(operator.data / "server.toml")
    assert (config.door, config.origin, config.port, config.data) == (DOOR, "door.example/log", 8500, operator.data)
    keys = load_keys(config.keys_file)
    card = (operator.data / "server-card.toml").read_text()
    draft = add_card(new_draft(DOOR, 600, 1_700_000_000), card)
    assert keys.log_public.hex() in draft
    assert (operator.data / "log.vkey").read_text() == f"{keys.verifier('door.example/log')}\n"
    for secret in (keys.log, keys.receipt, keys.request):
        assert secret.hex() not in said + card + draft
    for path in operator.data.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
    assert operator.data.stat().st_mode & 0o077 == 0


def test_init_takes_bare_digits(operator: Operator) -> None:
    operator.init(door=DOOR.hex())
    assert load_config(operator.data / "server.toml").door == DOOR


@pytest.mark.parametrize("origin", ["", "Door.example", 'a"b', "a b", "door.example/", "ä.example", "x\ny"])
def test_init_refuses_a_name_that_is_none(operator: Operator, origin: str) -> None:
    assert "not a name for the public log" in operator.init(origin=origin, code=2)
    assert not operator.data.exists()


@pytest.mark.parametrize(
    "door", ["", "door", LINK[:50], "latchstring:v2:" + DOOR.hex(), DOOR.hex() + "00", LINK + "&x=1"]
)
def test_init_refuses_a_door_that_is_none(operator: Operator, door: str) -> None:
    assert "not a door's link" in operator.init(door=door, code=2)
    assert not operator.data.exists()


def test_init_touches_nothing_that_is_there(operator: Operator) -> None:
    operator.init()
    before = {p.name: p.read_bytes() for p in operator.data.iterdir()}
    assert "already" in operator.init(code=1)
    (operator.data / "server.toml").unlink()
    (operator.data / "server-card.toml").unlink()
    (operator.data / "log.vkey").unlink()
    assert "never overwritten" in operator.init(code=1)
    assert {p.name: p.read_bytes() for p in operator.data.iterdir()} == {"keys.cbor": before["keys.cbor"]}


def test_init_that_finds_a_configuration_makes_no_keys(operator: Operator) -> None:
    operator.data.mkdir()
    (operator.data / "server.toml").write_text("mine")
    assert "already" in operator.init(code=1)
    assert [p.name for p in operator.data.iterdir()] == ["server.toml"]


def test_check_says_what_is_missing(operator: Operator) -> None:
    operator.init()
    assert "No directory was posted yet" in operator.run("check", *operator.config, code=3)
    value = json.loads(operator.run("check", *operator.config, "--json", code=3))
    assert value["ok"] is False
    assert [f["text"] for f in value["findings"] if not f["ok"]][-1].startswith("No directory was posted yet")
    (operator.data / "keys.cbor").unlink()
    assert "keys are missing" in operator.run("check", *operator.config, code=3)


def test_run_says_why_it_cannot(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "server init" in operator.run("run", *operator.config, code=1)
    operator.init()
    good = (operator.data / "server.toml").read_text()
    (operator.data / "server.toml").write_text("[server]\n")
    said = operator.run("run", *operator.config, code=1)
    assert "'data'" in said
    assert "server check" in said
    (operator.data / "server.toml").write_text(good)
    (operator.data / "site.toml").write_text('[site]\nleave = "javascript:alert(1)"\n')
    said = operator.run("run", *operator.config, code=1)
    assert "'leave'" in said
    assert "site.toml" in said
    (operator.data / "site.toml").unlink()

    def broken(*_: object) -> int:
        raise StoreError("The database is damaged.")

    monkeypatch.setattr(cli, "run_server", broken)
    assert "The database is damaged." in operator.run("run", *operator.config, code=1)
    monkeypatch.setattr(cli, "run_server", lambda *_: 1)
    operator.run("run", *operator.config, code=1)
    monkeypatch.setattr(cli, "run_server", lambda *_: 0)
    operator.run("run", *operator.config)


def test_keys_never_show(operator: Operator) -> None:
    keys = ServerKeys(b"\1" * 32, b"\2" * 32, b"\3" * 32)
    assert "\\x01" not in repr(keys)
    assert keys.log.hex() not in cli.server_card("door.example/log", keys)
