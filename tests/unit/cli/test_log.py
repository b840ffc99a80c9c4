# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log as anyone types it, on folders with published files: verify, mirror, prove, check-proof, receipt."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from latchstring.cli.log import verify as verifying
from latchstring.cli.log.reading import Read
from latchstring.cli.main import run
from latchstring.protocol.receipt import open_receipt
from tests.faults import Core
from tests.unit.server.test_release import Door
from tests.witnessed import names


class Shell:
    """Somebody with a terminal, and logs in folders."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capfd = folder, capfd

    def lay(self, core: Core, name: str) -> str:
        """A server's published files in a folder."""
        for path, body in core.public.files.items():
            file = self.folder / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return str(self.folder / name)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *args: str, code: int = 0) -> str:
        status = run(["log", *args])
        printed = self.capfd.readouterr()
        assert status == code, printed
        assert "Traceback" not in printed.err
        return printed.out + printed.err

    def json(self, *args: str, code: int = 0) -> Any:
        status = run(["log", *args, "--json"])
        printed = self.capfd.readouterr()
        assert status == code, printed
        return json.loads(printed.out)


@pytest.fixture
def shell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capfd)


@pytest.fixture
def core() -> Core:
    made = Core.opened(letters=4, queue=8)
    for batch in range(32, 38):
        made.send(batch - 1, batch)
        made.close(batch)
    return made


@pytest.fixture
def receipt(core: Core, shell: Shell) -> str:
    """That of the letter of batch 33, kept."""
    raw = core.receipts[1]
    (shell.folder / "letter.receipt").write_bytes(raw)
    return shell.path("letter.receipt")


def test_a_proof_goes_from_hand_to_hand(shell: Shell, core: Core, receipt: str) -> None:
    published = shell.lay(core, "log")
    leaf = open_receipt(core.receipts[1], core.keys.receipt_public).leaf.hex()
    made = shell.json("prove", published, "--receipt", receipt, "--out", shell.path("a.tlog-proof"))
    said = shell.run("check-proof", shell.path("a.tlog-proof"), "--vkey", f"{published}/log.vkey")
    assert "It holds" in said
    assert leaf in said
    shell.run("prove", published, "--leaf", leaf, "--out", shell.path("b.tlog-proof"))
    assert (shell.folder / "a.tlog-proof").read_bytes() == (shell.folder / "b.tlog-proof").read_bytes()
    (shell.folder / "directory.signed").write_bytes(core.founding.signed)
    held = shell.json("check-proof", shell.path("a.tlog-proof"), "--directory", shell.path("directory.signed"))
    assert (held["entry"], held["index"], held["size"]) == (leaf, made["index"], made["size"])
    assert "proves nothing" in shell.run(
        "check-proof", shell.path("a.tlog-proof"), "--vkey", f"{published}/log.vkey", "--leaf", "00" * 32, code=3
    )
    assert "is there already" in shell.run(
        "prove", published, "--leaf", leaf, "--out", shell.path("a.tlog-proof"), code=1
    )


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--leaf", "00" * 32), 3, "not in the log"),
        (("--leaf", "xyz"), 2, "not a log entry"),
        ((), 2, "one entry"),
    ],
)
def test_what_cannot_be_proved(shell: Shell, core: Core, more: tuple[str, ...], code: int, said: str) -> None:
    assert said in shell.run("prove", shell.lay(core, "log"), "--out", shell.path("x"), *more, code=code)
    assert not (shell.folder / "x").exists()


def test_a_witnessed_log_is_told_and_needed(shell: Shell) -> None:
    door = Door()
    door.both(30)
    published = shell.lay(door.core, "log")
    value = shell.json("verify", published)
    assert [w["witness"] for w in value["cosigned"]] == names(4)
    assert "Cosigned by w1.example" in shell.run("verify", published)
    (shell.folder / "directory.signed").write_bytes(door.core.founding.signed)
    raw = (shell.folder / "log" / "checkpoint").read_bytes()
    shell.run("mirror", published, shell.path("copy"))
    leaf = shell.folder / "log" / "checkpoint"
    leaf.write_bytes(raw.split(b"\n\n")[0] + b"\n\n" + b"\n".join(raw.split(b"\n\n")[1].split(b"\n")[:5]) + b"\n")
    assert "cosigned by 2 of the 4 witnesses" in shell.run("verify", published, code=3)
    proof = shell.path("m.tlog-proof")
    manifest = door.core.public.get("tile/entries/000.p/" + str(door.size))[-32:].hex()
    shell.run("prove", shell.path("copy"), "--leaf", manifest, "--out", proof)
    assert "Cosigned by w4.example" in shell.run("check-proof", proof, "--directory", shell.path("directory.signed"))


def test_verdicts_on_a_receipt(shell: Shell, core: Core, receipt: str) -> None:
    published = shell.lay(core, "log")
    kept = shell.json("receipt", receipt, published)
    assert (kept["verdict"], kept["batch"]) == ("kept", 33)
    assert "destroy it" in shell.run("receipt", receipt, published)
    core.send(37, 99)
    (shell.folder / "new.receipt").write_bytes(core.receipts[-1])
    assert shell.json("receipt", shell.path("new.receipt"), published)["verdict"] == "not_due"
    (shell.folder / "bad.receipt").write_bytes(core.receipts[-1][:-1] + b"x")
    assert "proves nothing" in shell.run("receipt", shell.path("bad.receipt"), published, code=3)


def test_a_mirror_grows_and_is_the_same_log(shell: Shell, core: Core) -> None:
    published, copy = shell.lay(core, "log"), shell.path("copy")
    first = shell.json("mirror", published, copy)
    assert first["leaves"] == first["new"]
    core.close(38)
    shell.lay(core, "log")
    assert 0 < shell.json("mirror", published, copy)["new"] < first["new"]
    assert shell.json("verify", copy)["ok"]
    assert "same log" in shell.run("verify", copy, "--also", published)


class Ticking:
    """An honest server whose batch closes while somebody reads: before the read that `at` counts to."""

    def __init__(self, core: Core, at: int) -> None:
        self.core, self.left = core, at

    @contextmanager
    def opened(self, _where: str, _tor: bool, _proxy: str | None) -> Iterator[Read]:
        yield self.read

    def read(self, path: str) -> bytes:
        self.left -= 1
        if self.left == 0:
            self.core.close(self.core.batch + 1)
        return self.core.public.get(path)


@pytest.mark.parametrize("also", [(), ("--also", "http://mirror.example")])
def test_a_batch_that_closes_meanwhile_is_no_evidence(
    shell: Shell, core: Core, also: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every single read of a verification, one after the other."""
    for at in count(1):
        again = core.copy()
        again.restart()
        again.publisher.start()
        server, before = Ticking(again, at), again.batch
        monkeypatch.setattr(verifying, "opened", server.opened)
        said = shell.run("verify", "http://door.example", *also)
        assert "The log verifies" in said
        assert "same log" in said or not also
        if again.batch == before:
            break  # it was verified with fewer reads
    assert at > 20


def test_a_checkpoint_and_a_visit_that_do_not_fit_are_told(shell: Shell, core: Core) -> None:
    published = shell.lay(core, "log")
    checkpoint, visit = shell.folder / "log" / "checkpoint", shell.folder / "log" / "visit"
    older, old_visit = checkpoint.read_bytes(), visit.read_bytes()
    fork = core.copy()
    fork.restart()
    fork.publisher.start()
    core.close(38)
    shell.lay(core, "log")
    newer = checkpoint.read_bytes()
    checkpoint.write_bytes(older)
    assert "behind the one that /visit carries" in shell.run("verify", published, code=3)
    checkpoint.write_bytes(newer.replace(newer[-8:-2], b"AAAAAA"))
    assert "WRONG: checkpoint" in shell.run("verify", published, code=3)
    checkpoint.unlink()
    assert "checkpoint: missing" in shell.run("verify", published, code=3)
    checkpoint.write_bytes(newer)
    visit.write_bytes(b"no visit")
    assert "WRONG: visit: " in shell.run("verify", published, code=3)
    visit.unlink()
    assert "visit: missing" in shell.run("verify", published, code=3)
    visit.write_bytes(old_visit)
    assert "The log verifies" in shell.run("verify", published)  # as while a batch is written out
    fork.send(37, 777)
    fork.close(38)
    fork.close(39)
    checkpoint.write_bytes(fork.public.get("checkpoint"))
    assert "WRONG" in shell.run("verify", published, code=3)


def test_a_spoiled_visit_replaces_nothing(shell: Shell, core: Core) -> None:
    published, copy = shell.lay(core, "log"), shell.path("copy")
    shell.run("mirror", published, copy)
    before = (shell.folder / "copy" / "visit").read_bytes()
    core.close(38)
    shell.lay(core, "log")
    visit = shell.folder / "log" / "visit"
    raw = bytearray(visit.read_bytes())
    at = raw.index(core.public.get("sheets/1")[-40:])
    raw[at] ^= 1
    visit.write_bytes(raw)
    assert "Nothing was replaced: visit" in shell.run("mirror", published, copy, code=3)
    assert (shell.folder / "copy" / "visit").read_bytes() == before


def test_a_fork_is_written_down(shell: Shell, core: Core) -> None:
    fork = core.copy()
    fork.restart()
    fork.publisher.start()
    core.close(38)
    fork.send(37, 777)
    fork.close(38)
    one, other = shell.lay(core, "one"), shell.lay(fork, "other")
    proof = shell.path("fork.proof")
    assert "FORKED" in shell.run("verify", one, "--also", other, "--evidence", proof, code=3)
    assert "signed two logs" in shell.run("check-proof", proof, "--vkey", f"{one}/log.vkey")
    shell.run("mirror", one, shell.path("copy"))
    second = shell.path("again.proof")
    assert "FORKED" in shell.run("mirror", other, shell.path("copy"), "--evidence", second, code=3)
    assert shell.json("check-proof", second, "--vkey", f"{one}/log.vkey")["fork"]
    (shell.folder / "other.vkey").write_text(f"{core.keys.verifier('other.example/log')}\n")
    assert "proves nothing" in shell.run("check-proof", proof, "--vkey", shell.path("other.vkey"), code=3)


def test_no_log_no_folder_no_key(shell: Shell, tmp_path: Path) -> None:
    assert "no such folder" in shell.run("verify", shell.path("nowhere"), code=1)
    (tmp_path / "empty").mkdir()
    assert "no log" in shell.run("mirror", shell.path("empty"), shell.path("copy"), code=1)
    (tmp_path / "bad.vkey").write_text("no key")
    shell.run("verify", shell.path("empty"), "--vkey", shell.path("bad.vkey"), code=2)
