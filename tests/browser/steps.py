# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every step that the pages' script shows, in every state, in one language: for whoever looks at all of them (access
for everybody, pictures), as `tests/states.py` has those without it. A new step, or a new part of one, belongs here, as
`test_access_script.py` sees."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from playwright.sync_api import Browser, Route, expect

from latchstring.client.transport import Response
from latchstring.desk.known import mark_known
from latchstring.protocol import constants as c
from latchstring.protocol.closing import Closing
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.passphrase import generate
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.wordlist import load
from latchstring.server.api import Request
from latchstring.site.settings import Settings
from tests.asked import ASKED
from tests.browser.documents import docx, packed
from tests.browser.photographs import exif, picture, saved
from tests.browser.serving import ServedDoor
from tests.browser.test_pages_cuts import HOUR, Cutting, plain
from tests.builders import Stream
from tests.states import LETTERS, NAMES, REPLIES, Stage, no_receipt

See = Callable[["Walk", str, str], None]
"""Looks at the page, which shows a step (its template's name) in a state."""

PHOTO: Final = saved(picture(), "JPEG", exif=exif(1))
PDF: Final = b"%PDF-1.4\n1 0 obj\n<< /Author (Anna Kovalenko) >>\nendobj\ntrailer\n<< /Info 1 0 R >>\n%%EOF\n"
NEWER: Final = "with something of a later version"
CLOSING: Final = Closing(
    {"en": "Thank you. We have closed.", "ru": "Спасибо. Мы закрылись.", "ar": "شكراً. لقد أغلقنا."}, ()
)
REPEATABLE: Final = """(() => {
  let state = 0;
  crypto.getRandomValues = (into) => {
    for (let i = 0; i < into.length; i += 1) into[i] = (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
    return into;
  };
})()"""


class Walk(Cutting):
    """Somebody who comes to a copy of the stage's door, and stands still wherever there is something to be seen.
    Words and marks are the same each time."""

    def __init__(self, chromium: Browser, stage: Stage, code: str, see: See, **options: object) -> None:
        self.stage, self._see = stage, see
        super().__init__(chromium, ServedDoor(stage.world.copy(), Settings(names=NAMES)), code, **options)
        self.context.add_init_script(REPEATABLE)

    def see(self, step: str, state: str = "") -> None:
        self._see(self, step, state)

    def close(self) -> None:
        self.context.close()
        self.door.close()

    def note(self, text: str) -> None:
        """What the console says is for other tests."""

    def opens(self, page: str) -> None:
        self.open(f"/{self.code}/{page}")

    def letter(self) -> str:
        return LETTERS.get(self.code, LETTERS["en"])

    def picks(self, *files: tuple[str, bytes]) -> None:
        self.heading("Files, if you like")
        self.page.locator("#file").set_input_files([plain(name, raw) for name, raw in files])

    @contextmanager
    def without(self, path: str) -> Iterator[list[Route]]:
        """What is asked for under such a path waits until the end; the list of it."""
        held: list[Route] = []
        self.page.route(path, lambda route: held.append(route))
        yield held
        self.page.unroute(path)
        for route in held:
            route.continue_()


def walk(chromium: Browser, stage: Stage, code: str, see: See, whole: bool, **options: object) -> None:
    """A first visit and a way back; `whole`: and whatever can go otherwise."""
    for part in (
        _first_visit,
        _questions,
        _coming_back,
        *((_files, _troubles, _way, _back_again, _door) if whole else ()),
    ):
        one = Walk(chromium, stage, code, see, **options)
        try:
            part(one)
        finally:
            one.close()


def _first_visit(w: Walk) -> None:
    w.opens("write")
    w.fetched()
    w.see("write")
    w.press("Go on")
    w.says("Please look again")
    w.see("write", "empty")
    w.writes(w.letter())
    w.heading("Files, if you like")
    w.see("files")
    w.picks(("план.docx", packed(docx())), ("2.jpg", saved(picture(), "JPEG")))
    w.says("Anna Kovalenko")
    w.see("looked")
    w.press("Remove")
    w.heading("What is left in the copy")
    w.see("looked", "copy")
    w.press("Send the copy")
    w.says("Nothing was found that says something about you.")
    w.see("looked", "nothing")
    w.press("Send it as it is")
    w.heading("Files, if you like")
    w.see("files", "added")
    w.page.locator("main button[value=words]").click()
    w.heading("Your ten words")
    words = w.shown_words()
    w.see("passphrase")
    w.press("I have them in mind")
    w.see("practice")
    w.types("Ten words", words.replace(" ", "q ", 1))
    expect(w.page.locator("#hints")).to_be_visible()
    w.see("practice", "hint")
    w.press("Check and send")
    w.says("Please look again")
    w.see("practice", "slip")
    w.types("Ten words", words)
    w.fates = ["pass", "hold"]
    w.press("Check and send")
    w.until(lambda: bool(w.held))
    w.see("sending")
    w.held.pop().continue_()
    w.heading("Your letter is in")
    w.see("sent")


def _coming_back(w: Walk) -> None:
    words = " ".join(w.stage.person.passphrase.words(load()))
    w.opens("return")
    w.fetched()
    w.see("return")
    w.types("Ten words", words.replace(" ", "q ", 1))
    w.press("Open my thread")
    w.says("Please look again")
    expect(w.page.locator("#hints")).to_be_visible()
    w.see("return", "slip")
    w.types("Ten words", words)
    w.press("Open my thread")
    w.heading("Your thread")
    w.see("thread")
    w.press("Change my words")
    w.heading("Your new ten words")
    w.see("passphrase", "new")
    w.press("I have them in mind")
    w.press("Change my words")
    w.says("Please look again")
    w.see("practice", "new")


def _files(w: Walk) -> None:
    """What can be said of a file."""
    w.opens("write")
    w.writes(w.letter())
    with w.without("**/static/meta.js") as held:
        w.picks(("дом.jpg", PHOTO))
        w.until(lambda: bool(held))
        w.see("looked", "looking")
        held.pop().abort()
        expect(w.page.get_by_role("main").get_by_role("alert")).to_be_visible()
        w.see("looked", "failed")
    w.opens("write")  # a module that did not come does not come later
    w.writes(w.letter())
    for name, raw, state in (
        ("дом.jpg", PHOTO, "photograph"),
        ("a.pdf", PDF, "pdf"),
        ("a.txt", b"by Anna", "unknown"),
        ("a.jpg", PHOTO[:300], "damaged"),
    ):
        w.picks((name, raw))
        w.heading("What this file says")
        expect(w.page.get_by_text(w.text("Looking into it, here on your device. It is not sent yet."))).to_be_hidden()
        w.see("looked", state)
        if state == "damaged":
            w.press("Remove")
            w.says("From this file nothing can be removed here.")
            w.see("looked", "kept")
        w.press("Leave out")
    w.picks(("none.txt", b""))
    w.says("Please look again")
    w.see("files", "empty")


def _questions(w: Walk) -> None:
    """What a desk asks, step by step."""
    with w.door.lock:
        desks = w.door.world.founding.directory.desks
        w.door.world.renew(desks=tuple(replace(one, questions=ASKED if one.id == "news" else ()) for one in desks))
        w.door.world.close()
        w.sets_clock(w.door.world.now)
    with w.without("**/visit"):
        w.opens("write")
        w.writes(w.letter())
        w.heading("The desk asks")
        w.see("sending", "asking")
    expect(w.page.locator("#progress")).to_have_count(0)
    w.heading("The desk asks")
    w.see("questions")
    w.press("Go on")
    w.says("Please look again")
    w.see("questions", "needed")
    w.page.locator("main input[value=order]").check()
    w.press("Go on")
    expect(w.page.locator('[name="q-when"]')).to_be_visible()
    w.page.locator('main [name="q-who.general"]').check()
    w.page.locator('[name="q-when"]').fill("?")
    w.press("Go on")
    w.says("Please look again")
    w.see("questions", "date")
    w.page.locator('[name="q-when"]').fill("2024")
    w.press("Go on")
    expect(w.page.locator('[name="q-where"]')).to_be_visible()
    w.see("questions", "last")


def _troubles(w: Walk) -> None:
    """Before anything goes out."""
    w.page.route("**/static/app.js", lambda route: route.abort())
    w.page.goto(f"{w.door.address}/{w.code}/write")
    expect(w.page.locator("#unscripted")).to_be_visible()
    w.see("write", "unscripted")
    w.page.unroute("**/static/app.js")
    with w.without("**/visit") as held:
        w.opens("write")
        w.until(lambda: bool(held))
        w.see("write", "fetching")
    with w.without("**/static/words-*") as held:
        w.opens("write")
        w.types("Your letter", "long " * 262)
        expect(w.page.locator("#room")).not_to_be_empty()
        w.see("write", "room")
        w.writes(w.letter())
        w.page.locator("main button[value=words]").click()
        w.says("Fetching what the door has published. It is the same for everyone.")
        w.see("sending", "words")
        held.pop().abort()
        w.heading("That did not work")
        w.see("refused", "no-list")
    w.press("Try again")
    w.heading("Your ten words")
    w.press("I have them in mind")
    w.types("Ten words", " ".join(generate(Stream("others")).words(load())))
    w.press("Check and send")
    w.says("Please look again")
    w.see("practice", "others")
    w.page.evaluate("delete globalThis.WebAssembly")
    with w.without("**/argon2-worker.js"):
        w.press("Send without the check")
        w.says(
            "This browser works out your keys without its fast mode, so this takes longer: up to a minute on an old "
            "phone."
        )
        w.see("sending", "slow")


def _flipped(_request: Request, answer: Response) -> Response:
    return replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1]))


def _full(request: Request, answer: Response) -> Response:
    return Response(503, b"The door is full.\n") if request.path == "/v1/letters" else answer


def _no_disk(request: Request, answer: Response) -> Response:
    return Response(507, b"No room.\n") if request.path == "/v1/letters" else answer


def _not_taken(request: Request, answer: Response) -> Response:
    return Response(400, b"No.\n") if request.path == "/v1/letters" else answer


def _no_room(request: Request, answer: Response) -> Response:
    return Response(400, b"No.\n") if request.path == "/v1/attachments" else answer


def _way(w: Walk) -> None:
    """A letter with a file that meets everything on its way."""
    honest = w.door.script.meddle
    w.page.route("**/visit", lambda route: route.abort())
    w.opens("write")
    w.fetched()
    w.writes(w.letter())
    w.chooses(plain("план работ 2026.bin", Stream("a file")(600_000)))
    w.goes_on()
    w.says("The connection broke. It goes on by itself in %(span)s.")
    w.see("sending", "cut")
    w.press("Pause")
    w.says("Paused. Nothing is lost.")
    w.see("sending", "paused")
    w.page.locator("main button[value=resume]").click()
    w.waits()
    w.heading("That did not work")
    w.see("refused", "silent")
    w.page.unroute("**/visit")
    w.door.script.meddle = _flipped
    w.press("Try again")
    w.heading("That did not work")
    w.see("refused", "untrusted")
    w.door.script.meddle = honest
    w.sets_clock(w.door.world.now + 50 * HOUR)
    w.press("Try again")
    w.says("The newest that the door has published is %(span)s old. Either it stands still, or this device's clock is "
           "wrong. Look at the clock; if it is right, try again later or use another address of the door.")  # fmt: skip
    w.see("refused", "clock")
    w.sets_clock(w.door.world.now)
    w.door.script.meddle = _no_room
    w.press("Try again")
    w.heading("Your letter is not in yet")
    w.see("full", "no-room")
    w.door.script.meddle = _full
    w.press("Try again")
    w.says("The door is full just now. The next try is in %(span)s; each try has the same chance.")
    w.see("sending", "full")
    w.page.locator("main button[value=stop]").click()
    w.heading("Write")
    w.door.script.meddle = _no_disk
    w.press("Go on")
    w.goes_on()
    w.heading("Your letter is not in yet")
    w.see("full", "full")
    w.press("Back to the letter")
    w.heading("Write")
    w.door.script.meddle = no_receipt
    w.press("Go on")
    w.goes_on()
    w.heading("It is not sure that your letter is in")
    w.see("full", "no-receipt")
    w.door.script.meddle = honest
    w.fates = ["hold"]
    w.press("Try again")
    w.until(lambda: bool(w.held))
    w.page.locator("main button[value=stop]").click()
    w.heading("It is not sure that your letter is in")
    w.held.pop().abort()
    w.see("full", "unsure")
    w.sets_clock(w.door.world.now + 50 * HOUR)
    w.press("Try again")
    w.heading("That did not work")
    w.see("refused", "unsure")
    w.sets_clock(w.door.world.now)
    w.press("Try again")
    w.heading("Your letter is in")
    w.press("Write a harmless letter too")
    w.heading("A letter that you could show")
    w.see("write", "decoy")


def _back_again(w: Walk) -> None:
    """An empty thread; a known one, with a reply of a newer program; going on in it; a desk not told of new words."""
    honest = w.door.script.meddle
    with w.without("**/visit") as held:
        w.opens("return")
        w.until(lambda: bool(held))
        w.see("return", "fetching")
        w.types("Ten words", " ".join(generate(Stream("nobody")).words(load())))
        w.press("Open my thread")
        w.heading("Opening your thread")
        w.see("sending", "opening")
    w.heading("Your thread")
    w.see("thread", "empty")
    _newer_reply(w)
    w.comes_back(" ".join(w.stage.person.passphrase.words(load())))
    w.heading("Your thread")
    w.see("thread", "newer")
    w.press("Write again")
    w.heading("Write again")
    w.see("write", "again")
    w.writes(w.letter())
    w.heading("Files, if you like")
    w.see("files", "again")
    w.press("Send")
    w.heading("Your letter is in")
    w.see("sent", "again")
    w.press("Back to your thread")
    w.heading("Your thread")
    w.press("Change my words")
    new = w.shown_words()
    w.press("I have them in mind")
    w.types("Ten words", new)
    w.page.locator("#desk-news").check()
    w.door.script.meddle = _not_taken
    with w.without("**/v1/letters") as held:
        w.press("Change my words")
        w.until(lambda: bool(held))
        w.see("sending", "changing")
    w.heading("Not every desk was told")
    w.see("changed", "missed")
    w.door.script.meddle = honest
    with w.without("**/v1/letters") as held:
        w.press("Try again")
        w.until(lambda: bool(held))
        w.press("Stop")
        w.says(
            "Perhaps told: %(desks)s. The answer was lost on its way. Keep both the old words and the new ones, and "
            "try again: that does no harm."
        )
        w.see("changed", "unsure")
        held.clear()
    w.press("Try again")
    w.heading("Your words are changed")
    w.see("changed")
    w.door.script.meddle = _flipped
    w.opens("return")
    w.types("Ten words", new)
    w.press("Open my thread")
    w.heading("That did not work")
    w.see("refused", "opening")


def _newer(body: ReplyBody) -> bytes:
    fields = {"text": body.text, "acks": list(body.acks), "known": body.known}
    return encode_cbor(fields if body.text != NEWER else {**fields, "voice": b"x"})


def _newer_reply(w: Walk) -> None:
    world = w.door.world
    with TemporaryDirectory() as folder, w.door.lock, pytest.MonkeyPatch.context() as patch:
        news = w.stage.news.copy(world, Path(folder))
        mark_known(news.vault, news.thread(w.stage.person), True)
        for text in (REPLIES["en"], NEWER):
            news.answer(w.stage.person, text)
        patch.setattr("latchstring.protocol.reply._encode", _newer)
        news.sync()
        news.vault.close()
        world.close((world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
    w.sets_clock(world.now)


def _door(w: Walk) -> None:
    """A door that takes no files, and closes for good while somebody writes."""
    world = w.door.world
    with w.door.lock:
        world.renew(policy=replace(world.founding.directory.policy, attachment=0))
        world.close()
        w.sets_clock(world.now)
    w.opens("write")
    w.fetched()
    w.writes("long " * 400)
    w.says("Please look again")
    w.see("write", "too-long")
    w.writes(w.letter())
    w.heading("Your ten words")
    with w.door.lock:
        world.renew(closed=CLOSING)
        world.close()
        w.sets_clock(world.now)
    w.press("I have them in mind")
    w.press("Send without the check")
    w.says("Please look again")
    w.see("write", "closed")
