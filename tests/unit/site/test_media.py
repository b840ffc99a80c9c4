# SPDX-License-Identifier: AGPL-3.0-or-later
"""The organisation's words and recordings: what Markdown may do, players without a script, ranges, names that trick."""

import asyncio
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from latchstring.site import app, http
from latchstring.site.media import Span, is_media, span_of
from latchstring.site.settings import Plain, Settings, SettingsError, load_settings
from latchstring.site.texts import Texts
from latchstring.site.words import render
from tests.reader import Answer, ask
from tests.unit.site.conftest import Pages
from tests.world.world import World

ENGLISH = Texts.load("en")
TALK = bytes(range(256)) * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "media"
    made.mkdir()
    (made / "talk.mp4").write_bytes(TALK)
    (made / "talk.en.vtt").write_text("WEBVTT\n")
    (made / "talk.en.md").write_text("She says: <b>come</b>.")
    (made / "talk.jpg").write_bytes(b"jpeg")
    (made / "empty.mp3").write_bytes(b"")
    (made / "evil.js").write_text("alert(1)")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (made / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (made / "dir.mp4").mkdir()
    return made


@pytest.fixture
def pages(open_world: World, folder: Path) -> Pages:
    return Pages(open_world, Settings(media=folder, words={"en": "# Hello\n\n![A talk](/media/talk.mp4)\n"}))


def get(pages: Pages, path: str, asked: str = "", method: str = "GET") -> Answer:
    return asyncio.run(ask(pages.site, method, path, {"range": asked} if asked else {}))


def test_markdown_can_make_no_html_and_lead_nowhere() -> None:
    made = str(render(
        "# Hi\n<script>x</script> **b** [a](javascript:x) [b](https://evil.example) [c](/en/before) ![p](//evil/x.png)",
        None,
        ENGLISH,
    ))  # fmt: skip
    assert "<script" not in made
    assert 'href="javascript' not in made
    assert 'href="https' not in made
    assert "<img" not in made
    assert '<a href="/en/before">c</a>' in made
    assert "<strong>b</strong>" in made


def test_a_recording_becomes_a_player_with_captions_and_transcript(pages: Pages) -> None:
    text = get(pages, "/en/").text
    assert '<video controls preload="none" poster="/media/talk.jpg" aria-label="A talk">' in text
    assert '<track kind="captions" src="/media/talk.en.vtt" srclang="en" label="English" default>' in text
    assert '<summary>Transcript</summary><div lang="en"><p>She says: &lt;b&gt;come&lt;/b&gt;.</p>' in text
    assert text.count("<h1>") == 1


def test_the_same_recording_in_another_kind_is_for_who_cannot_play_the_first(folder: Path) -> None:
    """Pictures that move are none for sound alone, nor the other way round; a longer name is another recording."""
    for name in ("talk.webm", "talk.mp3", "talk.long.webm"):
        (folder / name).write_bytes(b"x")
    made = str(render("![A talk](/media/talk.webm)\n\n![A talk](/media/talk.mp3)", folder, ENGLISH))
    assert re.findall('<source src="(.*?)" type="(.*?)">', made) == [
        ("/media/talk.webm", "video/webm"),
        ("/media/talk.mp4", "video/mp4"),
        ("/media/talk.mp3", "audio/mpeg"),
    ]


def test_words_that_name_what_is_not_there_are_refused(folder: Path) -> None:
    for name in ("nothing.png", "evil.js", "../secret.mp4"):
        with pytest.raises(SettingsError):
            render(f"![x](/media/{name})", folder, ENGLISH)


def test_ranges(pages: Pages) -> None:
    whole = get(pages, "/media/talk.mp4")
    assert (whole.status, whole.body, whole.head["accept-ranges"]) == (200, TALK, "bytes")
    part = get(pages, "/media/talk.mp4", "bytes=1000-1999")
    assert (part.status, part.body) == (206, TALK[1000:2000])
    assert part.head["content-range"] == f"bytes 1000-1999/{len(TALK)}"
    assert get(pages, "/media/talk.mp4", "bytes=-5").body == TALK[-5:]
    assert get(pages, "/media/talk.mp4", f"bytes={len(TALK)}-").status == 416
    head = get(pages, "/media/talk.mp4", method="HEAD")
    assert (head.body, head.head["content-length"]) == (b"", str(len(TALK)))
    assert get(pages, "/media/empty.mp3").body == b""


def test_a_part_on_a_condition_that_nothing_can_meet_is_the_whole(pages: Pages) -> None:
    """No answer here has a validator, so a part could be of another file than the part that the player has."""
    for named in ('"x"', "Thu, 26 Nov 2026 10:00:00 GMT", ""):
        answer = asyncio.run(ask(pages.site, "GET", "/media/talk.mp4", {"range": "bytes=0-5", "if-range": named}))
        assert (answer.status, answer.body) == (200, TALK)
        assert "content-range" not in answer.head


def test_what_is_loaded_when_somebody_plays_it_stays_on_no_disk(pages: Pages, folder: Path) -> None:
    (folder / "talk.mp3").write_bytes(b"x")
    for name in ("talk.mp4", "talk.en.vtt", "talk.mp3"):
        assert get(pages, f"/media/{name}").head["cache-control"] == "no-store", name
    assert get(pages, "/media/talk.mp4", "bytes=0-1").head["cache-control"] == "no-store"
    assert get(pages, "/media/talk.jpg").head["cache-control"] == "public, max-age=3600", "it comes with the page"


class Stuck:
    """Somebody who asks, takes the head of the answer and one piece, and no more."""

    def __init__(self, pages: Pages, path: str) -> None:
        self.taken: list[bytes] = []
        self._pages, self._path, self._stuck = pages, path, asyncio.Event()

    async def ask(self) -> "asyncio.Task[None]":
        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                self.taken.append(message["body"])
                self._stuck.set()
                await asyncio.Event().wait()

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b""}

        scope = {"type": "http", "method": "GET", "path": self._path, "headers": [], "scheme": "http"}
        task = asyncio.create_task(self._pages.site(scope, receive, send))
        await asyncio.wait_for(self._stuck.wait(), 20)
        return task


@pytest.mark.parametrize(
    ("path", "most"), [("/media/talk.mp4", "PLAYERS"), ("/static/app.js", "READERS"), ("/en/about", "READERS")]
)
def test_readers_who_do_not_read_give_way(
    pages: Pages, folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, most: str
) -> None:
    """However many come, so many are held, each with one piece in hand; whoever comes next is answered whole."""
    monkeypatch.setattr(app, most, 3)
    fresh = Pages(pages.world, Settings(media=folder))

    async def flood() -> Answer:
        stuck = [Stuck(fresh, path) for _ in range(10)]
        tasks = [await one.ask() for one in stuck]
        answer = await ask(fresh.site, "GET", path)
        await asyncio.wait_for(asyncio.gather(*tasks[:8]), 20)
        assert [task.done() for task in tasks] == [True] * 8 + [False] * 2
        assert all(len(one.taken) == 1 and len(one.taken[0]) <= 16 * 1024 for one in stuck)
        for task in tasks[8:]:
            task.cancel()
        return answer

    answer = asyncio.run(flood())
    assert (answer.status, len(answer.body)) == (200, int(answer.head["content-length"]))


@pytest.mark.parametrize("path", ["/media/talk.mp4", "/static/app.js"])
def test_who_takes_nothing_for_long_is_broken_off(pages: Pages, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(http, "STALL", 0.0)

    async def scene() -> None:
        await asyncio.wait_for(await Stuck(pages, path).ask(), 20)  # without another who comes

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", Span(0, 10, 10, False)),
        ("bytes=0-", Span(0, 10, 10, True)),
        ("bytes=0-99999", Span(0, 10, 10, True)),
        ("bytes=9-9", Span(9, 1, 10, True)),
        ("bytes=-99", Span(0, 10, 10, True)),
        ("bytes=5-4", Span(0, 10, 10, False)),
        ("bytes=10-", None),
        ("bytes=-0", None),
        ("bytes=0-1,5-6", Span(0, 10, 10, False)),
        ("bytes=-", Span(0, 10, 10, False)),
        ("items=0-1", Span(0, 10, 10, False)),
        ("bytes=" + "9" * 99 + "-", Span(0, 10, 10, False)),
    ],
)
def test_what_a_range_means(asked: str, wanted: Span | None) -> None:
    assert span_of({"range": asked}, 10) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "link.mp4",
        "dir.mp4",
        "evil.js",
        "../secret.mp4",
        "..",
        ".",
        "%2e%2e/secret.mp4",
        "talk.mp4/",
        "talk.mp4\x00",
        "TALK",
    ],
)
def test_names_that_trick_get_nothing(pages: Pages, path: str) -> None:
    answer = get(pages, f"/media/{path}")
    assert answer.status == 404
    assert b"secret" not in answer.body
    assert not is_media("..mp4/x")


def test_settings(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    assert load_settings(file) == Settings(signed=tmp_path / "site.signed")
    (tmp_path / "w.md").write_text("hello")
    file.write_text(
        '[site]\nlanguages = ["uk", "en"]\nname = "The Paper"\nwords = { en = "w.md" }\n'
        'without_javascript = "send only"\nleave = "https://example.org/weather"\n'
    )
    made = load_settings(file)
    assert (made.languages, made.plain, made.words) == (("uk", "en"), Plain.SEND, {"en": "hello"})
    assert made.names == {"uk": "The Paper", "en": "The Paper"}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('languages = ["xx"]', "languages"),
        ("languages = []", "languages"),
        ('name = ""', "name"),
        ('words = { en = "gone.md" }', "'en'"),
        ('without_javascript = "yes"', "without_javascript"),
        ('leave = "javascript:alert(1)"', "leave"),
        ('leave = "https://a.example/\\nx"', "leave"),
        ('media = "gone"', "media"),
        ('colour = "red"', "colour"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, line: str, named: str) -> None:
    (tmp_path / "site.toml").write_text(f"[site]\n{line}\n")
    with pytest.raises(SettingsError, match=named):
        load_settings(tmp_path / "site.toml")
