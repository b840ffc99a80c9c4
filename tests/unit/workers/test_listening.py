# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two programs at one address would each get some of what is asked: the second says so and ends."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.cli.main import run
from latchstring.protocol.doorwords import format_link
from latchstring.workers.listening import TRIES, CannotListen, need_free
from tests.builders import found


def listening() -> socket.socket:
    """A program that shares its address with whoever asks to, as Granian's workers do."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port at which another program listens and goes on. Nobody waits for its end."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with listening() as listener:
        yield listener.getsockname()[1]


def test_what_ends_is_waited_for_and_what_goes_on_is_said() -> None:
    listener = listening()
    port, waited = listener.getsockname()[1], list[float]()
    with pytest.raises(CannotListen, match=f"port {port}, already"):
        need_free("127.0.0.1", port, waited.append)
    assert len(waited) == TRIES - 1

    def ends(_seconds: float) -> None:
        listener.close()

    need_free("127.0.0.1", port, ends)
    need_free("127.0.0.1", port, waited.append, tries=1)
    with pytest.raises(CannotListen, match=r"cannot listen at 192\.0\.2\.1"):  # of nobody
        need_free("192.0.2.1", port, waited.append)


def test_what_only_lingers_is_no_matter() -> None:
    listener = listening()
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as caller:
        ours, _ = listener.accept()
        ours.close()  # the one who closes first keeps the address for minutes
        listener.close()
        caller.recv(1)
    need_free("127.0.0.1", port, lambda _seconds: None, tries=1)


@pytest.mark.parametrize("group", ["server", "witness", "site", "demo"])
def test_no_second_program_at_one_address(
    group: str, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    link = format_link(found().door, ("http://127.0.0.1:1",))
    port = ("--port", str(taken))
    first, second = {
        "server": (("--door", link, "--origin", "door.example/log"), ("--config", "d/server.toml")),
        "witness": (("--name", "w.example/w", "--address", "http://w"), ("--config", "d/witness.toml")),
        "site": ((), ("--door", link, *port)),
        "demo": ((), port),
    }[group]
    if first:
        assert run([group, "init", "--data", "d", *port, *first]) == 0, capfd.readouterr().err
    assert run([group, *(("run",) if group != "demo" else ()), *second]) == 1
    assert f"Another program listens at 127.0.0.1, port {taken}, already." in capfd.readouterr().err
