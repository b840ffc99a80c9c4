# SPDX-License-Identifier: AGPL-3.0-or-later
"""The configuration file: what is written is read, and anything else is refused with the name of the setting."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.root import Door
from latchstring.server.config import Config, format_config, load_config
from latchstring.store.sql import StoreError

CONFIG = Config(Path("/srv/door"), Door(bytes(range(32))), "door.example.org/log")
TEXT = format_config(CONFIG)


def load(folder: Path, text: str | bytes) -> Config:
    path = folder / "server.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(StoreError) as caught:
        load(folder, text)
    said = str(caught.value)
    assert said.endswith(".")
    assert str(folder) not in said
    return said


def changed(name: str, value: str | None) -> str:
    """The file with one setting changed, added or left out."""
    rows = [row for row in TEXT.splitlines() if not row.startswith(f"{name} =")]
    return "\n".join([*rows, f"{name} = {value}"] if value is not None else rows)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, bind="::1", port=1, workers=64, queue_limit=9),
        replace(CONFIG, data=Path('/srv/a "b" \\ c\tї')),
    ],
    ids=["plain", "figures", "an odd folder"],
)
def test_what_is_written_is_read(tmp_path: Path, config: Config) -> None:
    assert load(tmp_path, format_config(config)) == config


def test_what_may_be_left_out(tmp_path: Path) -> None:
    text = TEXT
    for name in ("bind", "port", "workers"):
        text = "\n".join(row for row in text.splitlines() if not row.startswith(f"{name} ="))
    assert load(tmp_path, text) == CONFIG
    assert load(tmp_path, changed("queue_limit", "5000")).queue_limit == 5000


def test_a_folder_beside_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, changed("data", '"here"')).data == tmp_path / "here"


@pytest.mark.parametrize("name", ["data", "door", "origin"])
def test_what_must_be_there(tmp_path: Path, name: str) -> None:
    for value in (None, '""', "1", "[]", "true"):
        assert f"'{name}'" in refusal(tmp_path, changed(name, value))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("door", ['"' + "0" * 63 + '"', '"' + "0" * 65 + '"', '"' + "A" * 64 + '"', '"' + "٠" * 64 + '"']),
        ("origin", ['"Door.example"', '"/log"', '"a b"', '"' + "a" * 101 + '"', '"door\\nexample"', '"ä.example"']),
        ("bind", ["1", '""', "false"]),
        ("port", ["0", "65536", "-1", '"8400"', "8400.0", "true"]),
        ("workers", ["0", "65", "true", '"2"']),
        ("queue_limit", ["0", "-1", "1e3", "100000001"]),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, name: str, values: list[str]) -> None:
    for value in values:
        assert f"'{name}'" in refusal(tmp_path, changed(name, value))


def test_what_nobody_knows_is_named(tmp_path: Path) -> None:
    assert "'prot'" in refusal(tmp_path, TEXT + "\nprot = 1\n")
    assert "one table, [server]" in refusal(tmp_path, TEXT + "\n[more]\n")
    assert "one table, [server]" in refusal(tmp_path, "port = 1\n" + TEXT)
    assert "one table, [server]" in refusal(tmp_path, "")
    assert "one table, [server]" in refusal(tmp_path, "server = 1")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "not valid TOML" in refusal(tmp_path, TEXT + "\nport")
    assert "not valid TOML" in refusal(tmp_path, TEXT + "\nport = 1\n")
    assert "cannot be read" in refusal(tmp_path, b"\xff\xfe")
    (tmp_path / "server.toml").unlink()
    with pytest.raises(StoreError, match="latchstring server init"):
        load_config(tmp_path / "server.toml")
    (tmp_path / "server.toml").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        load_config(tmp_path / "server.toml")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    refusal(FOLDERS.setdefault("one", tmp_path_factory.mktemp("config")), raw)


@given(st.data())
def test_the_file_with_a_change(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Read as some configuration, or refused in words."""
    folder = FOLDERS.setdefault("one", tmp_path_factory.mktemp("config"))
    at, raw = data.draw(st.integers(0, len(TEXT) - 1)), TEXT.encode()
    change = data.draw(st.binary(max_size=3))
    try:
        load(folder, raw[:at] + change + raw[at + data.draw(st.integers(0, 3)) :])
    except StoreError as error:
        assert str(error).endswith(".")  # noqa: PT017  # most changes are in comments and do no harm


FOLDERS: dict[str, Path] = {}
