# SPDX-License-Identifier: AGPL-3.0-or-later
"""What operators copy: the service files, the onion service's configuration, the figures of their guide."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.server.config import Config
from latchstring.server.forecast import RESERVE_DAYS, WARN_DAYS, Shape
from latchstring.server.metrics import Metrics
from tests.builders import found
from tests.unit.test_docs_commands import read_line

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GUIDE = (ROOT / "docs" / "guides" / "operator.md").read_text("utf-8")
UNITS = sorted(DEPLOY.glob("*.service"))


def settings(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text("utf-8").splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_service_runs_a_command_that_there_is_and_little_else(unit: Path) -> None:
    found_all = settings(unit)
    program, rest = found_all["ExecStart"].split(" ", 1)
    assert program.endswith("/latchstring")
    read_line(rest)
    for name, value in {
        "User": "latchstring",
        "UMask": "0077",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "RestrictNamespaces": "yes",
        "LimitCORE": "0",
    }.items():
        assert found_all[name] == value, name


def test_the_server_s_service_has_one_folder_and_the_loopback_address() -> None:
    unit = settings(DEPLOY / "latchstring.service")
    assert (unit["StateDirectory"], unit["StateDirectoryMode"]) == ("latchstring", "0700")
    assert "/var/lib/latchstring/server.toml" in unit["ExecStart"]
    assert (unit["IPAddressDeny"], unit["IPAddressAllow"]) == ("any", "localhost")
    assert "ReadWritePaths" not in unit
    assert Config(Path(), found().door, "x").bind == "127.0.0.1"


def test_the_backup_s_copy_of_the_database_lies_on_the_disk_of_the_data() -> None:
    unit = settings(DEPLOY / "latchstring-backup.service")
    name, folder = unit["Environment"].split("=")
    assert name == "SQLITE_TMPDIR"
    assert folder == unit["ReadWritePaths"].split()[0]
    assert f"--config {folder}/server.toml" in unit["ExecStart"]


def test_systemd_reads_them(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    for unit in DEPLOY.glob("latchstring*"):
        text = unit.read_text("utf-8").replace("/opt/latchstring/bin/latchstring", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    names = [str(p) for p in sorted(tmp_path.iterdir())]
    said = subprocess.run([program, "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "latchstring" in line]
    assert ours == []
    (tmp_path / "latchstring.service").write_text("[Service]\nExecStart=/bin/true\nProtectSistem=strict\n")
    said = subprocess.run([program, "verify", "--man=no", names[-1]], capture_output=True, text=True, check=False)
    assert "ProtectSistem" in said.stderr or names[-1].endswith(".timer")


EXPOSED = {"latchstring.service": 15, "latchstring-backup.service": 25}  # tenths of systemd's 10.0; a bare unit has 9.6


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_little_exposed(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")

    def exposed(text: str, most: int) -> int:
        (tmp_path / unit.name).write_text(text)
        command = [program, "security", "--offline=yes", f"--threshold={most}", str(tmp_path / unit.name)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    text = unit.read_text("utf-8").replace("/opt/latchstring/bin/latchstring", "/bin/true")
    assert exposed(text, EXPOSED[unit.name]) == 0
    assert exposed(text.replace("CapabilityBoundingSet=\n", ""), EXPOSED[unit.name]) != 0


def test_the_onion_service_leads_to_the_server_with_proof_of_work(tmp_path: Path) -> None:
    lines = (DEPLOY / "torrc.example").read_text("utf-8").splitlines()
    port = Config(Path(), found().door, "x").port
    assert f"HiddenServicePort 80 127.0.0.1:{port}" in lines
    assert "HiddenServicePoWDefensesEnabled 1" in lines
    tor = shutil.which("tor")
    if tor is None:
        pytest.skip("tor is not on this machine: that it reads the file is not shown here")
    text = "\n".join(lines).replace("/var/lib/tor/", f"{tmp_path}/").replace("SocksPort 127.0.0.1:9050", "SocksPort 0")
    (tmp_path / "torrc").write_text(text + f"\nDataDirectory {tmp_path}/data\n")
    said = subprocess.run(
        [tor, "--verify-config", "-f", str(tmp_path / "torrc")], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout


def test_the_guide_s_figures_are_the_forecast_s() -> None:
    shape = Shape(600, c.DEFAULT_LETTERS_PER_BATCH, c.DEFAULT_QUEUE, 1, c.DEFAULT_SHEET_SLOTS, 1, 1, 0)
    packs, lasting = shape.packs / 1e6, shape.lasting / 1e6
    assert f"{packs:.1f} MB a day of letters" in GUIDE
    assert f"about {lasting:.1f} MB a day of log" in GUIDE
    assert f"{round(packs * c.BODY_DAYS, -1):.0f} MB in all after five weeks" in GUIDE
    year = round(lasting * 365, -1)
    assert abs(year - int(re.findall(r"some (\d+) MB a year", GUIDE)[0])) <= 10
    assert RESERVE_DAYS == 3
    assert "Below three days of publishing" in GUIDE
    assert f"below {WARN_DAYS}" in GUIDE


def test_the_guide_names_metrics_that_there_are() -> None:
    names = set(re.findall(r"`(latchstring_[a-z_]+)`", GUIDE))
    assert names
    assert names <= set(re.findall(r"latchstring_[a-z_]+", Metrics(1, 1, 1, True, 1, 1).text()))
