# SPDX-License-Identifier: AGPL-3.0-or-later
"""What /source.tar.gz holds: what runs here and what builds it, the same from a checkout and from a wheel.

That its frontend gives the scripts that are served: `tests/browser/test_frontend_build.py`.
"""

import io
import shutil
import tarfile
import tomllib
from pathlib import Path

import pytest

from latchstring.site.archive import BUILDING, archive_of, source_archive

ROOT = Path(__file__).parents[3]


def held(archive: bytes) -> dict[str, bytes]:
    """The files of an archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name: file.read() for member in opened if (file := opened.extractfile(member)) is not None}


def installed(folder: Path) -> Path:
    """The package as pyproject.toml says that a wheel has it."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for path in wheel["packages"]:
        shutil.copytree(ROOT / path, folder / Path(path).name, ignore=shutil.ignore_patterns("__pycache__"))
    for source, place in wheel["force-include"].items():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, folder / place)
    return folder / "latchstring"


def test_the_archive_holds_what_is_written_by_hand_and_nothing_that_is_made() -> None:
    files = held(source_archive())
    by_hand = ("LICENSE", "Makefile", "README.md", "pyproject.toml", "uv.lock")
    frontend = ("build.mjs", "package-lock.json", "package.json", "tsconfig.json")
    for path in (*by_hand, *(f"frontend/{name}" for name in frontend)):
        assert files[f"latchstring/{path}"] == (ROOT / path).read_bytes()
    for folder, kind in (("frontend/src", "*.ts"), ("src/latchstring", "*.py"), ("src/latchstring", "*.md")):
        for file in (ROOT / folder).rglob(kind):
            assert files[f"latchstring/{file.relative_to(ROOT)}"] == file.read_bytes()
    assert not [name for name in files if "__pycache__" in name or "node_modules" in name or name.endswith(".pyc")]
    readme = tomllib.loads(files["latchstring/pyproject.toml"].decode())["project"]["readme"]
    assert f"latchstring/{readme}" in files, "without it nothing is built"


def test_an_installed_wheel_gives_the_same_archive_as_a_checkout(tmp_path: Path) -> None:
    assert archive_of(installed(tmp_path)) == source_archive()


@pytest.mark.parametrize("path", BUILDING)
def test_an_archive_that_lacks_a_part_is_not_given_out(path: str, tmp_path: Path) -> None:
    package = installed(tmp_path)
    (package / "building" / path).rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        archive_of(package)
