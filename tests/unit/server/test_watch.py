# SPDX-License-Identifier: AGPL-3.0-or-later
"""What monitoring sees: that the server is well, and no number that letters or attachments change."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from latchstring.protocol.attachment import Ask
from latchstring.server import forecast, watch
from latchstring.server.accept import DirectoryCache, Refusal, accept_letters
from latchstring.server.api import Api, Request
from latchstring.server.attachments import accept_attachment
from latchstring.server.check import check
from latchstring.server.forecast import Shape
from latchstring.server.metrics import Metrics
from latchstring.server.watch import Watch
from latchstring.store.sql import StoreFailed
from tests.faults import letter
from tests.sites import ServerSite

DISK = 3 * 10**8


def disk_of(site: ServerSite, size: int = DISK) -> Callable[[Path], int]:
    """A disk with nothing on it but this server."""

    def free(_folder: Path) -> int:
        return size - sum(p.stat().st_blocks * 512 for p in site.config.data.rglob("*") if p.is_file())

    return free


def seen(site: ServerSite, batch: int, size: int = DISK) -> str:
    """The file as monitoring reads it after a tick."""
    file = site.config.data.parent / "watched.prom"
    with site.parts() as parts:
        Watch(parts, file, print, disk_of(site, size)).look(site.at(batch))
    return file.read_text()


@pytest.fixture
def sites(tmp_path: Path) -> tuple[ServerSite, ServerSite]:
    """Two servers, the same but that one will be busy."""
    quiet = ServerSite.opened(tmp_path / "quiet", letters=1, queue=4000)
    return quiet, quiet.copy(tmp_path / "busy")


def make_busy(site: ServerSite) -> None:
    """Most of a queue of letters, and an attachment that was admitted."""
    for start in range(100, 1600, 500):
        site.send(*range(start, start + 500), batch=33)
    with site.parts() as parts:
        accept_attachment(parts.intake, DirectoryCache(), Ask(secrets.token_bytes(32), 1).encode(), None, site.at(33))


def test_no_letters_and_many_look_the_same(sites: tuple[ServerSite, ServerSite]) -> None:
    quiet, busy = sites
    make_busy(busy)
    for batch in (33, 34, 40):
        for site in sites:
            if batch > 33:
                site.close(batch)
        assert seen(quiet, batch) == seen(busy, batch)
    assert "latchstring_newest_batch 40\n" in seen(busy, 40)
    assert len(busy.receipts) > 1000


def test_free_bytes_as_they_are_would_tell(
    sites: tuple[ServerSite, ServerSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken variant: what is free, without what the database may still take. Somewhere a day's step is crossed."""
    quiet, busy = sites
    make_busy(busy)
    sizes = range(DISK, DISK + 10**7, 10**6)
    assert all(seen(quiet, 33, size) == seen(busy, 33, size) for size in sizes)
    monkeypatch.setattr(forecast, "room", lambda _shape, use: use.free)
    assert any(seen(quiet, 33, size) != seen(busy, 33, size) for size in sizes)


def test_the_file_is_what_prometheus_reads(sites: tuple[ServerSite, ServerSite]) -> None:
    lines = seen(sites[0], 35).splitlines()
    values = dict(line.split(" ") for line in lines if not line.startswith("#"))
    assert set(values) == {
        "latchstring_up",
        "latchstring_newest_batch",
        "latchstring_newest_batch_close_seconds",
        "latchstring_publisher_lag_ticks",
        "latchstring_held_back",
        "latchstring_directory_expires_seconds",
        "latchstring_disk_days_left",
    }
    assert values["latchstring_publisher_lag_ticks"] == "2"
    assert int(values["latchstring_newest_batch_close_seconds"]) == sites[0].at(33)
    assert [line.split(" ")[2] for line in lines if line.startswith("# TYPE")] == list(values)
    file = sites[0].config.data.parent / "watched.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in file.parent.iterdir() if p.name.startswith(".")] == []


def test_no_request_gets_at_it(sites: tuple[ServerSite, ServerSite]) -> None:
    site = sites[0]
    with site.parts() as parts:
        Watch(parts, site.config.data / "metrics.prom", print).look(site.at(33))
        api = Api(parts.intake, parts.shelves)
        for path in ("/metrics", "/metrics.prom", "/../metrics.prom", "/v1/metrics", "/visit/../../metrics.prom"):
            assert api.handle(Request("GET", path), "door.example", site.at(33)).status == 404
    assert (site.config.data / "metrics.prom").exists()


def test_it_writes_once_a_tick_and_holds_nobody_up(
    sites: tuple[ServerSite, ServerSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, written, said = sites[0], list[Metrics](), list[str]()
    monkeypatch.setattr(watch, "write_metrics", lambda _file, metrics: written.append(metrics))
    with site.parts() as parts:
        looking = Watch(parts, Path("unused"), said.append)
        for second in range(8):
            looking.look(site.at(33) + second)
        assert len(written) == 1
        looking.look(site.at(34))
        assert len(written) == 2

        def full(*_: object) -> None:
            raise StoreFailed("the file of metrics could not be written")

        monkeypatch.setattr(watch, "write_metrics", full)
        looking.look(site.at(35))
        looking.look(site.at(36))
    assert said == ["Metrics wait: the file of metrics could not be written."]


# --- a disk that fills -----------------------------------------------------------------------------


def test_each_stage_is_said_once(sites: tuple[ServerSite, ServerSite]) -> None:
    site, said, free = sites[0], list[str](), [10**10]
    shape = Shape.of(site.founding.directory, site.config.attachment_room)
    with site.parts() as parts:
        looking = Watch(parts, site.config.data / "metrics.prom", said.append, lambda _: free[0])
        steps = (10**10, shape.reserve + shape.database + 10**6, 0, 0, shape.reserve, 10**10, 10**10)
        for batch, now in enumerate(steps, 34):
            free[0] = now
            looking.look(site.at(batch))
    assert [re.sub("[0-9]+", "N", words.split(".")[0]) for words in said] == [
        "The disk of the data folder has room for N more days",
        "The disk of the data folder is nearly full: letters are refused, so that what was taken can be published",
        "The disk of the data folder has room again",
    ]


def test_below_the_reserve_letters_are_refused_in_words_and_publishing_goes_on(
    sites: tuple[ServerSite, ServerSite],
) -> None:
    site = sites[0]
    shape = Shape.of(site.founding.directory, 0)
    with site.parts() as parts:
        free = shape.reserve + 1
        intake = parts.intake.__class__(parts.sql, parts.keys, site.founding.door, free=lambda: free)
        api = Api(intake, parts.shelves)
        first = api.letters([letter(50)], site.at(33))[0]
        assert first.status == 201
        free = shape.reserve
        again, refused = api.letters([letter(50), letter(51)], site.at(33))
        assert again == first  # what was acknowledged stays so
        assert refused.status == 503
        assert b"disk is full: your letter was not taken" in refused.body
        assert accept_letters(intake, DirectoryCache(), [letter(51)], site.at(33)) == [Refusal.LETTER_DISK]
        site.receipts.append(first.body)
        wrong = [f.text for f in check(site.file, site.at(33), free=lambda _: free) if not f.ok]
        assert any("letters are refused" in text for text in wrong)
    site.close(*range(34, 45))
    assert site.examine().ok
    with site.parts() as parts:
        free = 10**10
        intake = parts.intake.__class__(parts.sql, parts.keys, site.founding.door, free=lambda: free)
        assert isinstance(accept_letters(intake, DirectoryCache(), [letter(51)], site.at(44))[0], bytes)


def test_check_counts_the_days(sites: tuple[ServerSite, ServerSite]) -> None:
    site = sites[0]
    shape = Shape.of(site.founding.directory, site.config.attachment_room)

    def said(days: int) -> tuple[bool, str]:
        free = shape.reserve + shape.database + days * (shape.lasting + shape.packs)
        found = [f for f in check(site.file, site.at(33), free=lambda _: free) if "are free" in f.text]
        assert len(found) == 1
        return found[0].ok, found[0].text

    assert said(13)[0] is False
    assert "enough for 13 more days. Make room." in said(13)[1]
    assert said(15)[0] is True
    assert any(f.ok and "more than ten years" in f.text for f in check(site.file, site.at(33), free=lambda _: 10**15))
