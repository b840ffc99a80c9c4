# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages with their script in Chromium: everything is sealed and opened in the page, and stays there."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from latchstring.client.transport import Response
from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.passphrase import parse_in_any
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from latchstring.site.files import load_static
from tests.asked import ASKED
from tests.attached import bring, listed, saved
from tests.browser.peer import FRONTEND
from tests.browser.person import Person, answered_each, delivered
from tests.browser.serving import ServedDoor
from tests.builders import Stream
from tests.world.world import Desk, Source, open_door

FILE = Stream("a file")(2 * c.ATTACHMENT_PLAIN + 5)
STATIC = FRONTEND.parent / "src/latchstring/site/static"
SERVED = load_static(bytes(32))


def test_from_the_first_letter_to_other_words(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    person.open("/en/write")
    person.writes("Вы слышите меня?")
    person.page.get_by_label("Files").set_input_files(
        {"name": "план.pdf", "mimeType": "application/pdf", "buffer": FILE}
    )
    person.press("Send it as it is")
    person.heading("Files, if you like")
    person.says("план.pdf")
    words = person.takes_words()
    person.heading("Your letter is in")
    person.left_nothing("слышите", words, words.split()[0])
    assert words not in person.page.content()
    assert not {x.path for x in door.world.traffic if x.who == "the pages"} - {"/visit", "/checkpoint"}
    delivered(door, news)
    assert news.texts() == ["Вы слышите меня?"]
    bring(news)
    (item,) = listed(news)
    assert (item.attachment.name, saved(news, item, tmp_path / "out")) == ("план.pdf", FILE)

    with door.lock:
        them = Source(door.world, "them", parse_in_any(words, (load(),)))
        news.show(them)
        news.answer(them, "Yes. <b>Go on</b>.\u202e\x07")
        news.sync()
        door.world.close((door.world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
        news.sync()
        now = datetime.fromtimestamp(door.world.now, UTC)
    person.page.clock.set_system_time(now)
    person.comes_back(words.upper())
    person.says("Yes. <b>Go on</b>.<U+202E><U+0007>")
    person.says("was opened and read by a person")
    person.press("Write again")
    person.press("Back to your thread")
    person.says("was opened and read by a person")
    person.press("Write again")
    person.writes("More then.")
    person.press("Send")
    person.heading("Your letter is in")
    delivered(door, news)
    both = [x.body for x in letters(news.vault, news.thread(them)) if x.body]
    assert [body.text for body in both] == ["Вы слышите меня?", "More then."]
    assert len(both[1].read) == 1, "the letter says what was read"

    person.press("Back to your thread")
    person.press("Change my words")
    new = person.shown_words()
    person.press("I have them in mind")
    person.page.get_by_role("checkbox", name="news").check()
    person.page.get_by_role("textbox", name="Ten words").fill(new)
    person.press("Change my words")
    person.heading("Your words are changed")
    person.says("Told: News")
    person.left_nothing(words, new)
    delivered(door, news)
    renamed = Source(door.world, "renamed", parse_in_any(new, (load(),)))
    assert len(letters(news.vault, news.thread(renamed))) == 2, "the thread goes on under the new words"


def test_a_slip_is_seen_on_the_spot_and_the_server_hears_nothing_of_it(person: Person) -> None:
    begun = "keystone " * 8
    person.open("/en/return")
    box = person.page.get_by_role("textbox", name="Ten words")
    box.fill(begun + "keysotne ")
    person.says("“keysotne”, is not in the list")
    asked = len(person.posted)
    person.page.get_by_role("button", name="keystone", exact=True).click()
    expect(box).to_have_value(begun + "keystone ")
    box.fill(begun + "keystone keystone")
    person.press("Open my thread")
    person.says("Compare them one by one")
    assert [one for one in person.posted[asked:] if "/static/" not in one and one != "GET /visit"] == []
    person.left_nothing("keystone", "keysotne")


def test_any_words_open_a_thread_by_the_same_requests(chromium: Browser, door: ServedDoor, news: Desk) -> None:
    """P4, P8: whether there is a reply does not show in what is asked; whether the words were ever used shows neither
    there nor anywhere on the page."""
    answered, used = Source(door.world, "answered"), Source(door.world, "them")
    for one in (answered, used):
        one.write("hello")
    delivered(door, news)
    answered_each(door, news, {"Every word.": answered})
    asked, sent, shown = [], [], []
    for source in (answered, used, Source(door.world, "nobody")):
        before = len(door.world.traffic)
        someone = Person(chromium, door)
        someone.comes_back(" ".join(source.passphrase.words(load())))
        someone.says("Every word." if source is answered else "There is no reply here yet.")
        asked.append(sorted(someone.posted))
        sent.append([x.sent for x in door.world.traffic[before:] if x.who == "a script"])
        shown.append((someone.page.title(), someone.page.content()))
        someone.context.close()
    assert asked[0] == asked[1] == asked[2]
    assert "GET /visit" in asked[0]
    assert sent[0] == sent[1] == sent[2]
    assert len(sent[0]) == 1
    assert shown[1] == shown[2]
    assert "There is no reply here yet." in shown[1][1]
    assert shown[0] != shown[1]


def flipped(_request: Request, answer: Response) -> Response:
    return replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1]))


def another_door(tmp_path: Path) -> Callable[[Request, Response], Response]:
    other, _ = open_door(tmp_path, "news", seed="another door")
    raw = Source(other, "x").wire.request("GET", "/visit").body
    return lambda _request, answer: replace(answer, body=raw)


OTHER_LIST = "The list of words that the door sends is not the one that this page was made with"


def sends_list(person: Person, name: str, words: Iterable[str]) -> None:
    body = "".join(f"{word}\n" for word in words)
    person.page.route(f"**/static/words-{name}.txt", lambda route: route.fulfill(body=body))


@pytest.mark.parametrize("other", [tuple(reversed(load().words)), load("french").words], ids=["turned", "french"])
def test_words_of_another_list_are_never_shown(person: Person, other: tuple[str, ...]) -> None:
    """2048 words that can be told apart: whoever learned ten of them could not come back by any other way."""
    sends_list(person, "english", other)
    person.open("/en/write")
    person.writes("a secret of some length")
    person.page.locator("main button[value=words]").click()
    person.says(OTHER_LIST)
    expect(person.page.locator("ol.words")).to_have_count(0)
    person.page.unroute("**/static/words-english.txt")
    person.press("Try again")
    person.heading("Your ten words")


def test_words_are_not_read_by_a_list_of_another_order(person: Person, door: ServedDoor) -> None:
    sends_list(person, "spanish", reversed(load("spanish").words))
    person.comes_back(" ".join(Source(door.world, "them").passphrase.words(load())))
    person.says(OTHER_LIST)


def test_what_another_door_published_is_refused(person: Person, door: ServedDoor) -> None:
    """The script alone says which door it is: with another door's line the true one is refused."""
    was, other = door.world.door.hex(), Stream("another door")(32).hex()

    def names_another(route: Route) -> None:
        got = route.fetch()
        assert was in got.text()
        route.fulfill(response=got, body=got.text().replace(was, other))

    person.page.route("**/static/app.js", names_another)
    person.comes_back(" ".join(Source(door.world, "them").passphrase.words(load())))
    person.says("What the door sends cannot be trusted just now")


def lied(request: Request, answer: Response) -> Response:
    """It takes the letter, and gives no receipt that binds it."""
    return replace(answer, body=bytes(len(answer.body))) if request.method == "POST" else answer


def not_taken(request: Request, answer: Response) -> Response:
    return replace(answer, status=400) if request.path == "/v1/letters" else answer


def test_a_server_that_lies_is_refused_in_words_and_nothing_is_lost(
    person: Person, door: ServedDoor, tmp_path: Path
) -> None:
    """P7: other bytes, and another door's true ones. P6: a receipt that is none."""
    person.open("/en/write")
    person.writes("a secret of some length")
    door.script.meddle = flipped
    person.page.reload()
    person.open("/en/write")
    person.writes("a secret of some length")
    person.takes_words()
    person.heading("That did not work")
    person.says("What the door sends cannot be trusted just now")
    person.says("Nothing was sent.")
    door.script.meddle = another_door(tmp_path)
    person.press("Try again")
    person.says("What the door sends cannot be trusted just now")
    assert not [x for x in door.world.traffic if x.who == "a script" and x.method == "POST"], "nothing was sent"
    door.script.meddle = lied
    person.press("Try again")
    person.heading("It is not sure that your letter is in")
    person.says("not with a receipt that can be believed")
    expect(person.page.get_by_role("main")).not_to_contain_text("lost on its way")
    person.left_nothing("a secret of some length")
    door.script.meddle = not_taken
    person.press("Try again")
    person.says("The door did not take")
    person.heading("It is not sure that your letter is in")
    expect(person.page.get_by_role("main")).not_to_contain_text("lost on its way")
    person.press("Back to the letter")
    expect(person.page.get_by_role("textbox", name="Your letter")).to_have_value("a secret of some length")


def test_a_letter_that_may_be_in_is_sealed_anew_as_the_same_letter(
    person: Person, door: ServedDoor, news: Desk
) -> None:
    """The receipt is lost, and at the next try the desk has another epoch: both letters come, one is kept."""
    honest, door.script.meddle = door.script.meddle, lied
    person.open("/en/write")
    person.writes("once")
    person.takes_words()
    person.heading("It is not sure that your letter is in")
    with door.lock:
        door.world.close()
        door.world.close(door.world.batch + c.TICKS_PER_DAY)
        news.sync()
        door.world.close()
    person.page.clock.set_system_time(datetime.fromtimestamp(door.world.now, UTC))
    door.script.meddle = flipped
    person.press("Try again")
    person.heading("That did not work")
    person.says("Your letter may be in from an earlier try.")
    expect(person.page.get_by_role("main")).not_to_contain_text("Nothing was sent")
    door.script.meddle = honest
    person.press("Try again")
    person.heading("Your letter is in")
    assert len({x.sent for x in door.world.traffic if x.path == "/v1/letters" and x.who == "a script"}) == 2
    delivered(door, news)
    assert news.texts() == ["once"]


def test_once_a_file_has_left_it_is_not_said_that_nothing_was_sent(person: Person, door: ServedDoor) -> None:
    door.script.meddle = not_taken
    person.open("/en/write")
    person.writes("with a file")
    person.page.get_by_label("Files").set_input_files({"name": "a", "mimeType": "text/plain", "buffer": b"a"})
    person.press("Send it as it is")
    person.heading("Files, if you like")
    person.takes_words()
    person.heading("Your letter is not in yet")
    with door.lock:
        door.world.close(door.world.batch + c.TICKS_PER_DAY)
    person.page.clock.set_system_time(datetime.fromtimestamp(door.world.now, UTC))
    door.script.meddle = flipped
    person.press("Try again")
    person.heading("That did not work")
    person.says("What you wrote is kept in this page")
    expect(person.page.get_by_role("main")).not_to_contain_text("Nothing was sent")
    expect(person.page.get_by_role("main")).not_to_contain_text("may be in")


def test_an_older_visit_is_refused_while_the_page_is_open(person: Person, door: ServedDoor) -> None:
    """P7, rollback: the pin lives in the page."""
    old = door.store(Request("GET", "/visit", "", {}, b""))
    with door.lock:
        door.world.close()
    person.comes_back(" ".join(Source(door.world, "them").passphrase.words(load())))
    person.says("There is no reply here yet.")
    door.script.meddle = lambda _request, _answer: old
    person.press("Look again")
    person.says("What the door sends cannot be trusted just now")


def test_without_webassembly_it_takes_longer_and_is_said(chromium: Browser, door: ServedDoor, news: Desk) -> None:
    person = Person(chromium, door)
    person.context.add_init_script("delete globalThis.WebAssembly")
    worker = (STATIC / "argon2-worker.js").read_text()
    body = f"delete self.WebAssembly;{worker}"
    kind = {"content-type": "text/javascript", "cross-origin-embedder-policy": "require-corp"}
    person.context.route("**/argon2-worker.js", lambda route: route.fulfill(body=body, headers=kind))
    person.open("/en/write")
    person.writes("slowly")
    person.takes_words()
    person.says("without its fast mode")
    person.heading("Your letter is in")
    delivered(door, news)
    assert news.texts() == ["slowly"]
    person.context.close()


def test_where_the_script_does_not_come_nothing_is_posted(chromium: Browser, door: ServedDoor) -> None:
    context = chromium.new_context()
    context.route("**/static/app.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{door.address}/en/write")
    expect(page.get_by_role("alert")).to_contain_text("A part of this page did not come")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.get_by_role("textbox", name="Your letter").fill("a secret")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(200)
    assert asked == []
    context.close()


OLD = (
    "delete globalThis.BigInt",
    "delete globalThis.AbortController",
    "delete globalThis.ReadableStream",
    "delete globalThis.Worker",
    "delete Response.prototype.body",
    "delete Blob.prototype.arrayBuffer",
    "delete Intl.ListFormat",
    "delete Node.prototype.cloneNode",  # for a step that cannot be made
    "window.scrollTo = undefined",  # for one that has taken the page's place already
)


@pytest.mark.parametrize("without", OLD)
def test_a_browser_that_is_too_old_is_told_before_anything_is_typed(
    chromium: Browser, door: ServedDoor, without: str
) -> None:
    context = chromium.new_context()
    context.add_init_script(without)
    page = context.new_page()
    page.goto(f"{door.address}/en/write")
    said = page.get_by_role("alert")
    expect(said).to_contain_text("this browser is too old for it")
    expect(said).to_contain_text("switch JavaScript off")
    assert page.locator("html").get_attribute("data-page") is None
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.get_by_role("textbox", name="Your letter").fill("a secret")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(200)
    assert asked == []
    context.close()


def test_a_browser_of_before_2021_writes_a_letter(person: Person, door: ServedDoor, news: Desk) -> None:
    """What Chromium 80 has not, of what is of use to a page."""
    person.context.add_init_script(
        "for (const kind of [Element, Document, DocumentFragment]) delete kind.prototype.replaceChildren;"
        "for (const kind of [Array, Object.getPrototypeOf(Uint8Array), String]) delete kind.prototype.at;"
        "for (const name of ['findLast', 'toSorted', 'toReversed', 'with']) delete Array.prototype[name];"
        "for (const name of ['fromHex', 'fromBase64']) delete Uint8Array[name]; delete Uint8Array.prototype.toHex;"
        "delete String.prototype.replaceAll; delete Object.hasOwn; delete Promise.any; delete AbortSignal.timeout;"
        "delete AbortSignal.any; for (const name of ['structuredClone', 'WeakRef', 'CompressionStream'])"
        "delete globalThis[name]; delete SubmitEvent.prototype.submitter"
    )
    person.open("/en/write")
    person.writes("by an old phone")
    person.takes_words()
    person.heading("Your letter is in")
    person.left_nothing("by an old phone")
    delivered(door, news)
    assert news.texts() == ["by an old phone"]


def test_a_directory_with_questions_and_a_site_key_is_read(person: Person, door: ServedDoor) -> None:
    """Who comes back is not asked again."""
    with door.lock:
        desks = tuple(replace(desk, questions=ASKED) for desk in door.world.founding.directory.desks)
        door.world.renew(desks=desks, site=SiteKey(ed25519_public(Stream("site")(32))))
        door.world.close()
    person.comes_back(" ".join(Source(door.world, "them").passphrase.words(load())))
    person.says("There is no reply here yet.")
    person.press("Write again")
    person.writes("more")
    person.heading("Files, if you like")
    assert "GET /static/questions.js" not in person.posted


def test_what_a_page_loads_with_its_script_is_small(person: Person, door: ServedDoor) -> None:
    """At most 120 KB, as browsers get it (gzip; brotli is smaller still), beside the door's own file."""
    asked, sizes = set[str](), dict[str, int]()
    person.page.on("request", lambda r: asked.add(r.url.removeprefix(door.address)))
    person.page.on(
        "requestfinished", lambda r: sizes.update({r.url.removeprefix(door.address): r.sizes()["responseBodySize"]})
    )
    person.open("/en/write")
    person.writes("hello")
    person.takes_words()
    person.heading("Your letter is in")
    for (
        path
    ) in asked:  # of a worker Chromium does not tell the size, of what a script reads not always: as it is served
        if path.startswith("/static/") and not sizes.get(path):
            sizes[path] = len(SERVED[path.removeprefix("/static/")].packed)
    whole = sum(size for path, size in sizes.items() if path == "/en/write" or path.startswith("/static/"))
    print(f"{whole} bytes: {sizes}")
    assert {"/en/write", "/static/app.js", "/static/argon2-worker.js", "/static/words-english.txt"} <= set(sizes)
    assert whole <= 120 * 1024
