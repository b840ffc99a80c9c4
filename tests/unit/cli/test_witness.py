# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring witness init and key as an operator types them. One that really runs: `tests/integration`."""

import json
from pathlib import Path

import pytest

from latchstring.cli.main import run
from latchstring.log.cosignature import CosignerKey
from latchstring.witness.config import load_config, load_keys
from latchstring.witness.errors import WitnessError
from tests.witnesses import Log

NAME, ADDRESS, LOG = "witness.example/w1", "https://witness.example", Log()


def init(folder: Path, *more: str, name: str = NAME, address: str = ADDRESS) -> int:
    return run(["witness", "init", "--data", str(folder), "--name", name, "--address", address, *more])


def test_init_makes_what_run_and_key_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.vkey").write_text(f"{LOG.key}\n")
    data = tmp_path / "w"
    assert init(data, "--log", str(tmp_path / "log.vkey"), "--log", str(Log("b.example").key), "--port", "8500") == 0
    said = capsys.readouterr().out
    config = load_config(data / "witness.toml")
    assert (config.name, config.port, config.data) == (NAME, 8500, data)
    assert set(config.by_origin) == {LOG.origin, "b.example"}
    keys = load_keys(config)
    assert run(["witness", "key", "--config", str(data / "witness.toml"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["keys"]
    assert [CosignerKey.parse(text) for text in shown] == list(keys.keys)
    card = (data / "witness-card.toml").read_text()
    assert all(text in card for text in shown)
    for secret in (keys.ed25519_seed, keys.mldsa_seed):
        assert secret.hex() not in said + card + (data / "witness.toml").read_text()
    for path in (data, *data.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "w") == 0
    before = (tmp_path / "w" / "keys.cbor").read_bytes()
    assert init(tmp_path / "w") == 1
    assert (tmp_path / "w" / "keys.cbor").read_bytes() == before
    assert "was not touched" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "address", "more", "word"),
    [
        ("two words", ADDRESS, (), "name"),
        ("w+1", ADDRESS, (), "name"),
        (NAME, "ftp://witness.example", (), "address"),
        (NAME, ADDRESS + "/", (), "slash"),
        (NAME, ADDRESS, ("--log", "no such file"), "log's key"),
        (NAME, ADDRESS, ("--log", "a+b+c"), "log's key"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, address: str, more: tuple[str, ...], word: str
) -> None:
    assert init(tmp_path / "w", *more, name=name, address=address) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port = 8410", "port = 0", "port"),
        ("port = 8410", 'port = "x"', "port"),
        ("port = 8410", "port = 8410\nbolt = 1", "no setting 'bolt'"),
        ('name = "', 'nome = "', "name"),
        ("[witness]", "[other]", "one table"),
        ("[[log]]", "[[log]]\nkey = 'x'\n[[log]]", "log.vkey"),
        ("[[log]]", f"[[log]]\nkey = '{LOG.key}'\n[[log]]", "same log"),
        ("[witness]", "[witness", "TOML"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    init(tmp_path, "--log", str(LOG.key))
    file = tmp_path / "witness.toml"
    text = file.read_text()
    at = text.rindex(old) if old == "[[log]]" else text.index(old)
    file.write_text(text[:at] + new + text[at + len(old) :])
    with pytest.raises(WitnessError, match=said.replace("'", ".")):
        load_config(file)


def test_run_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["witness", "run", "--config", str(tmp_path / "none.toml")]) == 1
    assert "witness init" in capsys.readouterr().err
    init(tmp_path)
    (tmp_path / "keys.cbor").write_bytes(b"\xa0")
    assert run(["witness", "run", "--config", str(tmp_path / "witness.toml")]) == 1
    assert "damaged" in capsys.readouterr().err
