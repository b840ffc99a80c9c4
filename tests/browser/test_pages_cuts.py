# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages' script on bad lines, with bad input, at a door that changes: said, nothing lost, nothing leaked."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, FilePayload, Route, expect

from latchstring.desk.attachments import Item
from latchstring.desk.letters import letters
from latchstring.protocol import constants as c
from latchstring.protocol.closing import Closing
from latchstring.protocol.passphrase import parse_in_any
from latchstring.protocol.wordlist import load
from tests.attached import bring, listed, saved
from tests.browser.person import Person, delivered
from tests.browser.serving import ServedDoor
from tests.builders import Stream
from tests.world.world import Desk, Source, World

FILE = Stream("a file")(2 * c.ATTACHMENT_PLAIN + 5)  # three chunks
HOUR = 3600


class Cutting(Person):
    """Somebody on a bad line.

    `fates` of the chunks and letters that go out, then all pass. "drop": nothing arrives; "lost": the answer does not;
    "hold": it is in `held` until the test lets it go.
    """

    def __init__(self, chromium: Browser, door: ServedDoor, code: str = "en", **options: Any) -> None:
        super().__init__(chromium, door, code, **options)
        self.fates: list[str] = []
        self.held: list[Route] = []
        self.page.route("**/v1/**", self.meets)

    def meets(self, route: Route) -> None:
        sends = route.request.method == "PUT" or route.request.url.endswith("/letters")
        fate = self.fates.pop(0) if sends and self.fates else "pass"
        if fate == "pass":
            route.continue_()
        elif fate == "drop":
            route.abort()
        elif fate == "lost":
            route.fetch()
            route.abort()
        else:
            self.held.append(route)

    def note(self, text: str) -> None:
        if "net::ERR_FAILED" not in text:  # the browser's own word for a request that was dropped here
            super().note(text)

    def fetched(self) -> None:
        """What the door has published has come, or not."""
        fetching = self.text("Fetching what the door has published. It is the same for everyone.")
        expect(self.page.get_by_text(fetching)).to_be_hidden()

    def until(self, so: Callable[[], bool]) -> None:
        for _ in range(600):
            if so():
                return
            self.page.wait_for_timeout(50)
        pytest.fail("nothing came of it in 30 s")

    def chooses(self, *files: FilePayload) -> None:
        self.heading("Files, if you like")
        self.page.locator("#file").set_input_files(files)
        self.as_they_are(len(files))
        self.says(f"{files[-1]['name']} (")

    def as_they_are(self, count: int = 1) -> None:
        """Whatever is hidden in the files that were chosen."""
        self.heading("What this file says")
        if count > 1:
            self.page.locator("#rest").check()
        self.press("Send it as it is")
        self.heading("Files, if you like")

    def goes_on(self) -> None:
        """From the files to the way to the door, the words unchecked."""
        self.page.locator("main button[value=words]").click()
        self.press("I have them in mind")
        self.press("Send without the check")

    def waits(self) -> None:
        """What stands between two tries goes by."""
        self.says("The connection broke. It goes on by itself in %(span)s.")
        asked = len(self.posted)
        self.page.clock.fast_forward(200_000)
        self.until(lambda: len(self.posted) > asked)

    def sets_clock(self, now: float) -> None:
        self.page.clock.set_system_time(datetime.fromtimestamp(now, UTC))

    def letter(self) -> str:
        return self.page.get_by_role("textbox", name="Your letter").input_value()


COUNT = """([aloud, seen]) => {
  window.changes = { aloud: 0, seen: 0 };
  const watch = (element, name) => new MutationObserver(() => (window.changes[name] += 1))
    .observe(element, { childList: true, characterData: true, subtree: true });
  watch(document.querySelector(`main ${aloud}`).closest("[role=status]"), "aloud");
  watch(document.querySelector(`main ${seen}`), "seen");
}"""
PIECES = 12
IN_PIECES = f"""(() => {{
  const real = window.fetch;
  window.fetch = async (address, how) => {{
    const answer = await real(address, how);
    if (!String(address).endsWith("/visit")) return answer;
    const raw = new Uint8Array(await answer.arrayBuffer()), piece = Math.ceil(raw.length / {PIECES});
    let at = 0;
    const pull = async (to) => {{
      await new Promise((go) => (window.go = go));
      to.enqueue(raw.slice(at, (at += piece)));
      if (at >= raw.length) to.close();
    }};
    return new Response(new ReadableStream({{ pull }}, {{ highWaterMark: 0 }}), {{ headers: answer.headers }});
  }};
}})()"""


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Cutting]:
    one = Cutting(chromium, door)
    yield one
    one.context.close()


def plain(name: str, buffer: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType="application/octet-stream", buffer=buffer)


def put(door: ServedDoor) -> list[str]:
    """The chunks that reached the door, in their order."""
    return [x.path for x in door.world.traffic if x.who == "a script" and x.method == "PUT"]


def arrived(door: ServedDoor, desk: Desk) -> tuple[Item, ...]:
    delivered(door, desk)
    bring(desk)
    return listed(desk)


def test_pause_stop_and_going_on_while_a_file_goes_up(
    person: Cutting, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    person.open("/en/write")
    person.writes("see the file")
    person.chooses(plain("a.bin", FILE))
    person.fates = ["pass", "hold", "pass", "hold"]
    person.goes_on()
    bar = person.page.get_by_role("progressbar")
    expect(bar).to_have_js_property("value", 333)
    person.says("Sending a.bin, file 1 of 1.")
    person.press("Pause")
    person.says("Paused. Nothing is lost.")
    expect(person.page.get_by_role("main").get_by_role("button", name="Pause")).to_be_hidden()
    person.press("Go on")
    expect(bar).to_have_js_property("value", 667)
    person.press("Stop, back to the letter")
    expect(person.page.get_by_role("heading", name="Write", exact=True)).to_be_visible()
    assert person.letter() == "see the file"
    person.press("Go on")
    person.says("a.bin (")
    person.goes_on()
    person.heading("Your letter is in")
    assert len(put(door)) == len(set(put(door))) == 3, "what had arrived was not sent again"
    person.left_nothing("see the file", "a.bin")
    (item,) = arrived(door, news)
    assert (item.attachment.name, saved(news, item, tmp_path / "out")) == ("a.bin", FILE)
    assert news.texts() == ["see the file"]


def test_a_line_that_drops_within_a_file_goes_on_by_itself(
    person: Cutting, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    """Once the chunk does not arrive; once it does, and the answer is lost."""
    person.open("/en/write")
    person.writes("see the file")
    person.chooses(plain("a.bin", FILE))
    person.fates = ["pass", "drop", "lost"]
    person.goes_on()
    person.waits()
    person.waits()
    person.heading("Your letter is in")
    assert len(put(door)) == len(set(put(door))) == 3, "what had arrived was not sent again"
    (item,) = arrived(door, news)
    assert saved(news, item, tmp_path / "out") == FILE


def test_a_letter_whose_answer_is_lost_is_taken_once(person: Cutting, door: ServedDoor, news: Desk) -> None:
    person.open("/en/write")
    person.writes("once")
    person.fates = ["lost"]
    person.goes_on()
    person.says("The connection broke. It goes on by itself in")
    person.press("Stop, back to the letter")
    person.heading("It is not sure that your letter is in")
    person.says("it is taken only once")
    person.press("Try again")
    person.heading("Your letter is in")
    delivered(door, news)
    assert news.texts() == ["once"]


def test_a_wait_is_counted_down_in_sight_and_not_read_aloud_each_second(person: Cutting) -> None:
    """What has role=status a screen reader reads at every change."""
    person.open("/en/write")
    person.writes("patience")
    person.fates = ["lost"] * 9
    person.goes_on()
    person.waits()
    person.says("The connection broke. It goes on by itself in")
    person.page.evaluate(COUNT, ["[role=status]", "progress ~ p"])
    person.page.clock.run_for(6_000)
    changes = person.page.evaluate("window.changes")
    assert changes["aloud"] <= 1
    assert changes["seen"] >= 3
    person.press("Stop, back to the letter")


@pytest.mark.parametrize("path", ["/en/write", "/en/return"])
def test_what_comes_while_somebody_types_is_not_read_aloud_with_each_piece(person: Cutting, path: str) -> None:
    """`/visit` over a slow line."""
    person.page.add_init_script(IN_PIECES)
    person.open(path)
    for piece in range(PIECES):
        # Asked from here: what the page itself would evaluate again and again, its policy forbids.
        person.until(lambda: bool(person.page.evaluate("!!window.go")))
        if piece == 1:
            person.says("Fetching what the door has published.")
            expect(person.page.locator('[data-fill="fetched"]')).to_have_text(re.compile(r"^\S+ kB of \S+ kB$"))
            person.page.evaluate(COUNT, ['[data-fill="door"]', '[data-fill="fetched"]'])
        person.page.evaluate("() => { const go = window.go; window.go = null; go(); }")
    person.fetched()
    changes = person.page.evaluate("window.changes")
    assert changes["aloud"] <= 1, "that it is over"
    assert changes["seen"] >= PIECES / 2


def test_a_file_that_changes_while_it_is_sent_and_one_that_is_empty(
    person: Cutting, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    person.open("/en/write")
    person.writes("see the files")
    file = tmp_path / "b.bin"
    file.write_bytes(FILE)
    person.heading("Files, if you like")
    person.page.get_by_label("Files").set_input_files({"name": "none.txt", "mimeType": "text/plain", "buffer": b""})
    person.says("none.txt is empty. Check that it is the right one.")
    person.chooses(plain("a.bin", b"kept"))
    person.page.get_by_label("Files").set_input_files(file)
    person.as_they_are()
    person.says("b.bin (")
    person.fates = ["pass", "hold"]
    person.goes_on()
    person.says("Sending b.bin, file 2 of 2.")
    person.until(lambda: bool(person.held))
    file.write_bytes(b"something else")
    person.held.pop().continue_()
    person.heading("Files, if you like")
    person.says("b.bin has changed or is not there any more. Choose it again.")
    person.says("a.bin (")
    assert person.page.get_by_role("button", name="Leave out b.bin").count() == 0, "it would change again and again"
    person.page.get_by_label("Files").set_input_files(file)
    person.as_they_are()
    person.says("b.bin (")
    person.page.get_by_role("button", name="Go on").click()
    person.heading("Your letter is in")
    assert len(put(door)) == 3, "the first file was not sent again"
    items = arrived(door, news)
    assert [saved(news, item, tmp_path / "out") for item in items] == [b"kept", b"something else"]


def test_more_files_than_the_letter_can_name_go_by_a_list(
    person: Cutting, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    person.open("/en/write")
    person.writes("long " * 250)
    names = [f"{n}{'n' * 240}.bin" for n in range(5)]
    person.chooses(*(plain(name, name.encode()) for name in names))
    person.fates = ["pass"] * 5 + ["drop"]
    person.goes_on()
    person.waits()
    person.heading("Your letter is in")
    assert len(put(door)) == 6
    items = arrived(door, news)
    bring(news)
    items = listed(news)
    assert [item.attachment.name for item in items] == names
    assert saved(news, items[4], tmp_path / "out") == names[4].encode()


def test_a_letter_that_is_too_long_for_its_envelope_goes_along_as_a_file(
    person: Cutting, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    """Shortened after a stop, it is another file; the one that is there already is not sent again."""
    text = "Це довгий лист. " * 400
    person.open("/en/write")
    person.says("A longer letter goes along as a file, sealed as well.")
    person.page.get_by_role("textbox", name="Your letter").fill("x" * 1500)
    person.says("more characters fit")
    person.writes("x" + text)
    person.chooses(plain("a.bin", b"a"))
    person.fates = ["pass", "hold"]
    person.goes_on()
    person.says("Sending what has no room in the letter itself.")
    person.until(lambda: len(person.held) == 1)
    person.press("Stop, back to the letter")
    assert person.letter() == "x" + text
    expect(person.page.locator("#room")).to_have_text("")
    person.writes(text)
    person.heading("Files, if you like")
    person.fates = ["drop", "pass", "lost"]  # the chunk, the chunk again, the letter
    person.goes_on()
    person.waits()
    person.waits()
    person.heading("Your letter is in")
    assert len(put(door)) == 2, "a.bin, letter.txt"
    items = arrived(door, news)
    assert [item.attachment.name for item in items] == ["letter.txt", "a.bin"]
    assert saved(news, items[0], tmp_path / "out").decode() == text
    (body,) = [x.body for x in letters(news.vault) if x.body]
    assert body.text.startswith("Це довгий лист. ")
    assert body.text.endswith("→ letter.txt")
    assert not [one for one in (*person.posted, *person.console) if "довгий" in one]


CHOOSE_MANY = """([count]) => {
  const box = document.querySelector("#file");
  const files = new DataTransfer();
  for (let n = 0; n < count; n += 1) files.items.add(new File(["x"], `${n}.bin`));
  box.files = files.files;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}"""


@pytest.mark.matrix
def test_ten_thousand_files_are_refused_in_one_sentence(person: Cutting) -> None:
    person.open("/en/write")
    person.writes("all of them")
    person.heading("Files, if you like")
    person.page.evaluate(CHOOSE_MANY, [10_000])
    person.as_they_are(10_000)
    person.says("999.bin (")
    many = person.page.get_by_text("These are too many files for one letter.")
    assert many.count() <= 2, "said above and at the field"
    expect(many.first).to_be_visible()
    assert person.page.get_by_role("button", name="Leave out").count() == c.MAX_LISTED
    person.press("Back to the letter")
    assert person.letter() == "all of them"


@pytest.mark.matrix
def test_more_files_than_a_letter_holds_by_number(person: Cutting, door: ServedDoor, news: Desk) -> None:
    person.open("/en/write")
    person.writes("all of them")
    person.heading("Files, if you like")
    person.page.evaluate(CHOOSE_MANY, [70])
    person.as_they_are(70)
    person.says("69.bin (")
    person.goes_on()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Your letter is in", timeout=180_000)
    arrived(door, news)
    bring(news)
    assert [item.attachment.name for item in listed(news)] == [f"{n}.bin" for n in range(70)]


def test_a_wrong_clock_is_named_and_set_right(person: Cutting, door: ServedDoor, news: Desk) -> None:
    now = door.world.now
    person.sets_clock(now - 9 * HOUR)
    person.open("/en/write")
    person.writes("what time is it?")
    person.goes_on()
    person.heading("That did not work")
    person.says("By this device's clock the door has published in the future. Set the clock right, then try again.")
    person.says("What you wrote is kept in this page")
    person.sets_clock(now + 50 * HOUR)
    person.press("Try again")
    person.says("The newest that the door has published is 2 days old.")
    person.says("Look at the clock")
    assert not [x for x in door.world.traffic if x.who == "a script" and x.method == "POST"], "nothing was sent"
    person.sets_clock(now + 9 * HOUR)  # no reason to refuse a letter
    person.press("Try again")
    person.heading("Your letter is in")
    delivered(door, news)
    assert news.texts() == ["what time is it?"]


def test_a_desk_that_is_gone_meanwhile(
    person: Cutting, door: ServedDoor, open_world: tuple[World, dict[str, Desk]], tmp_path: Path
) -> None:
    """The page was made by the directory of before; what the door has published comes only now."""
    legal = open_world[1]["legal"].copy(door.world, tmp_path)
    held: list[Route] = []
    person.page.route("**/visit", lambda route: held.append(route))
    person.open("/en/write")
    person.writes("for whom?")
    person.goes_on()
    person.says("Fetching what the door has published.")
    with door.lock:
        now = door.world.founding.directory
        left = tuple(desk for desk in now.desks if desk.id != "news")
        door.world.renew(desks=left, pages=tuple(page for page in now.pages if page.desk != "news"))
        door.world.close()
        legal.sync()
        person.sets_clock(door.world.now)
    person.page.unroute("**/visit")
    for route in held:
        route.continue_()
    person.heading("That did not work")
    person.says("the organisation has changed its desks. Copy what you wrote, and load the page again.")
    person.press("Back to the letter")
    assert person.letter() == "for whom?"
    expect(person.page.get_by_role("radio", name="news")).to_be_disabled()
    person.page.get_by_role("radio", name="legal").check()
    person.press("Go on")
    person.goes_on()
    person.heading("Your letter is in")
    delivered(door, legal)
    assert legal.texts() == ["for whom?"]


def test_a_desk_that_is_closed_and_opens_again(person: Cutting, door: ServedDoor, news: Desk) -> None:
    with door.lock:
        door.world.close(door.world.batch + 20 * c.TICKS_PER_DAY)  # longer than its keys reach ahead
        now = door.world.now
    person.sets_clock(now)
    person.open("/en/write")
    person.fetched()
    person.page.get_by_role("textbox", name="Your letter").fill("is anybody there?")
    expect(person.page.get_by_role("radio", name="news")).to_be_disabled()
    person.says("takes no letters just now")
    with door.lock:
        news.sync()
        door.world.close()
        news.sync()
        now = door.world.now
    person.sets_clock(now + HOUR)
    person.press("Go on")
    person.says("Choose who should read your letter.")
    expect(person.page.get_by_role("radio", name="news")).to_be_enabled()
    person.page.get_by_role("radio", name="news").check()
    person.press("Go on")
    person.goes_on()
    person.heading("Your letter is in")
    delivered(door, news)
    assert news.texts() == ["is anybody there?"]


@pytest.mark.parametrize("files", [(), (plain("a.bin", b"a"),)], ids=["letter", "file"])
def test_a_door_that_closed_for_good_meanwhile(
    person: Cutting, door: ServedDoor, files: tuple[FilePayload, ...]
) -> None:
    person.open("/en/write")
    person.fetched()
    person.writes("too late")
    if files:
        person.chooses(*files)
    with door.lock:
        door.world.renew(closed=Closing({"en": "Thank you."}, ()))
        door.world.close()
        person.sets_clock(door.world.now)
    person.goes_on()
    person.says("This door is closed for good. It takes no letters any more.")
    person.says("Your letter cannot be sent here any more.")
    assert person.page.get_by_role("main").inner_text().count("closed for good") == 1
    expect(person.page.locator(".choice .closed").first).to_have_text("takes no letters any more")
    assert person.letter() == "too late"


def test_leaving_asks_first_and_nothing_is_left_for_the_back_button(person: Cutting) -> None:
    answers: list[bool] = []
    asked: list[str] = []

    def dialog(one: Dialog) -> None:
        asked.append(one.message)
        one.accept() if answers.pop(0) else one.dismiss()

    person.page.on("dialog", dialog)
    person.open("/en/write")
    person.writes("a secret of mine")
    person.heading("Files, if you like")
    answers.append(False)
    person.page.get_by_role("link", name="Help", exact=True).click()
    assert asked == ["If you go to another page, what you have typed here is gone. Go all the same?"]
    person.press("Back to the letter")
    assert person.letter() == "a secret of mine"
    answers.append(True)
    person.page.get_by_role("link", name="Help", exact=True).click()
    person.page.wait_for_url("**/en/help")
    person.page.go_back()
    expect(person.page.locator("html")).to_have_attribute("data-page", "ready")
    assert person.letter() == ""
    assert "a secret of mine" not in person.page.content()
    person.page.get_by_role("textbox", name="Your letter").fill("another secret")
    person.page.route("**/leave", lambda route: route.fulfill(body="news of the day", content_type="text/html"))
    person.page.get_by_role("link", name="Leave this page now").click()
    person.page.wait_for_url("**/leave")
    assert len(asked) == 2, "who leaves at once is asked nothing"
    person.page.go_back()
    expect(person.page.locator("html")).to_have_attribute("data-page", "ready")
    assert person.letter() == ""
    assert "another secret" not in person.page.content()
    person.left_nothing("a secret of mine", "another secret")


def test_a_slip_while_practising_and_a_list_of_words_that_does_not_come(
    person: Cutting, door: ServedDoor, news: Desk
) -> None:
    person.page.route("**/static/words-english.txt", lambda route: route.abort())
    person.open("/en/write")
    person.writes("in my own words")
    person.heading("Files, if you like")
    person.page.locator("main button[value=words]").click()
    person.says("A list of words did not come. Try again in a moment.")
    person.page.unroute("**/static/words-english.txt")
    person.press("Try again")
    person.heading("Your ten words")
    words = person.shown_words().split()
    person.press("I have them in mind")
    box = person.page.get_by_role("textbox", name="Ten words")
    box.fill(" ".join([words[0] + "q", *words[1:]]))
    person.says(f"Word 1, “{words[0]}q”, is not in the list. Meant:")
    person.press("Check and send")
    person.says(f"Word 1, “{words[0]}q”, is not in the list. Did you mean")
    expect(box).to_have_attribute("aria-invalid", "true")
    person.page.locator("#hints").get_by_role("button", name=words[0], exact=True).click()
    expect(box).to_have_value(" ".join(words) + " ")
    person.press("Check and send")
    person.heading("Your letter is in")
    person.left_nothing(*words)
    delivered(door, news)
    assert news.texts() == ["in my own words"]


@pytest.mark.matrix
def test_other_words_of_which_a_desk_hears_only_at_the_second_try(
    person: Cutting, door: ServedDoor, news: Desk
) -> None:
    them = Source(door.world, "them")
    them.write("hello")
    delivered(door, news)
    person.sets_clock(door.world.now)
    old = " ".join(them.passphrase.words(load()))
    person.comes_back(old)
    person.says("There is no reply here yet.")
    person.press("Change my words")
    person.heading("Your new ten words")
    new = person.shown_words()
    person.press("I have them in mind")
    box = person.page.get_by_role("textbox", name="Ten words")
    box.fill(new)
    person.press("Change my words")
    person.says("Choose the desks that you have written to.")
    person.page.get_by_role("checkbox", name="news").check()
    person.fates = ["drop"] * 4
    person.press("Change my words")
    for _ in range(3):
        person.waits()
    person.heading("It is not sure that every desk was told")
    person.says("Perhaps told: News")
    person.press("Try again")
    person.heading("Your words are changed")
    person.left_nothing(old, new)
    delivered(door, news)
    renamed = Source(door.world, "renamed", parse_in_any(new, (load(),)))
    assert len(letters(news.vault, news.thread(renamed))) == 1, "the thread goes on under the new words"


@pytest.mark.matrix
def test_a_pause_while_the_door_is_fetched_and_a_file_left_out_after_a_stop(
    person: Cutting, door: ServedDoor, news: Desk
) -> None:
    held: list[Route] = []
    person.page.route("**/visit", lambda route: held.append(route))
    person.open("/en/write")
    person.writes("without the file, then")
    person.chooses(plain("a.bin", FILE))
    person.fates = ["pass", "hold"]
    person.goes_on()
    person.says("Fetching what the door has published.")
    person.press("Pause")
    person.says("Paused. Nothing is lost.")
    person.page.unroute("**/visit")
    person.press("Go on")
    person.until(lambda: bool(person.held))
    person.press("Pause")
    person.says("Paused. Nothing is lost.")
    person.press("Stop, back to the letter")
    person.press("Go on")
    person.page.get_by_role("button", name="Leave out a.bin").click()
    person.page.get_by_role("button", name="Go on").click()
    person.press("I have them in mind")
    person.press("Send without the check")
    person.heading("Your letter is in")
    person.left_nothing("without the file", "a.bin")
    assert arrived(door, news) == ()
    assert news.texts() == ["without the file, then"]


@pytest.mark.matrix
def test_a_page_that_lost_its_line_before_it_knew_the_door(person: Cutting, door: ServedDoor, news: Desk) -> None:
    """What it has published does not come; then the line is back."""
    person.page.route("**/visit", lambda route: route.abort())
    person.open("/en/write")
    person.fetched()
    person.writes("hello?")
    person.goes_on()
    person.waits()
    person.waits()
    person.heading("That did not work")
    person.says("The door does not answer just now. Try again in a few minutes.")
    person.page.unroute("**/visit")
    person.press("Try again")
    person.heading("Your letter is in")
    person.left_nothing("hello?")
    delivered(door, news)
    assert news.texts() == ["hello?"]


def expire(person: Cutting, door: ServedDoor) -> None:
    with door.lock:
        door.world.close(door.world.founding.directory.expires + 1)
        person.sets_clock(door.world.now)


def test_a_door_that_must_be_renewed_asks_for_no_letter(person: Cutting, door: ServedDoor) -> None:
    """What happened and what to do is said once, and nothing can be filled in that could not be sent."""
    expire(person, door)
    person.open("/en/write")
    person.fetched()
    person.says("The organisation must renew this door.")
    main = person.page.get_by_role("main")
    expect(main.get_by_text("must renew this door")).to_have_count(1)
    expect(main.get_by_role("textbox")).to_have_count(0)
    expect(main.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("typed", ["", "not lost"])
def test_a_page_from_before_a_door_had_to_be_renewed(person: Cutting, door: ServedDoor, typed: str) -> None:
    """The form goes when the page learns of it, but never what was typed."""
    held: list[Route] = []
    person.page.route("**/visit", lambda route: held.append(route))
    person.open("/en/write")
    person.says("Fetching what the door has published.")
    main = person.page.get_by_role("main")
    main.get_by_role("textbox").fill(typed)
    expire(person, door)
    person.until(lambda: bool(held))
    person.page.unroute("**/visit")
    for route in held:
        route.continue_()
    person.says("The organisation must renew this door first. Try again in a few days.")
    expect(main.get_by_role("textbox")).to_have_count(1 if typed else 0)
    if typed:
        assert person.letter() == typed
