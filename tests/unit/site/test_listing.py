# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is listed for signing is what is served: every address, by Tor and in the open."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.protocol.directory import Directory
from latchstring.protocol.site_manifest import SITE_PATH, Content
from latchstring.site.listing import FREE, MOVING, list_site
from latchstring.site.routes import CARD, FILES, PAGES
from latchstring.site.settings import Settings
from tests.reader import Answer, ask
from tests.signed import CLEAR, ONION, SEED, Scene, media_folder
from tests.unit.site.conftest import Pages
from tests.world.world import World


@pytest.fixture
def scene(open_world: World, tmp_path: Path) -> Scene:
    settings = media_folder(tmp_path)
    return Scene.make(Pages(open_world, settings), settings)


def get(scene: Scene, path: str, address: str) -> Answer:
    return asyncio.run(ask(scene.door.site, "GET", path, {"host": address.removeprefix("http://")}))


@pytest.mark.parametrize("address", [CLEAR, ONION])
def test_every_address_answers_as_it_is_listed(scene: Scene, address: str) -> None:
    items = list_site(scene.settings, scene.directory)
    for item in items:
        answer = get(scene, item.path, address)
        assert answer.status == item.status
        assert {n: v for n, v in answer.head.items() if n not in FREE} == dict(item.headers), item.path
        content = item.body(address == ONION)
        assert content is None or content == Content.of(answer.body), item.path


def test_nothing_that_the_pages_have_is_left_out(scene: Scene) -> None:
    paths = {item.path for item in list_site(scene.settings, scene.directory)}
    assert {f"/{code}/{name}" for code in ("en", "ar") for name in (*PAGES, CARD)} <= paths
    assert {"/leave", "/media/hands.png", "/media/words.ogg", "/static/app.js", *FILES} <= paths
    rules = {item.path for item in list_site(scene.settings, scene.directory) if not item.bodies}
    assert rules == {f"/{code}/{name}" for code in ("en", "ar") for name in MOVING}
    two = {item.path for item in list_site(scene.settings, scene.directory) if len(item.bodies) == 2}
    assert two == {"/en/before", "/ar/before"}, "what says whether one came by Tor"


def test_what_is_listed_follows_the_settings_and_the_directory(scene: Scene) -> None:
    def changed(settings: Settings, directory: Directory) -> set[str]:
        was = set(list_site(scene.settings, scene.directory))
        return {item.path for item in set(list_site(settings, directory)) - was}

    assert changed(scene.settings, scene.directory) == set()
    assert "/en/about" in changed(replace(scene.settings, source="https://example.com/"), scene.directory)
    moved = changed(scene.settings, replace(scene.directory, addresses=(ONION,)))
    assert {"/en/card", "/ar/card.svg", "/en/before"} <= moved
    assert "/static/site.css" not in moved
    renewed = replace(scene.directory, seq=scene.directory.seq + 1, expires=scene.directory.expires + 1)
    assert changed(scene.settings, renewed) == set(), "a renewal alone changes no page"


def test_only_what_every_visit_loads_may_be_kept(scene: Scene) -> None:
    """What is loaded when somebody acts would tell whoever looks at the browser's disk that they did."""
    named: set[str] = set()
    for name in PAGES:
        named |= set(re.findall(r'(?:src|href)="(/static/[^"]*)"', get(scene, f"/en/{name}", CLEAR).text))
    files = {item.path: dict(item.headers)["cache-control"] for item in scene.listed().items if "/static/" in item.path}
    assert {path for path, cache in files.items() if cache != "no-store"} == named
    assert {path for path in named if files[path] == "no-cache"} == {"/static/app.js", "/static/guard.js"}
    assert {files[f"/static/{name}"] for name in ("argon2-worker.js", "meta.js", "words-french.txt")} == {"no-store"}
    assert set(files.values()) == {"no-cache", "no-store", "public, max-age=3600"}


def test_the_signed_list_is_served_as_it_lies_there(scene: Scene) -> None:
    assert get(scene, SITE_PATH, CLEAR).status == 404
    for n in (1, 2):
        raw = scene.listed(n).sign(SEED)
        scene.publish(raw)
        answer = get(scene, SITE_PATH, CLEAR)
        assert (answer.status, answer.body) == (200, raw)
        assert answer.head["cache-control"] == "no-cache"


@pytest.mark.parametrize("address", [CLEAR, ONION])
def test_what_is_served_as_it_was_signed_has_no_difference(scene: Scene, address: str) -> None:
    scene.publish(scene.listed().sign(SEED))
    wire = scene.wire(address)
    assert scene.verify(wire) == []
    assert set(wire.asked) == {SITE_PATH, *(item.path for item in scene.listed().items)}
