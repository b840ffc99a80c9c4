# SPDX-License-Identifier: AGPL-3.0-or-later
"""The README's table of labels: every label in the code stands there, and the file named would notice another."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import pytest

import latchstring
from latchstring.protocol.constants import LP_PREFIX
from tests.vectors import test_filevectors as of_files
from tests.vectors import test_vectors as of_the_protocol
from tests.vectors.make import FIXED, load_vectors

README = (Path(__file__).parent / "README.md").read_text("utf-8")
TABLE: Mapping[str, str] = {
    label: row[2]
    for row in re.finditer(r"^\| ((?:`[a-z0-9-]+`(?:, )?)+) \| [^|]+ \| `([a-z]+)\.json` \|$", README, re.MULTILINE)
    for label in re.findall(r"`([a-z0-9-]+)`", row[1])
}
ALONE = set(re.findall(r"`([a-z-]+)`", next(line for line in README.splitlines() if line.startswith("No vector"))))

OPENED: Mapping[str, tuple[Callable[[], object], ...]] = {
    "sealed": (
        of_the_protocol.test_the_sealed_letter_opens,
        of_the_protocol.test_the_sealed_reply_opens_at_its_place_alone,
        of_the_protocol.test_wrap_transport_and_directory,
    ),
    "memos": (of_the_protocol.test_the_sealed_memos_open,),
    "roots": (of_the_protocol.test_a_root_rotation_and_the_directory_that_goes_with_it,),
    "locked": tuple(partial(of_files.test_locked_files, kind) for kind in of_files.UNLOCK),
    "filler": (of_files.test_a_filler_is_a_letter_s_size_and_opens_with_a_key_that_nobody_has,),
}
"""What holds random seals or signatures is checked by opening it, and so is what takes much memory to make."""


def labels(tree: ast.AST) -> Iterator[str]:
    """What is framed, or read from a frame, in a module; and the constants that name a label for others to frame."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="lp" | "read_lp" | "parse_lp"), args=[ast.Constant(value=str(label)), *_]):
                yield label
            case ast.AnnAssign(target=ast.Name(id="_LABEL"), value=ast.Constant(value=str(label))):
                yield from (label, f"{label}-head")
            case _:
                pass


def test_every_label_of_the_code_stands_in_the_table() -> None:
    found = {
        label
        for path in Path(latchstring.__file__).parent.rglob("*.py")
        for label in labels(ast.parse(path.read_text("utf-8")))
    }
    assert found == set(TABLE) | ALONE
    assert not set(TABLE) & ALONE


def test_no_label_is_framed_that_the_search_above_would_miss() -> None:
    """A label that is not written where it is framed is written as `_LABEL` (see `org/lockedfile.py`)."""
    unnamed = [
        path.name
        for path in Path(latchstring.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("lp", "read_lp", "parse_lp")
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert set(unnamed) == {"lockedfile.py", "encoding.py"}


class Spoiled(bytes):
    """The prefix of all labels, before which one label becomes another."""

    label: bytes = b""

    def __add__(self, label: bytes) -> bytes:  # type: ignore[override]
        return bytes(self) + (b"another" if label == self.label else label)


def spoil(monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    prefix = Spoiled(LP_PREFIX)
    prefix.label = label.encode()
    monkeypatch.setattr("latchstring.protocol.encoding.LP_PREFIX", prefix)


def agrees(name: str) -> bool:
    """Does the code still agree with a file of vectors?"""
    try:
        for check in OPENED.get(name, ()):
            check()
        return name in OPENED or FIXED[name]() == load_vectors(name)
    except Exception:  # whatever it is that no longer opens
        return False


# `locked` takes memory and time, and `test_filevectors.py` opens it in every run.
SLOW: Final = {"locked": pytest.mark.matrix}


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW.get(n, ())) for n in sorted(set(TABLE.values()))])
def test_the_files_agree_as_long_as_no_label_is_spoiled(name: str) -> None:
    assert agrees(name)


@pytest.mark.parametrize("label", sorted(TABLE))
def test_another_label_would_be_noticed(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, label)
    assert not agrees(TABLE[label])
