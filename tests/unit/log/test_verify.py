# SPDX-License-Identifier: AGPL-3.0-or-later
"""The check of a whole log: an honest one passes; any byte changed, any file missing, and every lie that a server with
the log's key can tell is named."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.log import verify as verifying
from latchstring.log.verify import Report, verify_log
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.sheet import PageHead, Sheet, make_sheet
from latchstring.server import batch as building
from latchstring.server import publisher as publishing
from tests.builders import found
from tests.faults import Core

BATCHES = [*range(32, 40), 72, 73, 108, 144, 145, 180, 216, 252, 288]


def _core(batches: Sequence[int] = BATCHES) -> Core:
    core = Core.opened(30, letters=2, slots=1)
    for number, batch in enumerate(batches):
        if batch % 144 == 0:
            core.post_notes(batch - 1, batch // 144 + 3)
        core.send(batch - 1, 1000 + number)
        core.publisher.close(batch, core.random)
    return core


HONEST = _core()
FILES = dict(HONEST.public.files)
CHECKED = sorted(path for path in FILES if path != "visit")


def _verify(files: dict[str, bytes]) -> Report:
    return verify_log(files.__getitem__)


def test_an_honest_log_verifies() -> None:
    report = _verify(FILES)
    assert report.fault is None
    assert report.ok
    assert (report.batches, report.newest) == (len(BATCHES) + len(HONEST_FIRST), 288)
    assert report.sheets >= 6
    assert report.door == HONEST.founding.door


HONEST_FIRST = [path for path in FILES if path.startswith("manifests/") and int(path.split("/")[1]) <= 31]


def test_with_the_right_key_and_door_from_elsewhere() -> None:
    key = HONEST.keys.verifier(HONEST.founding.directory.origin)
    assert verify_log(FILES.__getitem__, key, HONEST.founding.door).ok
    other = found("somebody else")
    assert not verify_log(FILES.__getitem__, key, other.door).ok
    stranger = replace(key, public=other.directory.log_key)
    assert not verify_log(FILES.__getitem__, stranger).ok


def _needed() -> list[str]:
    """The files that the verifier reads; what is beside them (older partial tiles) is not the log's."""
    read: list[str] = []

    def watch(path: str) -> bytes:
        read.append(path)
        return FILES[path]

    assert verify_log(watch).ok
    return sorted(set(read))


NEEDED = _needed()


@pytest.mark.parametrize("path", NEEDED)
def test_every_file_is_missed(path: str) -> None:
    report = _verify({p: b for p, b in FILES.items() if p != path})
    assert not report.ok
    assert report.fault is not None
    assert path in report.fault


@given(st.sampled_from(NEEDED), st.integers(0, 1 << 30), st.integers(1, 255))
def test_any_byte_changed_is_found(path: str, at: int, by: int) -> None:
    raw = bytearray(FILES[path])
    raw[at % len(raw)] ^= by
    report = _verify({**FILES, path: bytes(raw)})
    if path == "visit":  # only its manifest is read here; the rest is the client's to check
        return
    assert not report.ok


@given(st.sampled_from([p for p in NEEDED if p != "visit"]), st.integers(0, 1 << 30))
def test_any_cut_is_found(path: str, at: int) -> None:
    raw = FILES[path]
    assert not _verify({**FILES, path: raw[: at % len(raw)]}).ok


@pytest.mark.parametrize("kind", ["manifests", "keynotes", "sheets"])
def test_neighbours_swapped_are_found(kind: str) -> None:
    paths = [path for path in NEEDED if path.startswith(kind + "/")]
    a, b = paths[0], paths[1]
    assert not _verify({**FILES, a: FILES[b], b: FILES[a]}).ok


@given(st.binary(max_size=60), st.sampled_from(NEEDED))
def test_any_bytes_in_any_place_are_reported_calmly(raw: bytes, path: str) -> None:
    assert not _verify({**FILES, path: raw}).ok


# --- lies of a server that holds the log's key ---------------------------------------------------


def _names_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KeyState, "named", lambda _self, _batch: ())


def _key_notes_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(publishing, "may_log_key_notes", lambda *_: True)


def _sheet_under_another_note(patch: pytest.MonkeyPatch) -> None:
    def lying(n: int, close: int, directory: bytes, heads: Sequence[PageHead], pages: Sequence[bytes]) -> Sheet:
        return make_sheet(n, close, directory, [replace(head, note=b"\1" * 32) for head in heads], pages)

    patch.setattr(building, "make_sheet", lying)


def _one_letter_more(patch: pytest.MonkeyPatch) -> None:
    shuffled = building.shuffled
    patch.setattr(building, "shuffled", lambda items, random: [*shuffled(items, random), bytes(4096)])


def _sheets_hidden(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(building, "sheet_index_hash", lambda _index: bytes(32))


LIES: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (_names_nothing, "other epoch notes"),
    (_key_notes_at_once, "middle of a day"),
    (_sheet_under_another_note, "another header"),
    (_one_letter_more, "batch 32"),
    (_sheets_hidden, "other sheets"),
]


def _lied(lie: Callable[[pytest.MonkeyPatch], None]) -> dict[str, bytes]:
    """The log of a server that began to lie after batch 31."""
    core = Core.opened(30, letters=2, slots=1)
    with pytest.MonkeyPatch.context() as patch:
        lie(patch)
        if lie is _key_notes_at_once:
            core.post_notes(31, 3)
        for batch in (32, 33, 36, 40):
            core.publisher.close(batch, core.random)
    return dict(core.public.files)


@pytest.mark.parametrize(("lie", "said"), LIES, ids=[lie.__name__.strip("_") for lie, _ in LIES])
def test_a_lie_is_named(lie: Callable[[pytest.MonkeyPatch], None], said: str) -> None:
    report = _verify(_lied(lie))
    assert not report.ok
    assert report.fault is not None
    assert said in report.fault


def test_a_verifier_without_the_rule_would_not_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: key notes allowed at any time, and the same log passes."""
    files = _lied(_key_notes_at_once)
    monkeypatch.setattr(verifying, "may_log_key_notes", lambda *_: True)
    assert _verify(files).ok
